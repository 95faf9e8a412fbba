import { PageArena } from '../base/page-memory.js';

/**
 * Records of fixed width in pages that come with need and go when empty.
 *
 * ```
 * record number   = page << shift | place in the page
 * page            words: Uint32Array(recordsPerPage * width)    the records
 *                 used:  Int32Array(recordsPerPage / 32)        a bit per record
 * ```
 * A new record takes the lowest free number, so that a store that has shrunk fills its first pages again and its last
 * ones fall empty. The two hints (lowest page, lowest word of `used` that may have room) make that cheap: they only
 * move up while records are taken and fall back to where one was given back.
 */

const NO_WORDS = new Uint32Array(0);
const NO_BITS = new Int32Array(0);

export class RecordPages {
  /** Words of one record. */
  readonly width: number;
  readonly #shift: number;
  readonly #placeMask: number;
  readonly #arena: PageArena<Uint32Array>;
  /** Per page; zero-length when the page is not there. */
  #words: Uint32Array[] = [];
  #used: Int32Array[] = [];
  /** Records taken per page. */
  #counts: number[] = [];
  /** Lowest word of the page's `used` that may have a free bit. */
  #bitHints: number[] = [];
  /** Lowest page that may have room. */
  #pageHint = 0;
  /** Pages that are there and hold nothing. One is kept, so that a store at a page's edge does not churn memory. */
  #emptyPages = 0;
  #pagesHeld = 0;
  #size = 0;

  /** @param shift log2 of the records in a page, at least 5 */
  constructor(width: number, shift: number) {
    this.width = width;
    this.#shift = shift;
    this.#placeMask = (1 << shift) - 1;
    this.#arena = new PageArena<Uint32Array>(Uint32Array, width << shift);
  }

  /** Records taken. */
  get size(): number {
    return this.#size;
  }

  get bytesUsed(): number {
    const recordsPerPage = 1 << this.#shift;
    return this.#pagesHeld * (recordsPerPage * this.width * 4 + recordsPerPage / 8);
  }

  /** The page that holds `record`. Valid until the record is given back. */
  words(record: number): Uint32Array {
    return this.#words[record >>> this.#shift]!;
  }

  /** Index in `words(record)` of the record's first word. */
  at(record: number): number {
    return (record & this.#placeMask) * this.width;
  }

  has(record: number): boolean {
    if (record < 0 || record >>> this.#shift >= this.#used.length) return false;
    const used = this.#used[record >>> this.#shift]!;
    const place = record & this.#placeMask;
    // A page that has gone has no bits. Reading beyond the end is well defined, but not in the fast code that is.
    return place >>> 5 < used.length && (used[place >>> 5]! & (1 << (place & 31))) !== 0;
  }

  /** Takes the lowest free record. Its words hold whatever was there before. */
  take(): number {
    const page = this.#pageWithRoom();
    const used = this.#used[page]!;
    let index = this.#bitHints[page]!;
    while (used[index] === -1) index++;
    this.#bitHints[page] = index;
    const free = ~used[index]!;
    const bit = 31 - Math.clz32(free & -free);
    used[index] = used[index]! | (1 << bit);
    if (this.#counts[page] === 0) this.#emptyPages--;
    this.#counts[page] = this.#counts[page]! + 1;
    this.#size++;
    return (page << this.#shift) | (index << 5) | bit;
  }

  /** Gives `record` back. The caller has made sure that it is taken. */
  give(record: number): void {
    const page = record >>> this.#shift;
    const place = record & this.#placeMask;
    const used = this.#used[page]!;
    const index = place >>> 5;
    used[index] = used[index]! & ~(1 << (place & 31));
    if (index < this.#bitHints[page]!) this.#bitHints[page] = index;
    if (page < this.#pageHint) this.#pageHint = page;
    this.#counts[page] = this.#counts[page]! - 1;
    this.#size--;
    if (this.#counts[page] === 0) this.#pageEmptied(page);
  }

  /** First taken record that is >= `from`, -1 at the end. */
  next(from: number): number {
    let place = from & this.#placeMask;
    for (let page = from >>> this.#shift; page < this.#counts.length; page++) {
      if (this.#counts[page] !== 0) {
        const found = firstBit(this.#used[page]!, place);
        if (found >= 0) return (page << this.#shift) | found;
      }
      place = 0;
    }
    return -1;
  }

  /** Forgets every record and gives all pages back. */
  clear(): void {
    for (const page of this.#words) if (page.length > 0) this.#arena.give(page);
    this.#words = [];
    this.#used = [];
    this.#counts = [];
    this.#bitHints = [];
    this.#pageHint = 0;
    this.#emptyPages = 0;
    this.#pagesHeld = 0;
    this.#size = 0;
  }

  #pageWithRoom(): number {
    const counts = this.#counts;
    const full = 1 << this.#shift;
    let page = this.#pageHint;
    while (page < counts.length && counts[page] === full) page++;
    this.#pageHint = page;
    if (page === counts.length || this.#words[page]!.length === 0) this.#openPage(page);
    return page;
  }

  #openPage(page: number): void {
    this.#words[page] = this.#arena.take();
    this.#used[page] = new Int32Array(1 << (this.#shift - 5));
    this.#counts[page] = 0;
    this.#bitHints[page] = 0;
    this.#emptyPages++;
    this.#pagesHeld++;
  }

  #pageEmptied(page: number): void {
    if (this.#emptyPages === 0) {
      this.#emptyPages = 1;
      return;
    }
    this.#arena.give(this.#words[page]!);
    this.#words[page] = NO_WORDS;
    this.#used[page] = NO_BITS;
    this.#bitHints[page] = 0;
    this.#pagesHeld--;
  }
}

/** Number of the first set bit that is >= `from`, -1 when there is none. */
function firstBit(bits: Int32Array, from: number): number {
  let index = from >>> 5;
  let word = bits[index]! & (-1 << (from & 31));
  while (word === 0) {
    index++;
    if (index === bits.length) return -1;
    word = bits[index]!;
  }
  return (index << 5) | (31 - Math.clz32(word & -word));
}
