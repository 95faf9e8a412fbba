import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import { K_MASTER, K_TIMEOUT, KNOWN, TIMEOUT, UPDATED } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowPointer } from '../flow/ref.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';

/**
 * The kernel as a commit sees it: requests gather in one batch, `submit` hands them over in one system call and
 * reports the ones that failed, before it returns.
 */
export interface CommitKernel {
  /** Requests that still fit into the batch. */
  readonly room: number;
  /** Adds "create this flow, which must not exist yet". `tag` comes back with a failure. */
  create(flow: FlowRef, timeoutSeconds: number, tag: number): void;
  /** Adds "delete this flow"; the kernel not having it is no failure. */
  delete(flow: FlowRef, timeoutSeconds: number): void;
  /** Carries out the batch; `failed` is called for every create that the kernel refused, with its positive errno. */
  submit(failed: (tag: number, errno: number) => void): void;
  /** strerror text of an errno. */
  errorText(errno: number): string;
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
}

/** What a commit did. */
export interface CommitResult {
  committed: number;
  failed: number;
  /** Wall time in milliseconds. */
  milliseconds: number;
}

/** errno of "the flow exists already" (asm-generic/errno-base.h). */
const EEXIST = 17;

/** Seconds a flow is given when more time has passed since its last update than its timeout (spec/sync.md). */
export const EXPIRED_TIMEOUT = 60;

/** Longest time, in milliseconds, that a slice of a commit keeps the event loop; the rest of the daemon gets its turn. */
export const SLICE_MS = 4;

/** Error lines a commit writes before it only counts: a table full of refused flows must not fill the disk. */
const LOGGED_FAILURES = 20;

/**
 * Injects the external cache into the kernel (spec/sync.md "Commit"): flows without a master first, then related
 * ones, since the kernel refuses a flow whose master it does not know. A flow that exists already is deleted and
 * created once more.
 */
export class Commit {
  private readonly pointer = new FlowPointer();
  private readonly existing: FlowRow[] = [];
  private readonly result: CommitResult = { committed: 0, failed: 0, milliseconds: 0 };
  private readonly startMs: number;
  private related = false;
  private cursor = 0;

  constructor(
    private readonly context: CommitContext,
    private readonly done: (result: CommitResult) => void,
  ) {
    this.startMs = context.clock.monotonicMs();
  }

  /** Does the first slice at once and goes on by itself. */
  run(): void {
    const { clock, scheduler } = this.context;
    const sliceEnd = clock.monotonicMs() + SLICE_MS;
    do {
      if (!this.batch()) {
        this.finish();
        return;
      }
    } while (clock.monotonicMs() < sliceEnd);
    scheduler.soon(() => this.run());
  }

  /** One batch of creates and, for those that exist, the second batch. @returns false when both passes are over */
  private batch(): boolean {
    const { table, kernel } = this.context;
    let row = table.next(this.cursor);
    if (row === NO_ROW) {
      if (this.related) return false;
      this.related = true;
      this.cursor = 0;
      return true;
    }
    let added = 0;
    while (row !== NO_ROW && kernel.room > 0) {
      if (this.isRelated(row) === this.related) {
        this.addCreate(row);
        added++;
      }
      row = table.next(row + 1);
    }
    this.cursor = row === NO_ROW ? Number.MAX_SAFE_INTEGER : row;
    if (added > 0) this.submit(added);
    return true;
  }

  private submit(added: number): void {
    const { kernel } = this.context;
    let failed = 0;
    this.existing.length = 0;
    kernel.submit((tag, errno) => {
      if (errno === EEXIST) this.existing.push(tag as FlowRow);
      else {
        failed++;
        this.refused(tag as FlowRow, errno);
      }
    });
    this.result.committed += added - failed - this.existing.length;
    this.recreate();
  }

  /** Deletes and creates again what the kernel has already, in as many batches as it takes. */
  private recreate(): void {
    const { kernel } = this.context;
    let index = 0;
    while (index < this.existing.length) {
      let added = 0;
      let failed = 0;
      while (index < this.existing.length && kernel.room >= 2) {
        const row = this.existing[index++]!;
        const timeout = this.point(row);
        kernel.delete(this.pointer, timeout);
        kernel.create(this.pointer, timeout, row);
        added++;
      }
      kernel.submit((tag, errno) => {
        failed++;
        this.refused(tag as FlowRow, errno);
      });
      this.result.committed += added - failed;
    }
  }

  private addCreate(row: FlowRow): void {
    const timeout = this.point(row);
    this.context.kernel.create(this.pointer, timeout, row);
  }

  /** Points at the row. @returns the timeout in seconds that the kernel is to give it */
  private point(row: FlowRow): number {
    const { table, commitTimeout } = this.context;
    table.point(row, this.pointer);
    if (commitTimeout !== null) return commitTimeout;
    const { words, at } = this.pointer;
    if ((words[at + KNOWN]! & K_TIMEOUT) === 0) return EXPIRED_TIMEOUT;
    const age = Math.floor(this.context.clock.monotonicMs() / 1000) - words[at + UPDATED]!;
    const left = words[at + TIMEOUT]! - age;
    return left < 0 ? EXPIRED_TIMEOUT : left;
  }

  private isRelated(row: FlowRow): boolean {
    return (this.context.table.word(row, KNOWN) & K_MASTER) !== 0;
  }

  private refused(row: FlowRow, errno: number): void {
    this.result.failed++;
    if (this.result.failed > LOGGED_FAILURES) return;
    const { log, kernel } = this.context;
    this.point(row);
    log.error(`commit-create: ${kernel.errorText(errno)}`);
    log.raw(this.context.describe(this.pointer));
  }

  private finish(): void {
    const { log, clock } = this.context;
    const { committed, failed } = this.result;
    this.result.milliseconds = clock.monotonicMs() - this.startMs;
    if (failed > LOGGED_FAILURES) {
      log.error(`commit-create: ${failed - LOGGED_FAILURES} more entries could not be created, not listed`);
    }
    log.notice(`Committed ${committed} new entries`);
    if (failed > 0) log.notice(`${failed} entries can't be committed`);
    log.notice(`commit has taken ${secondsText(this.result.milliseconds)} seconds`);
    this.done(this.result);
  }
}

/** `S.UUUUUU`, as the original writes durations. */
export function secondsText(milliseconds: number): string {
  const microseconds = Math.round(milliseconds * 1000);
  const seconds = Math.floor(microseconds / 1_000_000);
  return `${seconds}.${String(microseconds % 1_000_000).padStart(6, '0')}`;
}
