import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import { FilterSweep } from '../cache/filter-sweep.js';
import type { InternalCache } from '../cache/internal.js';
import { AFTER_OVERRUN, type Dump, NEWCOMERS, POLL, POPULATE, Resync, type ResyncKind } from '../cache/resync.js';
import type { FlowFilter } from '../flow/filter.js';
import type { FlowRef } from '../flow/ref.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { CatchUp, type NewEvents } from './catch-up.js';
import type { ExpectationSync } from './expectations.js';

export interface RefreshContext {
  /** Null with DisableInternalCache: what is asked for here is then a bulk, which is read from the kernel. */
  readonly cache: InternalCache | null;
  readonly kernel: KernelCounters;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** Which flows are replicated; null: all. */
  readonly filter: FlowFilter | null;
  /** Null: expectations are not replicated. */
  readonly expectations: ExpectationSync | null;
  openDump(events: DumpEvents): Dump;
  /** Whether a commit of ours may have made the flow. */
  isCommitted(flow: FlowRef): boolean;
  /** Has every entry sent. */
  bulk(): void;
  /** The cache has learned something, or a bulk has begun: what waits is to be sent. */
  progress(): void;
}

const TABLE_TEXT = 'resync with master conntrack table';

/**
 * Keeps the internal cache as the kernel's table is, where events do not: at the start, for `-R`, after lost events, after
 * a commit or a change of the filter, and with PollSecs. Knows, too, whether the cache has all of it.
 */
export class Refresh {
  private readonly resync: Resync | null;
  private readonly filterSweep: FilterSweep | null;
  private readonly catchUp: CatchUp | null;
  private overrunTimer: Timer | null = null;
  private pollTimer: Timer | null = null;
  private polling = false;
  /** How many reads of the kernel's table for `-R` are under way; a bulk would tell half of it. */
  private fills = 0;
  private bulkOwed = false;
  /** The cache has all that the kernel has, but for what did not fit since `noSpaceThen`. */
  private whole = false;
  private noSpaceThen = 0;

  constructor(private readonly context: RefreshContext) {
    const { cache, kernel, scheduler, filter } = context;
    this.resync =
      cache === null
        ? null
        : new Resync({
            cache,
            counters: kernel,
            scheduler,
            filter,
            openDump: (events) => context.openDump(events),
            isCommitted: (flow) => context.isCommitted(flow),
          });
    this.catchUp = this.resync === null ? null : new CatchUp({ ...context, resync: this.resync });
    this.filterSweep = cache === null ? null : new FilterSweep(cache, scheduler, true);
  }

  close(): void {
    this.catchUp?.close();
    this.overrunTimer?.cancel();
    this.pollTimer?.cancel();
    this.resync?.close();
    this.filterSweep?.close();
  }

  // --- whether the cache has all

  /** Whether a bulk tells all that the kernel has, as far as is known. */
  get complete(): boolean {
    return this.whole && this.noSpaceNow() === this.noSpaceThen;
  }

  /** Flows that found no space in the cache until now: what `filled` wants to know of the time when it began. */
  noSpaceNow(): number {
    return this.context.cache?.counters.noSpace ?? 0;
  }

  /** The cache was filled from the kernel. @param before what did not fit when that began */
  filled(before: number): void {
    this.whole = true;
    this.noSpaceThen = before;
  }

  /** The cache is about to forget all. */
  forget(): void {
    this.catchUp?.cancel();
    this.whole = false;
  }

  /** Whether a bulk has to wait until the cache has learned what a commit made, or what `-R` reads; it is begun then. */
  bulkLater(): boolean {
    if (this.catchUp?.postponesBulk()) return true;
    if (this.fills > 0) this.bulkOwed = true;
    return this.fills > 0;
  }

  // --- commits

  /** Where events come from; a commit of many flows spares itself those of the flows it makes. */
  useEvents(events: NewEvents): void {
    this.catchUp?.use(events);
  }

  /** A commit is about to make many flows. */
  commitBegins(): void {
    this.catchUp?.begin();
  }

  commitEnds(): void {
    this.catchUp?.end();
  }

  // --- reading the kernel's table

  /** Fills the cache at the start; the event source is started afterwards, its events are newer. */
  async populate(): Promise<void> {
    if (this.resync === null) return;
    await this.fill(this.resync);
    await this.readExpectations(POPULATE);
  }

  private fill(resync: Resync): Promise<void> {
    const before = this.noSpaceNow();
    return new Promise((resolve, reject) => {
      resync.request(POPULATE, (error) => {
        if (error !== null) {
          reject(error);
          return;
        }
        this.filled(before);
        resolve();
      });
    });
  }

