import type { Clock } from '../base/clock.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import {
  IPS_ASSURED,
  K_LABELS,
  K_MASTER,
  K_STATUS,
  K_TIMEOUT,
  KNOWN,
  STATUS,
  TIMEOUT,
  UPDATED,
} from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowPointer } from '../flow/ref.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { CHANGE, RECREATE, REFRESH, SAME } from './commit-comparison.js';
import { CommitMarks } from './commit-marks.js';
import { KernelSurvey } from './commit-survey.js';
import type { Dump } from './resync.js';

/**
 * The kernel as a commit sees it: requests gather in one batch, `submit` hands them over in one system call and
 * reports the ones that failed, before it returns; with `submitAhead` the next batch is made meanwhile.
 */
export interface CommitKernel {
  /** Requests that still fit into the batch. */
  readonly room: number;
  /** Adds "create this flow, which must not exist yet". `tag` comes back with a failure. */
  create(flow: FlowRef, timeoutSeconds: number, tag: number): void;
  /** Adds "give the flow these values", without the attributes of the K_ bits `without`. */
  change(flow: FlowRef, timeoutSeconds: number, tag: number, without: number): void;
  /** Adds "delete this flow"; the kernel not having it is no failure. */
  delete(flow: FlowRef, timeoutSeconds: number): void;
  /**
   * Carries out the batch; `failed` is called for every create and change that the kernel refused, with its positive
   * errno.
   *
   * @throws Error when the kernel took nothing of it
   */
  submit(failed: (tag: number, errno: number) => void): void;
  /**
   * The same, without waiting for it; one at a time. `done` follows the failures, with the error when the kernel took
   * nothing of the batch.
   */
  submitAhead?(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void;
  /** strerror text of an errno. */
  errorText(errno: number): string;
}

/** What this firewall has already, for a commit that is to leave alone what is as it should be. */
export interface CommitSurroundings {
  /** Flows that this firewall is known to have. */
  readonly held: number;
  /** Whether this one is among them. That it is in the kernel is likely, not certain. */
  holds(flow: FlowRef): boolean;
  openDump(events: DumpEvents): Dump;
  readonly counters: KernelCounters;
  /** TCPWindowTracking. */
  readonly windowTracking: boolean;
  /** So many flows will be created that what the kernel would tell of each is better read at the end. */
  createsMany(): void;
}

/** What a commit is given. */
export interface CommitContext {
  readonly table: FlowTable;
  readonly kernel: CommitKernel;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** CommitTimeout in seconds; null: the replicated timeout less its age. */
  readonly commitTimeout: number | null;
  /** The flow as the original prints it under an error line, without line end. */
  describe(flow: FlowRef): string;
  /** Absent: every flow is created, and what exists is found out by that. */
  readonly surroundings?: CommitSurroundings;
}

/** What a commit did. */
export interface CommitResult {
  /** Flows that the kernel has now as the peers told, those that it had already included. */
  committed: number;
  failed: number;
  /** Wall time in milliseconds. */
  milliseconds: number;
}

// asm-generic/errno-base.h: reasons of the kernel that a commit does something about.
const ENOENT = 2;
const ENOMEM = 12;
const EEXIST = 17;
const ENOSPC = 28;

/** Seconds a flow is given when more time has passed since its last update than its timeout (spec/sync.md). */
export const EXPIRED_TIMEOUT = 60;

/** Longest time, in milliseconds, that a slice of a commit keeps the event loop; the rest of the daemon gets its turn. */
export const SLICE_MS = 2;

/** Error lines a commit writes before it only counts: a table full of refused flows must not fill the disk. */
const LOGGED_FAILURES = 20;
/** Batches in a row that the kernel took nothing of before the commit ends: the socket is beyond use. */
const MOST_LOST_BATCHES = 3;

/** A flow told of within so many seconds goes first: its connection is in use. */
const RECENT_SECONDS = 300;
/** Entries ranked before the clock is looked at: some tenths of a millisecond. */
const RANKED_AT_ONCE = 1024;
/** Flows that exist, of a batch of unknown ones, from which the kernel's table is worth reading. */
const SURPRISES = 32;
/** From so many flows on it pays to read what the kernel makes of them at the end instead of an event each. */
const MANY = 2000;
/** A kernel table of so many flows is read in less time than deleting and creating a thousand takes. */
const QUICKLY_READ = 4000;

// In what order flows go to the kernel: those that are missed most first, those it probably has later.
const UNRANKED = 0;
const ASSURED_RECENT = 1;
const ASSURED = 2;
const OTHER = 3;
const HELD_ASSURED = 4;
const HELD = 5;
/** Flows with a master, which the kernel must know first; and those that came during the commit. */
const RELATED = 6;
const DONE = 7;
/** On the agenda between ranks: the kernel's table is read. */
const SURVEY = 8;

// What is to be done with an entry: 0 create, or a verdict of the comparison, or one more attempt at recreating it,
// because traffic made the flow anew between the two requests.
const CREATE = 0;
const RECREATE_AGAIN = 5;
const RECREATE_LAST = 6;

/** How a step of the commit ended. */
type Outcome = 'more' | 'waits' | 'over';

/**
 * Injects the external cache into the kernel (spec/sync.md "Commit").
 *
 * ```
 *   rank all entries ──> not held by this firewall: create ──EEXIST──> delete + create (or, if many, read the table)
 *                   ──> held: read the kernel's table ──same──────> nothing
 *                                                     ──differs───> update ──refused──> delete + create
 *                                                     ──no update─> delete + create
 *                                                     ──not there─> create
 *                   ──> with a master: the same, at the end
 * ```
 * Of each group the assured and recently used go first. Nothing is remembered between commits.
 */
export class Commit {
  private readonly pointer = new FlowPointer();
  private readonly marks: CommitMarks;
  private readonly result: CommitResult = { committed: 0, failed: 0, milliseconds: 0 };
  private readonly startMs: number;
  private readonly recentSince: number;
  /** Entries of each rank. */
  private readonly counts = new Int32Array(DONE + 1);
  private relatedHeld = 0;
  /** Entries that need another request, after a refusal. */
  private again: FlowRow[] = [];
  private agenda: number[] = [];
  private ranked = false;
  /** Many flows are to be created, whatever is found yet: the kernel gets the first while the rest are ranked. */
  private early = false;
  private cursor = 0;
  private surprises = 0;
  /** Entries of the batch. */
  private requested = 0;
  /** Entries of the batch that the kernel carries out. */
  private submitted = 0;
  /** The batch is full, and has to wait until the kernel is done with the one before. */
  private held = false;
  /** Nothing can be done until then. */
  private waiting = false;
  private survey: KernelSurvey | null = null;
  private tableFull = 0;
  private lostBatches = 0;
  private stopped = false;
  private givenUp = false;

