import { describe, expect, it } from 'vitest';
import type { ExpectationEntry } from '../../../src/cache/expectation-entry.js';
import { ExternalExpectations } from '../../../src/cache/expectation-external.js';
import { InternalExpectations } from '../../../src/cache/expectation-internal.js';
import { expectationKey, isReplicated } from '../../../src/flow/expectation.js';
import { EXPECTATION_DESTROY, EXPECTATION_NEW, EXPECTATION_UPDATE } from '../../../src/wire/tables.js';
import { expectationOf } from '../../support/expectation.js';

class Bench {
  nowMs = 5000;
  ignored = 0;
  readonly masters = new Set<number>();
  readonly changes: string[] = [];
  readonly clock = { monotonicMs: () => this.nowMs, wallSeconds: () => 0 };
  readonly cache: InternalExpectations;

  constructor(helpers: string[] = [], limit = 10) {
    this.cache = new InternalExpectations({
      limit,
      helpers,
      clock: this.clock,
      isMasterCached: ({ master }) => this.masters.has(master.words[0]! - 0x0a000000),
      changed: (entry) => this.changes.push(entry.state),
      ignored: () => this.ignored++,
    });
  }

  entry(): ExpectationEntry {
    const [entry] = this.cache.entries.values();
    return entry!;
  }
}

describe('internal expectations', () => {
  it('tell of new, changed and ended ones, and keep an ended one until it is released', () => {
    const bench = new Bench();
    bench.masters.add(1);
    bench.cache.onNew(expectationOf(1, 5000), false);
    bench.cache.onUpdate(expectationOf(1, 5000, { timeout: 10 }), false);
    expect(bench.entry().expectation.timeout).toBe(10);
    const entry = bench.entry();
    bench.cache.onDestroy(expectationOf(1, 5000), false);
    expect(bench.changes).toEqual(['new', 'alive', 'dead']);
    expect([bench.cache.active, bench.cache.entries.size]).toEqual([0, 1]);
    bench.cache.release(entry);
    expect(bench.cache.entries.size).toBe(0);
    const { created, updated, destroyed } = bench.cache.counters;
    expect([created, updated, destroyed]).toEqual([1, 1, 1]);
  });

  it('let go of those whose helper left the list, or whose master left the cache, and tell of it', () => {
    const bench = new Bench(['ftp', 'sip']);
    for (const master of [1, 2, 3]) bench.masters.add(master);
    bench.cache.onNew(expectationOf(1, 5000, { helper: 'ftp' }), false);
    bench.cache.onNew(expectationOf(2, 5001, { helper: 'sip' }), false);
    bench.cache.onNew(expectationOf(3, 5002, { helper: 'sip' }), true);
    bench.changes.length = 0;
    bench.masters.delete(3);
    bench.cache.setHelpers(['sip']);
    bench.cache.dismiss();
    expect([bench.cache.active, bench.changes]).toEqual([1, ['dead', 'dead']]);
    bench.cache.onNew(expectationOf(1, 5003, { helper: 'ftp' }), false);
    expect([bench.cache.active, bench.ignored]).toEqual([1, 1]);
  });

  it('refuse what is beyond another limit', () => {
    const bench = new Bench([], 1);
    bench.masters.add(1);
    for (const port of [5000, 5001]) bench.cache.onNew(expectationOf(1, port), false);
    expect(bench.cache.active).toBe(1);
    bench.cache.limit = 2;
    bench.cache.onNew(expectationOf(1, 5002), false);
    expect(bench.cache.active).toBe(2);
  });

  it('keep what our own commit makes without telling it', () => {
    const bench = new Bench();
    bench.masters.add(1);
    bench.cache.onNew(expectationOf(1, 5000), true);
    expect([bench.cache.active, bench.changes]).toEqual([1, []]);
    bench.cache.onDestroy(expectationOf(1, 5000), true);
    expect([bench.cache.entries.size, bench.changes]).toEqual([0, []]);
  });

  it('come alive again when the kernel makes one that waits for its acknowledgement', () => {
    const bench = new Bench();
    bench.masters.add(1);
    bench.cache.onNew(expectationOf(1, 5000), false);
    bench.cache.onDestroy(expectationOf(1, 5000), false);
    bench.cache.onNew(expectationOf(1, 5000), false);
    expect([bench.cache.active, bench.entry().state]).toEqual([1, 'new']);
    bench.cache.release(bench.entry());
    expect(bench.cache.active).toBe(1);
  });

  it('wait a second for their master, which TFTP makes later', () => {
    const bench = new Bench();
    bench.cache.onNew(expectationOf(1, 5000), false);
    bench.cache.onNew(expectationOf(2, 5000), false);
    expect([bench.cache.active, bench.cache.hasWaiting]).toEqual([0, true]);
    bench.masters.add(1);
    bench.cache.retryWaiting();
    expect([bench.cache.active, bench.changes, bench.ignored]).toEqual([1, ['new'], 0]);
    bench.nowMs += 1000;
    bench.cache.retryWaiting();
    expect([bench.cache.active, bench.cache.hasWaiting, bench.ignored]).toEqual([1, false, 1]);
  });

  it('forget one that ends while it waits', () => {
    const bench = new Bench();
    bench.cache.onNew(expectationOf(1, 5000), false);
    bench.cache.onDestroy(expectationOf(1, 5000), false);
    bench.masters.add(1);
    bench.cache.retryWaiting();
    expect(bench.cache.entries.size).toBe(0);
  });

  it('bound what waits, and what is held', () => {
    const bench = new Bench([], 3);
    for (let port = 1; port <= 2000; port++) bench.cache.onNew(expectationOf(1, port), false);
    expect(bench.ignored).toBe(2000 - 1024);
    bench.masters.add(1);
    bench.cache.retryWaiting();
    expect([bench.cache.active, bench.cache.counters.noSpace]).toEqual([3, 1021]);
  });

  it('take only the helpers of the list', () => {
    const bench = new Bench(['ft', 'sip']);
    bench.masters.add(1);
    for (const helper of ['ftp', 'FTP', 'tftp', 'sip-5061', '']) {
      bench.cache.onNew(expectationOf(1, 5000, { helper }), false);
      bench.cache.flush();
    }
    expect([bench.changes.length, bench.ignored]).toEqual([3, 2]);
    expect(isReplicated('', [])).toBe(true);
  });

  it('agree with a complete dump, but not against newer events', () => {
    const bench = new Bench();
    bench.masters.add(1);
    for (const port of [1, 2, 3]) bench.cache.onNew(expectationOf(1, port), false);
    bench.changes.length = 0;
    bench.cache.beginDump();
    bench.cache.onDestroy(expectationOf(1, 2), false);
    bench.cache.onDumped(expectationOf(1, 1), true);
    bench.cache.onDumped(expectationOf(1, 2), true);
    bench.cache.onNew(expectationOf(1, 4), false);
    bench.cache.endDump(true);
    // 2 ended, 1 is sent again, 4 is new, 3 is gone from the kernel.
    expect(bench.changes).toEqual(['dead', 'alive', 'new', 'dead']);
    expect(bench.cache.active).toBe(2);
  });

  it('are only learnt from a resync by request', () => {
    const bench = new Bench();
    bench.masters.add(1);
    bench.cache.beginDump();
    bench.cache.onDumped(expectationOf(1, 1), false);
    bench.cache.endDump(false);
    expect([bench.cache.active, bench.changes]).toEqual([1, []]);
  });

  it('are the same by master, tuple, mask and zone', () => {
    const key = expectationKey(expectationOf(1, 1));
    expect(expectationKey(expectationOf(1, 1, { timeout: 1, class: 2, helper: 'sip' }))).toBe(key);
    for (const other of [expectationOf(2, 1), expectationOf(1, 2), expectationOf(1, 1, { zone: 3 })]) {
      expect(expectationKey(other)).not.toBe(key);
    }
  });
});

