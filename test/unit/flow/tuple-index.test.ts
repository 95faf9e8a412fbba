import { describe, expect, test } from 'vitest';
import type { IdentityHash } from '../../../src/flow/identity.js';
import { ORIG_SRC } from '../../../src/flow/layout.js';
import { FlowTable, NO_ROW } from '../../../src/flow/table.js';
import { tcpFlow } from './flows.js';

/** A segment of 2048 slots splits when it would hold more than 1536 pairs; neighbours merge at 512 together. */
const FULL = 1536;
const SEGMENT_BYTES = (2048 * 2 + 2) * 4;

/** The source address is the hash: the tests say which segment and slot a flow gets. */
const chosenHash: IdentityHash = { of: (words, at) => words[at + ORIG_SRC]! };
const TOP = 0x80000000;

const scratch = tcpFlow(0);

function makeTable(hash: IdentityHash): FlowTable {
  return new FlowTable({ limit: 100_000, hash });
}

function insertAll(table: FlowTable, numbers: number[]): void {
  for (const number of numbers) expect(table.insert(tcpFlow(number, scratch), 0)).not.toBe(NO_ROW);
}

function removeAll(table: FlowTable, numbers: number[]): void {
  for (const number of numbers) table.remove(table.find(tcpFlow(number, scratch)));
}

function missing(table: FlowTable, numbers: number[]): number[] {
  return numbers.filter((number) => table.find(tcpFlow(number, scratch)) === NO_ROW);
}

function range(count: number, first = 0, step = 1): number[] {
  return Array.from({ length: count }, (_, index) => first + index * step);
}

/** Bytes of everything but the rows' pages, of which the flows of these tests need one. */
function indexBytes(table: FlowTable): number {
  const single = makeTable(chosenHash);
  single.insert(tcpFlow(1, scratch), 0);
  return table.bytesUsed - single.bytesUsed + SEGMENT_BYTES + 8;
}

describe('tuple index', () => {
  test('a full segment splits in two by the top bit of the hash', () => {
    const table = makeTable(chosenHash);
    const low = range(FULL / 2);
    const high = range(FULL / 2, TOP);
    insertAll(table, [...low, ...high]);
    expect(indexBytes(table)).toBe(SEGMENT_BYTES + 8);
    insertAll(table, [TOP + 5000]);
    expect(indexBytes(table)).toBe(2 * SEGMENT_BYTES + 16);
    expect(missing(table, [...low, ...high, TOP + 5000])).toEqual([]);
  });

  test('neighbours merge only when both together are nearly empty', () => {
    const table = makeTable(chosenHash);
    const low = range(FULL);
    const high = range(600, TOP);
    insertAll(table, [...low, ...high]);
    removeAll(table, high.slice(10));
    expect(indexBytes(table)).toBe(2 * SEGMENT_BYTES + 16);
    expect(missing(table, [...low, ...high.slice(0, 10)])).toEqual([]);
    removeAll(table, low.slice(502));
    expect(indexBytes(table)).toBe(SEGMENT_BYTES + 16);
    expect(missing(table, [...low.slice(0, 502), ...high.slice(0, 10)])).toEqual([]);
  });

  test('a segment merges with its neighbour only when that is of the same depth', () => {
    const table = makeTable(chosenHash);
    const low = range(FULL);
    const quarters = [...range(1000, TOP), ...range(1000, TOP + 0x40000000)];
    insertAll(table, [...low, ...quarters]);
    expect(indexBytes(table)).toBe(3 * SEGMENT_BYTES + 32);
    removeAll(table, low.slice(1));
    expect(indexBytes(table)).toBe(3 * SEGMENT_BYTES + 32);
    expect(missing(table, [0, ...quarters])).toEqual([]);
  });

  test('a cluster at the end of a segment goes on at its start, and closes up again', () => {
    const table = makeTable({ of: (words, at) => (words[at + ORIG_SRC]! < 100 ? 2047 : words[at + ORIG_SRC]! - 100) });
    const atEnd = range(8);
    const atStart = range(6, 100);
    insertAll(table, [...atEnd, ...atStart]);
    removeAll(table, [0, 3, 102]);
    const left = [1, 2, 4, 5, 6, 7, 100, 101, 103, 104, 105];
    expect(missing(table, left)).toEqual([]);
    removeAll(table, left);
    expect(table.size).toBe(0);
  });

  test('hashes that no split can part make their segment grow', () => {
    const table = makeTable({ of: () => 0x5a5a5a5a });
    const numbers = range(2 * FULL + 1);
    insertAll(table, numbers);
    expect(missing(table, numbers)).toEqual([]);
    // 16 splits leave 16 empty siblings; the last segment has doubled twice.
    expect(indexBytes(table)).toBe(17 * SEGMENT_BYTES + 3 * 2048 * 2 * 4 + 8 * 2 ** 16);
    removeAll(table, numbers);
    expect(table.size).toBe(0);
  });
});
