import { DurationHistogram } from '../../../src/base/histogram.js';
import type { CacheStatistics, LinkStatistics, WarningStatistics } from '../../../src/control/statistics.js';
import type { Snapshot } from '../../../src/metrics/table.js';
import { FakeService } from '../control/fake-service.js';

const cache = (name: CacheStatistics['name'], active: number): CacheStatistics => ({
  kind: 'cache',
  name,
  active,
  total: active + 1,
  created: active + 2,
  createFailed: 3,
  noMemory: 1,
  noSpace: 2,
  updated: 40,
  updateFailed: 5,
  updateNotFound: 5,
  destroyed: 2,
  destroyFailed: 1,
  destroyNotFound: 1,
});

const link = (device: string, active: boolean): LinkStatistics => ({
  device,
  status: active ? 'RUNNING' : 'NO-CARRIER',
  active,
  bytesSent: 1000,
  bytesReceived: 2000,
  packetsSent: 10,
  packetsReceived: 20,
  sendErrors: 1,
  receiveErrors: 2,
  security: {
    acceptFrom: 'link',
    encrypted: false,
    strangers: 3,
    otherInterface: 0,
    tooManySenders: 0,
    connectionsRefused: 0,
    sealed: 0,
    opened: 0,
    plain: 0,
    noKey: 0,
    forged: 4,
    replayed: 0,
    stale: 0,
  },
});

const warning = (name: string, raised: boolean): WarningStatistics => ({
  name,
  severity: 'warning',
  raised,
  sinceSeconds: raised ? 30 : 0,
  times: raised ? 2 : 0,
  text: raised ? 'the internal cache is full' : '',
  advice: 'raise HashLimit',
});

/** Two durations of 2 ms and one of 300 ms. */
export function durations(): DurationHistogram {
  const histogram = new DurationHistogram();
  for (const value of [2, 2, 300]) histogram.record(value);
  return histogram;
}

/** A daemon in synchronisation mode of which every metric says something. */
export function fullService(): FakeService {
  const service = new FakeService('sync', {
    uptimeSeconds: 100,
    hashLimit: 1000,
    health: 'behind',
    warnings: [warning('cache-full', true), warning('tcp-loose', false)],
    stores: [cache('internal', 7), cache('external', 9)],
    expectationStores: [
      cache('internal', 1),
      { kind: 'inject', created: 1, createFailed: 0, updated: 0, updateFailed: 0, destroyed: 0, destroyFailed: 0 },
    ],
    channel: { transport: 'TCP', links: [link('eth2', true), link('eth2', false)], server: true, client: false },
    queues: [{ name: 'txqueue', length: 3, maximum: 0xffffffff, noSpace: 0 }],
    commits: { committed: 5, failed: 1, durations: durations() },
  });
  service.healthShown = {
    report: {
      health: 'behind',
      reasons: ['9 messages unacknowledged for 12 s'],
      peers: [
        {
          peer: 'peer',
          health: 'behind',
          heardMs: 500,
          reasons: ['9 messages unacknowledged for 12 s'],
          unacknowledged: { messages: 9, ageMs: 12_000 },
        },
      ],
    },
    swept: 0,
    aged: 0,
  };
  service.roleShown = {
    role: 'primary',
    sinceSeconds: 5,
    changes: 3,
    overtaken: 1,
    failed: 0,
    last: 'role primary: done',
    takeovers: durations(),
    fifo: null,
    hold: null,
  };
  service.latency = () => [{ name: 'event loop turn', durations: durations() }];
  return service;
}

export function snapshotOf(service: FakeService): Snapshot {
  return {
    version: '1.2.3',
    mode: service.mode,
    statistics: service.statistics(),
    latencies: service.latency(),
    role: service.role(),
    peers: service.health()?.report.peers ?? [],
    control: { readFailed: 1, unknownRequest: 2 },
    host: {
      kernelFlows: 5,
      kernelFlowLimit: 100,
      cpuSeconds: 1.5,
      residentBytes: 1e8,
      heapBytes: 1e7,
      externalBytes: 1e6,
      startSeconds: 1.7e9,
      openFiles: 20,
    },
  };
}
