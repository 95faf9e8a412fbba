import type { Clock } from '../base/clock.js';
import type { DurationHistogram } from '../base/histogram.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import type { Views } from '../base/views.js';
import { InternalBypass } from '../cache/bypass.js';
import { Commit, type CommitKernel, type CommitResult, type CommitSurroundings } from '../cache/commit.js';
import { CommitCounters } from '../cache/counters.js';
import type { ExternalCache } from '../cache/external.js';
import { ExternalSweep } from '../cache/external-sweep.js';
import { FlowEvents, NO_PORT } from '../cache/flow-events.js';
import { DirectInject } from '../cache/inject.js';
import type { InternalCache } from '../cache/internal.js';
import { type FlushKernel, type HeldDump, KernelFlush } from '../cache/kernel-flush.js';
import type { FlowFilter } from '../flow/filter.js';
import type { FlowRef } from '../flow/ref.js';
import { type FlowTable, NO_ROW } from '../flow/table.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { EventSourceEvents } from '../kernel/events.js';
import { KernelCounters } from '../kernel/statistics.js';
import { NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_CTNETLINK_EXP } from '../netlink/constants.js';
import { isWhole, nextOf, portIdOf, subsystemOf, typeOf } from '../netlink/message.js';
import { ENTRIES_UNKNOWN } from '../wire/announcement.js';
import type { ExpectationSync } from './expectations.js';
import type { SyncMode } from './mode.js';
import { Refresh } from './refresh.js';
import type { RoleWork } from './role.js';

export interface EngineSettings {
  /** CommitTimeout in seconds; null: flows keep what is left of their own. */
  readonly commitTimeout: number | null;
  /** TCPWindowTracking. */
  readonly windowTracking: boolean;
  /** PurgeTimeout in seconds. */
  readonly purgeTimeout: number;
  /** NetlinkOverrunResync in seconds; null: off. */
  readonly overrunResync: number | null;
  /** PollSecs: the kernel's table is read every so many seconds, instead of events; null: events. */
  readonly pollSeconds: number | null;
  /** StartupResync: ask the peers for their flows at start. */
  readonly startupResync: boolean;
}

/** Requests through the socket whose events are our own. */
export interface OwnKernel extends CommitKernel {
  /** What the events of its requests carry. */
  readonly portId: number;
}

export interface EngineContext {
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** The internal cache, or what stands for it with DisableInternalCache. */
  readonly internal: InternalCache | InternalBypass;
  /** The external cache, or what stands for it with DisableExternalCache. */
  readonly external: ExternalCache | DirectInject;
  readonly mode: SyncMode;
  /** Null: expectations are not replicated. */
  readonly expectations: ExpectationSync | null;
  readonly commitKernel: OwnKernel;
  /** Where commits take their turns; absent: as everything else. */
  readonly commitScheduler?: Scheduler;
  /** Gets the time from an event's being there to be read to its being sent. */
  readonly eventToWire?: DurationHistogram;
  /** What the events that direct injection causes carry; null: there is none. */
  readonly injectPort: number | null;
  /** What `-F` and the end of PurgeTimeout delete with: what events with its port tell is this node's own business. */
  readonly flushKernel: FlushKernel & { readonly portId: number };
  /** Which flows are replicated; null: all. */
  readonly filter: FlowFilter | null;
  openDump(events: DumpEvents): HeldDump;
  /** The flow as the original prints it under an error line. */
  describe(flow: FlowRef): string;
}

/** What a request is about: flows, expectations, or both. */
export type RequestSubject = 'ct' | 'expect' | 'all';

/** How the log calls a commit (fixtures/logs/requests.txt). */
const COMMIT_TEXTS: Readonly<Record<RequestSubject, string>> = {
  ct: 'committing conntrack cache',
  expect: 'committing expectation cache',
  all: 'committing all external caches',
};

const NOTHING_COMMITTED: CommitResult = { committed: 0, failed: 0, milliseconds: 0 };

/** Which caches a flush empties. */
export type CacheChoice = 'internal' | 'external' | 'both';

/** Shortest wait for the mode's next deadline, so that a deadline that has passed cannot spin the loop. */
const SHORTEST_WAIT_MS = 1;

