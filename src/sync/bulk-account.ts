import { sequenceAfter } from './sequence.js';

/**
 * The sender's account of its bulks: whether the peers have received one whole. That alone entitles them to drop entries
 * that were not in it (decisions/0006).
 *
 * ```
 *   none ── begin ──> under way ── all has left ──> sent ── everything of it is acknowledged ──> one bulk more
 *                         ^                          │
 *                         └── a message comes back ──┘       given up messages: none, the peers lack something
 * ```
 */
export class BulkAccount {
  /** Bulks received whole. */
  bulks = 0;
  /** Number of the first message of the last of them. */
  from = 0;

  private stage: 'none' | 'under way' | 'sent' = 'none';
  private begun = 0;
  private end = 0;

  get pending(): boolean {
    return this.stage !== 'none';
  }

  /** Not everything of it has left. */
  get underWay(): boolean {
    return this.stage === 'under way';
  }

  /** A bulk begins, or another walk will follow the one under way. @param next number of the next message */
  begin(next: number): void {
    this.begun = next;
    this.stage = 'under way';
  }

  /** It is over and nothing waits to be sent. @param next number of the next message */
  sentAll(next: number): void {
    if (this.stage !== 'under way') return;
    this.stage = 'sent';
    this.end = next;
  }

  /** A message must be sent again, with a later number. */
  tookBack(): void {
    if (this.stage === 'sent') this.stage = 'under way';
  }

  /** The peers will lack something of it. */
  giveUp(): void {
    this.stage = 'none';
  }

  /**
   * @param oldest number of the oldest message that is not acknowledged, null when there is none
   * @returns true when the peers have just received a bulk whole
   */
  settle(oldest: number | null): boolean {
    if (this.stage !== 'sent' || (oldest !== null && sequenceAfter(this.end, oldest))) return false;
    this.stage = 'none';
    this.bulks = (this.bulks + 1) >>> 0;
    this.from = this.begun;
    return true;
  }
}