  /** `-R`: resolves when the cache agrees with the kernel. @returns false without a cache */
  async flows(): Promise<boolean> {
    const { resync } = this;
    if (resync === null) return false;
    this.begins();
    this.fills++;
    try {
      await this.fill(resync);
    } finally {
      this.fills--;
      this.payBulk();
      this.context.progress();
    }
    return true;
  }

  private begins(): void {
    this.context.log.notice(TABLE_TEXT);
    this.context.kernel.resyncs++;
  }

  /** Begins the bulk that was asked for while the cache was being filled. */
  private payBulk(): void {
    if (!this.bulkOwed || this.fills > 0) return;
    this.bulkOwed = false;
    this.context.bulk();
  }

  /** `-R expect`. */
  async expected(): Promise<void> {
    if (this.context.expectations === null) return;
    this.context.log.notice('resync with master expect table');
    await this.readExpectations(POPULATE);
    this.context.progress();
  }

  /** Events were lost. @param seconds NetlinkOverrunResync: the table is read so much later; null: not at all */
  eventsLost(seconds: number | null): void {
    this.whole = false;
    if (seconds === null || this.overrunTimer !== null) return;
    this.overrunTimer = this.context.scheduler.after(seconds * 1000, () => this.readAfterOverrun());
  }

  private readAfterOverrun(): void {
    this.overrunTimer = null;
    if (this.resync === null) {
      this.context.log.notice('events were lost: sending bulk update');
      this.tellAll();
      return;
    }
    this.begins();
    const before = this.noSpaceNow();
    this.resync.request(AFTER_OVERRUN, (error) => {
      if (error === null) this.filled(before);
      this.wasRead(AFTER_OVERRUN, TABLE_TEXT, error);
    });
  }

  /** PollSecs has this value from now on; null: events tell. */
  pollEvery(seconds: number | null): void {
    this.pollTimer?.cancel();
    if (seconds !== null) this.pollAfter(seconds);
  }

  private pollAfter(seconds: number): void {
    this.pollTimer = this.context.scheduler.after(seconds * 1000, () => {
      this.pollAfter(seconds);
      this.poll();
    });
  }

  /** Not while the one before is under way: a table that takes longer to read than PollSecs is read without a pause. */
  poll(): void {
    if (this.resync === null) {
      this.tellAll();
      return;
    }
    if (this.polling) return;
    this.polling = true;
    this.resync.request(POLL, (error) => {
      this.polling = false;
      this.wasRead(POLL, 'polling the kernel conntrack table', error);
    });
  }

  /**
   * The filter has changed. Flows that no longer pass leave the cache, and the peers hear that they ended, since they
   * would hear nothing more of them. Those that pass now are read from the kernel and sent.
   */
  refilter(filter: FlowFilter | null): void {
    const { resync, filterSweep } = this;
    if (resync === null || filterSweep === null) {
      this.tellAll();
      return;
    }
    resync.filterBy(filter);
    filterSweep.begin(filter, () => {
      this.context.progress();
      this.readNewcomers(resync);
    });
  }

  private readNewcomers(resync: Resync): void {
    this.context.expectations?.dismiss();
    this.begins();
    resync.request(NEWCOMERS, (error) => this.wasRead(NEWCOMERS, TABLE_TEXT, error));
  }

  /** The list of helpers has changed: what left it ends at the peers, what came is read from the kernel and sent. */
  expectationHelpersChanged(): void {
    this.context.expectations?.dismiss();
    this.context.progress();
    this.followWithExpectations(NEWCOMERS);
  }

  /** The table was read and nobody waits for it. @param text what the log calls it if it failed */
  private wasRead(kind: ResyncKind, text: string, error: Error | null): void {
    if (error !== null) this.context.log.error(`${text}: ${error.message}`);
    this.context.progress();
    this.followWithExpectations(kind);
  }

  private tellAll(): void {
    this.context.bulk();
    this.context.progress();
  }

  private async readExpectations(kind: ResyncKind): Promise<void> {
    const { expectations, kernel } = this.context;
    const error = (await expectations?.resync(kind, kernel)) ?? null;
    if (error !== null) throw error;
  }

  /** Behind a resync that nobody waits for: the expectations as well. */
  private followWithExpectations(kind: ResyncKind): void {
    if (this.context.expectations === null) return;
    this.readExpectations(kind).then(
      () => this.context.progress(),
      (error: Error) => this.context.log.error(`resync with master expect table: ${error.message}`),
    );
  }
}
