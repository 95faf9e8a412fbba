// Imported, since the global `performance` is a getter that costs more than the call.
import { performance } from 'node:perf_hooks';
import type { Clock } from '../base/clock.js';
import type { Scheduler, Timer } from '../base/scheduler.js';

/** The machine's time. */
export const machineClock: Clock = {
  monotonicMs: () => performance.now(),
  wallSeconds: () => Math.floor(Date.now() / 1000),
};

/** Node's event loop. */
export const loopScheduler: Scheduler = {
  after(delayMs: number, callback: () => void): Timer {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon(callback: () => void): void {
    setImmediate(callback);
  },
};
