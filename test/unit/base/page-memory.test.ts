import { describe, expect, it } from 'vitest';
import { HUGE_BYTES, type MemoryCalls, type Page, PageArena, PageMemory } from '../../../src/base/page-memory.js';

/** Words of a page that a table has alone, and of one of which three and a fifth make a huge page, as those of rows. */
const SMALL = 64;
const ROWS = (4096 * 160) / 4;
/** From how many bytes on a table has regions, and what that is in pages of rows. */
const SINGLE_BYTES = 4 << 20;
const SINGLE_PAGES = 7;
/** Where the first huge page of every region is. */
const BOUNDARY = 4096;

class Recorder implements MemoryCalls {
  readonly released: Page[] = [];
  readonly huge: Page[] = [];
  readonly populated: Page[] = [];
  release(array: Page): void {
    this.released.push(array.fill(0));
  }
  preferHuge(array: Page): void {
    this.huge.push(array);
  }
  populate(array: Page): void {
    this.populated.push(array);
  }
  toHugePage(): number {
    return BOUNDARY;
  }
}

function attached(): { memory: PageMemory; system: Recorder; calls: () => number } {
  const memory = new PageMemory();
  const system = new Recorder();
  let calls = 0;
  memory.attach(system, () => calls++);
  return { memory, system, calls: () => calls };
}

function arenaOf(memory: PageMemory, words: number): PageArena<Uint32Array> {
  return new PageArena<Uint32Array>(Uint32Array, words, SINGLE_BYTES, memory);
}

function takeMany(arena: PageArena<Uint32Array>, count: number): Uint32Array[] {
  return Array.from({ length: count }, () => arena.take());
}

/** Whether the two share memory. */
function overlap(one: Page, other: Page): boolean {
  if (one.buffer !== other.buffer) return false;
  return one.byteOffset < other.byteOffset + other.byteLength && other.byteOffset < one.byteOffset + one.byteLength;
}

describe('pages given back', () => {
  it('are released a few at a time, after one call that says that they wait', () => {
    const { memory, system, calls } = attached();
    const arena = arenaOf(memory, SMALL);
    const pages = takeMany(arena, 3);
    for (const page of pages) arena.give(page);
    expect(calls()).toBe(1);
    expect(memory.releaseSome(2 * arena.pageBytes)).toBe(true);
    expect(system.released).toHaveLength(2);
    expect(memory.releaseSome(2 * arena.pageBytes)).toBe(false);
    expect(new Set(system.released)).toEqual(new Set(pages));
    arena.give(arena.take());
    expect(calls()).toBe(2);
  });

  it('are used again, those with their memory first, and are never released while in use', () => {
    const { memory, system } = attached();
    const arena = arenaOf(memory, SMALL);
    const [one, other] = [arena.take(), arena.take()];
    arena.give(one);
    memory.releaseSome(1);
    arena.give(other);
    expect(arena.take()).toBe(other);
    expect(arena.take()).toBe(one);
    expect(memory.releaseSome(10)).toBe(false);
    expect(system.released).toEqual([one]);
    expect([one, other]).not.toContain(arena.take());
  });

  it('of several tables wait together', () => {
    const { memory, system, calls } = attached();
    const arenas = [arenaOf(memory, SMALL), arenaOf(memory, SMALL)] as const;
    for (const arena of arenas) arena.give(arena.take());
    expect(calls()).toBe(1);
    expect(memory.releaseSome(1)).toBe(true);
    expect(memory.releaseSome(1000)).toBe(false);
    expect(system.released).toHaveLength(2);
  });

  it('are used again where no system is attached', () => {
    const memory = new PageMemory();
    const arena = arenaOf(memory, SMALL);
    const page = arena.take();
    arena.give(page);
    expect(memory.releaseSome(1000)).toBe(false);
    expect(arena.take()).toBe(page);
  });
});

