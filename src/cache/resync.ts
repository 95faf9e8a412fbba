import type { Scheduler } from '../base/scheduler.js';
import type { Views } from '../base/views.js';
import type { FlowFilter } from '../flow/filter.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import { NO_ROW } from '../flow/table.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { NFNL_SUBSYS_CTNETLINK } from '../netlink/constants.js';
import { decodeFlow } from '../netlink/decode.js';
import { subsystemOf, typeOf } from '../netlink/message.js';
import type { InternalCache } from './internal.js';

/** A dump under way. */
export interface Dump {
  start(): void;
  close(): void;
}

export interface ResyncContext {
  readonly cache: InternalCache;
  readonly counters: KernelCounters;
  readonly scheduler: Scheduler;
  /** Flows that do not pass are as if the kernel had them not; null: all pass. */
  readonly filter: FlowFilter | null;
  openDump(events: DumpEvents): Dump;
  /** For `sendMissed`: whether a commit may have made the flow. Absent: none does. */
  isCommitted?(flow: FlowRef): boolean;
}

/** How a resync treats what it finds. */
export interface ResyncKind {
  /** Flows found are sent to the peers: after an overrun nobody knows which of them changed. */
  readonly send: boolean;
  /** Entries the kernel no longer has are destroyed, and the peers told. */
  readonly purge: boolean;
  /** With `send`: only flows that the cache did not have. */
  readonly onlyNew?: boolean;
  /** With `onlyNew`: and that no commit made. */
  readonly exceptCommitted?: boolean;
}

/** `-R` and the start: the cache learns, nothing is sent (observed on the original). */
export const POPULATE: ResyncKind = { send: false, purge: false };
/** After an overrun: as if every event had been seen. */
export const AFTER_OVERRUN: ResyncKind = { send: true, purge: true };
/** PollSecs. Unchanged flows are sent, too (observed on the original): the peers' timeouts stay fresh that way. */
export const POLL: ResyncKind = { send: true, purge: true };

/** After a change of the filter: what has come into its range is sent, and what was in it before stays. */
export const NEWCOMERS: ResyncKind = { send: true, purge: false, onlyNew: true };
/** After a commit without events of new flows: those it made are learned, those that others made are sent as well. */
export const AFTER_COMMIT: ResyncKind = { send: true, purge: false, onlyNew: true, exceptCommitted: true };

/** Interrupted dumps in a row before their result is taken as it is: a table that never rests must not be read for ever. */
const MOST_RESTARTS = 10;
/** Rows looked at by a purge before other work gets a turn: well below a millisecond. */
const PURGE_SLICE = 4096;

/**
 * Fills the internal cache from a dump of the kernel's table, in slices. One runs at a time; a request during a
 * resync makes another one follow it, since the dump under way may have passed the flows in question.
 */
export class Resync {
  private readonly scratch = new FlowScratch();
  private running: ResyncKind | null = null;
  private waiting: ResyncKind | null = null;
  private callbacks: Array<(error: Error | null) => void> = [];
  private waitingCallbacks: Array<(error: Error | null) => void> = [];
  private dump: Dump | null = null;
  private restarts = 0;
  private filter: FlowFilter | null;

  constructor(private readonly context: ResyncContext) {
    this.filter = context.filter;
  }

  /** Another filter; null: none. */
  filterBy(filter: FlowFilter | null): void {
    this.filter = filter;
  }

  /** @param done called at the end, with the error when the kernel refused */
  request(kind: ResyncKind, done: (error: Error | null) => void): void {
    if (this.running === AFTER_COMMIT) {
      // It has hardly begun, and the other reads all of it anyway.
      this.dump?.close();
      this.callbacks.push(done);
      this.begin(both(kind, AFTER_COMMIT));
      return;
    }
    if (this.running !== null) {
      this.waiting = this.waiting === null ? kind : both(kind, this.waiting);
      this.waitingCallbacks.push(done);
      return;
    }
    this.callbacks = [done];
    this.begin(kind);
  }

  /** Ends a resync AFTER_COMMIT that is under way: the cache is to forget. */
  cancelAfterCommit(): void {
    if (this.running !== AFTER_COMMIT) return;
    this.dump?.close();
    this.end(null);
  }

  /** Gives up what runs and what waits; nobody is called any more. */
  close(): void {
    this.dump?.close();
    this.dump = null;
    this.callbacks = [];
    this.waitingCallbacks = [];
    this.waiting = null;
    this.running = null;
  }

  private begin(kind: ResyncKind): void {
    this.running = kind;
    this.restarts = 0;
    this.context.cache.beginDump();
    this.open(kind);
  }

  private open(kind: ResyncKind): void {
    const dump = this.context.openDump({
      onEntry: (views, at, end) => this.entry(views, at, end, kind),
      onInterrupted: () => this.interrupted(kind),
      onDone: () => this.complete(kind),
      onError: (error) => this.end(error),
    });
    this.dump = dump;
    dump.start();
  }

  private entry(views: Views, at: number, end: number, kind: ResyncKind): void {
    const { cache, counters } = this.context;
    const { filter } = this;
    if (subsystemOf(typeOf(views, at)) !== NFNL_SUBSYS_CTNETLINK || !decodeFlow(views, at, end, this.scratch)) {
      counters.dumpUnknown++;
      return;
    }
    if (filter !== null && !filter.passes(this.scratch)) return;
    cache.onDumped(this.scratch, kind.send && (kind.onlyNew !== true || this.isNew(this.scratch, kind)));
  }

  private isNew(flow: FlowRef, { exceptCommitted }: ResyncKind): boolean {
    if (this.context.cache.holds(flow)) return false;
    return exceptCommitted !== true || this.context.isCommitted?.(flow) !== true;
  }

  private interrupted(kind: ResyncKind): void {
    if (++this.restarts > MOST_RESTARTS) {
      // What it lacks, events bring; but it is no proof that an entry is gone.
      this.end(null);
      return;
    }
    this.open(kind);
  }

  private complete(kind: ResyncKind): void {
    if (kind.purge) this.purge(0);
    else this.end(null);
  }

  private purge(from: number): void {
    if (this.running === null) return;
    const next = this.context.cache.purgeUnseen(from as typeof NO_ROW, PURGE_SLICE);
    if (next === NO_ROW) this.end(null);
    else this.context.scheduler.soon(() => this.purge(next));
  }

  private end(error: Error | null): void {
    this.context.cache.endDump();
    this.dump = null;
    this.running = null;
    const finished = this.callbacks;
    this.callbacks = this.waitingCallbacks;
    this.waitingCallbacks = [];
    const next = this.waiting;
    this.waiting = null;
    if (next !== null) this.begin(next);
    for (const done of finished) done(error);
  }
}

/** What does the work of both. */
function both(one: ResyncKind, other: ResyncKind): ResyncKind {
  const sendsAll = (kind: ResyncKind) => kind.send && kind.onlyNew !== true;
  const passesCommitted = (kind: ResyncKind) => !kind.send || kind.exceptCommitted === true;
  const send = one.send || other.send;
  return {
    send,
    purge: one.purge || other.purge,
    onlyNew: send && !sendsAll(one) && !sendsAll(other),
    exceptCommitted: passesCommitted(one) && passesCommitted(other),
  };
}
