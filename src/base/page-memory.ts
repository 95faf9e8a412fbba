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
 */
export class PageMemory {
  /** Gives the memory under a page back to the system; null: pages are left to the garbage collector. */
  private release: ((page: Uint32Array) => void) | null = null;
  private pagesWait: () => void = () => {};
  /** Given back, memory still under them. */
  private readonly waiting: Uint32Array[] = [];
  /** Shells, by their length in words. */
  private readonly shells = new Map<number, Uint32Array[]>();

  /**
   * @param release gives the memory under a page back to the system; the page reads as zeros afterwards
   * @param pagesWait called when pages wait for `releaseSome`
   */
  attach(release: (page: Uint32Array) => void, pagesWait: () => void): void {
    this.release = release;
    this.pagesWait = pagesWait;
  }

  /** A page of so many words. They hold anything. */
  take(words: number): Uint32Array {
    if (this.waiting.at(-1)?.length === words) return this.waiting.pop()!;
    return this.shells.get(words)?.pop() ?? new Uint32Array(new SharedArrayBuffer(words * 4));
  }

  /** The page is not used any more, by anybody. */
  give(page: Uint32Array): void {
    if (this.release === null || page.length === 0) return;
    this.waiting.push(page);
    if (this.waiting.length === 1) this.pagesWait();
  }

  /** Takes the memory from under some pages. @returns whether more wait */
  releaseSome(pages: number): boolean {
    for (let left = pages; left > 0 && this.waiting.length > 0; left--) {
      const page = this.waiting.pop()!;
      this.release?.(page);
      const shells = this.shells.get(page.length);
      if (shells === undefined) this.shells.set(page.length, [page]);
      else shells.push(page);
    }
    return this.waiting.length > 0;
  }
}

/** The memory of this process: one, as its system is one. */
export const pageMemory = new PageMemory();
