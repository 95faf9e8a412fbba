import type { Clock } from '../base/clock.js';
import type { Config } from '../config/model.js';
import type { CacheFill, EventFlow, KernelSettings, WarningFacts } from '../config/warnings.js';
import type { CacheStatistics, DaemonStatistics } from '../control/statistics.js';

/** Forwarded packets between two looks that would have made a flow, if there were any: more than a few strays. */
const TRAFFIC_PACKETS = 100;

/** What the kernel tells without being asked: src/kernel/proc.ts. */
export interface KernelFiles {
  settings(): KernelSettings;
  /** nf_conntrack_count: flows of this namespace; null: not known. */
  flows(): number | null;
  forwardedPackets(): number | null;
  droppedMessages(portId: number): number | null;
}

export interface ObserverContext {
  readonly clock: Clock;
  readonly files: KernelFiles;
  /** The configuration in force. */
  config(): Config;
  statistics(): DaemonStatistics;
  /** Netlink port of the event socket; null: there is none. */
  eventPort(): number | null;
  /** Whether the kernel has hooks that track connections; null: it does not tell. */
  tracksConnections(): boolean | null;
  replicatedLinks(): readonly string[];
}

/** What was counted at a look. */
interface Sample {
  readonly atMs: number;
  readonly statistics: DaemonStatistics;
  readonly forwarded: number | null;
  readonly dropped: number | null;
}

/** Gathers what the warnings are about: some files of /proc, and what was counted since the last look. */
export class WarningObserver {
  private before: Sample | null = null;

  constructor(private readonly context: ObserverContext) {}

  observe(): WarningFacts {
    const { context, before } = this;
    const eventPort = context.eventPort();
    const now: Sample = {
      atMs: context.clock.monotonicMs(),
      statistics: context.statistics(),
      forwarded: context.files.forwardedPackets(),
      dropped: eventPort === null ? null : context.files.droppedMessages(eventPort),
    };
    this.before = now;
    return {
      config: context.config(),
      kernel: context.files.settings(),
      running: {
        caches: fills(now, before),
        events: events(now, before),
        tracked: this.tracked(now, before),
        replicatedLinks: context.replicatedLinks(),
      },
    };
  }

  private tracked(now: Sample, before: Sample | null): boolean | null {
    const count = this.context.files.flows();
    const received = grown(now, before, ({ statistics }) => statistics.netlink.eventsReceived);
    if (count === null || count > 0 || received > 0) return count === null ? null : true;
    const hooked = this.context.tracksConnections();
    if (hooked !== null) return hooked;
    // Without any packet there need not be a flow.
    const passed = before === null ? 0 : grown(now, before, ({ forwarded }) => forwarded ?? 0);
    return passed >= TRAFFIC_PACKETS ? false : null;
  }
}

/** How much a counter has grown since the last look, since the start when there was none. */
function grown(now: Sample, before: Sample | null, read: (sample: Sample) => number): number {
  return read(now) - (before === null ? 0 : read(before));
}

function fills({ statistics }: Sample, before: Sample | null): CacheFill[] {
  const earlier = before === null ? [] : cachesOf(before.statistics);
  return cachesOf(statistics).map(({ name, cache }, index) => ({
    name,
    held: cache.total,
    refused: cache.noSpace - (earlier[index]?.cache.noSpace ?? 0),
    refusedInAll: cache.noSpace,
  }));
}

interface NamedCache {
  readonly name: string;
  readonly cache: CacheStatistics;
}

function cachesOf({ stores, expectationStores }: DaemonStatistics): NamedCache[] {
  const named = (subject: string, list: DaemonStatistics['stores']): NamedCache[] =>
    list.flatMap((cache) => (cache.kind === 'cache' ? [{ name: `${nameOf(cache)}${subject} cache`, cache }] : []));
  return [...named('', stores), ...named(' expectation', expectationStores ?? [])];
}

function nameOf({ name }: CacheStatistics): string {
  return name === 'stats' ? 'statistics' : name;
}

function events(now: Sample, before: Sample | null): EventFlow {
  const { netlink } = now.statistics;
  const read = (counter: (statistics: DaemonStatistics) => number): number =>
    grown(now, before, ({ statistics }) => counter(statistics));
  return {
    seconds: before === null ? now.statistics.uptimeSeconds : (now.atMs - before.atMs) / 1000,
    received: read((statistics) => statistics.netlink.eventsReceived),
    overruns: read((statistics) => statistics.netlink.overrun),
    dropped: now.dropped === null ? null : now.dropped - (before?.dropped ?? 0),
    bufferBytes: netlink.bufferSize,
  };
}
