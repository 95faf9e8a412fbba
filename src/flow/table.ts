import { ConntrackdError } from '../base/errors.js';
import { AsideStore } from './aside.js';
import { type IdentityHash, SeededHash, sameIdentity } from './identity.js';
import {
  ASIDE,
  CACHE,
  CREATED,
  GENERATION_MASK,
  GENERATION_SHIFT,
  HASH,
  K_ASIDE_MASK,
  K_USE,
  KNOWN,
  NEXT,
  PEER_MASK,
  PEER_SHIFT,
  PREV,
  QUEUE_MASK,
  QUEUE_SHIFT,
  ROW_WORDS,
  SEQUENCE,
  STATE_MASK,
  STATE_NEW,
  TIMER_NEXT,
  TIMER_PREV,
  UPDATED,
  USE,
} from './layout.js';
import { mergeRow } from './merge.js';
import { RecordPages } from './pages.js';
import type { FlowPointer, FlowRef } from './ref.js';
import { type FlowRow, NO_ROW } from './row.js';
import { TupleIndex } from './tuple-index.js';

export { type FlowRow, NO_ROW } from './row.js';

/**
 * All flows of one cache.
 *
 * ```
 *  identity --hash--> TupleIndex ---> row number
 *                                         |
 *  RecordPages of rows      [ 40 words: attributes | HASH CACHE CREATED UPDATED | links ]   (layout.ts)
 *                                   | ASIDE
 *  AsideStore               [ 32 words: helper, master, labels, ... | context number ]  only flows that have any
 * ```
 * A row number stays the flow's own until `remove`. Rows also carry the links of the one queue (FlowQueue) and the one
 * timer wheel (TimerWheel) they may wait in; whoever removes a row takes it out of those first.
 */

/** 4096 rows of 160 bytes are 640 KiB: small against a table worth measuring, large against malloc's bookkeeping. */
const PAGE_SHIFT = 12;

/**
 * Most rows of a table: row numbers + 1 must stay positive 31-bit numbers that V8 keeps without boxing. A tenth of
 * that would already be more than 30 GB.
 */
export const MOST_ROWS = 2 ** 30;

/** Most flows of one `prefetch`: their rows and slots, a dozen cache lines each, fit into the first-level cache. */
export const MOST_PREFETCHED = 32;
/** Words of a cache line. */
const LINE_WORDS = 16;

export interface FlowTableOptions {
  /** Most rows the table holds (HashLimit). */
  readonly limit: number;
  /** Secret of the hash: 32 random bits. Without it one is drawn, of no cryptographic quality. */
  readonly seed?: number;
  /** Replaces the seeded hash; for tests that need collisions. */
  readonly hash?: IdentityHash;
}

export class FlowTable {
  #limit: number;
  readonly #hash: IdentityHash;
  readonly #rows = new RecordPages(ROW_WORDS, PAGE_SHIFT);
  readonly #asides = new AsideStore();
  readonly #index = new TupleIndex(this.#rows);
  readonly #clearListeners: (() => void)[] = [];
  /** Hash of the flow that `find` looked for last. */
  #soughtHash = 0;
  readonly #hashes = new Int32Array(MOST_PREFETCHED);
  readonly #candidates = new Int32Array(MOST_PREFETCHED);

  constructor(options: FlowTableOptions) {
    checkTableLimit(options.limit);
    this.#limit = options.limit;
    this.#hash = options.hash ?? new SeededHash(options.seed ?? Math.floor(Math.random() * 2 ** 32));
  }

  /** Most rows held. */
  get limit(): number {
    return this.#limit;
  }

  /** Another limit. Rows beyond it stay; new ones are refused until there is room. @throws ConntrackdError */
  set limit(limit: number) {
    checkTableLimit(limit);
    this.#limit = limit;
  }

  /** Rows held, dead ones included. */
  get size(): number {
    return this.#rows.size;
  }

  /** Rows that have an aside record. */
  get asideSize(): number {
    return this.#asides.size;
  }

  /** Different security contexts held. */
  get contexts(): number {
    return this.#asides.contexts;
  }

  /** Bytes of rows, aside records and index; JavaScript's own overhead of some hundred bytes a page not counted. */
  get bytesUsed(): number {
    return this.#rows.bytesUsed + this.#asides.bytesUsed + this.#index.bytesUsed;
  }

  /** The row with the identity of `flow` (identity.ts), dead or alive. */
  find(flow: FlowRef): FlowRow {
    const hash = this.#hash.of(flow.words, flow.at) | 0;
    this.#soughtHash = hash;
    return this.#index.find(hash, flow.words, flow.at);
  }

