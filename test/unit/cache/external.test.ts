import { describe, expect, it } from 'vitest';
import { ExternalCache } from '../../../src/cache/external.js';
import { K_TIMEOUT, KIND, KNOWN, stateOf } from '../../../src/flow/layout.js';
import { NO_ROW } from '../../../src/flow/table.js';
import { FLOW_DESTROY, FLOW_NEW, FLOW_UPDATE } from '../../../src/wire/tables.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const clock = { monotonicMs: () => 5000, wallSeconds: () => 1_700_000_000 };

describe('ExternalCache', () => {
  it('counts as the original did when it was told new, new, update, destroy, destroy, update, new', () => {
    const cache = new ExternalCache(10, clock);
    const flow = tcpFlow({ number: 1 });
    const seen = [FLOW_NEW, FLOW_NEW, FLOW_UPDATE, FLOW_DESTROY, FLOW_DESTROY, FLOW_UPDATE, FLOW_NEW].map((type) => {
      cache.apply(type, flow, 0);
      const { created, updated, destroyed } = cache.counters;
      return [cache.active, created, updated, destroyed];
    });
    expect(seen).toEqual([
      [1, 1, 0, 0],
      [1, 2, 0, 1],
      [1, 2, 1, 1],
      [0, 2, 1, 2],
      [0, 2, 1, 2],
      [1, 3, 1, 2],
      [1, 4, 1, 3],
    ]);
  });

  it('keeps on an update what the message lacks, and forgets it on NEW', () => {
    const cache = new ExternalCache(10, clock);
    cache.onNew(tcpFlow({ number: 1, timeout: 60 }), 0);
    cache.onUpdate(tcpFlow({ number: 1, state: 7 }), 0);
    const row = cache.table.find(tcpFlow({ number: 1 }));
    expect(stateOf(cache.table.word(row, KIND))).toBe(7);
    expect(cache.table.word(row, KNOWN) & K_TIMEOUT).not.toBe(0);
    cache.onNew(tcpFlow({ number: 1 }), 0);
    expect(cache.table.word(row, KNOWN) & K_TIMEOUT).toBe(0);
  });

  it('counts what HashLimit refuses and gives everything back on a flush', () => {
    const cache = new ExternalCache(2, clock);
    for (const number of [1, 2, 3]) cache.onNew(tcpFlow({ number }), 0);
    expect(cache.counters).toMatchObject({ created: 2, createFailed: 1, noSpace: 1 });
    cache.flush();
    expect(cache.active).toBe(0);
    expect(cache.counters.destroyed).toBe(2);
    expect(cache.table.find(tcpFlow({ number: 1 }))).toBe(NO_ROW);
  });
});
