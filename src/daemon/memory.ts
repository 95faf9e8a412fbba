import { pageMemory } from '../base/page-memory.js';
import type { Scheduler } from '../base/scheduler.js';
import { releaseMemory } from '../native/index.js';

/** Pages of tables whose memory goes back before others get their turn: some 10 MB, below a millisecond. */
const PAGES_PER_TURN = 16;

/** From now on memory that tables no longer need goes back to the system. */
export function giveMemoryBack(scheduler: Scheduler): void {
  const some = (): void => {
    if (pageMemory.releaseSome(PAGES_PER_TURN)) scheduler.soon(some);
  };
  pageMemory.attach(releaseMemory, () => scheduler.soon(some));
}
