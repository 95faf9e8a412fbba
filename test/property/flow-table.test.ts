import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { IdentityHash } from '../../src/flow/identity.js';
import {
  AF_INET,
  AF_INET6,
  ASIDE,
  ASIDE_LABELS,
  ASIDE_WORDS,
  CREATED,
  IPPROTO_TCP,
  K_LABELS,
  K_MARK,
  K_ORIG,
  K_ORIG_L4,
  K_SECCTX,
  K_STATE,
  K_STATUS,
  K_TIMEOUT,
  K_ZONE,
  KIND,
  KNOWN,
  kindOf,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  QUEUE_NONE,
  QUEUE_RESEND,
  QUEUE_TRANSMIT,
  STATE_ALIVE,
  STATE_NEW,
  STATUS,
  stateOf,
  TIMEOUT,
  UPDATED,
  ZONE,
} from '../../src/flow/layout.js';
import { FlowQueue } from '../../src/flow/queue.js';
import { FlowPointer } from '../../src/flow/ref.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { type FlowRow, FlowTable, NO_ROW } from '../../src/flow/table.js';
import { TimerWheel } from '../../src/flow/wheel.js';

/** The flow as the model keeps it: what is known of it, by name. */
interface Attributes {
  status?: number;
  timeout?: number;
  mark?: number;
  state?: number;
  labels?: number;
  secctx?: string;
}
interface Entry {
  row: FlowRow;
  attributes: Attributes;
  created: number;
  updated: number;
  state: number;
}

/** Identities 0..n-1: half of them IPv6, every third in a zone, differing in one word only. */
function writeIdentity(words: Uint32Array, identity: number): void {
  const six = (identity & 1) === 1;
  words[KIND] = kindOf(six ? AF_INET6 : AF_INET, IPPROTO_TCP);
  words[ORIG_SRC] = 0x0100000a;
  words[ORIG_DST] = 0x0200000a;
  words[ORIG_L4] = 0x50001234;
  words[KNOWN] = K_ORIG | K_ORIG_L4;
  const where = [ORIG_SRC, ORIG_DST, ORIG_L4, ...(six ? [ORIG_SRC + 3, ORIG_DST + 2] : [])];
  const index = where[(identity >>> 1) % where.length]!;
  words[index] = words[index]! + 1 + identity;
  if (identity % 3 === 0) {
    words[ZONE] = 1 + (identity % 5);
    words[KNOWN] = words[KNOWN]! | K_ZONE;
  }
}

function writeFlow(scratch: FlowScratch, identity: number, attributes: Attributes): FlowScratch {
  scratch.reset();
  const words = scratch.words;
  scratch.aside.fill(0xdead);
  writeIdentity(words, identity);
  let known = words[KNOWN]!;
  if (attributes.status !== undefined) [words[STATUS], known] = [attributes.status, known | K_STATUS];
  if (attributes.timeout !== undefined) [words[TIMEOUT], known] = [attributes.timeout, known | K_TIMEOUT];
  if (attributes.mark !== undefined) [words[MARK], known] = [attributes.mark, known | K_MARK];
  if (attributes.state !== undefined) [words[KIND], known] = [words[KIND]! | (attributes.state << 16), known | K_STATE];
  if (attributes.labels !== undefined) {
    scratch.aside.fill(attributes.labels, ASIDE_LABELS, ASIDE_LABELS + 4);
    known |= K_LABELS;
  }
  if (attributes.secctx !== undefined) [scratch.secctx, known] = [attributes.secctx, known | K_SECCTX];
  words[KNOWN] = known;
  return scratch;
}

function readAttributes(pointer: FlowPointer): Attributes {
  const { words, at } = pointer;
  const known = words[at + KNOWN]!;
  return {
    ...((known & K_STATUS) !== 0 && { status: words[at + STATUS]! }),
    ...((known & K_TIMEOUT) !== 0 && { timeout: words[at + TIMEOUT]! }),
    ...((known & K_MARK) !== 0 && { mark: words[at + MARK]! }),
    ...((known & K_STATE) !== 0 && { state: stateOf(words[at + KIND]!) }),
    ...((known & K_LABELS) !== 0 && { labels: pointer.aside[pointer.asideAt + ASIDE_LABELS + 3]! }),
    ...((known & K_SECCTX) !== 0 && { secctx: pointer.secctx }),
  };
}

