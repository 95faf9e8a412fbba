import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { AFTER_COMMIT, type Resync } from '../cache/resync.js';

/** The event socket, as far as its events of new flows can be done without. */
export interface NewEvents {
  /** @returns false: there are no events. @throws Error when the kernel refuses */
  suspendNew(): boolean;
  /** @throws Error when the kernel refuses */
  resumeNew(): void;
  /** Calls back once, when all events that wait now have been handed over. */
  whenDrained(callback: () => void): void;
}

export interface CatchUpContext {
  readonly resync: Resync;
  readonly log: Logger;
  /** Begins the bulk that had to wait. */
  bulk(): void;
  /** The cache has learned something, or a bulk has begun. */
  progress(): void;
}

/**
 * Lets a large commit go without events of new flows, which cost the kernel and us as much as the commit itself, and has
 * the internal cache learn from a dump afterwards:
 *
 * ```
 *   begin ── commit ── end ── events that wait ── dump ── complete
 *     new flows: no events |  they come again
 *                                            flows the cache lacks: made by the commit: learned, not sent
 *                                                                   made by others meanwhile: learned and sent
 * ```
 * Changes and ends are told as ever. Events that are older than the dump come first, so that the end of a flow that was
 * there before the commit is not taken for the end of the one it made. Until it is complete, a bulk waits: the peers get
 * every flow (spec/beyond.md row 19).
 */
export class CatchUp {
  private events: NewEvents | null = null;
  private suspended = false;
  private reading = false;
  private bulkWaits = false;
  /** Counts the catch-ups, so that one given up does not go on. */
  private round = 0;

  constructor(private readonly context: CatchUpContext) {}

  use(events: NewEvents): void {
    this.events = events;
  }

  /** The commit is about to make many flows. */
  begin(): void {
    if (this.suspended || this.events === null) return;
    try {
      this.suspended = this.events.suspendNew();
    } catch (error) {
      this.complain(error);
    }
  }

  /** The commit is over. */
  end(): void {
    if (!this.suspended || this.events === null) return;
    this.suspended = false;
    this.reading = true;
    const round = ++this.round;
    try {
      this.events.resumeNew();
    } catch (error) {
      this.complain(error);
    }
    this.events.whenDrained(() => {
      if (round === this.round) this.read(round);
    });
  }

  /** The cache is to forget: what a commit made before is not learned any more, and nothing is left for a bulk. */
  cancel(): void {
    if (!this.reading) return;
    this.round++;
    this.reading = false;
    this.bulkWaits = false;
    this.context.resync.cancelAfterCommit();
  }

  /** No events, no dump, nobody is called any more. */
  close(): void {
    this.round++;
    this.events = null;
    this.suspended = false;
    this.reading = false;
    this.bulkWaits = false;
  }

  /** Whether a bulk has to wait; then it is begun when the cache is complete. */
  postponesBulk(): boolean {
    if (!this.suspended && !this.reading) return false;
    this.bulkWaits = true;
    return true;
  }

  private read(round: number): void {
    this.context.resync.request(AFTER_COMMIT, (error) => {
      if (error !== null) this.complain(error);
      if (round !== this.round) return;
      this.reading = false;
      this.startBulk();
      this.context.progress();
    });
  }

  private startBulk(): void {
    if (!this.bulkWaits) return;
    this.bulkWaits = false;
    this.context.bulk();
  }

  private complain(error: unknown): void {
    this.context.log.error(`after the commit: ${describe(error)}`);
  }
}
