import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';

/** Failures told within PERIOD_MS, each with its flow; further ones are only counted, so that they do not fill the disk. */
const TOLD = 10;
const PERIOD_MS = 60_000;

/** Failures of direct injection as the log shows them: the first of a minute, and at its end how many more there were. */
export class FailureLog {
  private told = 0;
  private untold = 0;
  /** Ends the minute that the first failure began. */
  private timer: Timer | null = null;

  constructor(private readonly context: { readonly log: Logger; readonly scheduler: Scheduler }) {}

  /** One failure. @param text the reason. @param flow made only when it is shown */
  tell(text: string, flow: () => string): void {
    this.timer ??= this.context.scheduler.after(PERIOD_MS, () => this.close());
    if (this.told >= TOLD) {
      this.untold++;
      return;
    }
    const { log } = this.context;
    log.warning(text);
    log.raw(flow());
    if (++this.told === TOLD) log.warning('direct injection: further failures of this minute are only counted');
  }

  /** The failures to come have a reason that has been told: until the end of the minute they are only counted. */
  tellNoMore(): void {
    this.told = TOLD;
  }

  /** The minute is over, or the daemon ends: says how many failures were not told. */
  close(): void {
    this.timer?.cancel();
    this.timer = null;
    const { untold } = this;
    this.told = 0;
    this.untold = 0;
    if (untold > 0) this.context.log.warning(`direct injection: ${untold} more failures, not listed`);
  }
}