/**
 * Joins kernel, caches, mode and channel. Input comes from the event socket (`onEvents`), the channel
 * (`onDatagram`) and the control socket (the rest); after each turn of input the mode sends what waits.
 */
export class SyncEngine implements EventSourceEvents, RoleWork {
  readonly kernel = new KernelCounters();

  // Of the context, what each turn needs: fields of this class are found without asking what kind of object holds them.
  private readonly mode: SyncMode;
  private readonly clock: Clock;
  private readonly expectations: ExpectationSync | null;
  private readonly eventToWire: DurationHistogram | undefined;
  private readonly flowEvents: FlowEvents;
  /** What keeps the internal cache as the kernel's table is. */
  readonly refresh: Refresh;
  private currentCommit: Commit | null = null;
  private readonly inject: DirectInject | null;
  private readonly flush: KernelFlush;
  private readonly purge: KernelFlush;
  private readonly ownPort: number;
  private readonly injectPort: number;
  private settings: EngineSettings;
  private modeTimer: Timer | null = null;
  private modeDueMs = Number.POSITIVE_INFINITY;
  private purgeTimer: Timer | null = null;
  /** Since when events wait, or what they caused; 0: nothing does. */
  private unsentSinceMs = 0;
  private transmitting = false;
  readonly commits = new CommitCounters();
  /** The commit that is under way. */
  private committing: Promise<CommitResult> | null = null;
  private commitStopped = false;
  private closed = false;
  /** Null without an external cache, and where its entries age by themselves. */
  private readonly externalSweep: ExternalSweep | null;

  constructor(private readonly context: EngineContext) {
    const { internal, external, filter } = context;
    this.settings = context.settings;
    this.mode = context.mode;
    this.clock = context.clock;
    this.expectations = context.expectations;
    this.eventToWire = context.eventToWire;
    this.ownPort = context.commitKernel.portId;
    this.injectPort = context.injectPort ?? NO_PORT;
    this.flowEvents = new FlowEvents({
      target: internal,
      counters: this.kernel,
      filter,
      ownPort: this.ownPort,
      flushPort: context.flushKernel.portId,
      // What direct injection does is the peers' doing: they know.
      ignoredPort: this.injectPort,
    });
    this.inject = external instanceof DirectInject ? external : null;
    this.refresh = this.makeRefresh();
    this.externalSweep = this.makeExternalSweep();
    this.flush = this.kernelFlush();
    this.purge = this.kernelFlush();
  }

  private makeRefresh(): Refresh {
    const { internal, mode } = this.context;
    return new Refresh({
      ...this.context,
      cache: internal instanceof InternalBypass ? null : internal,
      kernel: this.kernel,
      isCommitted: (flow) => this.isExternal(flow),
      bulk: () => mode.bulk(),
      progress: () => this.transmit(),
    });
  }

  private makeExternalSweep(): ExternalSweep | null {
    const { external, scheduler, clock, log, mode } = this.context;
    if (external instanceof DirectInject || !mode.resyncs) return null;
    return new ExternalSweep({
      cache: external,
      scheduler,
      clock,
      log,
      goneSinceMs: (peer) => mode.goneSinceMs?.(peer) ?? null,
      aged: (peer) => mode.forgot?.(peer),
    });
  }

  /** A peer has told of all its flows since `stamp`: what it did not mention goes. */
  sweep(peer: number, stamp: number): void {
    this.externalSweep?.begin(peer, stamp);
  }

  /**
   * Flows of this node that its peers should have. Nobody can say while a flush is announced (`-t`): the flows are
   * another node's by then, which has taken them out of its external cache.
   */
  get entriesTold(): number {
    const { internal } = this.context;
    return internal instanceof InternalBypass || this.purgeTimer !== null ? ENTRIES_UNKNOWN : internal.active;
  }

  private kernelFlush(): KernelFlush {
    const { filter, log } = this.context;
    return new KernelFlush({
      kernel: this.context.flushKernel,
      counters: this.kernel,
      log,
      filter,
      openDump: (events) => this.context.openDump(events),
    });
  }

