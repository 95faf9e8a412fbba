import type { Clock } from '../base/clock.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import type { Views } from '../base/views.js';
import { ExpectationBypass } from '../cache/expectation-bypass.js';
import { ExpectationCommit, type ExpectationKernel } from '../cache/expectation-commit.js';
import type { ExternalExpectations } from '../cache/expectation-external.js';
import { ExpectationInject } from '../cache/expectation-inject.js';
import type { InternalExpectations } from '../cache/expectation-internal.js';
import type { Dump, ResyncKind } from '../cache/resync.js';
import type { Expectation } from '../flow/expectation.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { NFNL_SUBSYS_CTNETLINK_EXP } from '../netlink/constants.js';
import { decodeKernelExpectation } from '../netlink/expectation-decode.js';
import {
  EVENT_DESTROY,
  EVENT_NEW,
  EVENT_UPDATE,
  eventOf,
  flagsOf,
  lengthOf,
  subsystemOf,
  typeOf,
} from '../netlink/message.js';
import { decodeExpectation } from '../wire/expectation.js';

/** The kernel as a flush sees it. Not through the socket of commits: what a flush ends, the peers are told. */
export interface ExpectationFlushKernel {
  /** Adds "delete all expectations". */
  flushExpectations(tag: number): void;
  /** See FlushKernel. */
  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void;
  errorText(errno: number): string;
}

export interface ExpectationSyncContext {
  /** The internal cache, or what stands for it with DisableInternalCache. */
  readonly internal: InternalExpectations | ExpectationBypass;
  /** The external cache, or what stands for it with DisableExternalCache. */
  readonly external: ExternalExpectations | ExpectationInject;
  readonly kernel: ExpectationKernel;
  readonly flushKernel: ExpectationFlushKernel;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** CommitTimeout in seconds; null: expectations keep what is left of their own. */
  readonly commitTimeout: number | null;
  /** A dump of the kernel's expectations. */
  openDump(events: DumpEvents): Dump;
}

/** Interrupted dumps in a row before the result is taken as it is. */
const MOST_RESTARTS = 10;
/** How often expectations look for their masters when no input brings them. */
const RETRY_MS = 1000;

/**
 * ExpectationSync: the part of the engine that is about expectations. The engine hands it events, messages and
 * requests, always behind those about flows, since an expectation is nothing without its master.
 */
export class ExpectationSync {
  private dump: Dump | null = null;
  private waitTimer: Timer | null = null;
  /** Resyncs one after the other. */
  private lastResync: Promise<unknown> = Promise.resolve();
  private closed = false;
  private commitTimeout: number | null;

  constructor(private readonly context: ExpectationSyncContext) {
    this.commitTimeout = context.commitTimeout;
  }

  /** Another CommitTimeout in seconds, from the next commit on; null: none. */
  setCommitTimeout(seconds: number | null): void {
    this.commitTimeout = seconds;
  }

  /** Helpers or filter have changed: lets go of what is no longer to be replicated. */
  dismiss(): void {
    const { internal } = this.context;
    if (!(internal instanceof ExpectationBypass)) internal.dismiss();
  }

  get internal(): InternalExpectations | ExpectationBypass {
    return this.context.internal;
  }

  get external(): ExternalExpectations | ExpectationInject {
    return this.context.external;
  }

  close(): void {
    this.closed = true;
    this.waitTimer?.cancel();
    this.dump?.close();
  }

  /**
   * A kernel event of the expectations' subsystem.
   *
   * @param own our own commit caused it
   * @returns false when it is unknown or malformed
   */
  event(views: Views, at: number, own: boolean): boolean {
    const expectation = decodeKernelExpectation(views, at, at + lengthOf(views, at));
    if (expectation === null) return false;
    const { internal } = this.context;
    switch (eventOf(typeOf(views, at), flagsOf(views, at))) {
      case EVENT_NEW:
        internal.onNew(expectation, own);
        return true;
      case EVENT_UPDATE:
        internal.onUpdate(expectation, own);
        return true;
      case EVENT_DESTROY:
        internal.onDestroy(expectation, own);
        return true;
      default:
        return false;
    }
  }

  /** Input was handled: masters may have come. @param transmit called when some did later, without input */
  onTurnEnd(transmit: () => void): void {
    const { internal, scheduler } = this.context;
    if (internal instanceof ExpectationBypass || !internal.hasWaiting) return;
    internal.retryWaiting();
    if (!internal.hasWaiting || this.waitTimer !== null) return;
    this.waitTimer = scheduler.after(RETRY_MS, () => {
      this.waitTimer = null;
      this.onTurnEnd(transmit);
      transmit();
    });
  }

  /** A peer's message of types 3 to 5. @returns false when it is malformed */
  applyMessage(type: number, views: Views, at: number, end: number): boolean {
    const expectation = decodeExpectation(views, at, end);
    if (expectation === null) return false;
    this.context.external.apply(type, expectation);
    return true;
  }

  /** Fills the internal cache from the kernel. Resolves with what went wrong, or null. */
  resync(kind: ResyncKind, counters: KernelCounters): Promise<Error | null> {
    const resync = this.lastResync.then(() => this.read(kind, counters));
    this.lastResync = resync;
    return resync;
  }

  private read(kind: ResyncKind, counters: KernelCounters): Promise<Error | null> {
    const { internal } = this.context;
    if (internal instanceof ExpectationBypass) return Promise.resolve(null);
    let restarts = 0;
    internal.beginDump();
    return new Promise((resolve) => {
      const end = (complete: boolean, error: Error | null) => {
        this.dump = null;
        internal.endDump(complete && kind.purge);
        resolve(error);
      };
      const open = () => {
        if (this.closed) return end(false, null);
        this.dump = this.context.openDump({
          onEntry: (views, at, to) => {
            const expectation = this.entryOf(views, at, to);
            if (expectation === null) counters.dumpUnknown++;
            else internal.onDumped(expectation, kind.send);
          },
          onInterrupted: () => (++restarts > MOST_RESTARTS ? end(false, null) : open()),
          onDone: () => end(true, null),
          onError: (error) => end(false, error),
        });
        this.dump.start();
      };
      open();
    });
  }

  private entryOf(views: Views, at: number, end: number): Expectation | null {
    const mine = subsystemOf(typeOf(views, at)) === NFNL_SUBSYS_CTNETLINK_EXP;
    return mine ? decodeKernelExpectation(views, at, end) : null;
  }

  /** Gives the external cache's expectations to the kernel. */
  commit(): Promise<void> {
    const { external, kernel, clock, log } = this.context;
    const { commitTimeout } = this;
    if (external instanceof ExpectationInject) return Promise.resolve();
    const entries = [...external.entries.values()];
    return new Promise((resolve) => {
      void new ExpectationCommit({ entries, kernel, clock, log, commitTimeout }, () => resolve()).run();
    });
  }

  /** `-F expect`: the kernel forgets all expectations, like the original whatever the filter says. */
  flushKernel(): void {
    const { flushKernel, log } = this.context;
    const failed = (reason: string): void => log.error(`flush of the kernel expect table: ${reason}`);
    flushKernel.flushExpectations(0);
    flushKernel.submitAhead(
      (_tag, errno) => failed(flushKernel.errorText(errno)),
      (error) => {
        if (error !== null) failed(describe(error));
      },
    );
  }
}
