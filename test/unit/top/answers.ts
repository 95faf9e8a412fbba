import { DurationHistogram } from '../../../src/base/histogram.js';
import { dispatchJson, type StatisticsReply, type TalkersReply } from '../../../src/control/json.js';
import type {
  CacheStatistics,
  DaemonStatistics,
  HealthStatistics,
  LinkStatistics,
  RoleStatistics,
} from '../../../src/control/statistics.js';
import { FakeService } from '../control/fake-service.js';

/** Answers of a daemon as its JSON has them: a pair of links, two peers of long names, counters that grow with `step`. */

const LINK_SECURITY: LinkStatistics['security'] = {
  acceptFrom: 'link',
  encrypted: true,
  strangers: 0,
  otherInterface: 0,
  tooManySenders: 0,
  connectionsRefused: 0,
  sealed: 4000,
  opened: 3900,
  plain: 0,
  noKey: 0,
  forged: 0,
  replayed: 0,
  stale: 0,
};

export function cache(name: CacheStatistics['name'], active: number, step: number): CacheStatistics {
  return {
    kind: 'cache',
    name,
    active,
    total: active + 12,
    created: active + 1200 * step,
    createFailed: 0,
    noMemory: 0,
    noSpace: 0,
    updated: 3 * active + 340 * step,
    updateFailed: 0,
    updateNotFound: 0,
    destroyed: 1200 * step,
    destroyFailed: 0,
    destroyNotFound: 0,
  };
}

export function link(device: string, active: boolean, step: number): LinkStatistics {
  return {
    device,
    status: active ? 'RUNNING' : 'NO-CARRIER',
    active,
    bytesSent: active ? 1_000_000 + 123_456 * step : 0,
    bytesReceived: active ? 900_000 + 4_321 * step : 0,
    packetsSent: active ? 4000 + 95 * step : 0,
    packetsReceived: active ? 3900 + 7 * step : 0,
    sendErrors: 0,
    receiveErrors: 0,
    security: LINK_SECURITY,
  };
}

function durations(step: number, ...milliseconds: number[]): DurationHistogram {
  const histogram = new DurationHistogram();
  for (let round = 0; round < 10 + step; round++) for (const value of milliseconds) histogram.record(value);
  return histogram;
}

const HEALTH: HealthStatistics = {
  report: {
    health: 'behind',
    reasons: ['12 messages not acknowledged for 6 s'],
    peers: [
      { peer: 'peer fe80::5054:ff:fe12:3456%eth2', health: 'in sync', heardMs: 312, reasons: [], unacknowledged: null },
      {
        peer: 'peer 2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff',
        health: 'behind',
        heardMs: 1250,
        unacknowledged: { messages: 12, ageMs: 6123 },
        reasons: ['12 messages not acknowledged for 6 s', 'a bulk is under way since 7 s'],
      },
    ],
  },
  swept: 17,
  aged: 0,
};

const ROLE: RoleStatistics = {
  role: 'primary',
  sinceSeconds: 7260,
  changes: 2,
  overtaken: 0,
  failed: 0,
  last: 'role primary: done',
  takeovers: new DurationHistogram(),
  fifo: null,
  hold: null,
};

const NO_TROUBLE = new FakeService().statistics();

/** Synchronisation mode after `step` seconds of load. */
export function syncAnswer(step: number, changes: Partial<DaemonStatistics> = {}): StatisticsReply {
  const service = new FakeService('sync', {
    uptimeSeconds: 93_784 + step,
    hashLimit: 262_144,
    health: 'behind',
    stores: [cache('internal', 123_456 + step, step), cache('external', 98, 0)],
    processedBytes: 123_456_789_012,
    processedPackets: 234_567_890,
    channel: { transport: 'multicast', links: [link('eth2', true, step), link('eth3', false, step)] },
    network: { ...NO_TROUBLE.network, lost: 3 * step, before: 1, malformed: 2, wrongVersion: 2 },
    netlink: { ...NO_TROUBLE.netlink, eventsReceived: 1_000_000 + 2740 * step, bufferSize: 8_388_608 },
    allocatedQueueNodes: 1,
    queues: [
      { name: 'txqueue', length: 12, maximum: 0x7fffffff, noSpace: 0 },
      { name: 'errorq', length: 0, maximum: 128, noSpace: 0 },
      { name: 'rsqueue', length: 40_000, maximum: 131_072, noSpace: 0 },
    ],
    warnings: [
      {
        name: 'accounting',
        severity: 'notice',
        raised: true,
        sinceSeconds: 90,
        times: 1,
        text: 'flows are not counted',
        advice: 'sysctl net.netfilter.nf_conntrack_acct=1',
      },
    ],
    commits: { committed: 98_765, failed: 0, durations: durations(0, 740) },
    ...changes,
  });
  service.healthShown = HEALTH;
  service.role = () => ROLE;
  service.latency = () => [
    { name: 'event loop turn', durations: durations(step, 0.02, 0.02, 0.02, 0.4, 3) },
    { name: 'event to wire', durations: durations(step, 0.1, 0.1, 1.5) },
    { name: 'commit slice', durations: durations(0, 2) },
    { name: 'reply piece', durations: new DurationHistogram() },
  ];
  return answerOf(service);
}

/** Statistics mode. */
export function statsAnswer(step: number): StatisticsReply {
  const service = new FakeService('stats', {
    uptimeSeconds: 60 + step,
    hashLimit: 65_536,
    stores: [cache('stats', 60_000, step)],
    netlink: { ...NO_TROUBLE.netlink, eventsReceived: 100 * step },
  });
  return answerOf(service);
}

function answerOf(service: FakeService): StatisticsReply {
  const text = dispatchJson('STATS', service, { readFailed: 0, unknownRequest: 0 });
  return JSON.parse(String(text)) as StatisticsReply;
}

export const TALKERS: TalkersReply = {
  format: 1,
  mode: 'sync',
  caches: [
    {
      name: 'internal',
      flows: 123_456,
      lookedAt: 32_000,
      sources: {
        different: 800,
        first: [
          { name: '10.0.0.66', flows: 61_728, recent: 9000, unanswered: 60_000 },
          { name: '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff', flows: 1234, recent: 12, unanswered: 0 },
          { name: '10.0.0.100', flows: 900, recent: 0, unanswered: 3 },
        ],
      },
      destinations: {
        different: 1,
        first: [{ name: '192.0.2.100', flows: 123_456, recent: 9012, unanswered: 60_003 }],
      },
      services: { different: 2, first: [{ name: 'tcp/443', flows: 120_000, recent: 9000, unanswered: 60_000 }] },
    },
    {
      name: 'external',
      flows: 0,
      lookedAt: 0,
      sources: { different: 0, first: [] },
      destinations: { different: 0, first: [] },
      services: { different: 0, first: [] },
    },
  ],
};
