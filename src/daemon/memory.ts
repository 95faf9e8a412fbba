import { HUGE_BYTES, type MemoryCalls, pageMemory } from '../base/page-memory.js';
import type { Scheduler } from '../base/scheduler.js';
import { forgetProgram, populateAhead, preferHugePages, releaseMemory, toHugePage } from '../native/index.js';

/** Of the tables' memory, how much goes back before others get their turn: below a millisecond. */
const BYTES_PER_TURN = 10 << 20;

const MEMORY_CALLS: MemoryCalls = {
  release: releaseMemory,
  preferHuge: preferHugePages,
  populate: populateAhead,
  toHugePage: (array) => toHugePage(array, HUGE_BYTES),
};

/**
 * When the start is over, and before most of the play (rehearsal.ts), which brings back what work needs, the compiler
 * included: what came back in the first burst only would count as memory of its flows.
 */
const STARTED_MS = 600;

/**
 * Of node's 95 MB a start touches 40, most of it for the last time: reading the configuration, loading modules,
 * compiling. Half of the memory of a daemon that holds nothing was that.
 */
export function forgetStart(scheduler: Scheduler): void {
  scheduler.after(STARTED_MS, forgetProgram);
}

/** From now on memory that tables no longer need goes back to the system. */
export function giveMemoryBack(scheduler: Scheduler): void {
  const some = (): void => {
    if (pageMemory.releaseSome(BYTES_PER_TURN)) scheduler.soon(some);
  };
  pageMemory.attach(MEMORY_CALLS, () => scheduler.soon(some));
}