  constructor(
    private readonly context: CommitContext,
    private readonly done: (result: CommitResult) => void,
  ) {
    this.startMs = context.clock.monotonicMs();
    this.recentSince = Math.floor(this.startMs / 1000) - RECENT_SECONDS;
    this.marks = new CommitMarks(context.table);
  }

  /** Does the first slice at once and goes on by itself. */
  run(): void {
    if (this.stopped) return;
    const { clock, scheduler } = this.context;
    const sliceEnd = clock.monotonicMs() + SLICE_MS;
    do {
      const outcome = this.step();
      if (outcome === 'waits') return;
      if (outcome === 'over') {
        this.finish();
        return;
      }
    } while (clock.monotonicMs() < sliceEnd);
    scheduler.soon(() => this.run());
  }

  /**
   * Gives up what is left. `done` is called, later, with what was reached: another commit may follow then, since the
   * kernel has carried out all that it was given.
   */
  giveUp(): void {
    this.givenUp = true;
    const surveys = this.survey !== null && this.agenda[0] === SURVEY;
    this.agenda = [];
    if (!surveys) return;
    this.survey?.close();
    this.context.scheduler.soon(() => this.run());
  }

  /** The daemon ends: gives up at once what is left; `done` is called with what was reached. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.survey?.close();
    this.result.milliseconds = this.context.clock.monotonicMs() - this.startMs;
    this.done(this.result);
  }

  private step(): Outcome {
    if (this.givenUp) {
      if (this.submitted === 0) return 'over';
      this.waiting = true;
      return 'waits';
    }
    if (!this.ranked) {
      this.rankSome();
      return 'more';
    }
    const next = this.agenda[0];
    const isAtEnd = this.lostBatches >= MOST_LOST_BATCHES || (next === undefined && this.again.length === 0);
    // What the kernel refuses is known, and what it has made is there to be read, when it is done.
    if (this.held || (this.submitted > 0 && (isAtEnd || next === SURVEY))) {
      this.waiting = true;
      return 'waits';
    }
    if (isAtEnd) return 'over';
    if (next === SURVEY) {
      this.startSurvey();
      return 'waits';
    }
    if (this.again.length > 0) this.repeat();
    else this.pass(next!);
    return 'more';
  }

  // --- what goes when

  private rankSome(): void {
    const { table, surroundings, kernel } = this.context;
    const { early } = this;
    let row = table.next(this.cursor);
    for (let left = RANKED_AT_ONCE; row !== NO_ROW && left > 0; left--) {
      const rank = this.rankOf(row, surroundings);
      this.marks.set(row, rank, CREATE);
      this.counts[rank]!++;
      if (early && rank === ASSURED_RECENT && kernel.room > 0) this.request(row);
      row = table.next(row + 1);
    }
    this.cursor = row;
    if (early) this.submit();
    else this.expectMany();
    if (row !== NO_ROW) return;
    this.ranked = true;
    this.cursor = 0;
    this.plan();
  }

  /** Entries ranked so far that this firewall is not known to have. */
  private get absent(): number {
    const { counts } = this;
    return counts[ASSURED_RECENT]! + counts[ASSURED]! + counts[OTHER]! + counts[RELATED]! - this.relatedHeld;
  }

