import { PageArena } from '../base/page-memory.js';
import { sameIdentity } from './identity.js';
import { HASH } from './layout.js';
import type { RecordPages } from './pages.js';
import { type FlowRow, NO_ROW } from './row.js';

/**
 * From a flow's identity to its row: extendible hashing over small open-addressed segments
 * (doc/decisions/0002-flow-table.md says why).
 *
 * ```
 * hash (32 bits)   dddddddd ........ .....sss ssssssss
 *                  |                      |
 *                  directory[top bits]    home slot (low bits)
 *                     |
 *                     v
 *   segment        [hash, row+1] [hash, row+1] [0, 0] ... | used | depth
 *                  SEGMENT_SLOTS pairs, linear probing      header
 * ```
 * - A slot keeps the whole hash: probing, splitting and closing gaps never touch rows, only a match does.
 * - A full segment splits in two by its next hash bit. That moves at most SEGMENT_SLOTS pairs (some microseconds), so
 *   no insertion ever waits for the whole table to be rehashed. Doubling the directory copies an array of pointers.
 * - Removing closes the gap (backward shift), so there are no tombstones and probes do not grow with age.
 * - Two neighbour segments that have become nearly empty are merged.
 */

/** 2048 pairs = 16 KiB: splits in some microseconds, and the directory of a million flows has 1024 entries. */
const SEGMENT_SLOTS = 2048;
const HEADER_WORDS = 2;
const SEGMENT_WORDS = SEGMENT_SLOTS * 2 + HEADER_WORDS;
/** Of the slots of a segment, how many may be used: at 3/4 a miss looks at 8.5 slots (Knuth, 6.4), one cache line. */
const FULL_NUMERATOR = 3;
const FULL_SHIFT = 2;
/** Two neighbours with no more than this together become one: a third of what makes a segment split. */
const MERGE_USED = SEGMENT_SLOTS >> 2;
/**
 * Deepest directory: 65,536 segments, room for some 90 million flows. Only hashes that agree in their first 16 bits
 * get there otherwise; then the segment grows instead of splitting.
 */
const MAX_DEPTH = 16;

/** The index of more flows than that, some 300,000, lies in huge pages: its accesses are the most scattered of all. */
const FIRST_HUGE_BYTES = 4 << 20;

/** What a segment held that is being split or merged; segments longer than this one never are. */
const before = new Int32Array(SEGMENT_WORDS);

export class TupleIndex {
  readonly #rows: RecordPages;
  readonly #arena = new PageArena<Int32Array>(Int32Array, SEGMENT_WORDS, FIRST_HUGE_BYTES);
  /** 2^depth entries; neighbours may be the same segment. */
  #directory: Int32Array[] = [this.#newSegment(0)];
  /** How many top bits of a hash select the directory entry. */
  #depth = 0;
  #segmentWords = SEGMENT_WORDS;

  /** @param rows where the rows lie whose identities are compared; each row's HASH word is that of its identity */
  constructor(rows: RecordPages) {
    this.#rows = rows;
  }

  get bytesUsed(): number {
    return this.#segmentWords * 4 + this.#directory.length * 8;
  }

