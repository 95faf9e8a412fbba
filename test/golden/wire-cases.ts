import { readFileSync } from 'node:fs';
import { Views } from '../../src/base/views.js';
import { ASIDE_WORDS, ATTRIBUTE_WORDS, K_ASIDE_MASK, KIND, KNOWN } from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { decodeFlow as decodeNetlink } from '../../src/netlink/decode.js';

/** One case of test/fixtures/wire/flows.json. */
export interface WireCase {
  readonly name: string;
  /** The original's options: no CommitTimeout, TCPWindowTracking, an internal cache. */
  readonly timeout: boolean;
  readonly window: boolean;
  readonly cached: boolean;
  /** Indices into `events`: earlier events of the flow, then the one that made the message (null: none did). */
  readonly prior: readonly number[];
  readonly event: number | null;
  readonly message: string;
  readonly type: number;
  /** `number:data` of each attribute, in message order, as the capture's own decoder read them. */
  readonly attributes: string;
  /** Name of the attribute whose value is no function of the events. */
  readonly unstable?: string;
}

export interface WireCases {
  readonly events: readonly string[];
  readonly cases: readonly WireCase[];
}

export function readFixture<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/${path}`, import.meta.url), 'utf8')) as T;
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function hexOf(views: Views, at: number, length: number): string {
  return Buffer.from(views.buffer, at, length).toString('hex');
}

/** Known attributes of `from` overwrite those of `to`; the others stay (spec/sync.md "Caches"). */
export function mergeFlow(to: FlowScratch, from: FlowScratch): void {
  const before = to.words[KNOWN]!;
  const known = from.words[KNOWN]!;
  const blank = new FlowScratch();
  for (let bit = 0; bit < 32; bit++) {
    if (((known >>> bit) & 1) === 0) continue;
    for (const word of WORDS_OF_BIT[bit] ?? []) to.words[word] = from.words[word] ?? blank.words[word]!;
    if ((((1 << bit) >>> 0) & K_ASIDE_MASK) !== 0) {
      const [start, end] = ASIDE_OF_BIT[bit] ?? [0, 0];
      to.aside.set(from.aside.subarray(start, end), start);
    }
  }
  // A message that does not know the state must not clear it.
  const stateKnown = (known & (1 << 11)) !== 0;
  to.words[KIND] = stateKnown || before === 0 ? from.words[KIND]! : to.words[KIND]!;
  to.words[KNOWN] = before | known;
  if (from.hasCounters) {
    to.hasCounters = true;
    to.counters.set(from.counters);
  }
  if (from.secctx !== '') to.secctx = from.secctx;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
/** Row words of each K_ bit (layout.ts); bits of the aside record have none. */
const WORDS_OF_BIT: Readonly<Record<number, readonly number[]>> = {
  0: range(8, 16),
  1: [24],
  2: range(16, 24),
  3: [25],
  4: [2],
  5: [3],
  6: [4],
  7: [5],
  8: [6],
  9: [6],
  10: [7],
  12: [26],
  13: [26],
  14: [26],
  15: [26],
  16: [27],
  17: [28],
  19: [37],
};
/** Aside words of each K_ bit. */
const ASIDE_OF_BIT: Readonly<Record<number, readonly [number, number]>> = {
  24: [1, 5],
  25: [5, 15],
  26: [13, 14],
  27: [15, 19],
  28: [19, 25],
  29: [25, 28],
  30: [28, ASIDE_WORDS],
};

/** The flow as the cache holds it after these events. */
export function flowOfEvents(events: readonly string[]): FlowScratch {
  const flow = new FlowScratch();
  const scratch = new FlowScratch();
  for (const hex of events) {
    const bytes = bytesOf(hex);
    if (!decodeNetlink(Views.of(bytes), 0, bytes.length, scratch)) throw new Error(`undecodable event ${hex}`);
    mergeFlow(flow, scratch);
  }
  if (flow.words.length < ATTRIBUTE_WORDS) throw new Error('row too short');
  return flow;
}