  /** Sending begins: the mode's clock starts, and with StartupResync the peers are asked for their flows. */
  start(): void {
    const { startupResync, pollSeconds } = this.settings;
    if (startupResync) this.requestResync();
    this.externalSweep?.start();
    this.refresh.pollEvery(pollSeconds);
    this.armMode();
  }

  /** The kernel drops the events of flows that do not pass the filter: those that come are not judged again. */
  trustEventFilter(): void {
    this.flowEvents.trustKernel();
  }

  /** The configuration has changed: what begins from now on goes by it. A purge that is pending keeps its time. */
  reconfigure(settings: EngineSettings): void {
    const { pollSeconds } = settings;
    const samePolls = pollSeconds === this.settings.pollSeconds;
    this.settings = settings;
    if (samePolls) return;
    this.refresh.pollEvery(pollSeconds);
    // Between polls and events nothing may fall: the kernel's table says what there is.
    this.refresh.poll();
  }

  /** The filter has changed: peers and cache follow. */
  refilter(filter: FlowFilter | null): void {
    this.flowEvents.judgeBy(filter);
    this.flush.filterBy(filter);
    this.purge.filterBy(filter);
    this.refresh.refilter(filter);
  }

  close(): void {
    this.closed = true;
    this.currentCommit?.stop();
    this.refresh.close();
    this.modeTimer?.cancel();
    this.purgeTimer?.cancel();
    this.externalSweep?.close();
    this.context.expectations?.close();
    void this.flush.close();
    void this.purge.close();
  }

  // --- kernel events -------------------------------------------------------------------------------------------

  onEvents(views: Views, start: number, end: number): void {
    for (let at = start; isWhole(views, at, end); at = nextOf(views, at)) this.event(views, at);
  }

  onTurnEnd(readableSinceMs: number): void {
    this.flowEvents.flush();
    if (this.unsentSinceMs === 0) this.unsentSinceMs = readableSinceMs;
    this.expectations?.onTurnEnd(() => this.transmit());
    this.transmit();
  }

  onOverrun(): void {
    this.kernel.overruns++;
    this.refresh.eventsLost(this.settings.overrunResync);
  }

  onFailure(): void {
    this.kernel.eventFailures++;
  }

  private event(views: Views, at: number): void {
    const type = typeOf(views, at);
    if (subsystemOf(type) === NFNL_SUBSYS_CTNETLINK) this.flowEvents.gather(views, at, type);
    else this.expectationEvent(views, at, type);
  }

  private expectationEvent(views: Views, at: number, type: number): void {
    const { expectations } = this.context;
    if (expectations === null || subsystemOf(type) !== NFNL_SUBSYS_CTNETLINK_EXP) {
      this.kernel.eventsUnknown++;
      return;
    }
    // Its master may be among what waits.
    this.flowEvents.flush();
    this.kernel.eventsReceived++;
    const port = portIdOf(views, at);
    if (port === this.injectPort) return;
    const own = port === this.ownPort || port === this.context.flushKernel.portId;
    if (!expectations.event(views, at, own)) this.kernel.eventsUnknown++;
  }

  // --- peers ---------------------------------------------------------------------------------------------------

  /** A datagram of a peer, `length` bytes in `views` at byte `at`. */
  onDatagram(views: Views, at: number, length: number, peer: number): void {
    this.mode.receiveDatagram(views, at, length, peer);
  }

  /** The channel handed over what was there. */
  onDatagramsEnd(): void {
    this.inject?.endTurn();
    this.transmit();
  }

  /** Sends what waits, a budget at a time. */
  private transmit(): void {
    if (this.closed || this.transmitting) return;
    const more = this.mode.transmit();
    this.armEarlier();
    if (!more) {
      this.recordSent();
      return;
    }
    this.transmitting = true;
    this.context.scheduler.soon(() => {
      this.transmitting = false;
      this.transmit();
    });
  }

  /** All that the events caused has left, unless it waits for the peer. */
  private recordSent(): void {
    const { mode, clock, eventToWire } = this;
    if (eventToWire === undefined || this.unsentSinceMs === 0 || (mode.unsent ?? 0) > 0) return;
    eventToWire.record(clock.monotonicMs() - this.unsentSinceMs);
    this.unsentSinceMs = 0;
  }

