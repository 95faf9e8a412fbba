import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import type { Views } from '../base/views.js';
import { FilterSweep } from '../cache/filter-sweep.js';
import { FlowEvents, NO_PORT } from '../cache/flow-events.js';
import { type FlushKernel, type HeldDump, KernelFlush } from '../cache/kernel-flush.js';
import { AFTER_OVERRUN, POLL, POPULATE, Resync, type ResyncKind } from '../cache/resync.js';
import type { FlowFilter } from '../flow/filter.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { EventSourceEvents } from '../kernel/events.js';
import { KernelCounters } from '../kernel/statistics.js';
import { NFNL_SUBSYS_CTNETLINK } from '../netlink/constants.js';
import { isWhole, nextOf, subsystemOf, typeOf } from '../netlink/message.js';
import type { StatsCache } from './cache.js';

export interface StatsSettings {
  /** NetlinkOverrunResync in seconds; null: off. */
  readonly overrunResync: number | null;
  /** PollSecs: the kernel's table is read every so many seconds, instead of events; null: events. */
  readonly pollSeconds: number | null;
}

export interface StatsContext {
  readonly settings: StatsSettings;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  readonly cache: StatsCache;
  readonly flushKernel: FlushKernel;
  /** Which flows are held; null: all. */
  readonly filter: FlowFilter | null;
  openDump(events: DumpEvents): HeldDump;
}

/** Statistics mode: keeps the cache true to the kernel, and passes on the lines of the flows that ended. */
export class StatsEngine implements EventSourceEvents {
  readonly kernel = new KernelCounters();
  private readonly flowEvents: FlowEvents;
  private readonly resync: Resync;
  private readonly flush: KernelFlush;
  private readonly sweep: FilterSweep;
  private settings: StatsSettings;
  private overrunTimer: Timer | null = null;
  private pollTimer: Timer | null = null;
  private polling = false;

  constructor(private readonly context: StatsContext) {
    const { cache, filter, scheduler, flushKernel, log } = context;
    const openDump = (events: DumpEvents) => context.openDump(events);
    const counters = this.kernel;
    this.flowEvents = new FlowEvents({
      target: cache,
      counters,
      filter,
      ownPort: NO_PORT,
      flushPort: NO_PORT,
      ignoredPort: NO_PORT,
    });
    this.resync = new Resync({ cache: cache.cache, counters, scheduler, filter, openDump });
    this.settings = context.settings;
    // A flow that is no longer looked at has not ended: it leaves no line.
    this.sweep = new FilterSweep(cache.cache, scheduler, false);
    this.flush = new KernelFlush({ kernel: flushKernel, counters, log, filter, openDump });
  }

  /** Fills the cache from the kernel; the event source is started afterwards, its events are newer. */
  populate(): Promise<void> {
    return this.read(POPULATE);
  }

  /** With PollSecs, polling begins. */
  start(): void {
    const { pollSeconds } = this.settings;
    if (pollSeconds !== null) this.pollAfter(pollSeconds);
  }

  /** The kernel drops the events of flows that do not pass the filter: those that come are not judged again. */
  trustEventFilter(): void {
    this.flowEvents.trustKernel();
  }

  /** The configuration has changed: what begins from now on goes by it. */
  reconfigure(settings: StatsSettings): void {
    const { pollSeconds } = settings;
    const samePolls = pollSeconds === this.settings.pollSeconds;
    this.settings = settings;
    if (samePolls) return;
    this.pollTimer?.cancel();
    if (pollSeconds !== null) this.pollAfter(pollSeconds);
    // Between polls and events nothing may fall: the kernel's table says what there is.
    this.poll();
  }

  /** The filter has changed: flows that no longer pass are forgotten, those that do now are read from the kernel. */
  refilter(filter: FlowFilter | null): void {
    this.flowEvents.judgeBy(filter);
    this.flush.filterBy(filter);
    this.resync.filterBy(filter);
    this.sweep.begin(filter, () => this.follow(this.resyncFromKernel(), 'resync with master conntrack table'));
  }

  close(): void {
    this.overrunTimer?.cancel();
    this.pollTimer?.cancel();
    this.resync.close();
    this.sweep.close();
    void this.flush.close();
    this.context.cache.flushLines();
  }

  onEvents(views: Views, start: number, end: number): void {
    for (let at = start; isWhole(views, at, end); at = nextOf(views, at)) {
      const type = typeOf(views, at);
      if (subsystemOf(type) === NFNL_SUBSYS_CTNETLINK) this.flowEvents.apply(views, at, type);
      else this.kernel.eventsUnknown++;
    }
  }

  onTurnEnd(): void {
    this.context.cache.flushLines();
  }

  onOverrun(): void {
    this.kernel.overruns++;
    const { overrunResync } = this.settings;
    if (overrunResync === null || this.overrunTimer !== null) return;
    this.overrunTimer = this.context.scheduler.after(overrunResync * 1000, () => {
      this.overrunTimer = null;
      this.follow(this.announcedResync(AFTER_OVERRUN), 'resync with master conntrack table');
    });
  }

  onFailure(): void {
    this.kernel.eventFailures++;
  }

  /** `-R`: resolves when the cache agrees with the kernel. */
  resyncFromKernel(): Promise<void> {
    return this.announcedResync(POPULATE);
  }

  /** `-F`. */
  flushKernelTable(): void {
    this.context.log.notice('flushing kernel conntrack table');
    this.flush.run();
  }

  /** `-f internal`: forgets the flows; those leave no line. */
  flushCache(): void {
    this.context.log.notice('flushing caches');
    this.context.cache.cache.flush();
  }

  private announcedResync(kind: ResyncKind): Promise<void> {
    this.context.log.notice('resync with master conntrack table');
    this.kernel.resyncs++;
    return this.read(kind);
  }

  private read(kind: ResyncKind): Promise<void> {
    return new Promise((resolve, reject) => {
      this.resync.request(kind, (error) => {
        this.context.cache.flushLines();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  private pollAfter(seconds: number): void {
    this.pollTimer = this.context.scheduler.after(seconds * 1000, () => {
      this.pollAfter(seconds);
      this.poll();
    });
  }

  /** Not while the one before is under way: a table that takes longer to read than PollSecs is read without a pause. */
  private poll(): void {
    if (this.polling) return;
    this.polling = true;
    const done = this.read(POLL).finally(() => {
      this.polling = false;
    });
    this.follow(done, 'polling the kernel conntrack table');
  }

  /** Nobody waits for this work: its failure goes to the log. */
  private follow(work: Promise<void>, title: string): void {
    work.catch((error: Error) => this.context.log.error(`${title}: ${error.message}`));
  }
}
