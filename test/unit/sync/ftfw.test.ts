import { beforeEach, describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { IPPROTO_UDP, K_ORIG, KIND, KNOWN, kindOf, ORIG_SRC, STATE_DEAD, STATE_NEW } from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { type FlowRow, FlowTable } from '../../../src/flow/table.js';
import { Ftfw } from '../../../src/sync/ftfw.js';
import { encodeControl } from '../../../src/wire/encode.js';
import { MessageHeader, readHeader } from '../../../src/wire/header.js';
import {
  FLAG_ACK,
  FLAG_ALIVE,
  FLAG_HELLO,
  FLAG_HELLO_BACK,
  FLAG_NACK,
  FLAG_RESYNC,
  FLOW_DESTROY,
  FLOW_NEW,
} from '../../../src/wire/tables.js';
import { PacketSink } from '../../simulation/packet-sink.js';

const START = 1_700_000_000;
/** With a random number in the middle, numbers begin so far from the time of day (sequence.ts). */
const HALF_WAY = 2 ** 31;
/** Where numbers of this implementation may begin, and the original's do not. */
const FAR_FROM_TIME = 2_500_000_000;
const QUEUE = 100;

interface Sent {
  type: number;
  flags: number;
  sequence: number;
  from: number;
  to: number;
}

let nowMs: number;
let swept: [peer: number, stamp: number][] = [];
let sent: Sent[];
let table: FlowTable;
let released: FlowRow[];
let lines: string[];
let mode: Ftfw;
let peerSequence: number;

beforeEach(() => {
  nowMs = 0;
  sent = [];
  swept = [];
  released = [];
  lines = [];
  peerSequence = 1000;
  table = new FlowTable({ limit: 100_000 });
  const log = (text: string) => lines.push(text);
  mode = new Ftfw(
    {
      table,
      sink: new PacketSink((packet) => record(packet)),
      clock: { monotonicMs: () => nowMs, wallSeconds: () => START + HALF_WAY },
      logger: { info: log, notice: log, warning: log, error: log, raw: log },
      encode: { timeout: false, windowTracking: false },
      sharedLink: false,
      external: { apply: () => true },
      random: () => 0.5,
      sweep: (peer, stamp) => swept.push([peer, stamp]),
      release: (row) => {
        released.push(row);
        table.remove(row);
      },
    },
    { resendQueueSize: QUEUE, ackWindowSize: 300 },
  );
});

function record(packet: Uint8Array): void {
  const views = Views.of(packet);
  for (let at = 0; at < packet.length; ) {
    const header = new MessageHeader();
    readHeader(views, at, packet.length, header);
    const { type, flags, sequence, from, to } = header;
    sent.push({ type, flags, sequence, from, to });
    at += header.length;
  }
}

function peerSays(flags: number, from = 0, to = 0, sequence = peerSequence++): void {
  const views = new Views(16);
  const length = encodeControl(views, 0, flags, sequence, from, to);
  mode.receiveDatagram(views, 0, length, 1);
  send();
}

function greet(): void {
  peerSays(FLAG_ALIVE | FLAG_HELLO | FLAG_HELLO_BACK);
}

function send(): void {
  while (mode.transmit());
}

function pass(ms: number): void {
  for (const endMs = nowMs + ms; nowMs < endMs; ) {
    nowMs = Math.min(endMs, Math.max(nowMs + 1, mode.deadlineMs()));
    mode.tick(nowMs);
    send();
  }
}

function flow(number: number): FlowRow {
  const scratch = new FlowScratch();
  scratch.words[KNOWN] = K_ORIG;
  scratch.words[KIND] = kindOf(2, IPPROTO_UDP);
  scratch.words[ORIG_SRC] = number;
  return table.insert(scratch, 0);
}

function enqueue(count: number): FlowRow[] {
  const rows = Array.from({ length: count }, (_, number) => flow(number + 1));
  for (const row of rows) mode.enqueue(row);
  send();
  return rows;
}

function data(): Sent[] {
  return sent.filter(({ type }) => type <= FLOW_DESTROY);
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, step) => from + step);
}

function resendLength(): number {
  return mode.queues().find(({ name }) => name === 'rsqueue')!.length;
}