  private armMode(): void {
    if (this.closed) return;
    this.modeDueMs = this.mode.deadlineMs();
    const wait = this.modeDueMs - this.clock.monotonicMs();
    this.modeTimer = this.context.scheduler.after(Math.max(SHORTEST_WAIT_MS, wait), () => {
      this.modeTimer = null;
      this.mode.tick(this.clock.monotonicMs());
      this.transmit();
      this.armMode();
    });
  }

  /** After input the mode may be due before its timer is. */
  private armEarlier(): void {
    if (this.modeTimer === null || this.mode.deadlineMs() >= this.modeDueMs) return;
    this.modeTimer.cancel();
    this.armMode();
  }

  // --- requests of the control socket --------------------------------------------------------------------------

  /** `-R`: resolves when the internal cache agrees with the kernel. */
  async resyncFromKernel(subject: RequestSubject): Promise<void> {
    if (this.context.internal instanceof InternalBypass) {
      this.context.log.notice('resync is unsupported in this mode');
      return;
    }
    if (subject !== 'expect') await this.refresh.flows();
    if (subject !== 'ct') await this.refresh.expected();
  }

  /** `-B`. */
  bulk(): void {
    if (!this.context.mode.resyncs) return;
    // The original says nothing where it has no cache.
    if (!(this.context.internal instanceof InternalBypass)) this.context.log.notice('sending bulk update');
    this.sendBulk();
  }

  private sendBulk(): void {
    this.context.mode.bulk();
    this.transmit();
  }

  /** `-n`. */
  requestResync(): void {
    if (!this.context.mode.resyncs) return;
    this.context.log.notice('resync requested');
    this.context.mode.requestResync();
    this.transmit();
  }

  /** `-c`: resolves when the commit is over, at once when one is under way already. */
  async commit(subject: RequestSubject): Promise<void> {
    if (subject === 'expect' && this.context.expectations === null) return;
    this.cancelPurge();
    if (this.committing !== null) {
      this.context.log.notice('commit already in progress, skipping');
      return;
    }
    await this.beginCommit(subject);
  }

  private beginCommit(subject: RequestSubject): Promise<CommitResult> {
    this.context.log.notice(COMMIT_TEXTS[subject]);
    // What the peers told is in the kernel, or on its way there.
    if (this.inject !== null) return this.inject.settled().then(() => NOTHING_COMMITTED);
    this.commitStopped = false;
    this.committing = this.commitSubject(subject).finally(() => {
      this.committing = null;
    });
    return this.committing;
  }

  private async commitSubject(subject: RequestSubject): Promise<CommitResult> {
    const { external, expectations } = this.context;
    let result = NOTHING_COMMITTED;
    // An expectation is refused as long as its master is not there.
    if (subject !== 'expect' && !(external instanceof DirectInject)) result = await this.commitFlows(external.table);
    if (subject !== 'ct' && !this.closed && !this.commitStopped) await expectations?.commit();
    return result;
  }

  private commitFlows(table: FlowTable): Promise<CommitResult> {
    const { clock, log, commitKernel } = this.context;
    const scheduler = this.context.commitScheduler ?? this.context.scheduler;
    return new Promise((resolve) => {
      const commit = new Commit(
        {
          table,
          kernel: commitKernel,
          clock,
          scheduler,
          log,
          commitTimeout: this.settings.commitTimeout,
          describe: (flow) => this.context.describe(flow),
          surroundings: this.surroundings(),
        },
        (result) => {
          this.commits.count(result);
          this.currentCommit = null;
          this.refresh.commitEnds();
          resolve(result);
        },
      );
      this.currentCommit = commit;
      scheduler.soon(() => commit.run());
    });
  }

  private surroundings(): CommitSurroundings {
    const { internal, openDump } = this.context;
    const cache = internal instanceof InternalBypass ? null : internal;
    return {
      held: cache?.active ?? 0,
      holds: (flow) => cache?.holds(flow) ?? false,
      openDump,
      counters: this.kernel,
      windowTracking: this.context.settings.windowTracking,
      createsMany: () => this.refresh.commitBegins(),
    };
  }

