import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { Views } from '../../../src/base/views.js';
import { FlowFilter } from '../../../src/flow/filter.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import type { DumpEvents } from '../../../src/kernel/dump.js';
import { StatsCache } from '../../../src/stats/cache.js';
import { StatsEngine, type StatsSettings } from '../../../src/stats/engine.js';
import { kernelMessage } from '../../support/netlink-tree.js';
import { tcpFlow } from '../../support/tcp-flow.js';

/** Types of ctnetlink messages, the subsystem in the upper byte (linux/netfilter/nfnetlink_conntrack.h). */
const CT_NEW = 0x100;
const CT_DELETE = 0x102;
const EXPECT_NEW = 0x200;
const NLM_F_CREATE = 0x400;

let written: string[];
/** The dumps opened so far, the last one under way. */
let dumps: DumpEvents[];
/** What waits for its time, by milliseconds. */
let timers: { delayMs: number; callback: () => void }[];
let cache: StatsCache;
let deleted: number;

function engine(settings: Partial<StatsSettings> = {}): StatsEngine {
  return new StatsEngine({
    settings: { overrunResync: 30, pollSeconds: null, ...settings },
    scheduler: {
      soon: (callback) => callback(),
      after: (delayMs, callback) => {
        const timer = { delayMs, callback };
        timers.push(timer);
        return { cancel: () => timers.splice(timers.indexOf(timer), 1) };
      },
    },
    log: silentLogger,
    cache,
    flushKernel: { room: 10, delete: () => deleted++, submitAhead: (_failed, done) => done(null) },
    filter: null,
    openDump: (events) => {
      dumps.push(events);
      return { start: () => {}, close: () => {}, hold: () => {}, release: () => {} };
    },
  });
}

function event(to: StatsEngine, flow: FlowScratch, type: number, flags = 0): void {
  const message = kernelMessage(flow, type, flags);
  to.onEvents(Views.of(message), 0, message.length);
}

beforeEach(() => {
  written = [];
  dumps = [];
  timers = [];
  deleted = 0;
  const clock = { monotonicMs: () => 0, wallSeconds: () => 0 };
  cache = new StatsCache(100, clock, { write: (lines) => written.push(Buffer.from(lines).toString('latin1')) });
});

describe('statistics engine', () => {
  it('passes the lines of a turn on at its end', () => {
    const one = engine();
    event(one, tcpFlow({ number: 1 }), CT_NEW, NLM_F_CREATE);
    event(one, tcpFlow({ number: 2 }), CT_NEW, NLM_F_CREATE);
    event(one, tcpFlow({ number: 1 }), CT_DELETE);
    expect(written).toEqual([]);
    one.onTurnEnd();
    expect(written).toHaveLength(1);
    expect(cache.cache.active).toBe(1);
    expect(one.kernel.eventsReceived).toBe(3);
  });

  it('counts what is no event of a flow, and takes no harm', () => {
    const one = engine();
    event(one, tcpFlow({ number: 1 }), EXPECT_NEW, NLM_F_CREATE);
    expect(one.kernel.eventsUnknown).toBe(1);
    expect(cache.cache.active).toBe(0);
  });

  it('reads the table once after an overrun, and logs what is gone', () => {
    const one = engine({ overrunResync: 7 });
    event(one, tcpFlow({ number: 1 }), CT_NEW, NLM_F_CREATE);
    event(one, tcpFlow({ number: 2 }), CT_NEW, NLM_F_CREATE);
    one.onOverrun();
    one.onOverrun();
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([7000]);
    timers[0]!.callback();
    const message = kernelMessage(tcpFlow({ number: 2 }));
    dumps[0]!.onEntry(Views.of(message), 0, message.length);
    dumps[0]!.onDone();
    expect(written).toHaveLength(1);
    expect(cache.cache.active).toBe(1);
    expect(one.kernel).toMatchObject({ overruns: 2, resyncs: 1 });
  });

  it('does nothing after an overrun when NetlinkOverrunResync is off', () => {
    engine({ overrunResync: null }).onOverrun();
    expect(timers).toEqual([]);
  });

  it('polls again and again, one look at a time', async () => {
    engine({ pollSeconds: 2 }).start();
    for (let round = 0; round < 3; round++) timers.shift()!.callback();
    expect(dumps).toHaveLength(1);
    dumps[0]!.onDone();
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    timers.shift()!.callback();
    expect(dumps).toHaveLength(2);
  });

  it('passes on what is left when it ends', () => {
    const one = engine();
    event(one, tcpFlow({ number: 1 }), CT_NEW, NLM_F_CREATE);
    event(one, tcpFlow({ number: 1 }), CT_DELETE);
    one.close();
    expect(written).toHaveLength(1);
  });

  it('rejects when the kernel refuses the table', async () => {
    const populated = engine().populate();
    dumps[0]!.onError(new Error('refused'));
    await expect(populated).rejects.toThrow('refused');
  });

  it('flushes the kernel table by a dump', () => {
    const one = engine();
    one.flushKernelTable();
    const message = kernelMessage(tcpFlow({ number: 2, timeout: 5 }));
    dumps[0]!.onEntry(Views.of(message), 0, message.length);
    dumps[0]!.onDone();
    expect(deleted).toBe(1);
    expect(one.kernel.flushes).toBe(1);
  });

  it('goes by changed settings: the next overrun, the next poll', () => {
    const one = engine({ overrunResync: 7 });
    one.start();
    one.reconfigure({ overrunResync: 9, pollSeconds: null });
    one.onOverrun();
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([9000]);
    one.reconfigure({ overrunResync: 9, pollSeconds: 4 });
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([9000, 4000]);
    // Between events and polls nothing may fall.
    expect(dumps).toHaveLength(1);
    one.reconfigure({ overrunResync: 9, pollSeconds: null });
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([9000]);
  });

  it('forgets without a line what another filter does not pass, and reads the kernel', () => {
    const one = engine();
    event(one, tcpFlow({ number: 1 }), CT_NEW, NLM_F_CREATE);
    one.refilter(new FlowFilter({ protocols: { action: 'ignore', numbers: [6] }, addresses: null, states: null }));
    expect(cache.cache.active).toBe(0);
    event(one, tcpFlow({ number: 2 }), CT_NEW, NLM_F_CREATE);
    one.onTurnEnd();
    expect(cache.cache.active).toBe(0);
    expect(written).toEqual([]);
    expect(dumps).toHaveLength(1);
    one.refilter(null);
    event(one, tcpFlow({ number: 2 }), CT_NEW, NLM_F_CREATE);
    expect(cache.cache.active).toBe(1);
  });

  it('writes to another log from the next line on', () => {
    const one = engine();
    const others: string[] = [];
    for (const number of [1, 2]) event(one, tcpFlow({ number }), CT_NEW, NLM_F_CREATE);
    event(one, tcpFlow({ number: 1 }), CT_DELETE);
    cache.setSink({ write: (lines) => others.push(Buffer.from(lines).toString('latin1')) });
    event(one, tcpFlow({ number: 2 }), CT_DELETE);
    one.onTurnEnd();
    expect([written.length, others.length]).toEqual([1, 1]);
  });
});
