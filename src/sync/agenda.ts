import type { SyncContext } from './mode.js';
import type { Outbound } from './outbound.js';
import { RESYNC_MS } from './pace.js';

/** On a shared link bulks begin so far apart: each is for all that asked meanwhile. */
const BULK_MS = 1000;

/** What is asked for, and told, as a whole: resyncs and bulks, each soon but not too often. */
export class Agenda {
  /** The peers are to be asked for all their flows. */
  resyncDue = false;
  /** The peers were asked for all their flows at some time. */
  hasAsked = false;
  /** The peers are to be told of everything. */
  bulkDue = false;
  /** Messages were given up that a peer may need. */
  shortOf = false;
  /** The resync that waits to be sent was nobody's wish but ours. */
  resyncOurs = false;
  /** When the last bulk began. */
  bulkSinceMs = 0;
  private nextResyncMs = 0;
  private nextBulkMs = 0;

  constructor(
    private readonly context: SyncContext,
    private readonly outbound: Outbound,
  ) {}

  /** Every entry is sent anew. */
  bulk(): void {
    if (this.context.bulkLater?.()) return;
    this.outbound.startBulk();
    this.bulkSinceMs = this.context.clock.monotonicMs();
  }

  /** Somebody wants the peers to be asked for all their flows. */
  requestResync(): void {
    this.hasAsked = true;
    this.resyncOurs = false;
    this.outbound.askForResync();
  }

  tick(nowMs: number): void {
    this.resyncWhenDue(nowMs);
    this.bulkWhenDue(nowMs);
  }

  /** When `tick` is due, or infinity. */
  get deadlineMs(): number {
    return Math.min(
      this.resyncDue ? this.nextResyncMs : Number.POSITIVE_INFINITY,
      this.bulkDue ? this.nextBulkMs : Number.POSITIVE_INFINITY,
    );
  }

  /** After a jump of a peer's stream, what it could not send again is asked for as a whole. */
  private resyncWhenDue(nowMs: number): void {
    if (!this.resyncDue || nowMs < this.nextResyncMs) return;
    this.resyncDue = false;
    this.nextResyncMs = nowMs + RESYNC_MS;
    this.context.logger.notice('resync requested');
    this.requestResync();
    this.resyncOurs = true;
  }

  private bulkWhenDue(nowMs: number): void {
    if (!this.bulkDue || nowMs < this.nextBulkMs) return;
    this.bulkDue = false;
    this.sendBulk(nowMs);
  }

  /** A peer wants all our flows. */
  resyncRequested(nowMs: number): void {
    const { logger, sharedLink } = this.context;
    logger.notice('resync requested by other node');
    // Soon: who asked is not to take a pause of ours for the end of the bulk.
    this.outbound.announcer.hasNews(nowMs);
    // Nodes that start together all ask, several times: one answer a second reaches all of them.
    if (sharedLink && nowMs < this.nextBulkMs) this.bulkDue = true;
    else this.sendBulk(nowMs);
  }

  private sendBulk(nowMs: number): void {
    const { logger, bulkFromKernel } = this.context;
    this.nextBulkMs = nowMs + BULK_MS;
    logger.notice('sending bulk update');
    if (bulkFromKernel) bulkFromKernel();
    else this.bulk();
  }

  /** A peer answers again after messages were given up: it gets everything. */
  makeUp(): void {
    if (!this.shortOf) return;
    this.shortOf = false;
    this.context.logger.warning(
      `the peer missed messages that the resend queue could not hold (ResendQueueSize ${this.outbound.resendQueue.capacity})`,
    );
    this.bulk();
  }
}
