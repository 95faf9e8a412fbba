import { describe, expect, test } from 'vitest';
import { RecordPages } from '../../../src/flow/pages.js';

/** 32 records of 2 words a page. */
const SHIFT = 5;
const PAGE_BYTES = 32 * 2 * 4 + 4;

function filled(records: number): RecordPages {
  const pages = new RecordPages(2, SHIFT);
  for (let record = 0; record < records; record++) expect(pages.take()).toBe(record);
  return pages;
}

describe('record pages', () => {
  test('records do not overlap', () => {
    const pages = filled(100);
    for (let record = 0; record < 100; record++) pages.words(record)[pages.at(record) + 1] = record;
    for (let record = 0; record < 100; record++) expect(pages.words(record)[pages.at(record) + 1]).toBe(record);
    expect(pages.bytesUsed).toBe(4 * PAGE_BYTES);
  });

  test('the lowest free number is taken first', () => {
    const pages = filled(100);
    for (const record of [70, 3, 40, 4]) pages.give(record);
    expect([pages.take(), pages.take(), pages.take(), pages.take(), pages.take()]).toEqual([3, 4, 40, 70, 100]);
  });

  test('next skips free records and empty pages', () => {
    const pages = filled(200);
    for (let record = 0; record < 200; record++) if (record !== 31 && record !== 130) pages.give(record);
    expect([pages.next(0), pages.next(31), pages.next(32), pages.next(131), pages.next(9999)]).toEqual([
      31, 31, 130, -1, -1,
    ]);
  });

  test('next starts each page at its beginning', () => {
    const pages = filled(40);
    for (let record = 20; record < 33; record++) pages.give(record);
    expect([pages.next(20), pages.next(25)]).toEqual([33, 33]);
  });

  test('pages that fall empty are given back, except one', () => {
    const pages = filled(160);
    for (let record = 0; record < 160; record++) pages.give(record);
    expect(pages.size).toBe(0);
    expect(pages.bytesUsed).toBe(PAGE_BYTES);
    for (let round = 0; round < 160; round++) expect(pages.has(pages.take())).toBe(true);
    expect(pages.bytesUsed).toBe(5 * PAGE_BYTES);
    expect(new Set(Array.from({ length: 160 }, (_, record) => pages.next(record))).size).toBe(160);
  });

  test('has answers for any number', () => {
    const pages = filled(3);
    expect([-1, 0, 2, 3, 31, 32, 2 ** 31].map((record) => pages.has(record))).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