  private expectMany(): void {
    const { surroundings } = this.context;
    const { absent } = this;
    if (surroundings === undefined || absent < MANY || absent * 2 < surroundings.held) return;
    this.early = true;
    surroundings.createsMany();
  }

  private rankOf(row: FlowRow, surroundings: CommitSurroundings | undefined): number {
    const { pointer } = this;
    this.context.table.point(row, pointer);
    const { words, at } = pointer;
    const isHeld = surroundings !== undefined && surroundings.held > 0 && surroundings.holds(pointer);
    const known = words[at + KNOWN]!;
    if ((known & K_MASTER) !== 0) {
      if (isHeld) this.relatedHeld++;
      return RELATED;
    }
    const isAssured = (known & K_STATUS) !== 0 && (words[at + STATUS]! & IPS_ASSURED) !== 0;
    if (isHeld) return isAssured ? HELD_ASSURED : HELD;
    if (!isAssured) return OTHER;
    return words[at + UPDATED]! >= this.recentSince ? ASSURED_RECENT : ASSURED;
  }

  private plan(): void {
    const { counts, context } = this;
    const { surroundings } = context;
    const missing = [ASSURED_RECENT, ASSURED, OTHER].filter((rank) => counts[rank]! > 0);
    const present = [HELD_ASSURED, HELD].filter((rank) => counts[rank]! > 0);
    // What surprised while the rest was ranked goes first.
    const first = this.agenda;
    this.agenda = [...first, ...missing, ...present, RELATED];
    if (surroundings === undefined || first.length > 0) return;
    const held = counts[HELD_ASSURED]! + counts[HELD]! + this.relatedHeld;
    const { absent } = this;
    const isWorthReading = surroundings.held <= QUICKLY_READ || held * 4 >= surroundings.held;
    if (held === 0 || !isWorthReading) return;
    // What is missing does not wait, unless the table is quickly read now and will be long afterwards.
    this.agenda.splice(surroundings.held * 4 <= absent ? 0 : missing.length, 0, SURVEY);
  }

  // --- what is there

