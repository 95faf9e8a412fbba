import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import { type FlowRow, NO_ROW } from '../flow/table.js';
import type { ExternalCache, Swept } from './external.js';

/** Rows looked at before other work gets a turn: well below a millisecond. */
const SLICE = 4096;
/** How often entries of peers that are gone are looked at. */
const AGE_MS = 10_000;

export interface ExternalSweepContext {
  readonly cache: ExternalCache;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly log: Logger;
  /** When a peer was last heard on the clock, null while it is there (or was never heard of): then nothing ages. */
  goneSinceMs(peer: number): number | null;
  /** Entries of a peer went by age: should it come back, it has to tell of all its flows. */
  aged(peer: number): void;
}

/** Takes from the external cache what is of the past, in slices (decisions/0006-sweep.md). */
export class ExternalSweep {
  private timer: { cancel(): void } | null = null;
  private closed = false;

  constructor(private readonly context: ExternalSweepContext) {}

  /** Entries of gone peers age from now on. */
  start(): void {
    this.timer = this.context.scheduler.after(AGE_MS, () => this.walk((from) => this.agedSlice(from), 0, this.again));
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
  }

  /** The peer has told of all its flows since `stamp`. */
  begin(peer: number, stamp: number): void {
    const { cache, log } = this.context;
    this.walk(
      (from) => cache.sweep(peer, stamp, from, SLICE),
      0,
      (removed) => {
        if (removed > 0) log.notice(`external cache: ${removed} entries removed that the peer no longer has`);
      },
    );
  }

  private readonly again = (removed: number): void => {
    if (removed > 0) {
      this.context.log.notice(`external cache: ${removed} entries removed, their time is over and their peer is gone`);
    }
    this.start();
  };

  private agedSlice(from: FlowRow): Swept {
    const { cache, clock, goneSinceMs, aged } = this.context;
    return cache.age(clock.monotonicMs(), goneSinceMs, aged, from, SLICE);
  }

  private walk(slice: (from: FlowRow) => Swept, before: number, done: (removed: number) => void, from = 0): void {
    if (this.closed) return;
    const { removed, next } = slice(from as FlowRow);
    const total = before + removed;
    if (next === NO_ROW) done(total);
    else this.context.scheduler.soon(() => this.walk(slice, total, done, next));
  }
}
