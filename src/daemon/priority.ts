import { SystemError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { SchedulerConfig } from '../config/model.js';
import { SCHED_FIFO, SCHED_RR, setScheduler } from '../native/index.js';

/**
 * Gives the main thread its scheduling class: SCHED_RR at the highest priority unless configured otherwise. Where it is not allowed the daemon goes on without, and says so.
 */
export function applyScheduler(scheduler: SchedulerConfig, logger: Logger): void {
  try {
    setScheduler(scheduler.policy === 'fifo' ? SCHED_FIFO : SCHED_RR, scheduler.priority);
  } catch (error) {
    const reason = error instanceof SystemError ? error.reason : String(error);
    logger.warning(
      `scheduler configuration failed: ${reason}. Likely a bug in conntrackd, please report it. ` +
        'Continuing with system default scheduler.',
    );
  }
}
