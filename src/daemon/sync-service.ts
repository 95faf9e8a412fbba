import type { Clock } from '../base/clock.js';
import { SystemError } from '../base/errors.js';
import { InternalBypass } from '../cache/bypass.js';
import type { ExternalCache } from '../cache/external.js';
import { DirectInject } from '../cache/inject.js';
import type { InternalCache } from '../cache/internal.js';
import { CHANNEL_NAMES, type Channel } from '../channel/channel.js';
import type { Links, LinkView } from '../channel/links.js';
import { ExpectationDump } from '../control/expectation-dump.js';
import { FlowDump } from '../control/flow-dump.js';
import type { ChunkSource, ControlService, DumpForm, ResendQueueView, Subject } from '../control/service.js';
import type {
  ChannelStatistics,
  DaemonStatistics,
  HealthStatistics,
  LatencyStatistics,
  LinkStatistics,
  NetworkStatistics,
  QueueStatistics,
  ResendEntry,
  RoleStatistics,
  StoreStatistics,
  TalkersStatistics,
  WarningStatistics,
} from '../control/statistics.js';
import { TalkerSurvey, type TalkingCache } from '../control/talkers.js';
import { IFF_RUNNING, IFF_UP } from '../native/constants.js';
import { interfaceFlags } from '../native/index.js';
import { AgingExternalCache } from '../sync/alarm-external.js';
import type { SyncEngine } from '../sync/engine.js';
import type { ExpectationSync } from '../sync/expectations.js';
import { type HealthReport, healthReport } from '../sync/health.js';
import type { SyncMode } from '../sync/mode.js';
import type { Role } from '../sync/role.js';
import { RECEIVE_COUNTERS } from '../wire/counters.js';
import type { Latency } from './latency.js';
import type { Roles } from './roles.js';
import { cacheStatistics, netlinkStatistics } from './statistics.js';

export interface SyncServiceContext {
  readonly engine: SyncEngine;
  readonly mode: SyncMode;
  readonly internal: InternalCache | InternalBypass;
  readonly external: ExternalCache | DirectInject;
  /** Null: expectations are not replicated. */
  readonly expectations: ExpectationSync | null;
  readonly links: Links;
  readonly roles: Roles;
  readonly clock: Clock;
  readonly latency: Latency;
  /** HashLimit as it is in force. */
  hashLimit(): number;
  warnings(): readonly WarningStatistics[];
  /** Receive buffer of the event socket in bytes. */
  eventBufferSize(): number;
  /** The kernel's flows, which `-i` shows where there is no internal cache. */
  listKernel(json: boolean): ChunkSource;
  requestStop(): Promise<void>;
}

/** What the control socket asks of a daemon in synchronisation mode. */
export class SyncService implements ControlService {
  readonly mode = 'sync';
  private readonly startedMs: number;

  constructor(private readonly context: SyncServiceContext) {
    this.startedMs = context.clock.monotonicMs();
  }

  dumpInternal(subject: 'ct' | 'expect', form: DumpForm): ChunkSource | null {
    const { internal, clock, latency } = this.context;
    if (subject !== 'ct') return this.dumpExpectations(this.context.expectations?.internal, form);
    // Of the kernel's flows the original shows no XML (spec/findings.md 38).
    const dump =
      internal instanceof InternalBypass
        ? this.context.listKernel(form === 'json')
        : new FlowDump(internal.table, clock, form);
    return latency.ofReply(dump);
  }

  dumpExternal(subject: 'ct' | 'expect', form: DumpForm): ChunkSource | null {
    const { external, clock, latency } = this.context;
    if (subject !== 'ct') return this.dumpExpectations(this.context.expectations?.external, form);
    if (external instanceof DirectInject) return null;
    const lifetime = external instanceof AgingExternalCache ? external.cacheTimeout : null;
    return latency.ofReply(new FlowDump(external.table, clock, form, lifetime));
  }