  /** Row with the identity of the flow at `words[at]`, whose hash is `hash`. */
  find(hash: number, words: Uint32Array, at: number): FlowRow {
    const segment = this.#directory[(hash >>> 1) >>> (31 - this.#depth)]!;
    const mask = segment.length - HEADER_WORDS - 1;
    const rows = this.#rows;
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const link = segment[slot + 1]!;
      if (link === 0) return NO_ROW;
      if (segment[slot] === hash) {
        const row = link - 1;
        if (sameIdentity(rows.words(row), rows.at(row), words, at)) return row as FlowRow;
      }
    }
  }

  /** Reads the places where `find` will look first, for FlowTable.prefetch. @returns what is there, of no meaning */
  touch(hashes: Int32Array, count: number): number {
    const directory = this.#directory;
    const shift = 31 - this.#depth;
    let touched = 0;
    for (let number = 0; number < count; number++) {
      const hash = hashes[number]!;
      const segment = directory[(hash >>> 1) >>> shift]!;
      touched ^= segment[(hash << 1) & (segment.length - HEADER_WORDS - 1)]!;
    }
    return touched;
  }

  /** The first row of this hash, nearly always the only one and the one that `find` will give; NO_ROW: none has it. */
  candidate(hash: number): FlowRow {
    const segment = this.#directory[(hash >>> 1) >>> (31 - this.#depth)]!;
    const mask = segment.length - HEADER_WORDS - 1;
    let slot = (hash << 1) & mask;
    while (segment[slot + 1] !== 0 && segment[slot] !== hash) slot = (slot + 2) & mask;
    return (segment[slot + 1]! - 1) as FlowRow;
  }

  /** Adds a row whose identity is not in the index. */
  add(hash: number, row: FlowRow): void {
    let segment = this.#segmentOf(hash);
    while (segment[usedAt(segment)]! >= mostUsed(segment)) {
      this.#relieve(hash, segment);
      segment = this.#segmentOf(hash);
    }
    place(segment, hash, row + 1);
  }

  /** Removes a row that is in the index. */
  remove(row: FlowRow): void {
    const hash = this.#rows.words(row)[this.#rows.at(row) + HASH]! | 0;
    const segment = this.#segmentOf(hash);
    const mask = segment.length - HEADER_WORDS - 1;
    const link = row + 1;
    let slot = (hash << 1) & mask;
    while (segment[slot + 1] !== link) slot = (slot + 2) & mask;
    closeGap(segment, slot, mask);
    const used = segment[usedAt(segment)]! - 1;
    segment[usedAt(segment)] = used;
    if (used <= MERGE_USED && segment[usedAt(segment) + 1] !== 0) this.#mergeWithNeighbour(hash, segment);
  }

  /** Back to one empty segment. */
  clear(): void {
    const old = this.#directory;
    for (let entry = 0; entry < old.length; entry++) if (old[entry] !== old[entry - 1]) this.#drop(old[entry]!);
    this.#directory = [this.#newSegment(0)];
    this.#depth = 0;
    this.#segmentWords = SEGMENT_WORDS;
  }

  // `>>> 1` first: with depth 0 a plain shift by 32 would be a shift by 0.
  #segmentOf(hash: number): Int32Array {
    return this.#directory[(hash >>> 1) >>> (31 - this.#depth)]!;
  }

  /** Makes room in the full segment of `hash`; a split may leave all on one side, so the caller looks again. */
  #relieve(hash: number, segment: Int32Array): void {
    const depth = segment[usedAt(segment) + 1]!;
    if (depth === MAX_DEPTH) {
      const larger = largerSegment(segment);
      redistribute(segment, larger, larger, depth);
      this.#segmentWords += larger.length - segment.length;
      this.#pointEntries(hash, depth, larger);
      this.#drop(segment);
      return;
    }
    if (depth === this.#depth) this.#doubleDirectory();
    this.#split(hash, segment, depth);
  }

  /** The segment stays as its own lower half: a table that grows leaves no garbage, whose collection stands still. */
  #split(hash: number, segment: Int32Array, depth: number): void {
    const high = this.#newSegment(depth + 1);
    before.set(segment);
    segment.fill(0);
    segment[usedAt(segment) + 1] = depth + 1;
    redistribute(before, segment, high, depth);
    this.#pointEntries(hash | (1 << (31 - depth)), depth + 1, high);
    this.#segmentWords += SEGMENT_WORDS;
  }

  /** Lets all directory entries that share the first `depth` bits of `hash` point at `segment`. */
  #pointEntries(hash: number, depth: number, segment: Int32Array): void {
    const span = 1 << (this.#depth - depth);
    const first = ((hash >>> 1) >>> (31 - depth)) * span;
    this.#directory.fill(segment, first, first + span);
  }

  #doubleDirectory(): void {
    const old = this.#directory;
    const wider: Int32Array[] = [];
    for (const segment of old) wider.push(segment, segment);
    this.#directory = wider;
    this.#depth++;
  }

  /** Undoes a split, in place as well, when both halves together would leave the segment at a third of what splits it. */
  #mergeWithNeighbour(hash: number, segment: Int32Array): void {
    const depth = segment[usedAt(segment) + 1]!;
    const neighbour = this.#segmentOf(hash ^ (1 << (32 - depth)));
    if (neighbour[usedAt(neighbour) + 1] !== depth) return;
    if (segment.length !== SEGMENT_WORDS || neighbour.length !== SEGMENT_WORDS) return;
    if (segment[usedAt(segment)]! + neighbour[usedAt(neighbour)]! > MERGE_USED) return;
    before.set(segment);
    segment.fill(0);
    segment[usedAt(segment) + 1] = depth - 1;
    redistribute(before, segment, segment, 0);
    redistribute(neighbour, segment, segment, 0);
    this.#pointEntries(hash, depth - 1, segment);
    this.#drop(neighbour);
    this.#segmentWords -= SEGMENT_WORDS;
  }

  #newSegment(depth: number): Int32Array {
    const segment = this.#arena.take();
    segment.fill(0);
    segment[usedAt(segment) + 1] = depth;
    return segment;
  }

  /** Nothing points at the segment any more. */
  #drop(segment: Int32Array): void {
    if (segment.length === SEGMENT_WORDS) this.#arena.give(segment);
  }
}