describe('entries', () => {
  it('travel once with their newest state, however often they change before they are sent', () => {
    const row = flow(1);
    mode.enqueue(row);
    mode.enqueue(row);
    table.setState(row, STATE_DEAD);
    mode.enqueue(row);
    send();
    expect(data().map(({ type }) => type)).toEqual([FLOW_DESTROY]);
  });

  it('stay in the table when dead, until their end is acknowledged', () => {
    greet();
    const [row] = enqueue(1);
    table.setState(row!, STATE_DEAD);
    mode.enqueue(row!);
    send();
    const end = data().at(-1)!;
    peerSays(FLAG_ACK, START, end.sequence - 1);
    expect(released).toEqual([]);
    peerSays(FLAG_ACK, end.sequence, end.sequence);
    expect(released).toEqual([row]);
  });

  it('that begin anew before their end is acknowledged travel as NEW and stay', () => {
    greet();
    const [row] = enqueue(1);
    table.setState(row!, STATE_DEAD);
    mode.enqueue(row!);
    send();
    const end = data().at(-1)!;
    table.setState(row!, STATE_NEW);
    mode.enqueue(row!);
    send();
    peerSays(FLAG_ACK, START, end.sequence);
    expect(data().at(-1)!.type).toBe(FLOW_NEW);
    expect(released).toEqual([]);
  });

  it('that are missed leave again with a new number', () => {
    greet();
    enqueue(5);
    const { sequence } = data()[2]!;
    peerSays(FLAG_NACK, sequence, sequence + 1);
    expect(data().length).toBe(7);
    expect(data().at(-1)!.sequence).toBe(data()[4]!.sequence + 2);
  });

  it('may be forgotten in whatever queue they are', () => {
    greet();
    const [first, second] = enqueue(2);
    mode.enqueue(second!);
    mode.forget(first!);
    mode.forget(second!);
    send();
    expect(data().length).toBe(2);
    mode.bulk();
    mode.forgetAll();
    table.clear();
    send();
    expect(data().length).toBe(2);
    expect(mode.queues()[0]!.length).toBe(0);
  });
});

describe('ranges from the peer', () => {
  it('of any width are walked only as far as something waits', () => {
    greet();
    enqueue(50);
    const before = performance.now();
    for (let times = 0; times < 2000; times++) peerSays(FLAG_ACK, 0x7fffffff, 0xfffffffe);
    peerSays(FLAG_NACK, START - 1_000_000_000, START + 1_000_000_000);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(data().length).toBe(100);
  });

  it('that run backwards are malformed headers', () => {
    greet();
    peerSays(FLAG_ACK, 11, 10);
    expect(mode.counters.value('malformedHeader')).toBe(1);
  });

  it('are not ours before the peer has answered our HELLO', () => {
    enqueue(3);
    peerSays(FLAG_ACK, START, START + 2);
    expect(resendLength()).toBeGreaterThanOrEqual(3);
  });
});

describe('a stray datagram', () => {
  it('does not stop the stream, is said once and asks for nothing', () => {
    greet();
    peerSays(FLAG_ALIVE, 0, 0, 2_000_000_000);
    peerSays(FLAG_ALIVE);
    peerSays(FLAG_ALIVE, 0, 0, 1_500_000_000);
    peerSays(FLAG_ALIVE);
    expect(mode.tracking).toEqual({ lost: 0, before: 0 });
    expect(sent.filter(({ flags }) => (flags & FLAG_NACK) !== 0)).toEqual([]);
    expect(lines.length).toBe(1);
  });
});

describe('a peer that is heard for the first time', () => {
  it('though it has not heard us yet, gets what was said before', () => {
    enqueue(3);
    sent = [];
    peerSays(FLAG_ALIVE | FLAG_HELLO);
    expect(data()).toEqual([]);
    greet();
    peerSays(FLAG_ACK, START + 2, START + 2);
    expect(data().length).toBe(2);
  });

  it('gets all flows when what was said before was more than the resend queue holds', () => {
    enqueue(3 * QUEUE);
    sent = [];
    peerSays(FLAG_ALIVE | FLAG_HELLO);
    greet();
    for (let rounds = 0; rounds < 100 && mode.health() !== 'in sync'; rounds++) {
      pass(1000);
      peerSays(FLAG_ACK, START, sent.at(-1)!.sequence);
    }
    expect(mode.health()).toBe('in sync');
    expect(new Set(data().map(({ sequence }) => sequence)).size).toBeGreaterThanOrEqual(3 * QUEUE);
  });
});

describe('a peer that says HELLO while its numbers go on', () => {
  it('greets another node: it has heard us and is waited for', () => {
    peerSequence = FAR_FROM_TIME;
    greet();
    peerSays(FLAG_ALIVE);
    enqueue(3);
    pass(3000);
    peerSays(FLAG_ALIVE | FLAG_HELLO);
    expect(lines.filter((line) => line.includes('started anew'))).toEqual([]);
    expect(resendLength()).toBeGreaterThanOrEqual(3);
  });

  it('has started anew when they may be an original’s, which takes them from the time of day', () => {
    peerSequence = START + HALF_WAY;
    greet();
    peerSays(FLAG_ALIVE);
    pass(3000);
    peerSays(FLAG_ALIVE | FLAG_HELLO);
    expect(lines.filter((line) => line.includes('started anew'))).toHaveLength(1);
  });

  it('has started anew though it lived for a moment only, when they are others', () => {
    peerSequence = FAR_FROM_TIME;
    greet();
    peerSays(FLAG_ALIVE | FLAG_HELLO, 0, 0, FAR_FROM_TIME + 500_000_000);
    expect(lines.filter((line) => line.includes('started anew'))).toHaveLength(1);
  });
});

