import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { releaseMemory } from '../../../src/native/index.js';

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
