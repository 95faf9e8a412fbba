import type { Clock } from '../base/clock.js';
import { FlowDump } from '../control/flow-dump.js';
import type { ChunkSource, ControlService, DumpForm, ResendQueueView, Subject } from '../control/service.js';
import type {
  DaemonStatistics,
  LatencyStatistics,
  NetworkStatistics,
  TalkersStatistics,
  WarningStatistics,
} from '../control/statistics.js';
import { TalkerSurvey } from '../control/talkers.js';
import type { StatsCache } from '../stats/cache.js';
import type { StatsEngine } from '../stats/engine.js';
import type { Latency } from './latency.js';
import { cacheStatistics, netlinkStatistics } from './statistics.js';

export interface StatsServiceContext {
  readonly engine: StatsEngine;
  readonly cache: StatsCache;
  readonly clock: Clock;
  readonly latency: Latency;
  /** Receive buffer of the event socket in bytes. */
  eventBufferSize(): number;
  warnings(): readonly WarningStatistics[];
  requestStop(): Promise<void>;
}

/** There are no peers. */
const NO_NETWORK: NetworkStatistics = {
  malformed: 0,
  wrongVersion: 0,
  malformedHeader: 0,
  malformedPayload: 0,
  badType: 0,
  truncated: 0,
  badSize: 0,
  sendMalformed: 0,
  lost: 0,
  before: 0,
  retransmitted: 0,
};

/**
 * What the control socket asks of a daemon in statistics mode. Requests about peers, expectations and commits do
 * nothing: the server answers them without asking (src/control/requests.ts, `modes`).
 */
export class StatsService implements ControlService {
  readonly mode = 'stats';
  private readonly startedMs: number;

  constructor(private readonly context: StatsServiceContext) {
    this.startedMs = context.clock.monotonicMs();
  }

  dumpInternal(subject: 'ct' | 'expect', form: DumpForm): ChunkSource | null {
    const { cache, clock, latency } = this.context;
    return subject === 'ct' ? latency.ofReply(new FlowDump(cache.cache.table, clock, form)) : null;
  }

  dumpExternal(): null {
    return null;
  }

  async changeRole(): Promise<string> {
    return '';
  }

  role(): null {
    return null;
  }

  async commit(): Promise<void> {}

  flushCaches(): void {
    this.context.engine.flushCache();
  }

  flushKernel(subject: Subject): void {
    if (subject !== 'expect') this.context.engine.flushKernelTable();
  }

  async resync(subject: Subject): Promise<void> {
    if (subject !== 'expect') await this.context.engine.resyncFromKernel();
  }

  bulk(): void {}

  requestResync(): void {}

  shortenTimers(): void {}

  stop(): Promise<void> {
    return this.context.requestStop();
  }

  statistics(): DaemonStatistics {
    const { clock, engine, eventBufferSize } = this.context;
    const { cache } = this.context.cache;
    return {
      hashLimit: cache.table.limit,
      health: null,
      warnings: this.context.warnings(),
      uptimeSeconds: Math.floor((clock.monotonicMs() - this.startedMs) / 1000),
      stores: [cacheStatistics('stats', cache.active, cache.table.size, cache.counters)],
      expectationStores: null,
      processedBytes: cache.processedBytes,
      processedPackets: cache.processedPackets,
      channel: null,
      network: NO_NETWORK,
      netlink: netlinkStatistics(engine.kernel, eventBufferSize()),
      allocatedQueueNodes: 0,
      queues: [],
      commits: null,
    };
  }

  /** No peers, no verdict. */
  health(): null {
    return null;
  }

  latency(): LatencyStatistics[] {
    return this.context.latency.statistics();
  }

  talkers(format: (talkers: readonly TalkersStatistics[]) => string): ChunkSource {
    const { cache, clock, latency } = this.context;
    const { table, active } = cache.cache;
    return latency.ofReply(new TalkerSurvey([{ name: 'stats', table, active }], clock, format));
  }

  resendQueue(): ResendQueueView | null {
    return null;
  }
}
