import { describe, expect, it } from 'vitest';
import {
  AF_INET,
  IPPROTO_UDP,
  K_ORIG,
  K_ORIG_L4,
  KIND,
  KNOWN,
  kindOf,
  ORIG_L4,
  ORIG_SRC,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { FlowTable, MOST_PREFETCHED, NO_ROW } from '../../../src/flow/table.js';

function flow(number: number): FlowScratch {
  const scratch = new FlowScratch();
  scratch.words[KNOWN] = K_ORIG | K_ORIG_L4;
  scratch.words[KIND] = kindOf(AF_INET, IPPROTO_UDP);
  scratch.words[ORIG_SRC] = number;
  scratch.words[ORIG_L4] = number;
  return scratch;
}

/** All flows have one hash, or each its own. */
const HASHES = { colliding: { of: () => 7 }, seeded: undefined } as const;

describe.each(Object.entries(HASHES))('prefetch of a table with a %s hash', (_, hash) => {
  it('changes nothing, whatever is there', () => {
    const table = new FlowTable({ limit: 100, seed: 1, ...(hash !== undefined && { hash }) });
    const flows = Array.from({ length: MOST_PREFETCHED }, (_unused, number) => flow(number));
    table.prefetch(flows, flows.length);
    expect(table.size).toBe(0);
    const rows = flows.slice(0, 20).map((each) => table.insert(each, 1));
    const before = rows.map((row) => table.word(row, ORIG_SRC));
    for (const count of [0, 1, MOST_PREFETCHED]) table.prefetch(flows, count);
    expect(flows.map((each) => table.find(each))).toEqual([...rows, ...Array(12).fill(NO_ROW)]);
    expect(rows.map((row) => table.word(row, ORIG_SRC))).toEqual(before);
    for (const row of rows) table.remove(row);
    table.prefetch(flows, flows.length);
    expect(table.find(flows[0]!)).toBe(NO_ROW);
  });
});