  /** Null, an empty reply, where expectations are not replicated. */
  private dumpExpectations(cache: ExpectationCache | undefined, form: DumpForm): ChunkSource | null {
    if (cache === undefined || !('entries' in cache)) return null;
    const { clock, latency } = this.context;
    const lifetime = 'lifetime' in cache ? cache.lifetime : null;
    return latency.ofReply(new ExpectationDump(cache.entries, clock, form, lifetime));
  }

  async changeRole(role: Role): Promise<string> {
    const { succeeded, text } = await this.context.roles.change(role, 'asked for by a client');
    return succeeded ? `${text}\n` : `failed: ${text}\n`;
  }

  role(): RoleStatistics {
    return this.context.roles.statistics();
  }

  commit(subject: Subject): Promise<void> {
    return this.context.engine.commit(subject);
  }

  flushCaches(which: 'internal' | 'external' | 'both', subject: 'ct' | 'all'): void {
    this.context.engine.flushCaches(which, subject);
  }

  flushKernel(subject: Subject): void {
    this.context.engine.flushKernelTable(subject);
  }

  resync(subject: Subject): Promise<void> {
    return this.context.engine.resyncFromKernel(subject);
  }

  bulk(): void {
    this.context.engine.bulk();
  }

  requestResync(): void {
    this.context.engine.requestResync();
  }

  shortenTimers(): void {
    this.context.engine.shortenTimers();
  }

  stop(): Promise<void> {
    return this.context.requestStop();
  }

  statistics(): DaemonStatistics {
    const { clock, internal, external, engine, mode, links } = this.context;
    const { kernel } = engine;
    return {
      hashLimit: this.context.hashLimit(),
      health: this.healthReport().health,
      warnings: this.context.warnings(),
      uptimeSeconds: Math.floor((clock.monotonicMs() - this.startedMs) / 1000),
      stores: [
        internal instanceof InternalBypass
          ? { kind: 'bypass', ...internal.counters }
          : cacheStatistics('internal', internal.active, internal.table.size, internal.counters),
        external instanceof DirectInject
          ? { kind: 'inject', waiting: external.waiting, ...external.counters }
          : cacheStatistics('external', external.active, external.table.size, external.counters),
      ],
      expectationStores: expectationStatistics(this.context.expectations),
      processedBytes: internal.processedBytes,
      processedPackets: internal.processedPackets,
      channel: channelStatistics(links),
      network: networkStatistics(mode),
      netlink: netlinkStatistics(kernel, this.context.eventBufferSize()),
      allocatedQueueNodes: mode.controlMessages(),
      queues: queueStatistics(mode, links),
      commits: external instanceof DirectInject ? null : engine.commits,
    };
  }

  health(): HealthStatistics {
    const { external } = this.context;
    const { swept, aged } = external instanceof DirectInject ? { swept: 0, aged: 0 } : external;
    return { report: this.healthReport(), swept, aged };
  }

  healthReport(): HealthReport {
    const { mode, clock, links } = this.context;
    // With one peer its address is in the configuration; on a shared link each sender has its own.
    const nameOf = (peer: number) => (links.kind === 'multicast' ? `peer ${links.sourceName(peer)}` : 'peer');
    return healthReport(mode.evidence(), clock.monotonicMs(), nameOf);
  }

  latency(): LatencyStatistics[] {
    const { latency, engine, external } = this.context;
    const commits = external instanceof DirectInject ? [] : [{ name: 'commit', durations: engine.commits.durations }];
    return [...latency.statistics(), ...commits, { name: 'takeover', durations: latency.takeovers }];
  }

  talkers(format: (talkers: readonly TalkersStatistics[]) => string): ChunkSource {
    const { internal, external, clock, latency } = this.context;
    const caches: TalkingCache[] = [];
    if (!(internal instanceof InternalBypass)) caches.push(talkingCache('internal', internal));
    if (!(external instanceof DirectInject)) caches.push(talkingCache('external', external));
    return latency.ofReply(new TalkerSurvey(caches, clock, format));
  }