describe('gaps in quick succession', () => {
  it('are asked for one by one, and what came in between is acknowledged, not asked for', () => {
    greet();
    peerSays(FLAG_ALIVE);
    const missing: number[] = [];
    const received = [peerSequence - 2, peerSequence - 1];
    for (let gap = 0; gap < 60; gap++) {
      missing.push(peerSequence++);
      received.push(peerSequence);
      peerSays(FLAG_ALIVE);
    }
    pass(3000);
    const ranges = (flag: number) =>
      sent.filter(({ flags }) => (flags & flag) !== 0).flatMap(({ from, to }) => numbers(from, to));
    expect(ranges(FLAG_NACK)).toEqual(missing);
    expect(ranges(FLAG_ACK)).toEqual(received);
  });
});

describe('a peer that says HELLO anew', () => {
  it('is not waited for, but hears the ends of flows and our request for a resync', () => {
    greet();
    peerSays(FLAG_ALIVE);
    const [first] = enqueue(3);
    mode.requestResync();
    table.setState(first!, STATE_DEAD);
    mode.enqueue(first!);
    send();
    pass(3000);
    sent = [];
    peerSays(FLAG_ALIVE | FLAG_HELLO, 0, 0, 500);
    expect(lines.filter((line) => line.includes('started anew'))).toHaveLength(1);
    expect(data().map(({ type }) => type)).toEqual([FLOW_DESTROY]);
    expect(sent.filter(({ flags }) => (flags & FLAG_RESYNC) !== 0).length).toBe(1);
  });

  it('and one whose HELLO the network repeats, is told apart', () => {
    greet();
    peerSays(FLAG_ALIVE);
    enqueue(3);
    peerSays(FLAG_ALIVE | FLAG_HELLO, 0, 0, 1000);
    expect(lines.filter((line) => line.includes('started anew'))).toEqual([]);
    expect(resendLength()).toBeGreaterThanOrEqual(3);
  });
});

describe('a bulk', () => {
  it('has at most half of the resend queue under way, and goes on as acknowledgements come', () => {
    greet();
    for (let number = 1; number <= 1000; number++) flow(number);
    mode.bulk();
    send();
    expect(data().length).toBe(QUEUE / 2);
    for (let rounds = 0; rounds < 100 && data().length < 1000; rounds++) {
      peerSays(FLAG_ACK, START, sent.at(-1)!.sequence);
    }
    expect(data().length).toBe(1000);
    expect(mode.queues()[1]!.overflows).toBe(0);
  });

  it('that nobody acknowledges does not stop live changes', () => {
    greet();
    for (let number = 2; number <= 1000; number++) flow(number);
    mode.bulk();
    send();
    sent = [];
    mode.enqueue(flow(1));
    send();
    expect(data().length).toBe(1);
  });

  it('follows by itself when messages were given up and the peer answers again', () => {
    greet();
    enqueue(3 * QUEUE);
    pass(1000);
    expect(mode.queues()[1]!.overflows).toBeGreaterThan(0);
    sent = [];
    peerSays(FLAG_ALIVE);
    for (let rounds = 0; rounds < 100 && mode.health() !== 'in sync'; rounds++) {
      peerSays(FLAG_ACK, START, START + 100_000);
    }
    expect(mode.health()).toBe('in sync');
    expect(new Set(data().map(({ sequence }) => sequence)).size).toBeGreaterThanOrEqual(3 * QUEUE);
  });
});

describe('health', () => {
  it('follows the peer', () => {
    expect(mode.health()).toBe('peer gone');
    greet();
    expect(mode.health()).toBe('in sync');
    pass(11_000);
    expect(mode.health()).toBe('peer gone');
    expect(lines.at(-1)).toMatch(/no message from the peer for 10 seconds/);
  });
});

describe('acknowledging', () => {
  it('does not wait for a pause in our own sending for ever', () => {
    greet();
    for (let half = 0; half < 8; half++) {
      mode.enqueue(flow(half + 1));
      send();
      pass(500);
    }
    expect(sent.some(({ flags }) => (flags & FLAG_ACK) !== 0)).toBe(true);
  });
});
