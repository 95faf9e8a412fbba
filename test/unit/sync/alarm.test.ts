import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { InternalCache } from '../../../src/cache/internal.js';
import { TIMER_PREV } from '../../../src/flow/layout.js';
import { Alarm } from '../../../src/sync/alarm.js';
import { AgingExternalCache } from '../../../src/sync/alarm-external.js';
import { FLOW_DESTROY, FLOW_NEW, FLOW_UPDATE } from '../../../src/wire/tables.js';
import { PacketSink } from '../../simulation/packet-sink.js';
import { tcpFlow } from '../../support/tcp-flow.js';

function setUp(refreshTime: number, random: () => number = Math.random) {
  let nowMs = 0;
  const sent: { atMs: number; type: string }[] = [];
  const clock = { monotonicMs: () => nowMs, wallSeconds: () => 1000 };
  const internal: InternalCache = new InternalCache(2_000_000, clock, {
    changed: (row) => alarm.enqueue(row),
    unsent: (row) => alarm.hold(row),
    leaving: (row) => alarm.forget(row),
  });
  const alarm = new Alarm(
    {
      table: internal.table,
      sink: new PacketSink((packet) => {
        const bytes = Buffer.from(packet);
        for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2)) {
          sent.push({ atMs: nowMs, type: bytes.toString('hex', at, at + 2) });
        }
      }),
      clock,
      logger: silentLogger,
      encode: { timeout: true, windowTracking: false },
      sharedLink: false,
      external: { apply: () => true },
      random,
      release: (row) => internal.release(row),
    },
    { refreshTime, expireExternal: () => false },
  );
  const until = (atMs: number) => {
    while (alarm.deadlineMs() <= atMs) {
      nowMs = Math.max(nowMs, alarm.deadlineMs());
      alarm.tick(nowMs);
      while (alarm.transmit());
    }
    nowMs = atMs;
  };
  return { alarm, internal, sent, until };
}

describe('ALARM', () => {
  it('refreshes every entry once in RefreshTime seconds, spread evenly', () => {
    const { alarm, internal, sent, until } = setUp(10);
    const FLOWS = 20_000;
    for (let number = 0; number < FLOWS; number++) internal.onNew(tcpFlow({ number }), false);
    while (alarm.transmit());
    expect(sent).toHaveLength(FLOWS);
    until(60_000);
    const afterStart = sent.filter(({ atMs }) => atMs > 20_000);
    // 40 seconds of a mean wait of 5.5 seconds.
    expect(afterStart.length).toBeGreaterThan((FLOWS * 40) / 5.7);
    expect(afterStart.length).toBeLessThan((FLOWS * 40) / 5.3);
    const perTick = new Map<number, number>();
    for (const { atMs } of afterStart) perTick.set(atMs, (perTick.get(atMs) ?? 0) + 1);
    expect(Math.max(...perTick.values())).toBeLessThan((2 * FLOWS) / 55);
  });

  it('waits RefreshTime seconds at most and one at least', () => {
    for (const random of [0, 0.999999]) {
      const { alarm, internal, sent, until } = setUp(15, () => random);
      internal.onNew(tcpFlow({ number: 1 }), false);
      alarm.transmit();
      until(16_000);
      expect(sent[1]?.atMs).toBe(random === 0 ? 1000 : 15_000);
    }
  });

  it('starts the wait anew with each update', () => {
    const { alarm, internal, sent, until } = setUp(1, () => 0);
    internal.onNew(tcpFlow({ number: 1 }), false);
    alarm.transmit();
    until(900);
    internal.onUpdate(tcpFlow({ number: 1 }), false);
    alarm.transmit();
    until(1800);
    expect(sent.map(({ type }) => type)).toEqual(['1000', '1100']);
    until(1900);
    expect(sent.map(({ type }) => type)).toEqual(['1000', '1100', '1100']);
  });

  it('refreshes what commits and dumps brought, too', () => {
    const { alarm, internal, sent, until } = setUp(3);
    internal.onNew(tcpFlow({ number: 1 }), true);
    internal.onDumped(tcpFlow({ number: 2 }), false);
    alarm.transmit();
    expect(sent).toEqual([]);
    until(3100);
    expect(sent.length).toBeGreaterThanOrEqual(2);
  });

  it('tells once of an end, and lets go of the entry and its timer', () => {
    const { alarm, internal, sent, until } = setUp(3);
    internal.onNew(tcpFlow({ number: 1 }), false);
    internal.onNew(tcpFlow({ number: 2 }), true);
    alarm.transmit();
    internal.onDestroy(tcpFlow({ number: 1 }), false);
    internal.onDestroy(tcpFlow({ number: 2 }), true);
    alarm.transmit();
    expect(internal.table.size).toBe(0);
    until(20_000);
    expect(sent.map(({ type }) => type)).toEqual(['1000', '1200']);
  });

  it.each([
    [600, 5],
    [5, 600],
  ])('goes by another RefreshTime at once: %i, then %i', (before, after) => {
    const { alarm, internal, sent, until } = setUp(before);
    const FLOWS = 10_000;
    for (let number = 0; number < FLOWS; number++) internal.onNew(tcpFlow({ number }), false);
    while (alarm.transmit());
    until(700);
    alarm.reconfigure({ kind: 'alarm', refreshTime: after });
    while (alarm.transmit());
    sent.length = 0;
    until(700 + (after + 1) * 1000);
    // Each flow waits (after + 1) / 2 seconds in the mean from now on.
    expect(sent.length).toBeGreaterThan(FLOWS);
    expect(sent.length).toBeLessThan(FLOWS * 2.2);
    // Ten moments a second: no more at one than chance makes of some 2 * FLOWS / (after * 10).
    const together = new Map<number, number>();
    for (const { atMs } of sent) together.set(atMs, (together.get(atMs) ?? 0) + 1);
    expect(Math.max(...together.values())).toBeLessThan(20 + (4 * FLOWS) / (after * 10));
  });

  it('is quiet after a flush', () => {
    const { alarm, internal, sent, until } = setUp(2);
    for (let number = 0; number < 10; number++) internal.onNew(tcpFlow({ number }), number % 2 === 0);
    alarm.forgetAll();
    internal.flush();
    until(10_000);
    expect(sent).toEqual([]);
    expect(alarm.queues()[0]!.length).toBe(0);
  });
});

