import type { Scheduler } from '../base/scheduler.js';
import type { FlowFilter } from '../flow/filter.js';
import { type FlowRow, NO_ROW } from '../flow/table.js';
import type { InternalCache } from './internal.js';

/** Rows looked at before other work gets a turn: well below a millisecond. */
const SLICE = 4096;

/** After a change of the filter: lets go of the flows in the internal cache that no longer pass, in slices. */
export class FilterSweep {
  /** Counts the sweeps: a change during a sweep begins another one, and the one before ends. */
  private run = 0;

  /** @param tell the peers hear that the flows ended, as they will hear no more of them */
  constructor(
    private readonly cache: InternalCache,
    private readonly scheduler: Scheduler,
    private readonly tell: boolean,
  ) {}

  /** @param filter null: all pass. @param done called at the end, at once when there is nothing to sweep */
  begin(filter: FlowFilter | null, done: () => void): void {
    this.run++;
    if (filter === null) done();
    else this.slice(filter, 0 as FlowRow, this.run, done);
  }

  close(): void {
    this.run++;
  }

  private slice(filter: FlowFilter, from: FlowRow, run: number, done: () => void): void {
    if (run !== this.run) return;
    const next = this.cache.dismiss(filter, from, SLICE, this.tell);
    if (next === NO_ROW) done();
    else this.scheduler.soon(() => this.slice(filter, next, run, done));
  }
}
