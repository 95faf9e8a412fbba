import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';

/** Failures told within PERIOD_MS, each with its flow; further ones are only counted, so that they do not fill the disk. */
const TOLD = 10;
const PERIOD_MS = 60_000;

/** Failures of direct injection as the log shows them: the first of a minute, and how many more there were. */
export class FailureLog {
  private told = 0;
  private untold = 0;
  private periodMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly context: { readonly log: Logger; readonly clock: Clock }) {}

  /** One failure. @param text the reason. @param flow made only when it is shown */
  tell(text: string, flow: () => string): void {
    const nowMs = this.context.clock.monotonicMs();
    this.sumUp();
    if (nowMs - this.periodMs >= PERIOD_MS) {
      this.periodMs = nowMs;
      this.told = 0;
    }
    if (this.told >= TOLD) {
      this.untold++;
      return;
    }
    const { log } = this.context;
    log.warning(text);
    log.raw(flow());
    if (++this.told === TOLD) log.warning('direct injection: further failures of this minute are only counted');
  }

  /** The failures to come have a reason that has been told. */
  tellNoMore(): void {
    this.sumUp();
    this.periodMs = this.context.clock.monotonicMs();
    this.told = TOLD;
  }

  /** How many failures of a minute that is over were not told. To be called now and then. */
  sumUp(): void {
    if (this.untold === 0) return;
    const { log, clock } = this.context;
    if (clock.monotonicMs() - this.periodMs < PERIOD_MS) return;
    log.warning(`direct injection: ${this.untold} more failures, not listed`);
    this.untold = 0;
  }
}
