import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readKeyFile } from '../../../src/channel/key-file.js';
import { REFUSED, SEAL_OVERHEAD, Seal } from '../../../src/channel/seal.js';

const KEY = Buffer.alloc(32, 1);
const OTHER_KEY = Buffer.alloc(32, 2);

/** Clocks of a node: they stand still until they are set. */
class Clocks {
  wall = 1_700_000_000_000;
  monotonic = 0;
  readonly wallMs = (): number => this.wall;
  readonly monotonicMs = (): number => this.monotonic;

  pass(ms: number): this {
    this.wall += ms;
    this.monotonic += ms;
    return this;
  }
}

const packet = (text: string) => Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4));

function sealed(seal: Seal, text: string): Uint8Array {
  const from = packet(text);
  const to = new Uint8Array(from.length + SEAL_OVERHEAD + 4);
  const length = seal.seal(from, 0, from.length, to, 4);
  return to.slice(4, 4 + length);
}

function opened(seal: Seal, envelope: Uint8Array): string {
  const length = seal.open(envelope, 0, envelope.length);
  return length === REFUSED ? `refused: ${seal.refusal}` : Buffer.from(seal.views.u8.subarray(0, length)).toString();
}

describe('a sealed packet', () => {
  const clock = new Clocks();
  const pair = () => [new Seal([KEY], clock), new Seal([KEY], clock)] as const;

  it('is opened by whoever has the key, whole and in any order', () => {
    const [a, b] = pair();
    const envelopes = ['one.', 'two.', 'three...'].map((text) => sealed(a, text));
    expect(envelopes.map((envelope) => opened(b, envelope)).reverse()).toEqual(['three...', 'two.', 'one.']);
    expect(Buffer.from(envelopes[0]!).includes('one.')).toBe(false);
    expect(opened(b, sealed(a, ''))).toBe('');
  });

  it('reads as one message of another protocol version to a node without the key', () => {
    const envelope = sealed(pair()[0], 'one.');
    expect(envelope[0]! >> 4).toBe(2);
    expect(Buffer.from(envelope).readUInt16BE(2)).toBe(envelope.length);
    expect(envelope.length).toBe(4 + SEAL_OVERHEAD);
  });

  it('is refused when any of its bits was changed, and when it was cut or grew', () => {
    const [a, b] = pair();
    const envelope = sealed(a, 'one.');
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      const changed = envelope.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(opened(b, changed)).toMatch(/^refused: (forged|plain)$/);
    }
    for (let length = 0; length < envelope.length; length++) {
      expect(opened(b, envelope.slice(0, length))).toMatch(/^refused: (forged|plain)$/);
    }
    expect(opened(b, Buffer.concat([envelope, Buffer.alloc(4)]))).toBe('refused: forged');
    // None of these attempts keeps the genuine one from being heard.
    expect(opened(b, envelope)).toBe('one.');
  });

  it('is refused under another key, and in plain text', () => {
    const [a] = pair();
    expect(opened(new Seal([OTHER_KEY], clock), sealed(a, 'one.'))).toBe('refused: forged');
    expect(opened(a, Buffer.from('1a00000800000001', 'hex'))).toBe('refused: plain');
  });

  it('is heard once: neither again, nor by its sender, nor when it is too far behind', () => {
    const [a, b] = pair();
    const envelopes = Array.from({ length: 3000 }, (_, index) => sealed(a, `${1000 + index}`));
    expect(opened(b, envelopes[0]!)).toBe('1000');
    expect(opened(b, envelopes[0]!)).toBe('refused: replayed');
    expect(opened(a, envelopes[1]!)).toBe('refused: replayed');
    expect(opened(b, envelopes[1500]!)).toBe('2500');
    expect(opened(b, envelopes[1500 - 1024]!)).toBe('refused: replayed');
    expect(opened(b, envelopes[1500 - 1023]!)).toBe('1477');
    expect(opened(b, envelopes[1500 - 1023]!)).toBe('refused: replayed');
    expect(opened(b, envelopes[2999]!)).toBe('3999');
    expect(envelopes.slice(1976, 2999).map((envelope) => opened(b, envelope))).not.toContain('refused: replayed');
    expect(new Set(envelopes.map((envelope) => opened(b, envelope)))).toEqual(new Set(['refused: replayed']));
  });
});

