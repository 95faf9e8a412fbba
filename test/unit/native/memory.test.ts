import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { HUGE_BYTES } from '../../../src/base/page-memory.js';
import { forgetProgram, populateAhead, preferHugePages, releaseMemory, toHugePage } from '../../../src/native/index.js';

const MEGABYTES = 64;

function residentBytes(): number {
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]);
  return pages * 4096;
}

it('memory under an array goes back to the system; the array stays usable', () => {
  const array = new Uint32Array((MEGABYTES << 20) / 4).fill(7);
  const before = residentBytes();
  releaseMemory(array);
  expect(before - residentBytes()).toBeGreaterThan((MEGABYTES / 2) << 20);
  // Whole system pages only: the ends may keep what they held.
  expect(array[array.length >> 1]).toBe(0);
  array.fill(9);
  expect(array[array.length >> 1]).toBe(9);
});

it('an array shorter than a system page is left alone', () => {
  const array = new Uint32Array(16).fill(7);
  releaseMemory(array);
  expect(array.every((word) => word === 7)).toBe(true);
});

/** Kilobytes of files, program and libraries, in this process's memory. */
function residentFiles(): number {
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

it('the code of the program leaves the memory, and what is needed of it comes back', () => {
  const before = residentFiles();
  forgetProgram();
  const after = residentFiles();
  // Other threads of the tests bring theirs back at once.
  expect(after).toBeLessThan(before);
  expect(JSON.parse('{"still": ["works"]}')).toEqual({ still: ['works'] });
});

/** Kilobytes of huge pages in this process's memory; null: the system gives none to those who ask. */
function hugeKilobytes(): number | null {
  const setting = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', { encoding: 'utf8' });
  if (setting.includes('[never]')) return null;
  return Number(/^AnonHugePages:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]);
}

it('memory that is to be of huge pages is, from the first boundary on, and goes back', () => {
  const before = hugeKilobytes();
  if (before === null) return;
  const buffer = new SharedArrayBuffer(9 * HUGE_BYTES);
  const start = toHugePage(new Uint32Array(buffer), HUGE_BYTES);
  expect(start).toBeLessThan(HUGE_BYTES);
  const blocks = new Uint32Array(buffer, start, (8 * HUGE_BYTES) / 4);
  expect(toHugePage(blocks, HUGE_BYTES)).toBe(0);
  preferHugePages(blocks);
  expect(hugeKilobytes()).toBe(before);
  blocks.fill(7);
  expect(hugeKilobytes()! - before).toBeGreaterThan((4 * HUGE_BYTES) / 1024);
  releaseMemory(blocks);
  expect(hugeKilobytes()! - before).toBeLessThan((4 * HUGE_BYTES) / 1024);
  expect(blocks[5]).toBe(0);
});

it('memory comes under an array without anybody touching it', async () => {
  const buffer = new SharedArrayBuffer(MEGABYTES << 20);
  const before = residentBytes();
  const start = toHugePage(new Uint32Array(buffer), 4096);
  const array = new Uint32Array(buffer, start, (48 << 20) / 4);
  populateAhead(array);
  await vi.waitFor(() => expect(residentBytes() - before).toBeGreaterThan(40 << 20), { timeout: 10_000 });
  expect(array[array.length - 1]).toBe(0);
});