const word = fc.integer({ min: 0, max: 0xffffffff });
const attributes = fc.record(
  {
    status: word,
    timeout: word,
    mark: word,
    state: fc.integer({ min: 0, max: 255 }),
    labels: word,
    secctx: fc.constantFrom('system_u:object_r:a', 'system_u:object_r:b', 'c'),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Attributes>;

const IDENTITIES = 48;
const identity = fc.integer({ min: 0, max: IDENTITIES - 1 });
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('upsert' as const), identity, attributes }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('replace' as const), identity, attributes }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove' as const), identity }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('push' as const, 'unqueue' as const),
      identity,
      queue: fc.constantFrom(QUEUE_TRANSMIT, QUEUE_RESEND),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('shift' as const), queue: fc.constant(QUEUE_TRANSMIT) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('arm' as const), identity, delay: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), identity }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 0, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('clear' as const, 'iterate' as const) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** The table and all that hangs on it, next to plain maps and arrays that must always say the same. */
class Pair {
  readonly scratch = new FlowScratch();
  readonly pointer = new FlowPointer();
  readonly table: FlowTable;
  readonly queues: Map<number, FlowQueue>;
  readonly wheel: TimerWheel;
  readonly entries = new Map<number, Entry>();
  readonly waiting = new Map<number, number[]>([
    [QUEUE_TRANSMIT, []],
    [QUEUE_RESEND, []],
  ]);
  readonly deadlines = new Map<number, number>();
  now = 100;

  constructor(
    readonly limit: number,
    hash: IdentityHash | undefined,
  ) {
    this.table = new FlowTable({ limit, seed: 7, ...(hash && { hash }) });
    this.queues = new Map([QUEUE_TRANSMIT, QUEUE_RESEND].map((number) => [number, new FlowQueue(this.table, number)]));
    this.wheel = new TimerWheel(this.table, 20, this.now);
  }

  run(step: Operation): void {
    switch (step.kind) {
      case 'upsert':
        this.upsert(step.identity, step.attributes);
        break;
      case 'replace':
        this.replace(step.identity, step.attributes);
        break;
      case 'remove':
        this.remove(step.identity);
        break;
      case 'push':
        this.push(step.identity, step.queue);
        break;
      case 'unqueue':
        this.unqueue(step.identity, step.queue);
        break;
      case 'shift':
        this.shift(step.queue);
        break;
      case 'arm':
        this.arm(step.identity, step.delay);
        break;
      case 'cancel':
        this.cancel(step.identity);
        break;
      case 'tick':
        this.tick(step.seconds);
        break;
      case 'clear':
        this.clear();
        break;
      case 'iterate':
        this.iterate();
        break;
    }
  }

  private upsert(identity: number, attributes: Attributes): void {
    const flow = writeFlow(this.scratch, identity, attributes);
    const entry = this.entries.get(identity);
    const row = this.table.find(flow);
    if (entry === undefined) {
      expect(row).toBe(NO_ROW);
      const inserted = this.table.insert(flow, this.now);
      if (this.entries.size === this.limit) expect(inserted).toBe(NO_ROW);
      else
        this.entries.set(identity, {
          row: inserted,
          attributes: { ...attributes },
          created: this.now,
          updated: this.now,
          state: STATE_NEW,
        });
    } else {
      expect(row).toBe(entry.row);
      expect(() => this.table.insert(flow, this.now)).toThrow(/in the table/);
      this.table.merge(row, flow, this.now);
      this.table.setState(row, STATE_ALIVE);
      Object.assign(entry.attributes, attributes);
      entry.updated = this.now;
      entry.state = STATE_ALIVE;
    }
  }

  private replace(identity: number, attributes: Attributes): void {
    const entry = this.entries.get(identity);
    if (entry === undefined) return;
    this.table.replace(entry.row, writeFlow(this.scratch, identity, attributes), this.now, identity % 2 === 0);
    entry.attributes = { ...attributes };
    entry.updated = this.now;
    if (identity % 2 === 0) entry.created = this.now;
  }

  private remove(identity: number): void {
    const entry = this.entries.get(identity);
    if (entry === undefined) return;
    if (this.queueOf(identity) !== QUEUE_NONE || this.deadlines.has(identity)) {
      expect(() => this.table.remove(entry.row)).toThrow(/take it out/);
      return;
    }
    this.table.remove(entry.row);
    expect(() => this.table.remove(entry.row)).toThrow(/holds no flow/);
    this.entries.delete(identity);
  }

  private queueOf(identity: number): number {
    for (const [number, waiting] of this.waiting) if (waiting.includes(identity)) return number;
    return QUEUE_NONE;
  }