/** Index in a segment of its count of used slots; its depth (hash bits all its pairs share) follows. */
function usedAt(segment: Int32Array): number {
  return segment.length - HEADER_WORDS;
}

function mostUsed(segment: Int32Array): number {
  return (((segment.length - HEADER_WORDS) >> 1) * FULL_NUMERATOR) >> FULL_SHIFT;
}

/** An empty one of twice the size; few ever are (MAX_DEPTH), and the garbage collector has them. */
function largerSegment(segment: Int32Array): Int32Array {
  const larger = new Int32Array((segment.length - HEADER_WORDS) * 2 + HEADER_WORDS);
  larger[usedAt(larger) + 1] = segment[usedAt(segment) + 1]!;
  return larger;
}

/** Writes the pair into the first empty slot from its home; there is one, as segments are never full. */
function place(segment: Int32Array, hash: number, link: number): void {
  const mask = segment.length - HEADER_WORDS - 1;
  let slot = (hash << 1) & mask;
  while (segment[slot + 1] !== 0) slot = (slot + 2) & mask;
  segment[slot] = hash;
  segment[slot + 1] = link;
  segment[mask + 1] = segment[mask + 1]! + 1;
}

/** Copies all pairs of `from`: those whose hash bit number `depth` (0 = highest) is set to `high`, others to `low`. */
function redistribute(from: Int32Array, low: Int32Array, high: Int32Array, depth: number): void {
  const end = from.length - HEADER_WORDS;
  const bit = 1 << (31 - depth);
  for (let slot = 0; slot < end; slot += 2) {
    const link = from[slot + 1]!;
    if (link === 0) continue;
    const hash = from[slot]!;
    place((hash & bit) !== 0 ? high : low, hash, link);
  }
}

/**
 * Empties `gap` and moves later pairs of the cluster down, so that each can still be reached from its home slot:
 * a pair may move into the gap when its home does not lie between the gap and itself.
 */
function closeGap(segment: Int32Array, gap: number, mask: number): void {
  let hole = gap;
  for (let slot = (gap + 2) & mask; segment[slot + 1] !== 0; slot = (slot + 2) & mask) {
    const home = (segment[slot]! << 1) & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    segment[hole] = segment[slot]!;
    segment[hole + 1] = segment[slot + 1]!;
    hole = slot;
  }
  segment[hole] = 0;
  segment[hole + 1] = 0;
}