describe('pages of a large table', () => {
  it('lie without gaps in huge pages, which begin where the system has them; the first ones do not', () => {
    const { memory, system } = attached();
    const arena = arenaOf(memory, ROWS);
    const pages = takeMany(arena, SINGLE_PAGES + 5);
    const first = pages.slice(0, SINGLE_PAGES);
    expect(first.every(({ buffer }) => buffer.byteLength === arena.pageBytes)).toBe(true);
    expect(pages.slice(SINGLE_PAGES).map(({ byteOffset }) => byteOffset)).toEqual(
      [0, 1, 2, 3, 4].map((number) => BOUNDARY + number * arena.pageBytes),
    );
    expect(system.huge).toHaveLength(1);
    expect(system.huge[0]!.byteOffset).toBe(BOUNDARY);
    expect(pages.slice(SINGLE_PAGES).every((page) => overlap(page, system.huge[0]!))).toBe(true);
  });

  it('never share memory, however many there are, nor lie beyond their region', () => {
    const { memory } = attached();
    const pages = takeMany(arenaOf(memory, ROWS), 130);
    const sorted = pages.filter((page) => page.byteOffset > 0).sort((a, b) => a.byteOffset - b.byteOffset);
    expect(new Set(sorted.map(({ buffer }) => buffer)).size).toBe(3);
    for (const page of pages) {
      expect(page).toHaveLength(ROWS);
      expect(pages.filter((other) => overlap(page, other))).toHaveLength(1);
    }
  });

  it('give a huge page back when nobody uses any of it, and only then', () => {
    const { memory, system } = attached();
    const arena = arenaOf(memory, ROWS);
    const pages = takeMany(arena, SINGLE_PAGES + 7).slice(SINGLE_PAGES);
    // The fourth page lies on both sides of a border, so does the seventh.
    const give = (...numbers: number[]) => {
      for (const number of numbers) arena.give(pages[number]!);
      memory.releaseSome(1e9);
      return system.released.splice(0).map(({ byteOffset }) => (byteOffset - BOUNDARY) / HUGE_BYTES);
    };
    expect(give(0, 1, 2)).toEqual([]);
    expect(give(3)).toEqual([0]);
    // With a fourth one that was about to be used.
    expect(give(4, 5, 6)).toEqual([2, 3, 1]);
    const again = takeMany(arena, 7);
    expect(new Set(again)).toEqual(new Set(pages));
    expect(system.huge).toHaveLength(1);
  });

  it('get their memory a huge page ahead of their use, once', () => {
    const { memory, system } = attached();
    const arena = arenaOf(memory, ROWS);
    const populated = (pages: number): number[] => {
      takeMany(arena, pages);
      return system.populated.splice(0).map(({ byteOffset }) => (byteOffset - BOUNDARY) / HUGE_BYTES);
    };
    expect(populated(SINGLE_PAGES - 4)).toEqual([]);
    expect(populated(4)).toEqual([0]);
    expect(populated(1)).toEqual([1]);
    expect(populated(2)).toEqual([]);
    expect(populated(1)).toEqual([2]);
    // To the end of the region, and the beginning of the next one.
    expect(populated(47)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0]);
  });

  it('get it ahead of their use the second time, too', () => {
    const { memory, system } = attached();
    const arena = arenaOf(memory, ROWS);
    for (const page of takeMany(arena, SINGLE_PAGES + 2)) arena.give(page);
    memory.releaseSome(1e9);
    system.populated.length = 0;
    takeMany(arena, SINGLE_PAGES - 4);
    expect(system.populated).toEqual([]);
    takeMany(arena, 4);
    expect(system.populated.map(({ byteOffset }) => byteOffset)).toEqual([BOUNDARY]);
    expect(arena.take().byteOffset).toBe(BOUNDARY);
  });

  it('of another table are in other huge pages', () => {
    const { memory } = attached();
    const arenas = [arenaOf(memory, ROWS), arenaOf(memory, ROWS)] as const;
    const [one, other] = arenas.map((arena) => takeMany(arena, SINGLE_PAGES + 1).at(-1)!);
    expect(one!.buffer).not.toBe(other!.buffer);
  });
});