  private startSurvey(): void {
    const { table, log, surroundings } = this.context;
    const { counters, windowTracking } = surroundings!;
    this.survey = new KernelSurvey(
      {
        table,
        log,
        counters,
        windowTracking,
        openDump: (events) => surroundings!.openDump(events),
        timeoutOf: (peer) => this.timeoutOf(peer),
        concerns: (row) => this.marks.rank(row) !== DONE,
        found: (row, verdict) => this.marks.set(row, this.marks.rank(row), verdict),
      },
      () => this.surveyed(),
    );
    this.survey.start();
  }

  private surveyed(): void {
    if (this.stopped) return;
    this.agenda.shift();
    // Not from here: the dump that calls back still counts on its turn being short.
    this.context.scheduler.soon(() => this.run());
  }

  // --- requests

  /** Asks for the next entries of this rank, as many as a batch holds. */
  private pass(rank: number): void {
    const { table, kernel } = this.context;
    let row = table.next(this.cursor);
    for (let left = RANKED_AT_ONCE; row !== NO_ROW && left > 0 && kernel.room > 0; left--) {
      const found = this.marks.rank(row);
      if (found === rank || (rank === RELATED && found === UNRANKED)) {
        // Deleting and creating goes into one batch.
        if (kernel.room === 1 && this.marks.task(row) >= RECREATE) break;
        this.request(row);
      }
      row = table.next(row + 1);
    }
    this.cursor = row;
    if (row === NO_ROW) {
      this.agenda.shift();
      this.cursor = 0;
    }
    this.submit();
  }

  /** The same for entries that were refused. One that has left the cache meanwhile is none any more. */
  private repeat(): void {
    const { table, kernel } = this.context;
    const rows = this.again.splice(0, kernel.room >>> 1);
    for (const row of rows) {
      if (table.has(row) && this.marks.rank(row) === RELATED) this.request(row);
    }
    this.submit();
  }

  /** Asks for what is to be done with the entry; it counts as committed until the kernel says otherwise. */
  private request(row: FlowRow): void {
    const { kernel, table } = this.context;
    const { pointer } = this;
    const task = this.marks.task(row);
    this.marks.set(row, DONE, task);
    this.result.committed++;
    if (task === SAME) return;
    this.requested++;
    table.point(row, pointer);
    const timeout = this.timeoutOf(pointer);
    if (task === REFRESH || task === CHANGE) {
      kernel.change(pointer, timeout, row, task === REFRESH ? K_STATUS : 0);
      return;
    }
    if (task !== CREATE) kernel.delete(pointer, timeout);
    kernel.create(pointer, timeout, row);
  }

  private submit(): void {
    if (this.requested === 0) return;
    if (this.submitted > 0) this.held = true;
    else this.handOver();
  }

  private handOver(): void {
    const { kernel } = this.context;
    this.submitted = this.requested;
    this.requested = 0;
    this.held = false;
    this.surprises = 0;
    if (kernel.submitAhead !== undefined) {
      kernel.submitAhead(this.refused, this.answered);
      return;
    }
    try {
      kernel.submit(this.refused);
      this.judge(null);
    } catch (error) {
      this.judge(error);
    }
  }

  /** The kernel is done with a batch; the next one goes at once, so that it does not rest. */
  private readonly answered = (error: Error | null): void => {
    if (this.stopped) return;
    this.judge(error);
    if (this.held) this.handOver();
    if (!this.waiting) return;
    this.waiting = false;
    this.context.scheduler.soon(() => this.run());
  };

  private judge(error: unknown): void {
    if (error === null) {
      this.lostBatches = 0;
    } else {
      this.context.log.error(`commit: ${describe(error)}`);
      this.lostBatches++;
      this.result.committed -= this.submitted;
      this.result.failed += this.submitted;
    }
    this.submitted = 0;
    if (this.surprises < SURPRISES || this.context.surroundings === undefined || this.survey !== null) return;
    // Many are there that were not known to be: they and the rest are judged by what the table holds.
    if (this.agenda[0] !== SURVEY) this.agenda.unshift(SURVEY);
  }