describe('the external cache of ALARM', () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs, wallSeconds: () => 1000 };

  it('lets entries go that nobody refreshes, a slice at a time', () => {
    nowMs = 500;
    const cache = new AgingExternalCache(1000, clock, 30);
    for (let number = 0; number < 100; number++) cache.apply(FLOW_NEW, tcpFlow({ number }), 0);
    nowMs = 20_000;
    for (let number = 0; number < 40; number++)
      cache.apply(number % 2 ? FLOW_NEW : FLOW_UPDATE, tcpFlow({ number }), 0);
    nowMs = 30_900;
    expect(cache.expire(1000)).toBe(false);
    expect(cache.active).toBe(100);
    nowMs = 31_000;
    expect(cache.expire(50)).toBe(true);
    expect(cache.active).toBe(50);
    expect(cache.expire(50)).toBe(false);
    expect(cache.active).toBe(40);
    nowMs = 51_000;
    cache.expire(1000);
    expect(cache.active).toBe(0);
    expect(cache.counters).toMatchObject({ created: 120, updated: 20, destroyed: 120 });
  });

  it('goes by a longer CacheTimeout at once, by a shorter one from the next refresh on', () => {
    nowMs = 0;
    const cache = new AgingExternalCache(1000, clock, 30);
    for (const number of [1, 2]) cache.apply(FLOW_NEW, tcpFlow({ number }), 0);
    cache.cacheTimeout = 100;
    nowMs = 99_000;
    cache.expire(10);
    expect(cache.active).toBe(2);
    cache.cacheTimeout = 10;
    cache.apply(FLOW_UPDATE, tcpFlow({ number: 2 }), 0);
    nowMs = 102_000;
    cache.expire(10);
    expect(cache.active).toBe(1);
    nowMs = 111_000;
    cache.expire(10);
    expect(cache.active).toBe(0);
  });

  it('forgets the timer with the entry', () => {
    nowMs = 0;
    const cache = new AgingExternalCache(1000, clock, 30);
    cache.apply(FLOW_NEW, tcpFlow({ number: 1 }), 0);
    cache.apply(FLOW_DESTROY, tcpFlow({ number: 1 }), 0);
    cache.apply(FLOW_NEW, tcpFlow({ number: 2 }), 0);
    expect(cache.table.word(cache.table.next(0), TIMER_PREV)).not.toBe(0);
    cache.flush();
    nowMs = 100_000;
    expect(cache.expire(10)).toBe(false);
    expect(cache.counters.destroyed).toBe(2);
  });
});
