/**
 * Time as the pure layers see it. The daemon passes the machine's clock, a simulation passes its own.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Seconds since 1970-01-01 UTC; may jump when an administrator sets the clock. */
  wallSeconds(): number;
}
