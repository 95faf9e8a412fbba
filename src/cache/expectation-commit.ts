import type { Clock } from '../base/clock.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Expectation } from '../flow/expectation.js';
import { expectationLine } from '../flow/expectation-format.js';
import { type CommitResult, EXPIRED_TIMEOUT, secondsText } from './commit.js';
import type { ExpectationEntry } from './expectation-entry.js';

/** The kernel as the commit of expectations sees it; see CommitKernel. */
export interface ExpectationKernel {
  /** Requests that still fit into the batch. */
  readonly room: number;
  /**
   * Adds "create this expectation, which must not exist yet". `tag` comes back with a failure.
   *
   * @param setup with class, NAT and function (ExpectationRequestOptions)
   */
  createExpectation(expectation: Expectation, timeoutSeconds: number, setup: boolean, tag: number): void;
  /** Adds "delete this expectation". @param tag comes back with a failure; without it, failing is no failure */
  deleteExpectation(expectation: Expectation, timeoutSeconds: number, tag?: number): void;
  /** See CommitKernel. */
  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void;
  errorText(errno: number): string;
}

export interface ExpectationCommitContext {
  /** The external cache at the moment the commit begins. */
  readonly entries: readonly ExpectationEntry[];
  readonly kernel: ExpectationKernel;
  readonly clock: Clock;
  readonly log: Logger;
  /** CommitTimeout in seconds; null: the replicated timeout less its age. */
  readonly commitTimeout: number | null;
}

// asm-generic/errno-base.h and errno.h
/** For entries of a batch that the kernel took nothing of. */
const EIO = 5;
const EEXIST = 17;
const EINVAL = 22;
const EOPNOTSUPP = 95;

/** Requests carried out at once, while everything else waits: below a millisecond. */
const MOST_AT_ONCE = 256;

/** Error lines before the rest is only counted. */
const LOGGED_FAILURES = 20;

/** Whether the kernel may take the expectation that it refused with this errno when its setup is left out. */
export function canDoWithoutSetup({ class: policy, nat, functionName }: Expectation, errno: number): boolean {
  if (errno !== EINVAL && errno !== EOPNOTSUPP) return false;
  return (policy ?? 0) !== 0 || nat !== null || functionName !== '';
}

/** An entry that the kernel did not take, and why. */
type Refusal = readonly [tag: number, errno: number];

/** How an entry is tried, in this order as far as the kernel's refusals lead. */
type Attempt = 'create' | 'recreate' | 'plain';

/**
 * Gives the external cache's expectations to the kernel, behind their masters. One that exists already is deleted and
 * created once more, as with flows. What sets the expected connection up (class, NAT, function) goes along; a kernel
 * that knows no such function (its NAT helper is not loaded, EINVAL) or no NAT (EOPNOTSUPP) gets the expectation
 * without, as the original sends it.
 */
export class ExpectationCommit {
  private readonly result: CommitResult = { committed: 0, failed: 0, milliseconds: 0 };
  private readonly startMs: number;
  private next = 0;

  constructor(
    private readonly context: ExpectationCommitContext,
    private readonly done: (result: CommitResult) => void,
  ) {
    this.startMs = context.clock.monotonicMs();
  }

  /** A batch at a time; others have their turn while the kernel carries it out. Never rejects. */
  async run(): Promise<void> {
    while (this.next < this.context.entries.length) await this.batch();
    this.finish();
  }

  private async batch(): Promise<void> {
    const first = this.next;
    this.next = Math.min(this.context.entries.length, first + Math.min(this.context.kernel.room, MOST_AT_ONCE));
    const tags = Array.from({ length: this.next - first }, (_, index) => first + index);
    const created = await this.attempt(tags, 'create');
    const existing = created.filter(([, errno]) => errno === EEXIST).map(([tag]) => tag);
    const open = [...created.filter(([, errno]) => errno !== EEXIST), ...(await this.inTurns(existing, 'recreate'))];
    const unknown = open.filter(([tag, errno]) => this.canDoWithout(tag, errno)).map(([tag]) => tag);
    const rest = open.filter(([tag, errno]) => !this.canDoWithout(tag, errno));
    const refused = [...rest, ...(await this.inTurns(unknown, 'plain'))];
    for (const [tag, errno] of refused) this.refused(tag, errno);
    this.result.committed += tags.length - refused.length;
  }

  /** Two requests an entry may be more than fits into a batch. */
  private async inTurns(tags: readonly number[], attempt: Attempt): Promise<Refusal[]> {
    const each = Math.max(1, Math.floor(Math.min(this.context.kernel.room, MOST_AT_ONCE) / 2));
    const refused: Refusal[] = [];
    for (let at = 0; at < tags.length; at += each) {
      refused.push(...(await this.attempt(tags.slice(at, at + each), attempt)));
    }
    return refused;
  }

  private attempt(tags: readonly number[], attempt: Attempt): Promise<Refusal[]> {
    const { kernel, entries, log } = this.context;
    const refused: Refusal[] = [];
    for (const tag of tags) {
      const entry = entries[tag]!;
      const timeout = this.timeoutOf(entry);
      if (attempt === 'recreate') kernel.deleteExpectation(entry.expectation, timeout);
      kernel.createExpectation(entry.expectation, timeout, attempt !== 'plain', tag);
    }
    return new Promise((resolve) =>
      kernel.submitAhead(
        (tag, errno) => refused.push([tag, errno]),
        (error) => {
          if (error !== null) log.error(`commit: ${describe(error)}`);
          resolve(error === null ? refused : tags.map((tag) => [tag, EIO]));
        },
      ),
    );
  }

  private canDoWithout(tag: number, errno: number): boolean {
    return canDoWithoutSetup(this.context.entries[tag]!.expectation, errno);
  }

  private timeoutOf({ expectation, updatedSeconds }: ExpectationEntry): number {
    const { commitTimeout, clock } = this.context;
    if (commitTimeout !== null) return commitTimeout;
    if (expectation.timeout === null) return EXPIRED_TIMEOUT;
    const left = expectation.timeout - (Math.floor(clock.monotonicMs() / 1000) - updatedSeconds);
    return left < 0 ? EXPIRED_TIMEOUT : left;
  }

  private refused(tag: number, errno: number): void {
    this.result.failed++;
    if (this.result.failed > LOGGED_FAILURES) return;
    const { log, kernel, entries } = this.context;
    log.error(`commit-create: ${kernel.errorText(errno)}`);
    log.raw(expectationLine(entries[tag]!.expectation, { timeout: true }));
  }

  private finish(): void {
    const { log, clock } = this.context;
    const { committed, failed } = this.result;
    this.result.milliseconds = clock.monotonicMs() - this.startMs;
    log.notice(`Committed ${committed} new expectations`);
    if (failed > 0) log.notice(`${failed} expectations can't be committed`);
    log.notice(`commit has taken ${secondsText(this.result.milliseconds)} seconds`);
    this.done(this.result);
  }
}