  resendQueue(): ResendQueueView | null {
    if (!this.context.mode.queues().some(({ name }) => name === 'rsqueue')) return null;
    const entries: ResendEntry[] = [];
    this.context.mode.visitUnacknowledged({
      object: (sequence) => entries.push({ kind: 'object', sequence, flags: 0 }),
      control: (sequence, flags) => entries.push({ kind: 'control', sequence, flags }),
    });
    return { length: entries.length, entries };
  }
}

function talkingCache(name: TalkingCache['name'], { table, active }: Omit<TalkingCache, 'name'>): TalkingCache {
  return { name, table, active };
}

/** The part of a cache of expectations that is shown. */
type ExpectationCache = ExpectationSync['internal'] | ExpectationSync['external'];

function expectationStatistics(expectations: ExpectationSync | null): StoreStatistics[] | null {
  if (expectations === null) return null;
  const { internal, external } = expectations;
  return [
    'entries' in internal
      ? cacheStatistics('internal', internal.active, internal.entries.size, internal.counters)
      : { kind: 'bypass', ...internal.counters },
    'entries' in external
      ? cacheStatistics('external', external.active, external.entries.size, external.counters)
      : { kind: 'inject', ...external.counters },
  ];
}

function channelStatistics(links: Links): ChannelStatistics {
  const ends = links.server === undefined ? {} : { server: links.server, client: links.client ?? false };
  return { transport: CHANNEL_NAMES[links.kind], links: links.views.map(linkStatistics), ...ends };
}

function linkStatistics({ channel, active, options }: LinkView): LinkStatistics {
  const { statistics } = channel;
  return {
    device: channel.interface,
    status: linkStatus(channel.interface),
    active,
    bytesSent: statistics.bytesSent,
    bytesReceived: statistics.bytesReceived,
    packetsSent: statistics.packetsSent,
    packetsReceived: statistics.packetsReceived,
    sendErrors: statistics.sendErrors,
    receiveErrors: statistics.receiveErrors,
    security: {
      acceptFrom: options.acceptFrom ?? 'any',
      encrypted: Boolean(options.seal),
      ...channel.security,
    },
  };
}

/** What `-s link` says of an interface. One that is gone is down. */
function linkStatus(name: string): LinkStatistics['status'] {
  let flags: number;
  try {
    flags = interfaceFlags(name);
  } catch (error) {
    if (error instanceof SystemError) return 'DOWN';
    throw error;
  }
  if ((flags & IFF_UP) === 0) return 'DOWN';
  return (flags & IFF_RUNNING) === 0 ? 'NO-CARRIER' : 'RUNNING';
}

function networkStatistics(mode: SyncMode): NetworkStatistics {
  const received = Object.fromEntries(
    RECEIVE_COUNTERS.map((counter, index) => [counter.name, mode.counters.received[index]!]),
  ) as Omit<NetworkStatistics, 'sendMalformed' | 'lost' | 'before' | 'retransmitted'>;
  return {
    ...received,
    sendMalformed: mode.counters.sendMalformed,
    lost: mode.tracking.lost,
    before: mode.tracking.before,
    retransmitted: mode.retransmitted ?? 0,
  };
}

/** Most packets that wait for a TCP peer, when the channel is none (ErrorQueueLength's default, spec/config.md). */
const DEFAULT_ERROR_QUEUE = 128;

/** The blocks of `-s queue`, the error queue between the other two as the original has it. */
function queueStatistics(mode: SyncMode, channel: Channel): QueueStatistics[] {
  const errorQueue = channel.errorQueue ?? { length: 0, maximum: DEFAULT_ERROR_QUEUE, overflows: 0 };
  const blocks = mode.queues().map((queue) => ({
    name: queue.name as string,
    length: queue.length,
    maximum: queue.maximum,
    noSpace: queue.overflows,
  }));
  blocks.splice(1, 0, {
    name: 'errorq',
    length: errorQueue.length,
    maximum: errorQueue.maximum,
    noSpace: errorQueue.overflows,
  });
  return blocks;
}
