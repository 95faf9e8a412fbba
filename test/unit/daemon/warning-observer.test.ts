import { beforeEach, describe, expect, it } from 'vitest';
import type { Observations } from '../../../src/config/warnings.js';
import type { DaemonStatistics } from '../../../src/control/statistics.js';
import { WarningObserver } from '../../../src/daemon/warning-observer.js';
import { kernelSettings } from '../../support/kernel-settings.js';
import { fullService } from '../metrics/snapshot.js';

let nowMs: number;
let statistics: DaemonStatistics;
let flows: number | null;
let forwarded: number | null;
let dropped: number | null;
let hooked: boolean | null;
let observer: WarningObserver;

beforeEach(() => {
  nowMs = 1_000_000;
  statistics = fullService().statistics();
  flows = 0;
  forwarded = 5000;
  dropped = 0;
  hooked = null;
  observer = new WarningObserver({
    clock: { monotonicMs: () => nowMs, wallSeconds: () => 0 },
    files: {
      settings: () => kernelSettings({ conntrackMax: 7 }),
      flows: () => flows,
      forwardedPackets: () => forwarded,
      droppedMessages: (port) => (port === 42 ? dropped : null),
    },
    config: () => ({}) as never,
    statistics: () => statistics,
    eventPort: () => 42,
    tracksConnections: () => hooked,
    replicatedLinks: () => ['192.0.2.1 on eth2'],
  });
});

function observe(seconds = 5): Observations {
  nowMs += seconds * 1000;
  return observer.observe().running!;
}

function receive(events: number, overruns = 0): void {
  const { netlink } = statistics;
  const eventsReceived = netlink.eventsReceived + events;
  statistics = { ...statistics, netlink: { ...netlink, eventsReceived, overrun: netlink.overrun + overruns } };
}

describe('whether connections are tracked', () => {
  it.each([true, false])('is what the hooks say: %s', (answer) => {
    hooked = answer;
    expect(observe().tracked).toBe(answer);
    expect(observe().tracked).toBe(answer);
  });

  it('needs no hooks where there are flows, or events came', () => {
    hooked = false;
    flows = 1;
    expect(observe().tracked).toBe(true);
    flows = 0;
    expect(observe().tracked).toBe(false);
    receive(1);
    expect(observe().tracked).toBe(true);
    expect(observe().tracked).toBe(false);
  });

  it('without hooks: is not known until packets pass, and none of a hundred makes a flow', () => {
    expect(observe().tracked).toBeNull();
    forwarded = 5099;
    expect(observe().tracked).toBeNull();
    forwarded = 5199;
    expect(observe().tracked).toBe(false);
    flows = 1;
    forwarded = 6000;
    expect(observe().tracked).toBe(true);
  });

  it('is not known where the kernel tells nothing', () => {
    flows = null;
    forwarded = null;
    expect(observe().tracked).toBeNull();
  });
});

describe('what was counted since the last look', () => {
  it('events: what came, what was dropped, in what time', () => {
    receive(10);
    dropped = 3;
    expect(observe().events).toMatchObject({ seconds: 100, received: 10, overruns: 0, dropped: 3 });
    receive(50, 2);
    dropped = 33;
    expect(observe(4).events).toEqual({ seconds: 4, received: 50, overruns: 2, dropped: 30, bufferBytes: 0 });
  });

  it('caches: what they refused, and what they hold with what waits for an acknowledgement', () => {
    const first = observe().caches;
    expect(first.map(({ name }) => name)).toEqual(['internal cache', 'external cache', 'internal expectation cache']);
    expect(first[1]).toEqual({ name: 'external cache', held: 10, refused: 2, refusedInAll: 2 });
    expect(observe().caches[1]).toMatchObject({ refused: 0, refusedInAll: 2 });
  });

  it('goes with the settings of the kernel and the links', () => {
    expect(observer.observe()).toMatchObject({
      kernel: { conntrackMax: 7 },
      running: { replicatedLinks: ['192.0.2.1 on eth2'] },
    });
  });
});