  /** The kernel refused the request for an entry. */
  private readonly refused = (tag: number, errno: number): void => {
    if (this.stopped) return;
    const row = tag as FlowRow;
    this.result.committed--;
    // It left the cache while the kernel was asked.
    if (!this.context.table.has(row) || this.marks.rank(row) !== DONE) return;
    const task = this.marks.task(row);
    const next = this.taskAfter(row, task, errno);
    if (next === DONE) this.fail(row, errno);
    else if (next === SAME) this.result.committed++;
    else {
      this.marks.set(row, RELATED, next);
      this.again.push(row);
    }
  };

  /** What to try after a refusal; DONE: nothing more. */
  private taskAfter(row: FlowRow, task: number, errno: number): number {
    switch (task) {
      case CREATE:
        if (errno !== EEXIST) return DONE;
        if (++this.surprises < SURPRISES || this.survey !== null) return RECREATE;
        return this.context.surroundings === undefined ? RECREATE : CREATE;
      case REFRESH:
      case CHANGE:
        if (errno === ENOENT) return CREATE;
        // No rule of this firewall uses labels, so that flows have no room for them. They are the last to be set.
        return errno === ENOSPC && (this.context.table.word(row, KNOWN) & K_LABELS) !== 0 ? SAME : RECREATE;
      case RECREATE:
        return errno === EEXIST ? RECREATE_AGAIN : DONE;
      case RECREATE_AGAIN:
        return errno === EEXIST ? RECREATE_LAST : DONE;
      default:
        return DONE;
    }
  }

  /** Seconds that the kernel is to give the entry. */
  private timeoutOf({ words, at }: FlowRef): number {
    const { commitTimeout, clock } = this.context;
    if (commitTimeout !== null) return commitTimeout;
    if ((words[at + KNOWN]! & K_TIMEOUT) === 0) return EXPIRED_TIMEOUT;
    const age = Math.floor(clock.monotonicMs() / 1000) - words[at + UPDATED]!;
    const left = words[at + TIMEOUT]! - age;
    return left < 0 ? EXPIRED_TIMEOUT : left;
  }

  // --- the end

  private fail(row: FlowRow, errno: number): void {
    this.result.failed++;
    if (errno === ENOMEM) {
      this.tableFull++;
      return;
    }
    if (this.result.failed - this.tableFull > LOGGED_FAILURES) return;
    const { log, kernel, table } = this.context;
    table.point(row, this.pointer);
    log.error(`commit-create: ${kernel.errorText(errno)}`);
    log.raw(this.context.describe(this.pointer));
  }

  private finish(): void {
    const { log, clock } = this.context;
    const { committed, failed } = this.result;
    this.stopped = true;
    this.result.milliseconds = clock.monotonicMs() - this.startMs;
    this.logFailures();
    log.notice(`Committed ${committed} new entries`);
    if (failed > 0) log.notice(`${failed} entries can't be committed`);
    log.notice(`commit has taken ${secondsText(this.result.milliseconds)} seconds`);
    this.done(this.result);
  }

  private logFailures(): void {
    const { log } = this.context;
    const { tableFull } = this;
    if (tableFull > 0) {
      log.error(
        `commit-create: ${tableFull} entries found no room in the kernel conntrack table: ` +
          'net.netfilter.nf_conntrack_max, or memory, is too small',
      );
    }
    if (this.lostBatches >= MOST_LOST_BATCHES) log.error('commit given up: the kernel takes no requests');
    const others = this.result.failed - tableFull;
    if (others <= LOGGED_FAILURES) return;
    log.error(`commit-create: ${others - LOGGED_FAILURES} more entries could not be created, not listed`);
  }
}

/** `S.UUUUUU`, as the original writes durations. */
export function secondsText(milliseconds: number): string {
  const microseconds = Math.round(milliseconds * 1000);
  const seconds = Math.floor(microseconds / 1_000_000);
  return `${seconds}.${String(microseconds % 1_000_000).padStart(6, '0')}`;
}
