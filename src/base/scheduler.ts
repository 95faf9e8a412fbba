/**
 * The event loop as the pure layers see it: a daemon passes Node's timers, a simulation passes its own.
 */
export interface Timer {
  cancel(): void;
}

export interface Scheduler {
  /** Calls back once, `delayMs` milliseconds from now. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls back after the input that is waiting now had its turn: how long work is cut into slices. */
  soon(callback: () => void): void;
}
