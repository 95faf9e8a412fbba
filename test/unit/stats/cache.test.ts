import { beforeEach, describe, expect, it } from 'vitest';
import { POLL, Resync } from '../../../src/cache/resync.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import type { DumpEvents } from '../../../src/kernel/dump.js';
import { KernelCounters } from '../../../src/kernel/statistics.js';
import { StatsCache } from '../../../src/stats/cache.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const clock = { monotonicMs: () => 5000, wallSeconds: () => 1_000_000 };

/** What was passed on, a string a call. */
let written: string[];
let cache: StatsCache;

beforeEach(() => {
  written = [];
  cache = new StatsCache(10_000, clock, { write: (lines) => written.push(Buffer.from(lines).toString('latin1')) });
});

function ended(number: number, counters: readonly number[] | null = null): FlowScratch {
  const flow = tcpFlow({ number, state: 7 });
  flow.hasCounters = counters !== null;
  flow.counters.set(counters ?? [9, 9, 9, 9]);
  return flow;
}

describe('lines of ended flows', () => {
  it('come from the event of the end, with its counters', () => {
    cache.onNew(tcpFlow({ number: 1 }));
    cache.onDestroy(ended(1, [1, 60, 2, 80]));
    expect(written).toEqual([]);
    cache.flushLines();
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/^tcp {6}6 TIME_WAIT src=\S+ dst=\S+ sport=\d+ dport=\d+ packets=1 bytes=60/);
    expect(written[0]).toMatch(/packets=2 bytes=80[^\n]*\n$/);
    expect(cache.cache.processedPackets).toBe(3);
    expect(cache.cache.processedBytes).toBe(140);
  });

  it('have no counters when the kernel does not count', () => {
    cache.onNew(tcpFlow({ number: 1 }));
    cache.onDestroy(ended(1));
    cache.flushLines();
    expect(written[0]).toMatch(/^tcp /);
    expect(written[0]).not.toContain('packets=');
  });

  it('are not made of flows that were never held, and not twice', () => {
    cache.onDestroy(ended(1));
    cache.onNew(tcpFlow({ number: 2 }));
    cache.onDestroy(ended(2));
    cache.onDestroy(ended(2));
    cache.flushLines();
    expect(written.join('').split('\n')).toHaveLength(2);
    expect(cache.cache.counters.destroyed).toBe(1);
  });

  it('leave nothing of the flow in the cache', () => {
    for (let number = 0; number < 100; number++) cache.onNew(tcpFlow({ number }));
    for (let number = 0; number < 100; number++) cache.onDestroy(ended(number));
    expect(cache.cache.table.size).toBe(0);
    expect(cache.cache.active).toBe(0);
  });

  it('are passed on in between when they are many, all of them once', () => {
    const flows = 3000;
    for (let number = 0; number < flows; number++) cache.onNew(tcpFlow({ number }));
    for (let number = 0; number < flows; number++) cache.onDestroy(ended(number));
    const early = written.length;
    cache.flushLines();
    expect(early).toBeGreaterThan(1);
    const lines = written.join('').trimEnd().split('\n');
    expect(lines).toHaveLength(flows);
    expect(new Set(lines).size).toBe(flows);
    for (const piece of written) expect(piece.endsWith('\n')).toBe(true);
  });

  it('show what the cache has when a dump finds the flow gone', () => {
    cache.onNew(tcpFlow({ number: 1 }));
    let dump: DumpEvents | null = null;
    const resync = new Resync({
      cache: cache.cache,
      counters: new KernelCounters(),
      filter: null,
      scheduler: { soon: (callback) => callback(), after: () => ({ cancel: () => {} }) },
      openDump: (events) => {
        dump = events;
        return { start: () => {}, close: () => {} };
      },
    });
    resync.request(POLL, () => cache.flushLines());
    dump!.onDone();
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/^tcp {6}6 ESTABLISHED src=/);
    expect(cache.cache.table.size).toBe(0);
  });

  it('are not made when nobody wants them', () => {
    const silent = new StatsCache(10, clock, null);
    silent.onNew(tcpFlow({ number: 1 }));
    silent.onDestroy(ended(1));
    silent.flushLines();
    expect(silent.cache.counters.destroyed).toBe(1);
    expect(silent.cache.table.size).toBe(0);
  });
});
