/**
 * Where the pages of large tables come from and go to.
 *
 * A page that is no longer needed is garbage, and a daemon at rest collects none for hours; collecting at once would
 * stand still for as long as the whole heap takes. So pages are kept, and only their memory goes back to the system, a
 * few at a time (native releaseMemory): they are empty shells until they are needed again.
 *
 * They are of shared memory, although nobody shares it, because JavaScript's garbage collector does not count that. It
 * takes a table that grows by hundreds of megabytes for a reason to search the whole heap, again and again: the daemon
 * would stand still for some 20 ms each time, and find nothing.
 *
 * ```
 * PageArena of one table    page page page page ...            each for itself, as many bytes as asked for
 *                           [page page page pa|ge page ...]    regions, in blocks of a huge page
 * ```
 * Of a large table every access misses the processor's list of memory pages, if those are of 4 KiB: 220 ns instead of
 * 160 among 180 MB. So it lies in huge pages, which also come with one fault instead of 512, and a block ahead of their
 * use, in another thread. The memory of a block goes back as a whole, or what is left of it would be of small pages again; for
 * that the pages of a block are one table's.
 */

/** What x86-64 and, with pages of 4 KiB, 64-bit ARM have as huge page (linux: HPAGE_PMD_SIZE). */
export const HUGE_BYTES = 2 << 20;
/**
 * A table below this has no huge pages: caches hold it, and half of the last one and all of the one ahead are more than is
 * used, 3 MiB on average.
 */
const SINGLE_BYTES = 32 << 20;
/** Blocks of a region. Only what is used of it is more than a range of addresses. */
const REGION_BLOCKS = 16;

/** What the system does with memory (native/host.cc). */
export interface MemoryCalls {
  /** Gives the memory under an array back; it reads as zeros afterwards. */
  release(array: Page): void;
  /** From now on memory comes under this array in huge pages, where the system has them. */
  preferHuge(array: Page): void;
  /** Brings memory under the array, some time soon and without anybody waiting for it. */
  populate(array: Page): void;
  /** Bytes from the beginning of the array to the next huge page. */
  toHugePage(array: Page): number;
}

/** What tables are made of. */
export type Page = Uint32Array | Int32Array;

/** The arenas of this process, and what they have to give back. */
export class PageMemory {
  /** Null: memory is used again, but never goes back. */
  calls: MemoryCalls | null = null;
  private pagesWait: () => void = () => {};
  private readonly waiting = new Set<PageArena<Page>>();

  /** @param pagesWait called when pages wait for `releaseSome` */
  attach(calls: MemoryCalls, pagesWait: () => void): void {
    this.calls = calls;
    this.pagesWait = pagesWait;
  }

  /** Pages of `arena` wait. */
  waits(arena: PageArena<Page>): void {
    if (this.calls === null) return;
    this.waiting.add(arena);
    if (this.waiting.size === 1) this.pagesWait();
  }

  /** Takes the memory from under some pages. @returns whether more wait */
  releaseSome(bytes: number): boolean {
    let left = bytes;
    for (const arena of this.waiting) {
      while (left > 0 && arena.releaseOne()) left -= arena.pageBytes;
      if (left <= 0) break;
      this.waiting.delete(arena);
    }
    return this.waiting.size > 0;
  }
}

/** The memory of this process: one, as its system is one. */
export const pageMemory = new PageMemory();

/** Makes the array of a page. */
type PageKind<Kind extends Page> = new (buffer: SharedArrayBuffer, byteOffset: number, length: number) => Kind;

/** The pages of one table, all of one size. */
export class PageArena<Kind extends Page> {
  readonly pageBytes: number;
  /** Given back, memory still under them. */
  private readonly waiting: Kind[] = [];
  /** Without memory. */
  private readonly shells: Kind[] = [];
  private readonly regions: Region[] = [];
  /** The region that comes next, made before it is needed. */
  private next: Region | null = null;
  private singles: number;
  private readonly pagesAhead: number;

  /**
   * @param words of a page
   * @param singleBytes from how many on it has huge pages
   */
  constructor(
    private readonly kind: PageKind<Kind>,
    private readonly words: number,
    singleBytes = SINGLE_BYTES,
    private readonly memory: PageMemory = pageMemory,
  ) {
    this.pageBytes = words * 4;
    this.singles = Math.ceil(singleBytes / this.pageBytes);
    this.pagesAhead = Math.ceil(HUGE_BYTES / this.pageBytes);
  }

  /** A page. It holds anything. */
  take(): Kind {
    const used = this.waiting.pop();
    if (used !== undefined) return used;
    const page = this.shells.pop() ?? this.fresh();
    this.regionOf(page)?.enter(page, this.memory.calls);
    this.foresee();
    return page;
  }

