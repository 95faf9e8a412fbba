/** How long a reader rests: the shortest time a timer of the event loop knows. */
export const REST_MS = 1;
/** A timer of 1 ms may take so long: the loop's clock counts whole milliseconds. */
const LONGEST_REST_MS = 2;
/** Time over which a rate is taken. */
const WINDOW_MS = 1;
/** A burst is over when its rate falls below this share of the one it began with. */
const END_SHARE = 1 / 2;

/**
 * Tells a reader of a socket when to let messages gather.
 *
 * In a burst messages come faster than the loop turns: each turn finds a few, and most of its cost is waking up, the
 * system calls, and a packet sent half empty. Resting for a millisecond when everything was read makes one turn of
 * many. At rates below `restFrom` nobody rests, so that single messages are handled at once; nor at rates at which
 * the socket's buffer could overflow meanwhile.
 *
 * A burst ends at half the rate that begins one: handled one by one, messages cost twice as much, whoever sends them gets
 * less of the processor, and the rate stays just below the one at which they would gather again.
 */
export class BurstPace {
  private sinceMs = 0;
  private count = 0;
  /** Messages come in a burst. */
  busy = false;

  /**
   * @param restFrom messages per millisecond
   * @param most messages that may wait during a rest: what half of the socket's buffer holds
   */
  constructor(
    private readonly restFrom: number,
    private readonly most: number,
  ) {}

  /**
   * Whether to rest now.
   *
   * @param handled messages of the turn that has ended, after which none was left
   * @param nowMs of a clock that never goes back
   */
  rest(handled: number, nowMs: number): boolean {
    this.count += handled;
    const elapsed = nowMs - this.sinceMs;
    if (elapsed < WINDOW_MS) return this.busy;
    const rate = this.count / elapsed;
    const from = this.busy ? this.restFrom * END_SHARE : this.restFrom;
    this.busy = rate >= from && rate * LONGEST_REST_MS <= this.most;
    this.sinceMs = nowMs;
    this.count = 0;
    return this.busy;
  }
}