  /**
   * Brings what `find` and its like will read of these flows closer to the processor. Of a large table nothing is in
   * the caches, and a search waits for memory three or four times, which is half of what a message costs. Here the
   * reads of several flows do not depend on each other, and the processor waits for all at once.
   *
   * @param flows the first `count`, at most MOST_PREFETCHED
   */
  prefetch(flows: readonly FlowRef[], count: number): void {
    const hashes = this.#hashes;
    const candidates = this.#candidates;
    const index = this.#index;
    const rows = this.#rows;
    // A loop for each step: the shorter a loop, the more of its turns the processor has under way at once.
    for (let number = 0; number < count; number++) {
      const flow = flows[number]!;
      hashes[number] = this.#hash.of(flow.words, flow.at);
    }
    let touched = index.touch(hashes, count);
    for (let number = 0; number < count; number++) candidates[number] = index.candidate(hashes[number]!);
    for (let number = 0; number < count; number++) {
      const row = candidates[number]!;
      if (row === NO_ROW) continue;
      const words = rows.words(row);
      const at = rows.at(row);
      touched ^= words[at]! ^ words[at + LINE_WORDS]! ^ words[at + 2 * LINE_WORDS]!;
    }
    // Kept, so that the compiler does not leave out what is read only to have been read.
    hashes[0] = touched;
  }

  /**
   * Adds a flow whose identity is not in the table yet. Its state becomes STATE_NEW, it waits nowhere.
   * @returns NO_ROW when `limit` rows are held
   * @throws ConntrackdError FLOW_EXISTS when a row has this identity
   */
  insert(flow: FlowRef, nowSeconds: number): FlowRow {
    const hash = this.#hash.of(flow.words, flow.at) | 0;
    if (this.#index.find(hash, flow.words, flow.at) !== NO_ROW) {
      throw misuse('FLOW_EXISTS', 'insert of a flow that is in the table; merge or replace it');
    }
    return this.#add(hash, flow, nowSeconds);
  }

  /**
   * As `insert`, right after `find` of the same flow gave NO_ROW: it is neither hashed nor looked for once more, which
   * is a tenth of what an event costs.
   */
  insertMissing(flow: FlowRef, nowSeconds: number): FlowRow {
    return this.#add(this.#soughtHash, flow, nowSeconds);
  }

  #add(hash: number, flow: FlowRef, nowSeconds: number): FlowRow {
    if (this.#rows.size >= this.#limit) return NO_ROW;
    const row = this.#rows.take() as FlowRow;
    const words = this.#rows.words(row);
    const at = this.#rows.at(row);
    words[at + HASH] = hash;
    words[at + CACHE] = STATE_NEW;
    words[at + CREATED] = nowSeconds;
    words[at + NEXT] = 0;
    words[at + PREV] = 0;
    words[at + SEQUENCE] = 0;
    words[at + TIMER_NEXT] = 0;
    words[at + TIMER_PREV] = 0;
    words[at + ASIDE] = 0;
    this.#setAttributes(row, flow, nowSeconds);
    this.#index.add(hash, row);
    return row;
  }

  /**
   * Overwrites the row's attributes with those known in `flow`; the others stay. Identity, state, queue and timer stay
   * too. `flow` must have the row's identity.
   */
  merge(row: FlowRow, flow: FlowRef, nowSeconds: number): void {
    const words = this.#rows.words(row);
    const at = this.#rows.at(row);
    mergeRow(words, at, flow.words, flow.at);
    words[at + UPDATED] = nowSeconds;
    if ((flow.words[flow.at + KNOWN]! & K_ASIDE_MASK) !== 0) this.#mergeAside(row, flow);
  }

  /**
   * Like `remove` and `insert` of the same identity, except that the row keeps its number, state, queue, timer,
   * generation and peer: an event NEW for an entry that exists forgets all the entry knew.
   * @param renewCreated whether CREATED becomes `nowSeconds` as well
   * @throws ConntrackdError FLOW_DIFFERS when `flow` has another identity
   */
  replace(row: FlowRow, flow: FlowRef, nowSeconds: number, renewCreated = true): void {
    const words = this.#rows.words(row);
    const at = this.#rows.at(row);
    if (!sameIdentity(words, at, flow.words, flow.at)) {
      throw misuse('FLOW_DIFFERS', `row ${row} cannot be replaced by a flow of another identity`);
    }
    this.#setAttributes(row, flow, nowSeconds);
    if (renewCreated) words[at + CREATED] = nowSeconds;
  }

