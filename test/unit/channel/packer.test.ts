import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES, moveMessages, Packer, type PacketOutlet } from '../../../src/channel/packer.js';

/** Takes as many packets as `budget` allows and remembers the numbers of the messages in them. */
class Outlet implements PacketOutlet {
  readonly packets: number[][] = [];
  budget = Number.POSITIVE_INFINITY;
  droppedPackets = 0;
  packer!: Packer;

  drain(): void {
    const { packer } = this;
    while (packer.pending > 0 && this.budget > 0) {
      this.budget--;
      this.packets.push(messagesOf(packer, packer.first));
      packer.sent(1);
    }
  }

  dropped(packets: number): void {
    this.droppedPackets += packets;
  }
}

function build(packetBytes: number, bytes = 64 * 1024, packets = 64): { packer: Packer; outlet: Outlet } {
  const outlet = new Outlet();
  const packer = new Packer({ bytes, packets }, outlet);
  packer.setPacketBytes(packetBytes);
  outlet.packer = packer;
  return { packer, outlet };
}

/** A message of `words` words: its number, its length, then its number again and again. */
function write(packer: Packer, number: number, words: number): void {
  const at = packer.reserve();
  expect(at % 4).toBe(0);
  expect(at + MAX_MESSAGE_BYTES).toBeLessThanOrEqual(packer.views.u8.length);
  packer.views.u32.fill(number, at >>> 2, (at >>> 2) + words);
  packer.views.u32[(at >>> 2) + 1] = words;
  packer.commit(words * 4);
}

/** Numbers of the messages in a packet; fails when one is damaged. */
function messagesOf(packer: Packer, index: number): number[] {
  const at = packer.offsets[index]! >>> 2;
  return readMessages(packer.views.u32.subarray(at, at + (packer.lengths[index]! >>> 2)));
}

function readMessages(words: Uint32Array): number[] {
  const numbers: number[] = [];
  for (let at = 0; at < words.length; at += words[at + 1]!) {
    const body = [...words.subarray(at + 2, at + words[at + 1]!)];
    if (words[at + 1] === 0 || body.some((word) => word !== words[at])) throw new Error(`message ${words[at]} damaged`);
    numbers.push(words[at]!);
  }
  return numbers;
}

const flush = ({ packer, outlet }: { packer: Packer; outlet: Outlet }) => {
  packer.finish();
  outlet.drain();
};

const messageWords = fc.integer({ min: 2, max: MAX_MESSAGE_BYTES / 4 });
const manyWords = fc.array(fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 2, max: 30 }) }, messageWords), {
  minLength: 1,
  maxLength: 400,
});

