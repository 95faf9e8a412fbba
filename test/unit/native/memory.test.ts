import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { forgetProgram, releaseMemory } from '../../../src/native/index.js';

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