  /**
   * Forgets a row. Its number may go to the next flow inserted.
   * @throws ConntrackdError FLOW_ROW_FREE, or FLOW_ROW_LINKED when the row still waits in a queue or timer wheel
   */
  remove(row: FlowRow): void {
    if (!this.#rows.has(row)) throw misuse('FLOW_ROW_FREE', `row ${row} holds no flow`);
    const words = this.#rows.words(row);
    const at = this.#rows.at(row);
    if ((words[at + CACHE]! & QUEUE_MASK) !== 0 || words[at + TIMER_PREV] !== 0) {
      throw misuse('FLOW_ROW_LINKED', `row ${row} waits in a queue or for a timer: take it out before removing it`);
    }
    this.#index.remove(row);
    this.#dropAside(words, at);
    this.#rows.give(row);
  }

  /** Forgets all rows and gives the memory back. Queues and wheels of the table become empty. */
  clear(): void {
    this.#index.clear();
    this.#asides.clear();
    this.#rows.clear();
    for (const listener of this.#clearListeners) listener();
  }

  /** Calls `listener` whenever the table has been cleared; for structures linked through its rows. */
  onClear(listener: () => void): void {
    this.#clearListeners.push(listener);
  }

  /** Whether the row number is in use. */
  has(row: number): boolean {
    return this.#rows.has(row);
  }

  /** Lets `pointer` show the row. It is valid until the row is removed or the table cleared. */
  point(row: FlowRow, pointer: FlowPointer): void {
    const words = this.#rows.words(row);
    const at = this.#rows.at(row);
    pointer.words = words;
    pointer.at = at;
    const aside = words[at + ASIDE]!;
    if (aside === 0) pointer.secctx = '';
    else this.#asides.point(aside - 1, pointer);
  }

  /** Word `index` (layout.ts) of the row. */
  word(row: FlowRow, index: number): number {
    return this.#rows.words(row)[this.#rows.at(row) + index]!;
  }

  setWord(row: FlowRow, index: number, value: number): void {
    this.#rows.words(row)[this.#rows.at(row) + index] = value;
  }

  /**
   * First row >= `from`, NO_ROW at the end. `next(row + 1)` goes on from any row, whatever was inserted or removed in
   * between: each row that is there all the time is met exactly once.
   */
  next(from: number): FlowRow {
    return this.#rows.next(from) as FlowRow;
  }

  /** Entry state: STATE_NEW, STATE_ALIVE or STATE_DEAD. */
  state(row: FlowRow): number {
    return this.word(row, CACHE) & STATE_MASK;
  }

  setState(row: FlowRow, state: number): void {
    this.#setCacheBits(row, STATE_MASK, state);
  }

  /** The queue the row waits in: QUEUE_NONE, QUEUE_TRANSMIT, QUEUE_RESEND. */
  queueOf(row: FlowRow): number {
    return (this.word(row, CACHE) & QUEUE_MASK) >>> QUEUE_SHIFT;
  }

  /** Low 8 bits of the number of the dump or bulk that saw the entry last. */
  generation(row: FlowRow): number {
    return (this.word(row, CACHE) & GENERATION_MASK) >>> GENERATION_SHIFT;
  }

  setGeneration(row: FlowRow, generation: number): void {
    this.#setCacheBits(row, GENERATION_MASK, generation << GENERATION_SHIFT);
  }

  /** Number (0-255) of the peer an external entry came from. */
  peer(row: FlowRow): number {
    return (this.word(row, CACHE) & PEER_MASK) >>> PEER_SHIFT;
  }

  setPeer(row: FlowRow, peer: number): void {
    this.#setCacheBits(row, PEER_MASK, peer << PEER_SHIFT);
  }

  #setCacheBits(row: FlowRow, mask: number, bits: number): void {
    const words = this.#rows.words(row);
    const index = this.#rows.at(row) + CACHE;
    words[index] = (words[index]! & ~mask) | (bits & mask);
  }

  /** Copies all attribute words of `flow`, renews the aside record, sets USE and UPDATED. */
  #setAttributes(row: FlowRow, flow: FlowRef, nowSeconds: number): void {
    const words = this.#rows.words(row);
    const at = this.#rows.at(row);
    const from = flow.words;
    const fromAt = flow.at;
    for (let word = 0; word < ASIDE; word++) words[at + word] = from[fromAt + word]!;
    const known = from[fromAt + KNOWN]!;
    words[at + USE] = (known & K_USE) !== 0 ? from[fromAt + USE]! : 0;
    words[at + UPDATED] = nowSeconds;
    if ((known & K_ASIDE_MASK) !== 0) this.#renewAside(row, flow);
    else this.#dropAside(words, at);
  }

  #mergeAside(row: FlowRow, flow: FlowRef): void {
    const words = this.#rows.words(row);
    const index = this.#rows.at(row) + ASIDE;
    if (words[index] === 0) words[index] = this.#asides.take() + 1;
    this.#asides.merge(words[index]! - 1, flow);
  }

  /** The old record goes last: `flow` may be a pointer at this very row. */
  #renewAside(row: FlowRow, flow: FlowRef): void {
    const words = this.#rows.words(row);
    const index = this.#rows.at(row) + ASIDE;
    const old = words[index]!;
    words[index] = this.#asides.take() + 1;
    this.#asides.merge(words[index]! - 1, flow);
    if (old !== 0) this.#asides.give(old - 1);
  }

  #dropAside(words: Uint32Array, at: number): void {
    const aside = words[at + ASIDE]!;
    if (aside === 0) return;
    words[at + ASIDE] = 0;
    this.#asides.give(aside - 1);
  }
}

/** @throws ConntrackdError FLOW_TABLE_LIMIT when no table can hold so many rows */
export function checkTableLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_ROWS) {
    throw misuse('FLOW_TABLE_LIMIT', `a flow table holds 1 to ${MOST_ROWS} rows, not ${limit}`);
  }
}

function misuse(code: string, message: string): ConntrackdError {
  return new ConntrackdError(code, message);
}