  private push(identity: number, number: number): void {
    const entry = this.entries.get(identity);
    if (entry === undefined) return;
    const queue = this.queues.get(number)!;
    const current = this.queueOf(identity);
    if (current !== QUEUE_NONE && current !== number) {
      expect(() => queue.push(entry.row)).toThrow(/waits in queue/);
      return;
    }
    expect(queue.push(entry.row)).toBe(current === QUEUE_NONE);
    if (current === QUEUE_NONE) this.waiting.get(number)!.push(identity);
  }

  private unqueue(identity: number, number: number): void {
    const entry = this.entries.get(identity);
    if (entry === undefined) return;
    const queue = this.queues.get(number)!;
    const waiting = this.waiting.get(number)!;
    if (!waiting.includes(identity)) {
      expect(() => queue.remove(entry.row)).toThrow(/does not wait/);
      return;
    }
    queue.remove(entry.row);
    waiting.splice(waiting.indexOf(identity), 1);
  }

  private shift(number: number): void {
    const identity = this.waiting.get(number)!.shift();
    expect(this.queues.get(number)!.shift()).toBe(identity === undefined ? NO_ROW : this.entries.get(identity)!.row);
  }

  private arm(identity: number, delay: number): void {
    const entry = this.entries.get(identity);
    if (entry === undefined) return;
    this.wheel.arm(entry.row, this.now + delay);
    this.deadlines.set(identity, this.now + delay);
  }

  private cancel(identity: number): void {
    const entry = this.entries.get(identity);
    if (entry === undefined) return;
    this.wheel.cancel(entry.row);
    this.deadlines.delete(identity);
  }

  private tick(seconds: number): void {
    this.now += seconds;
    const expired: FlowRow[] = [];
    this.wheel.advance(this.now, (row) => expired.push(row));
    const due = [...this.deadlines].filter(([, deadline]) => deadline <= this.now).map(([identity]) => identity);
    for (const identity of due) this.deadlines.delete(identity);
    expect(expired.sort()).toEqual(due.map((identity) => this.entries.get(identity)!.row).sort());
  }

  private clear(): void {
    this.table.clear();
    this.entries.clear();
    this.deadlines.clear();
    for (const waiting of this.waiting.values()) waiting.length = 0;
  }

  /** Walks with a removal and an insertion between two steps: rows there all the time are met exactly once. */
  private iterate(): void {
    const met: FlowRow[] = [];
    const stable = new Set([...this.entries.values()].map((entry) => entry.row));
    let step = 0;
    for (let row = this.table.next(0); row !== NO_ROW; row = this.table.next(row + 1)) {
      met.push(row);
      const victim = [...this.entries].find(
        ([identity]) => this.queueOf(identity) === QUEUE_NONE && !this.deadlines.has(identity),
      );
      if (step++ === 1 && victim !== undefined) {
        stable.delete(victim[1].row);
        this.remove(victim[0]);
        this.upsert((victim[0] + 7) % IDENTITIES, {});
      }
    }
    expect(new Set(met).size).toBe(met.length);
    for (const row of stable) expect(met).toContain(row);
  }

  check(): void {
    const { table, pointer, entries } = this;
    expect(table.size).toBe(entries.size);
    for (let identity = 0; identity < IDENTITIES; identity++) {
      const entry = entries.get(identity);
      expect(table.find(writeFlow(this.scratch, identity, {}))).toBe(entry?.row ?? NO_ROW);
      if (entry === undefined) continue;
      table.point(entry.row, pointer);
      expect(readAttributes(pointer)).toEqual(entry.attributes);
      expect(table.word(entry.row, CREATED)).toBe(entry.created);
      expect(table.word(entry.row, UPDATED)).toBe(entry.updated);
      expect(table.state(entry.row)).toBe(entry.state);
      expect(table.queueOf(entry.row)).toBe(this.queueOf(identity));
      expect(this.wheel.isArmed(entry.row)).toBe(this.deadlines.has(identity));
    }
    this.checkQueues();
    this.checkAsides();
    expect(this.wheel.length).toBe(this.deadlines.size);
  }

  private checkQueues(): void {
    for (const [number, waiting] of this.waiting) {
      const queue = this.queues.get(number)!;
      const rows: FlowRow[] = [];
      for (let row = queue.head; row !== NO_ROW; row = queue.after(row)) rows.push(row);
      expect(rows).toEqual(waiting.map((identity) => this.entries.get(identity)!.row));
      expect(queue.length).toBe(waiting.length);
    }
  }