describe('packing', () => {
  it('33 messages of 44 bytes fill a packet of an Ethernet, as the original has it (spec/findings.md 24)', () => {
    const both = build(1500 - 28);
    for (let number = 0; number < 100; number++) write(both.packer, number, 11);
    flush(both);
    expect(both.outlet.packets.map((packet) => packet.length)).toEqual([33, 33, 33, 1]);
  });

  it('joins only while the sum is less than the size', () => {
    const both = build(100);
    write(both.packer, 1, 12);
    write(both.packer, 2, 13);
    write(both.packer, 3, 11);
    flush(both);
    expect(both.outlet.packets).toEqual([[1], [2, 3]]);
  });

  it('a message longer than a packet goes alone', () => {
    const both = build(100);
    for (const [number, words] of [
      [1, 5],
      [2, 25],
      [3, 26],
      [4, 5],
      [5, 5],
    ] as const) {
      write(both.packer, number, words);
    }
    flush(both);
    expect(both.outlet.packets).toEqual([[1], [2], [3], [4, 5]]);
  });

  it('whatever the sizes: order kept, packets below the size, and none that could have been joined', () => {
    fc.assert(
      fc.property(manyWords, fc.integer({ min: 16, max: 3000 }), (sizes, packetBytes) => {
        const both = build(packetBytes);
        sizes.forEach((words, number) => {
          write(both.packer, number, words);
        });
        flush(both);
        const { packets } = both.outlet;
        const bytes = (numbers: number[]) => numbers.reduce((sum, number) => sum + sizes[number]! * 4, 0);
        expect(packets.flat()).toEqual(sizes.map((_, number) => number));
        packets.forEach((packet, index) => {
          if (packet.length > 1) expect(bytes(packet)).toBeLessThan(packetBytes);
          const next = packets[index + 1];
          if (next !== undefined) expect(bytes(packet) + bytes([next[0]!])).toBeGreaterThanOrEqual(packetBytes);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('refuses lengths that no message has', () => {
    const { packer } = build(1472);
    packer.reserve();
    expect(() => packer.commit(10)).toThrow(RangeError);
    expect(() => packer.commit(MAX_MESSAGE_BYTES + 4)).toThrow(RangeError);
    expect(() => packer.setPacketBytes(40_000)).toThrow(RangeError);
  });
});

describe('a kernel that takes only some', () => {
  it('nothing is lost, doubled or reordered but what is counted as dropped', () => {
    const steps = fc.array(fc.record({ words: messageWords, takes: fc.nat(3), flushes: fc.boolean() }), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const both = build(1472, 16 * 1024, 8);
        const { packer, outlet } = both;
        outlet.budget = 0;
        list.forEach(({ words, takes, flushes }, number) => {
          outlet.budget = takes;
          write(packer, number, words);
          if (flushes) flush(both);
        });
        outlet.budget = Number.POSITIVE_INFINITY;
        flush(both);
        const arrived = outlet.packets.flat();
        expect(arrived).toEqual([...arrived].sort((a, b) => a - b));
        expect(new Set(arrived).size).toBe(arrived.length);
        if (outlet.droppedPackets === 0) expect(arrived).toHaveLength(list.length);
        else expect(arrived.length).toBeLessThan(list.length);
        if (list.length > 0) expect(arrived.at(-1)).toBe(list.length - 1);
      }),
      { numRuns: 200 },
    );
  });

  it('the oldest are dropped first', () => {
    const both = build(100, 16 * 1024, 8);
    both.outlet.budget = 0;
    for (let number = 0; number < 30; number++) {
      write(both.packer, number, 24);
      both.packer.finish();
    }
    both.outlet.budget = Number.POSITIVE_INFINITY;
    flush(both);
    const arrived = both.outlet.packets.flat();
    expect(arrived.length + both.outlet.droppedPackets).toBe(30);
    expect(arrived).toEqual(Array.from({ length: arrived.length }, (_, index) => 30 - arrived.length + index));
  });

  it('when everything has left, the same memory is used again', () => {
    const both = build(1472);
    for (let round = 0; round < 10; round++) {
      expect(both.packer.reserve()).toBe(0);
      write(both.packer, round, 4);
      flush(both);
    }
  });
});

describe('a stream', () => {
  it('takes any number of bytes and gives the same messages, but for packets dropped whole', () => {
    const steps = fc.array(fc.record({ words: messageWords, takes: fc.nat(4000), keep: fc.nat(20) }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const { packer, outlet } = build(1472, 16 * 1024, 8);
        const stream: number[] = [];
        let budget = 0;
        let packets = 0;
        outlet.drain = () => {
          const bytes = Math.min(budget, packer.streamEnd - packer.streamStart);
          stream.push(...packer.views.u8.subarray(packer.streamStart, packer.streamStart + bytes));
          packets += packer.sentBytes(bytes);
          budget -= bytes;
        };
        list.forEach(({ words, takes, keep }, number) => {
          budget = takes;
          write(packer, number, words);
          packer.finish();
          outlet.drain();
          packer.dropDownTo(keep);
        });
        const left = packer.pending;
        budget = Number.POSITIVE_INFINITY;
        outlet.drain();
        expect(packer.pending).toBe(0);
        const arrived = readMessages(new Uint32Array(Uint8Array.from(stream).buffer));
        expect(arrived).toEqual([...new Set(arrived)].sort((a, b) => a - b));
        expect(arrived.length + outlet.droppedPackets).toBe(list.length);
        expect(packets).toBe(arrived.length);
        expect(left).toBeLessThanOrEqual(list.length);
      }),
      { numRuns: 200 },
    );
  });

  /** A packet of three messages of 8, 16 and 40 bytes with the headers of spec/wire.md. */
  function packetOfThree(packer: Packer): void {
    for (const bytes of [8, 16, 40]) {
      const at = packer.reserve();
      packer.views.u8.fill(bytes, at, at + bytes);
      packer.views.u8.set([0x10, 0, 0, bytes], at);
      packer.commit(bytes);
    }
    packer.finish();
  }

  it.each([
    ['nothing of it was taken', 0, 0],
    ['the first message was cut off', 7, 0],
    ['it was cut off between messages', 8, 8],
    ['the second was cut off in its header', 10, 8],
    ['the last was cut off', 63, 24],
  ])('a new connection begins with the message that was cut off: %s', (_, taken, begin) => {
    const { packer } = build(1472);
    packetOfThree(packer);
    packetOfThree(packer);
    expect(packer.sentBytes(taken)).toBe(0);
    packer.restartStream();
    expect(packer.streamStart).toBe(begin);
    expect(packer.streamEnd).toBe(128);
    expect(packer.pending).toBe(2);
    expect(packer.sentBytes(64 - begin)).toBe(1);
    expect(packer.streamStart).toBe(64);
  });

  it('its waiting messages move to another, whole and in order', () => {
    const { packer } = build(1472);
    const { packer: other, outlet } = build(30);
    packetOfThree(packer);
    packetOfThree(packer);
    packer.sentBytes(9);
    const packets: number[] = [];
    outlet.drain = () => {
      for (let index = 0; index < other.pending; index++) packets.push(other.lengths[other.first + index]!);
      other.sent(other.pending);
    };
    moveMessages(packer, {
      out: other.views,
      reserve: () => other.reserve(),
      commit: (length) => other.commit(length),
      flush: () => {
        other.finish();
        outlet.drain();
      },
    });
    expect(packer.pending).toBe(0);
    expect(packets).toEqual([16, 40, 24, 40]);
  });
});