  /** Of pages that have been used before, too, the memory comes before they are needed again. */
  private foresee(): void {
    const page = this.shells.at(-this.pagesAhead);
    if (page !== undefined) this.regionOf(page)?.expect(page, this.memory.calls);
  }

  /** The page is not used any more, by anybody. */
  give(page: Kind): void {
    this.waiting.push(page);
    if (this.waiting.length === 1) this.memory.waits(this);
  }

  /** Takes the memory from under a page that waits. @returns whether there was one */
  releaseOne(): boolean {
    const page = this.waiting.pop();
    if (page === undefined) return false;
    const region = this.regionOf(page);
    if (region === undefined) this.memory.calls?.release(page);
    else region.leave(page, this.memory.calls);
    this.shells.push(page);
    return true;
  }

  private fresh(): Kind {
    const region = this.regions.at(-1);
    const left = this.singles > 0 ? this.singles * this.pageBytes : (region?.room ?? 0);
    if (left < HUGE_BYTES) this.next ??= Region.make(this.memory.calls);
    if (this.singles > 0) {
      this.singles--;
      return this.single();
    }
    if (left >= this.pageBytes) return this.cut(region!);
    if (this.next === null) return this.single();
    this.regions.push(this.next);
    this.next = null;
    return this.cut(this.regions.at(-1)!);
  }

  private cut(region: Region): Kind {
    return new this.kind(region.buffer, region.take(this.pageBytes), this.words);
  }

  private single(): Kind {
    return new this.kind(new SharedArrayBuffer(this.pageBytes), 0, this.words);
  }

  private regionOf(page: Kind): Region | undefined {
    return this.regions.find(({ buffer }) => buffer === page.buffer);
  }
}

/** A range of addresses that pages are cut from, and who uses its huge pages. */
class Region {
  /** Pages with memory in each block. */
  private readonly users = new Uint16Array(REGION_BLOCKS);
  /** Blocks that have memory or are about to get it. */
  private readonly populated = new Uint8Array(REGION_BLOCKS);
  private taken = 0;

  private constructor(
    readonly buffer: SharedArrayBuffer,
    /** Where the first block begins. */
    private readonly start: number,
  ) {}

  /** @returns null: there are no more addresses */
  static make(calls: MemoryCalls | null): Region | null {
    try {
      const buffer = new SharedArrayBuffer((REGION_BLOCKS + 1) * HUGE_BYTES);
      const start = calls?.toHugePage(new Uint32Array(buffer, 0, 1)) ?? 0;
      const region = new Region(buffer, start);
      calls?.preferHuge(new Uint32Array(buffer, start, (REGION_BLOCKS * HUGE_BYTES) / 4));
      region.populate(0, calls);
      return region;
    } catch (error) {
      // A limit of the process (RLIMIT_AS, vm.overcommit_memory 2): smaller pieces may still be had.
      if (error instanceof RangeError) return null;
      throw error;
    }
  }

  /** Bytes that no page has been cut from. */
  get room(): number {
    return REGION_BLOCKS * HUGE_BYTES - this.taken;
  }

  /** @returns where the next page begins */
  take(bytes: number): number {
    const at = this.start + this.taken;
    this.taken += bytes;
    return at;
  }

  /** Memory comes under the page. */
  enter(page: Page, calls: MemoryCalls | null): void {
    const last = this.lastBlock(page);
    for (let block = this.firstBlock(page); block <= last; block++) {
      this.users[block]!++;
      this.populated[block] = 1;
    }
    if (last + 1 < REGION_BLOCKS) this.populate(last + 1, calls);
  }

  /** What is under the page is not needed any more: blocks that nobody else uses go back. */
  leave(page: Page, calls: MemoryCalls | null): void {
    const last = this.lastBlock(page);
    for (let block = this.firstBlock(page); block <= last; block++) this.users[block]!--;
    // The block behind them may have got memory that nobody has used.
    for (let block = this.firstBlock(page); block <= Math.min(last + 1, REGION_BLOCKS - 1); block++) {
      if (this.users[block] !== 0 || this.populated[block] === 0) continue;
      this.populated[block] = 0;
      calls?.release(this.block(block));
    }
  }

  /** The page will be used soon. */
  expect(page: Page, calls: MemoryCalls | null): void {
    this.populate(this.firstBlock(page), calls);
  }

  private populate(block: number, calls: MemoryCalls | null): void {
    if (this.populated[block] === 1) return;
    this.populated[block] = 1;
    calls?.populate(this.block(block));
  }

  private block(block: number): Uint32Array {
    return new Uint32Array(this.buffer, this.start + block * HUGE_BYTES, HUGE_BYTES / 4);
  }

  private firstBlock(page: Page): number {
    return Math.floor((page.byteOffset - this.start) / HUGE_BYTES);
  }

  private lastBlock(page: Page): number {
    return Math.floor((page.byteOffset + page.byteLength - 1 - this.start) / HUGE_BYTES);
  }
}