describe('time', () => {
  it('a packet is heard while the clocks differ by up to 30 seconds', () => {
    const clock = new Clocks().pass(60_000);
    const a = new Seal([KEY], clock);
    const b = new Seal([KEY], clock);
    clock.pass(60_000);
    const early = sealed(a, 'one.');
    clock.pass(30_000);
    expect(opened(b, early)).toBe('one.');
    const late = sealed(a, 'two.');
    clock.pass(30_001);
    expect(opened(b, late)).toBe('refused: stale');
    clock.wall -= 60_002;
    expect(opened(b, sealed(a, 'now.'))).toBe('now.');
  });

  it('a recorded packet is not heard by a receiver that has restarted, nor after its sender has', () => {
    const clock = new Clocks();
    const a = new Seal([KEY], clock);
    const b = new Seal([KEY], clock);
    const recorded = [sealed(a, 'one.'), sealed(a, 'two.')];
    expect(opened(b, recorded[0]!)).toBe('one.');
    clock.pass(3000);
    expect(opened(new Seal([KEY], clock), recorded[0]!)).toBe('refused: stale');
    const again = new Seal([KEY], clock);
    expect(opened(b, sealed(again, 'new.'))).toBe('new.');
    expect(opened(b, recorded[0]!)).toBe('refused: replayed');
    clock.pass(30_000);
    expect(opened(b, recorded[1]!)).toBe('refused: stale');
  });

  it('a clock set back or forth while the receiver runs does not shut out the sender for good', () => {
    const receiverClock = new Clocks();
    receiverClock.wall += 1e12;
    const senderClock = new Clocks();
    const a = new Seal([KEY], senderClock);
    const b = new Seal([KEY], receiverClock);
    expect(opened(b, sealed(a, 'one.'))).toBe('refused: stale');
    receiverClock.pass(5000);
    receiverClock.wall = senderClock.pass(5000).wall;
    expect(opened(b, sealed(a, 'two.'))).toBe('two.');
  });
});

describe('keys', () => {
  const clock = new Clocks();

  it('change one node after the other without a packet lost', () => {
    const nodes = [new Seal([KEY], clock), new Seal([KEY], clock)] as const;
    let number = 0;
    const expectBothWays = () => {
      for (const [from, to] of [nodes, [nodes[1], nodes[0]]] as const) {
        const text = `packet ${1000 + number++}.`;
        expect(opened(to!, sealed(from!, text))).toBe(text);
      }
    };
    for (const keys of [[KEY, OTHER_KEY], [OTHER_KEY, KEY], [OTHER_KEY]]) {
      for (const node of nodes) {
        node.setKeys(keys);
        expectBothWays();
      }
    }
    expect(opened(nodes[0], sealed(new Seal([KEY], clock), 'old.'))).toBe('refused: forged');
  });

  it('that stay keep their windows, those that go take their senders along', () => {
    const a = new Seal([KEY], clock);
    const b = new Seal([KEY], clock);
    const envelope = sealed(a, 'one.');
    expect(opened(b, envelope)).toBe('one.');
    b.setKeys([OTHER_KEY, KEY]);
    expect(opened(b, envelope)).toBe('refused: replayed');
    b.setKeys([OTHER_KEY]);
    expect(opened(b, sealed(a, 'two.'))).toBe('refused: forged');
  });

  it('no two packets of any life have the same life and number', () => {
    const seen = new Set<string>();
    for (let life = 0; life < 50; life++) {
      const seal = new Seal([KEY], clock);
      for (let index = 0; index < 20; index++) {
        if (index === 10) seal.setKeys([life % 2 ? OTHER_KEY : KEY]);
        const envelope = Buffer.from(sealed(seal, 'same'));
        seen.add(envelope.toString('hex', 4, 16) + envelope.toString('hex', 24, 32));
      }
    }
    expect(seen.size).toBe(1000);
  });

  it('lives that are remembered are bounded; a live one is not forgotten for a new one', () => {
    const own = new Clocks();
    const b = new Seal([KEY], own);
    const first = new Seal([KEY], own);
    const envelope = sealed(first, 'one.');
    expect(opened(b, envelope)).toBe('one.');
    for (let index = 1; index < 64; index++) expect(opened(b, sealed(new Seal([KEY], own), 'more'))).toBe('more');
    expect(opened(b, sealed(new Seal([KEY], own), 'many'))).toBe('refused: stale');
    expect(opened(b, envelope)).toBe('refused: replayed');
    own.pass(60_001);
    expect(opened(b, sealed(new Seal([KEY], own), 'later...'))).toBe('later...');
    expect(opened(b, envelope)).toBe('refused: stale');
  });
});

describe('a key file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'conntrackd-key-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (text: string, mode = 0o600): string => {
    const path = join(folder, 'key');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const line = 'ab'.repeat(32);

  it('holds a key a line, remarks and empty lines aside', () => {
    expect(readKeyFile(file(`# made today\n\n${line}\n  ${line.toUpperCase()}  \n`))).toEqual([
      Buffer.alloc(32, 0xab),
      Buffer.alloc(32, 0xab),
    ]);
  });

  it.each([
    ['nothing in it', '# none\n', 0o600, /holds no key/],
    ['half a key', `${line.slice(2)}\n`, 0o600, /key 1 is not 64 hexadecimal digits/],
    ['no digits', `${line}\n${'xy'.repeat(32)}\n`, 0o600, /key 2 is not/],
    ['too much', `${line}\n`.repeat(1000), 0o600, /longer than/],
    ['a mode that lets the group read', line, 0o640, /mode 640/],
    ['a mode that lets all read', line, 0o604, /mode 604/],
  ])('is refused with %s', (_, text, mode, reason) => {
    expect(() => readKeyFile(file(text, mode))).toThrow(reason);
  });

  it('is refused when it is missing or no file, and no error shows a key', () => {
    expect(() => readKeyFile(join(folder, 'none'))).toThrow(/KeyFile .*none: cannot be read: ENOENT/);
    chmodSync(folder, 0o700);
    expect(() => readKeyFile(folder)).toThrow(/is no file/);
    expect(() => readKeyFile(file(`${line}z\n`))).not.toThrow(new RegExp(line.slice(0, 8)));
  });
});