  private isExternal(flow: FlowRef): boolean {
    const { external } = this.context;
    return external instanceof DirectInject || external.table.find(flow) !== NO_ROW;
  }

  /** `-f`, `-f internal`, `-f external`. @returns false when a commit is under way and nothing was flushed */
  flushCaches(choice: CacheChoice, subject: RequestSubject): boolean {
    const { log, external, expectations } = this.context;
    if (this.committing !== null && choice !== 'internal') {
      log.error('ignoring flush command, commit still in progress');
      return false;
    }
    log.notice(choice === 'both' ? 'flushing caches' : `flushing ${choice} cache`);
    if (choice !== 'external') this.forgetInternal(subject);
    if (choice !== 'internal') {
      external.flush();
      this.context.mode.externalFlushed?.();
      if (subject !== 'ct') expectations?.external.flush();
    }
    return true;
  }

  /** Empties the internal cache without a word to the peers. */
  private forgetInternal(subject: RequestSubject): void {
    const { mode, internal } = this.context;
    this.refresh.forget();
    mode.forgetAll();
    internal.flush();
    if (subject !== 'ct') this.forgetExpectations();
  }

  private forgetExpectations(): void {
    const { mode, expectations } = this.context;
    mode.forgetExpectations?.();
    expectations?.internal.flush();
  }

  /**
   * `-F`. As with the original the peers hear nothing of it: without an external cache their kernels would be emptied,
   * too. A `-B` that follows tells them of all that is left.
   */
  flushKernelTable(subject: RequestSubject): void {
    const { expectations, log } = this.context;
    this.cancelPurge();
    if (subject !== 'expect') {
      log.notice('flushing kernel conntrack table');
      this.runFlush(this.flush);
    }
    if (subject === 'ct' || expectations === null) return;
    log.notice('flushing kernel expect table');
    this.forgetExpectations();
    expectations.flushKernel();
  }

  /** The internal cache forgets, then the kernel. @param ended called behind that */
  private runFlush(flush: KernelFlush, ended: () => void = () => {}): void {
    this.forgetInternal('ct');
    const { overruns } = this.kernel;
    const before = this.refresh.noSpaceNow();
    flush.run(() => {
      // What came since is in the cache: a peer that asks for all of it gets all.
      if (this.kernel.overruns === overruns) this.refresh.filled(before);
      ended();
    });
  }

  /** `-t`: once; while one is pending another request changes nothing. */
  shortenTimers(): void {
    if (this.purgeTimer !== null) return;
    const { log, scheduler } = this.context;
    const { settings } = this;
    log.notice(`flushing conntrack table in ${settings.purgeTimeout} secs`);
    this.purgeTimer = scheduler.after(settings.purgeTimeout * 1000, () => {
      this.purgeTimer = null;
      log.notice('flushing kernel conntrack table (scheduled)');
      // The flows leave this node, they do not end: by now they are the peers', who must not hear of an end.
      this.forgetExpectations();
      this.runFlush(this.purge, () => this.askAfterPurge());
    });
  }

  /** Without an external cache the flush has taken the peers' flows as well. */
  private askAfterPurge(): void {
    if (this.inject !== null) this.requestResync();
  }

  private cancelPurge(): void {
    this.purgeTimer?.cancel();
    this.purgeTimer = null;
  }

  // --- changes of roles ----------------------------------------------------------------------------------------

  get uncommitted(): number {
    const { external, expectations } = this.context;
    if (external instanceof DirectInject) return external.waiting;
    const expected = expectations?.external;
    return external.active + (expected !== undefined && 'active' in expected ? expected.active : 0);
  }

  async afterCommit(): Promise<void> {
    await this.committing;
  }

  commitAll(): Promise<CommitResult> {
    return this.beginCommit('all');
  }

  stopCommit(): void {
    this.commitStopped = true;
    this.currentCommit?.giveUp();
  }

  async endPurge(): Promise<void> {
    this.cancelPurge();
    if (!this.purge.underWay) return;
    // What the kernel is deleting just now must not be taken for there by the commit that follows.
    await this.purge.close();
    this.askAfterPurge();
  }
}
