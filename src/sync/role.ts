import type { Clock } from '../base/clock.js';
import { describe } from '../base/errors.js';
import type { DurationHistogram } from '../base/histogram.js';
import type { Logger } from '../base/logger.js';
import type { CommitResult } from '../cache/commit.js';

/** What a firewall of a cluster is: it handles the traffic, stands by, or is out of order. */
export type Role = 'primary' | 'backup' | 'fault';

/** What changes of roles are made of; the engine does it. */
export interface RoleWork {
  /** Flows of peers that a commit would have to look at. */
  readonly uncommitted: number;
  /** Resolves when no commit is under way. */
  afterCommit(): Promise<void>;
  /** Commits everything. */
  commitAll(): Promise<CommitResult>;
  /** Ends a commit that is under way with what it has reached. */
  stopCommit(): void;
  /** Calls off a flush that `shortenTimers` announced, and one that has begun. Resolves when the kernel deletes nothing more. */
  endPurge(): Promise<void>;
  flushCaches(choice: 'both', subject: 'all'): boolean;
  resyncFromKernel(subject: 'all'): Promise<void>;
  bulk(): void;
  shortenTimers(): void;
  requestResync(): void;
}

/** Holds packets of flows that the kernel does not know yet (TakeoverHold). None of it waits or throws. */
export interface Hold {
  /** This node does not handle the traffic: whatever comes before it is primary is held. */
  arm(): void;
  /** A takeover begins: the hold lasts so many seconds from now, at most. */
  begin(): void;
  /** The flows are in the kernel. */
  release(): void;
}

/** How a change of roles ended. */
export interface RoleOutcome {
  readonly succeeded: boolean;
  /** One line, `role primary: ...`. */
  readonly text: string;
}

export interface RoleContext {
  readonly work: RoleWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Null: nothing is held. */
  readonly hold: Hold | null;
  /** Gets the time from the call to the last flow's being in the kernel. */
  readonly takeovers: DurationHistogram;
}

interface Change {
  readonly role: Role;
  readonly outcome: Promise<RoleOutcome>;
}

const count = (flows: number): string => `${flows} ${flows === 1 ? 'flow' : 'flows'}`;

/**
 * Changes of roles, each in one go (spec/beyond.md rows 1, 15, 18); what scripts do by several requests:
 *
 * ```
 *   primary   call off the flush of the old role, commit, empty both caches, read the kernel table, bulk
 *   backup    let the kernel's own flows go in PurgeTimeout seconds, ask the peers for theirs
 *   fault     let the kernel's own flows go in PurgeTimeout seconds
 * ```
 * The newest call wins: what an older one has not done yet is left undone, and its caller is told.
 */
export class RoleControl {
  /** The last role this node was told; null: none yet. */
  current: Role | null = null;
  /** When that was, by the monotonic clock. */
  sinceMs = 0;
  changes = 0;
  /** Changes that a newer one has overtaken. */
  overtaken = 0;
  failed = 0;
  /** How the last change ended; '' as long as it has not. */
  last = '';

  private underWay: Change | null = null;
  /** Of the change that counts; older ones find that it is not theirs. */
  private turn = 0;
  /** All that `current` means has been done. */
  private settled = false;

  constructor(private readonly context: RoleContext) {}

  /**
   * @param by who asked, for the log
   * @returns resolves when it is over; never rejects
   */
  change(role: Role, by: string): Promise<RoleOutcome> {
    const { underWay } = this;
    // The same again is answered with the one that is under way.
    if (underWay !== null && underWay.role === role) return underWay.outcome;
    const startMs = this.context.clock.monotonicMs();
    const again = this.current === role && this.settled;
    const turn = ++this.turn;
    this.context.log.notice(`role ${role}: ${by}`);
    this.begin(role, startMs, again);
    const work = role === 'primary' ? this.takeOver(turn, startMs, again) : this.standBy(role, again);
    const outcome = work
      .catch((error: Error): RoleOutcome => ({ succeeded: false, text: `role ${role}: ${error.message}` }))
      .then((ended) => this.end(turn, ended));
    this.underWay = { role, outcome };
    return outcome;
  }

  private begin(role: Role, nowMs: number, again: boolean): void {
    // A primary that is told nothing more commits what it has begun; any other role has no use for the rest.
    if (this.underWay !== null) this.context.work.stopCommit();
    this.settled = false;
    this.last = '';
    if (again) return;
    this.current = role;
    this.sinceMs = nowMs;
    this.changes++;
  }

  private end(turn: number, outcome: RoleOutcome): RoleOutcome {
    if (turn !== this.turn) {
      this.overtaken++;
      this.context.log.warning(outcome.text);
      return outcome;
    }
    this.underWay = null;
    this.settled = outcome.succeeded;
    this.last = outcome.text;
    if (outcome.succeeded) this.context.log.notice(outcome.text);
    else {
      this.failed++;
      this.context.log.error(outcome.text);
    }
    return outcome;
  }

  private async takeOver(turn: number, startMs: number, again: boolean): Promise<RoleOutcome> {
    const { work, clock, hold, takeovers } = this.context;
    if (again && work.uncommitted === 0) return done('primary', 'this node is primary already, there is nothing to do');
    hold?.begin();
    await work.endPurge();
    // What has come since that one began is committed, too; what it has done is found to be the same.
    await work.afterCommit();
    if (turn !== this.turn) return this.givenUp('nothing committed');
    const result = await work.commitAll();
    if (turn !== this.turn) return this.givenUp(`${count(result.committed)} committed`);
    hold?.release();
    const committedMs = clock.monotonicMs() - startMs;
    takeovers.record(committedMs);
    const committed = commitText(result, committedMs);
    this.context.log.notice(`role primary: ${committed}`);
    work.flushCaches('both', 'all');
    const problem = await failureOf(work.resyncFromKernel('all'));
    if (turn !== this.turn) return this.givenUp(committed);
    work.bulk();
    if (problem !== null)
      return { succeeded: false, text: `role primary: ${committed}; reading the kernel: ${problem}` };
    return done('primary', `${committed}, all done after ${wholeMs(clock.monotonicMs() - startMs)}`);
  }

  private givenUp(reached: string): RoleOutcome {
    return { succeeded: false, text: `role primary: ${reached}, then given up: role ${this.current} came` };
  }

  private async standBy(role: 'backup' | 'fault', again: boolean): Promise<RoleOutcome> {
    const { work, hold } = this.context;
    if (!again) {
      hold?.arm();
      work.shortenTimers();
    }
    if (role === 'backup') work.requestResync();
    const first = again ? `this node is ${role} already` : "the kernel's own flows go after PurgeTimeout";
    return done(role, role === 'backup' ? `${first}, the peers are asked for their flows` : first);
  }
}

function done(role: Role, text: string): RoleOutcome {
  return { succeeded: true, text: `role ${role}: ${text}` };
}

function commitText({ committed, failed }: CommitResult, tookMs: number): string {
  const refused = failed === 0 ? '' : `, ${failed} refused,`;
  return `${count(committed)} committed${refused} in ${wholeMs(tookMs)}`;
}

const wholeMs = (duration: number): string => `${Math.round(duration)} ms`;

async function failureOf(work: Promise<void>): Promise<string | null> {
  try {
    await work;
    return null;
  } catch (error) {
    return describe(error);
  }
}
