/** Messages under way at first, and as few as are always allowed: some dozens of packets, which default socket buffers hold. */
const FIRST_LIMIT = 8192;
const LEAST_LIMIT = 1024;
/** How long nothing may be acknowledged before more is sent all the same. A tenth of it is a slow link's round trip. */
export const STALL_MS = 200;

/**
 * How many messages may be under way, sent and not acknowledged.
 *
 * The original knows no such limit: it sends a burst as fast as it comes, the peer's socket buffer overflows, the
 * resend queue with it, and what was in both is lost for good (spec/beyond.md row 23). What has to wait here waits in
 * the transmit queue, where changes of one flow collapse.
 *
 * A NACK halves the limit, acknowledgements widen it again. It never goes below twice the range the peer acknowledges
 * at once (its ACKWindowSize), else each window would end with its one-second alarm. Bulks get at most half of the
 * resend queue. When nothing is acknowledged the limit doubles every STALL_MS until it is the whole resend queue, and
 * then there is none: a peer that never answers does not stop live changes, the oldest drop out as in the original.
 */
export class FlightWindow {
  private limit: number;
  private widestAcknowledgement = 0;
  private open = false;
  private stalledSinceMs = -1;

  constructor(
    /** ResendQueueSize. */
    private readonly capacity: number,
  ) {
    this.limit = Math.min(FIRST_LIMIT, capacity);
  }

  /** How many messages may be unacknowledged while live changes are sent. */
  get live(): number {
    return this.open ? Number.POSITIVE_INFINITY : this.limit;
  }

  /** The same for bulks, which wait for ever when nobody answers. */
  get bulk(): number {
    return Math.max(1, Math.min(this.limit, this.capacity >>> 1));
  }

  /** The peer acknowledged a range of so many messages. */
  acknowledged(messages: number): void {
    this.widestAcknowledgement = Math.max(this.widestAcknowledgement, Math.min(messages, this.capacity));
    this.limit = Math.min(this.capacity, this.limit + (messages >>> 1) + 1);
    this.proceed();
  }

  /** The peer missed messages. */
  missed(): void {
    const least = Math.min(this.capacity, Math.max(LEAST_LIMIT, 2 * this.widestAcknowledgement));
    this.limit = Math.max(least, this.limit >>> 1);
    this.proceed();
  }

  /** Live changes wait for the peer. */
  stall(nowMs: number): void {
    if (this.stalledSinceMs < 0) this.stalledSinceMs = nowMs;
  }

  /** When `tick` is due, or infinity. */
  get deadlineMs(): number {
    return this.stalledSinceMs < 0 ? Number.POSITIVE_INFINITY : this.stalledSinceMs + STALL_MS;
  }

  tick(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    this.stalledSinceMs = -1;
    if (this.limit === this.capacity) this.open = true;
    else this.limit = Math.min(this.capacity, this.limit * 2);
  }

  /** Something arrived over there: stalls are over. */
  private proceed(): void {
    this.open = false;
    this.stalledSinceMs = -1;
  }
}