describe('external expectations', () => {
  const clock = { monotonicMs: () => 7000, wallSeconds: () => 0 };

  it('count like the original', () => {
    const cache = new ExternalExpectations(10, clock);
    cache.apply(EXPECTATION_NEW, expectationOf(1, 1));
    cache.apply(EXPECTATION_NEW, expectationOf(1, 1));
    cache.apply(EXPECTATION_UPDATE, expectationOf(1, 1, { timeout: null }));
    cache.apply(EXPECTATION_UPDATE, expectationOf(1, 2));
    cache.apply(EXPECTATION_DESTROY, expectationOf(1, 3));
    const { created, updated, destroyed } = cache.counters;
    expect([cache.active, created, updated, destroyed]).toEqual([2, 3, 1, 1]);
    expect([...cache.entries.values()].map(({ expectation }) => expectation.timeout)).toEqual([300, 300]);
    cache.apply(EXPECTATION_DESTROY, expectationOf(1, 1));
    cache.flush();
    expect([cache.active, cache.counters.destroyed]).toEqual([0, 3]);
  });

  it('hold at most HashLimit', () => {
    const cache = new ExternalExpectations(2, clock);
    for (const port of [1, 2, 3]) cache.apply(EXPECTATION_NEW, expectationOf(1, port));
    expect([cache.active, cache.counters.createFailed, cache.counters.noSpace]).toEqual([2, 1, 1]);
  });
});
