import { beforeEach, describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { FilterSweep } from '../../../src/cache/filter-sweep.js';
import { InternalCache } from '../../../src/cache/internal.js';
import { AFTER_OVERRUN, NEWCOMERS, POLL, POPULATE, Resync, type ResyncKind } from '../../../src/cache/resync.js';
import { FlowFilter } from '../../../src/flow/filter.js';
import { K_STATE, KIND, KNOWN, ORIG_SRC, STATE_DEAD } from '../../../src/flow/layout.js';
import { FlowPointer } from '../../../src/flow/ref.js';
import { type FlowRow, NO_ROW } from '../../../src/flow/table.js';
import type { DumpEvents } from '../../../src/kernel/dump.js';
import { KernelCounters } from '../../../src/kernel/statistics.js';
import { kernelMessage } from '../../support/netlink-tree.js';
import { tcpFlow } from '../../support/tcp-flow.js';

/** States by number: linux/netfilter/nf_conntrack_tcp.h. */
const ESTABLISHED = 3;
const TIME_WAIT = 7;

/** What the peers would be told, in order: `new 1`, `dead 2`. */
let told: string[];
let cache: InternalCache;
let counters: KernelCounters;
/** The dumps opened so far, the last one under way. */
let dumps: DumpEvents[];
let ended: (Error | null)[];

function describeRow(row: FlowRow): string {
  const pointer = new FlowPointer();
  cache.table.point(row, pointer);
  const number = numbers.get(pointer.words[pointer.at + ORIG_SRC]!)!;
  const state = cache.table.state(row);
  return `${state === STATE_DEAD ? 'dead' : 'alive'} ${number}`;
}

/** Number of a flow by its source address. */
const numbers = new Map(
  Array.from({ length: 10 }, (_, number) => [tcpFlow({ number }).words[ORIG_SRC]!, number] as const),
);

function flow(number: number, state = ESTABLISHED) {
  return tcpFlow({ number, state, id: 100 + number });
}

function resync(filter: FlowFilter | null = null): Resync {
  return new Resync({
    cache,
    counters,
    filter,
    scheduler: {
      soon: (callback) => callback(),
      after: () => {
        throw new Error('a resync waits for nothing');
      },
    },
    openDump: (events) => {
      dumps.push(events);
      return { start: () => {}, close: () => {} };
    },
  });
}

function request(kind: ResyncKind, filter: FlowFilter | null = null): void {
  resync(filter).request(kind, (error) => ended.push(error));
}

/** The dump under way brings these flows. */
function brings(...flows: ReturnType<typeof flow>[]): void {
  for (const one of flows) {
    const message = kernelMessage(one);
    dumps.at(-1)!.onEntry(Views.of(message), 0, message.length);
  }
}

function held(): number[] {
  const found: number[] = [];
  const pointer = new FlowPointer();
  for (let row = cache.table.next(0 as FlowRow); row !== NO_ROW; row = cache.table.next((row + 1) as FlowRow)) {
    if (cache.table.state(row) === STATE_DEAD) continue;
    cache.table.point(row, pointer);
    found.push(numbers.get(pointer.words[pointer.at + ORIG_SRC]!)!);
  }
  return found.sort();
}

beforeEach(() => {
  told = [];
  dumps = [];
  ended = [];
  counters = new KernelCounters();
  cache = new InternalCache(
    1000,
    { monotonicMs: () => 0, wallSeconds: () => 0 },
    {
      changed: (row) => told.push(describeRow(row)),
    },
  );
});

describe.each([
  ['after an overrun', AFTER_OVERRUN],
  ['of a poll', POLL],
])('the resync %s', (_, kind) => {
  it('sends what it finds and what is gone', () => {
    for (const number of [1, 2, 3]) cache.onNew(flow(number), true);
    request(kind);
    brings(flow(1), flow(3), flow(4));
    dumps.at(-1)!.onDone();
    expect(told.sort()).toEqual(['alive 1', 'alive 3', 'alive 4', 'dead 2']);
    expect(held()).toEqual([1, 3, 4]);
    expect(ended).toEqual([null]);
  });

  it('takes what no longer passes the filter as gone', () => {
    for (const number of [1, 2]) cache.onNew(flow(number), true);
    const states = { action: 'accept' as const, tcp: ['ESTABLISHED'] };
    request(kind, new FlowFilter({ protocols: null, addresses: null, states }));
    brings(flow(1), flow(2, TIME_WAIT), flow(3, TIME_WAIT));
    dumps.at(-1)!.onDone();
    expect(held()).toEqual([1]);
    expect(told.sort()).toEqual(['alive 1', 'dead 2']);
  });
});

describe('a dump and events at the same time', () => {
  it('an event wins over the dump that brings the flow as it was before', () => {
    cache.onNew(flow(1), true);
    request(AFTER_OVERRUN);
    cache.onUpdate(flow(1, TIME_WAIT), false);
    brings(flow(1, ESTABLISHED));
    dumps.at(-1)!.onDone();
    const pointer = new FlowPointer();
    cache.table.point(cache.table.find(flow(1)), pointer);
    expect((pointer.words[pointer.at + KNOWN]! & K_STATE) !== 0).toBe(true);
    expect((pointer.words[pointer.at + KIND]! >>> 16) & 0xff).toBe(TIME_WAIT);
  });

  it('what ended during the dump stays ended, what began is not purged', () => {
    cache.onNew(flow(1), true);
    request(AFTER_OVERRUN);
    cache.onDestroy(flow(1), false);
    cache.onNew(flow(2), false);
    brings(flow(1));
    dumps.at(-1)!.onDone();
    expect(held()).toEqual([2]);
  });
});

describe('a dump that is interrupted', () => {
  it('is made again, and nothing is purged before one is complete', () => {
    for (const number of [1, 2, 3]) cache.onNew(flow(number), true);
    request(AFTER_OVERRUN);
    brings(flow(1));
    dumps.at(-1)!.onInterrupted();
    expect(dumps).toHaveLength(2);
    expect(held()).toEqual([1, 2, 3]);
    expect(ended).toEqual([]);
    brings(flow(1), flow(3));
    dumps.at(-1)!.onDone();
    expect(held()).toEqual([1, 3]);
    expect(ended).toEqual([null]);
  });

  it('for ever is given up without a purge', () => {
    cache.onNew(flow(1), true);
    request(AFTER_OVERRUN);
    for (let time = 0; ended.length === 0 && time < 100; time++) dumps.at(-1)!.onInterrupted();
    expect(ended).toEqual([null]);
    expect(held()).toEqual([1]);
  });
});

describe('-R', () => {
  it('learns what passes, sends nothing, purges nothing', () => {
    cache.onNew(flow(1), true);
    const protocols = { action: 'ignore' as const, numbers: [17] };
    request(POPULATE, new FlowFilter({ protocols, addresses: null, states: null }));
    brings(flow(2));
    dumps.at(-1)!.onDone();
    expect(held()).toEqual([1, 2]);
    expect(told).toEqual([]);
  });

  it('during another resync follows it', () => {
    const one = resync();
    one.request(POPULATE, (error) => ended.push(error));
    one.request(AFTER_OVERRUN, (error) => ended.push(error));
    expect(dumps).toHaveLength(1);
    dumps[0]!.onDone();
    expect(dumps).toHaveLength(2);
    expect(ended).toEqual([null]);
    dumps[1]!.onDone();
    expect(ended).toEqual([null, null]);
  });
});

describe('a change of the filter', () => {
  const filter = new FlowFilter({ protocols: null, addresses: null, states: { action: 'ignore', tcp: ['TIME_WAIT'] } });
  const turns: (() => void)[] = [];
  const scheduler = {
    soon: (callback: () => void) => turns.push(callback),
    after: () => {
      throw new Error('a sweep waits for nothing');
    },
  };

  it('lets go of what no longer passes, and the peers hear of it', () => {
    cache.onNew(flow(1), true);
    cache.onNew(flow(2, TIME_WAIT), true);
    let done = 0;
    new FilterSweep(cache, scheduler, true).begin(filter, () => done++);
    expect([held(), told, done]).toEqual([[1], ['dead 2'], 1]);
  });

  it('in silence in statistics mode', () => {
    cache.onNew(flow(1), true);
    cache.onNew(flow(2, TIME_WAIT), true);
    new FilterSweep(cache, scheduler, false).begin(filter, () => {});
    expect([held(), told, cache.table.size]).toEqual([[1], [], 1]);
  });

  it('takes turns, and another change ends it', () => {
    cache.table.limit = 10_000;
    for (let number = 0; number < 9000; number++) cache.onNew(tcpFlow({ number, state: TIME_WAIT }), true);
    const ended: string[] = [];
    const sweep = new FilterSweep(cache, scheduler, false);
    sweep.begin(filter, () => ended.push('first'));
    expect(cache.active).toBe(9000 - 4096);
    sweep.begin(filter, () => ended.push('second'));
    while (turns.length > 0) turns.shift()!();
    expect(cache.active).toBe(0);
    expect(ended).toEqual(['second']);
  });

  it('the resync behind it sends what is new, or was given up, and nothing else', () => {
    for (const number of [1, 2, 3]) cache.onNew(flow(number), true);
    cache.onDestroy(flow(3), false);
    told = [];
    request(NEWCOMERS);
    brings(flow(1), flow(3), flow(4));
    dumps.at(-1)!.onDone();
    expect(told).toEqual(['alive 3', 'alive 4']);
    expect(held()).toEqual([1, 2, 3, 4]);
  });

  it('its filter counts for the dump that is under way', () => {
    const one = resync();
    one.request(POPULATE, () => {});
    one.filterBy(filter);
    brings(flow(1), flow(2, TIME_WAIT));
    expect(held()).toEqual([1]);
  });
});
