import { streamResendQueue } from './replies/queues.js';
import type { ControlCounters } from './replies/runtime.js';
import type { DaemonMode, RequestName } from './requests.js';
import type { ChunkSource, ControlService } from './service.js';
import type { DaemonStatistics, HealthStatistics, LatencyStatistics, TalkersStatistics } from './statistics.js';

/**
 * Replies as JSON. Statistics are one object (doc/schema/statistics.schema.json), made of the same numbers as the text;
 * dumps are one object a line, made as fast as the reader takes them.
 */

/** Member `format` of statistics: another number when a member goes or changes its meaning, not when one comes. */
const FORMAT = 1;

interface Sources {
  readonly service: ControlService;
  readonly control: ControlCounters;
  readonly statistics: DaemonStatistics;
}

/** The members of statistics and where each comes from. */
const SECTIONS = {
  uptimeSeconds: ({ statistics }) => statistics.uptimeSeconds,
  hashLimit: ({ statistics }) => statistics.hashLimit,
  health: ({ statistics }) => statistics.health,
  peers: ({ service }) => {
    const health = service.health();
    return health && peersOf(health);
  },
  warnings: ({ statistics }) =>
    statistics.warnings
      .filter(({ raised }) => raised)
      .map(({ name, severity, sinceSeconds, times, text, advice }) => ({
        name,
        severity,
        sinceSeconds,
        times,
        text,
        advice,
      })),
  caches: ({ statistics }) => statistics.stores,
  expectationCaches: ({ statistics }) => statistics.expectationStores,
  traffic: ({ statistics }) => ({ bytes: statistics.processedBytes, packets: statistics.processedPackets }),
  channel: ({ statistics }) => statistics.channel,
  network: ({ statistics }) => statistics.network,
  netlink: ({ statistics }) => statistics.netlink,
  control: ({ control }) => control,
  controlMessages: ({ statistics }) => statistics.allocatedQueueNodes,
  queues: ({ statistics }) => statistics.queues,
  commits: ({ statistics }) =>
    statistics.commits && {
      committed: statistics.commits.committed,
      failed: statistics.commits.failed,
      ...durations(statistics.commits.durations),
    },
  latency: ({ service }) =>
    service.latency().map(({ name, durations: measured }) => ({ name, ...durations(measured) })),
  role: ({ service }) => {
    const role = service.role();
    return role && { ...role, takeovers: durations(role.takeovers) };
  },
  processes: () => [],
} as const satisfies Readonly<Record<string, (sources: Sources) => unknown>>;
export type SectionName = keyof typeof SECTIONS;

/** The reply to `-s`. */
export type StatisticsReply = {
  readonly [Name in SectionName]: ReturnType<(typeof SECTIONS)[Name]>;
} & { readonly format: typeof FORMAT; readonly mode: DaemonMode };

/** The reply to `-s talkers`. */
export interface TalkersReply {
  readonly format: typeof FORMAT;
  readonly mode: DaemonMode;
  readonly caches: readonly TalkersStatistics[];
}

const ALL = Object.keys(SECTIONS) as SectionName[];

/** What each request for statistics shows; `-s` shows all there is. */
const CONTENTS: Readonly<Partial<Record<RequestName, readonly SectionName[]>>> = {
  STATS: ALL,
  EXP_STATS: ['expectationCaches', 'traffic', 'channel', 'network'],
  STATS_NETWORK: ['network', 'channel'],
  STATS_CACHE: ['hashLimit', 'caches'],
  STATS_RUNTIME: ['uptimeSeconds', 'netlink', 'control', 'commits'],
  STATS_LINK: ['channel'],
  STATS_SECURITY: ['channel'],
  STATS_ROLE: ['role'],
  STATS_HEALTH: ['health', 'peers'],
  STATS_WARNINGS: ['warnings'],
  STATS_QUEUE: ['controlMessages', 'queues'],
  STATS_PROCESS: ['processes'],
  STATS_LATENCY: ['latency'],
};

/** Replies that are made piece by piece. */
type Dump = (service: ControlService) => ChunkSource | null;

const DUMPS: Readonly<Partial<Record<RequestName, Dump>>> = {
  CT_DUMP_INTERNAL: (service) => service.dumpInternal('ct', 'json'),
  CT_DUMP_EXTERNAL: (service) => service.dumpExternal('ct', 'json'),
  EXP_DUMP_INTERNAL: (service) => service.dumpInternal('expect', 'json'),
  EXP_DUMP_EXTERNAL: (service) => service.dumpExternal('expect', 'json'),
  STATS_TALKERS: (service) =>
    service.talkers((caches) => {
      const reply: TalkersReply = { format: FORMAT, mode: service.mode, caches };
      return `${JSON.stringify(reply)}\n`;
    }),
  STATS_RSQUEUE: (service) => {
    const view = service.resendQueue();
    return view === null ? null : streamResendQueue(view, 'json');
  },
};

/** The requests that have a reply in JSON. */
export const JSON_REQUESTS: readonly RequestName[] = [...Object.keys(CONTENTS), ...Object.keys(DUMPS)] as RequestName[];

/** The reply in JSON; null, an empty one, where there is nothing to dump. May throw what the service throws. */
export function dispatchJson(
  name: RequestName,
  service: ControlService,
  control: ControlCounters,
): string | ChunkSource | null {
  const dump = DUMPS[name];
  if (dump !== undefined) return dump(service);
  const sources: Sources = { service, control, statistics: service.statistics() };
  const sections = (CONTENTS[name] ?? []).map((section) => [section, SECTIONS[section](sources)] as const);
  return `${JSON.stringify({ format: FORMAT, mode: service.mode, ...Object.fromEntries(sections) })}\n`;
}

function peersOf({ report, swept, aged }: HealthStatistics) {
  const peers = report.peers.map(({ peer, health, heardMs, reasons, unacknowledged }) => ({
    peer,
    health,
    silentMilliseconds: heardMs,
    unacknowledgedMessages: unacknowledged?.messages ?? null,
    unacknowledgedMilliseconds: unacknowledged?.ageMs ?? null,
    reasons,
  }));
  return { reasons: report.reasons, peers, swept, aged };
}

/** Unlike `-s latency`, asking changes nothing. */
function durations(measured: LatencyStatistics['durations']) {
  return {
    count: measured.total,
    medianMilliseconds: measured.quantile(0.5),
    p99Milliseconds: measured.quantile(0.99),
    longestMilliseconds: measured.longestMs,
    octaves: measured.octaves().map(({ upToMs, count }) => ({ upToMilliseconds: upToMs, count })),
  };
}