  private checkAsides(): void {
    const all = [...this.entries.values()];
    const rare = all.filter((entry) => entry.attributes.labels !== undefined || entry.attributes.secctx !== undefined);
    expect(this.table.asideSize).toBe(rare.length);
    expect(rare.every((entry) => this.table.word(entry.row, ASIDE) !== 0)).toBe(true);
    const contexts = all.flatMap((entry) => entry.attributes.secctx ?? []);
    expect(this.table.contexts).toBe(new Set(contexts).size);
  }
}

const constantHash: IdentityHash = { of: () => 0x5a5a5a5a };
const crowdedHash: IdentityHash = { of: (words, at) => (words[at + ORIG_L4]! ^ words[at + ORIG_SRC]!) & 1 };
/** Homes at the segment's end, so that clusters wrap around. */
const wrappingHash: IdentityHash = { of: (words, at) => -1 - (words[at + ORIG_L4]! & 3) };

test.each([
  ['seeded hash', undefined],
  ['one hash for all', constantHash],
  ['two hashes', crowdedHash],
  ['clusters around the end', wrappingHash],
])('a table does what a map does, with %s', (_name, hash) => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), fc.constantFrom(5, 1000), (steps, limit) => {
      const pair = new Pair(limit, hash);
      for (const step of steps) pair.run(step);
      pair.check();
    }),
    { numRuns: 150, verbose: 1 },
  );
});

test('every step leaves a table that agrees with the map', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (steps) => {
      const pair = new Pair(20, wrappingHash);
      for (const step of steps) {
        pair.run(step);
        pair.check();
      }
    }),
    { numRuns: 60, verbose: 1 },
  );
});

/** Large enough for splits, merges and page changes; the identity is the number itself. */
function numbered(scratch: FlowScratch, number: number): FlowScratch {
  scratch.words[KNOWN] = K_ORIG | K_ORIG_L4;
  scratch.words[KIND] = kindOf(AF_INET, IPPROTO_TCP);
  scratch.words[ORIG_SRC] = number;
  return scratch;
}

const lowBitsHash: IdentityHash = { of: (words, at) => words[at + ORIG_SRC]! };
const highBitsHash: IdentityHash = { of: (words, at) => words[at + ORIG_SRC]! << 18 };

test.each([
  ['seeded hash', undefined],
  ['consecutive hashes in the first segment', lowBitsHash],
  ['hashes that differ only in their top bits', highBitsHash],
  ['one hash for all', constantHash],
])('tables grow and shrink through many segments, with %s', (_name, hash) => {
  const most = hash === constantHash ? 2500 : 12_000;
  const chunk = fc.record({
    first: fc.integer({ min: 0, max: most }),
    count: fc.integer({ min: 0, max: most }),
    stride: fc.constantFrom(1, 2, 7),
    insert: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(chunk, { minLength: 2, maxLength: 6 }), fc.integer(), (chunks, seed) => {
      const table = new FlowTable({ limit: most * 8, seed, ...(hash && { hash }) });
      const scratch = new FlowScratch();
      const rows = new Map<number, FlowRow>();
      for (const { first, count, stride, insert } of chunks) {
        for (let number = first; number < Math.min(first + count, most); number += stride) {
          const row = rows.get(number);
          if (insert && row === undefined) rows.set(number, table.insert(numbered(scratch, number), 1));
          if (insert || row === undefined) continue;
          table.remove(row);
          rows.delete(number);
        }
        expect(new Set(rows.values()).size).toBe(rows.size);
      }
      const wrong: number[] = [];
      for (let number = 0; number < most; number++) {
        if (table.find(numbered(scratch, number)) !== (rows.get(number) ?? NO_ROW)) wrong.push(number);
      }
      expect(wrong).toEqual([]);
      const met: number[] = [];
      for (let row = table.next(0); row !== NO_ROW; row = table.next(row + 1)) met.push(row);
      expect(met).toEqual([...rows.values()].sort((a, b) => a - b));
      for (const row of rows.values()) table.remove(row);
      expect(table.size).toBe(0);
    }),
    { numRuns: hash === constantHash ? 4 : 12, verbose: 1 },
  );
});

test('aside words of another attribute are not taken over', () => {
  const table = new FlowTable({ limit: 10, seed: 1 });
  const scratch = new FlowScratch();
  const pointer = new FlowPointer();
  const row = table.insert(writeFlow(scratch, 0, { labels: 5 }), 1);
  table.point(row, pointer);
  const record = Array.from(pointer.aside.subarray(pointer.asideAt, pointer.asideAt + ASIDE_WORDS));
  expect(record.filter((value) => value !== 0)).toEqual([5, 5, 5, 5]);
});
