import type { Expectation } from '../flow/expectation.js';

/** Where an entry stands; the states of a flow's row (src/flow/layout.ts). */
export type ExpectationState = 'new' | 'alive' | 'dead';

/** An expectation in a cache. */
export interface ExpectationEntry {
  readonly key: string;
  expectation: Expectation;
  /** New: never updated; dead: destroyed, kept until the peers know. */
  state: ExpectationState;
  /** The queue of the mode that it waits in. */
  queue: 'none' | 'transmit' | 'resend';
  /** Seconds of the monotonic clock: when it came into the cache, and when it was last heard of. */
  createdSeconds: number;
  updatedSeconds: number;
  /** The dump that saw it last. */
  generation: number;
}

export function makeEntry(key: string, expectation: Expectation, nowSeconds: number): ExpectationEntry {
  return {
    key,
    expectation,
    state: 'new',
    queue: 'none',
    createdSeconds: nowSeconds,
    updatedSeconds: nowSeconds,
    generation: 0,
  };
}
