import { beforeEach, describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { InternalCache } from '../../../src/cache/internal.js';
import { AFTER_OVERRUN, POPULATE, Resync } from '../../../src/cache/resync.js';
import { ID, ORIG_SRC } from '../../../src/flow/layout.js';
import type { DumpEvents } from '../../../src/kernel/dump.js';
import { KernelCounters } from '../../../src/kernel/statistics.js';
import { CatchUp } from '../../../src/sync/catch-up.js';
import { kernelMessage } from '../../support/netlink-tree.js';
import { tcpFlow } from '../../support/tcp-flow.js';

let cache: InternalCache;
let catchUp: CatchUp;
let resync: Resync;
/** Numbers of the flows that the peers were told of. */
let told: number[];
let dumps: { events: DumpEvents; closed: boolean }[];
let subscribed: boolean;
let drained: (() => void)[];
let bulks: number;
let refusing: boolean;
let complaints: string[];

const flow = (number: number, id = 100 + number) => tcpFlow({ number, id });
/** The commit makes the flows below ten. */
const isCommitted = (number: number): boolean => number < 10;

function numberOf(source: number): number {
  return source - tcpFlow({ number: 0 }).words[ORIG_SRC]!;
}

function brings(...numbers: number[]): void {
  for (const number of numbers) {
    const message = kernelMessage(flow(number));
    dumps.at(-1)!.events.onEntry(Views.of(message), 0, message.length);
  }
}

function tellDrained(): void {
  for (const callback of drained.splice(0)) callback();
}

beforeEach(() => {
  told = [];
  dumps = [];
  drained = [];
  complaints = [];
  bulks = 0;
  subscribed = true;
  refusing = false;
  const write = (text: string): void => void complaints.push(text);
  cache = new InternalCache(
    1000,
    { monotonicMs: () => 0, wallSeconds: () => 0 },
    { changed: (row) => told.push(numberOf(cache.table.word(row, ORIG_SRC))) },
  );
  resync = new Resync({
    cache,
    counters: new KernelCounters(),
    filter: null,
    scheduler: { soon: (callback) => callback(), after: () => ({ cancel: () => {} }) },
    openDump: (events) => {
      const dump = { events, closed: false };
      dumps.push(dump);
      const close = (): void => {
        dump.closed = true;
      };
      return { start: () => {}, close };
    },
    isCommitted: ({ words, at }) => isCommitted(numberOf(words[at + ORIG_SRC]!)),
  });
  catchUp = new CatchUp({
    resync,
    log: { info: write, notice: write, warning: write, error: write, raw: write },
    bulk: () => bulks++,
    progress: () => {},
  });
  catchUp.use({
    suspendNew: () => {
      if (refusing) throw new Error('EPERM');
      subscribed = false;
      return true;
    },
    resumeNew: () => {
      subscribed = true;
    },
    whenDrained: (callback) => void drained.push(callback),
  });
});

describe('CatchUp', () => {
  it('learns what the commit made, and sends only what others made meanwhile', () => {
    cache.onNew(flow(20), true);
    catchUp.begin();
    expect(subscribed).toBe(false);
    catchUp.end();
    expect(subscribed).toBe(true);
    expect(dumps).toHaveLength(0);
    tellDrained();
    brings(1, 2, 20, 21);
    dumps.at(-1)!.events.onDone();
    expect(told).toEqual([21]);
    expect(cache.active).toBe(4);
  });

  it('does not take the end of the flow before the commit for the end of the one it made', () => {
    cache.onNew(flow(1), true);
    catchUp.begin();
    catchUp.end();
    // The kernel gives the new flow the number of the old one, whose end still waits in the event socket.
    const ended = flow(1);
    expect(ended.words[ID]).toBe(101);
    cache.onDestroy(ended, false);
    tellDrained();
    brings(1);
    dumps.at(-1)!.events.onDone();
    expect(cache.holds(flow(1))).toBe(true);
  });

  it('takes what ends during the dump as ended', () => {
    catchUp.begin();
    catchUp.end();
    tellDrained();
    brings(1);
    cache.onDestroy(flow(1), false);
    brings(1);
    dumps.at(-1)!.events.onDone();
    expect(cache.holds(flow(1))).toBe(false);
  });

  it('lets a bulk wait from the beginning of the commit until the cache is complete', () => {
    expect(catchUp.postponesBulk()).toBe(false);
    catchUp.begin();
    expect(catchUp.postponesBulk()).toBe(true);
    catchUp.end();
    tellDrained();
    expect(catchUp.postponesBulk()).toBe(true);
    expect(bulks).toBe(0);
    dumps.at(-1)!.events.onDone();
    expect(bulks).toBe(1);
    expect(catchUp.postponesBulk()).toBe(false);
  });

  it('begins the bulk also when the dump fails', () => {
    catchUp.begin();
    catchUp.end();
    tellDrained();
    catchUp.postponesBulk();
    dumps.at(-1)!.events.onError(new Error('ENOBUFS'));
    expect(bulks).toBe(1);
    expect(complaints).toEqual(['after the commit: ENOBUFS']);
  });

  it('forgets with the cache: a flush ends it, before and during the dump', () => {
    catchUp.begin();
    catchUp.end();
    catchUp.cancel();
    tellDrained();
    expect(dumps).toHaveLength(0);
    catchUp.begin();
    catchUp.end();
    tellDrained();
    brings(1);
    catchUp.cancel();
    expect(dumps.at(-1)!.closed).toBe(true);
    expect(catchUp.postponesBulk()).toBe(false);
  });

  it.each([
    ['-R', POPULATE, [21]],
    ['the resync after an overrun', AFTER_OVERRUN, [1, 20, 21]],
  ])('%s takes its place, and both are complete by one dump', (_, kind, sent) => {
    let done = 0;
    cache.onNew(flow(20), true);
    catchUp.begin();
    catchUp.end();
    tellDrained();
    catchUp.postponesBulk();
    resync.request(kind, () => done++);
    expect(dumps.map(({ closed }) => closed)).toEqual([true, false]);
    brings(1, 20, 21);
    dumps.at(-1)!.events.onDone();
    expect(told).toEqual(sent);
    expect([done, bulks]).toEqual([1, 1]);
  });

  it('does without when the kernel refuses, or there are no events', () => {
    refusing = true;
    catchUp.begin();
    catchUp.end();
    expect([subscribed, drained.length, catchUp.postponesBulk()]).toEqual([true, 0, false]);
    expect(complaints).toEqual(['after the commit: EPERM']);
  });
});
