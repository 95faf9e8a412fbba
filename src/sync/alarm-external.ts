import type { Clock } from '../base/clock.js';
import { ExternalCache } from '../cache/external.js';
import { UPDATED } from '../flow/layout.js';
import type { FlowRow } from '../flow/table.js';
import { TimerWheel } from '../flow/wheel.js';

/** The external cache of ALARM: an entry that no peer tells of for CacheTimeout seconds vanishes. */
export class AgingExternalCache extends ExternalCache {
  private readonly wheel: TimerWheel;

  /** @param cacheTimeout CacheTimeout in seconds, at least 1; a shorter one counts for a flow from its next refresh on */
  constructor(
    limit: number,
    clock: Clock,
    public cacheTimeout: number,
  ) {
    super(limit, clock);
    this.wheel = new TimerWheel(this.table, cacheTimeout + 1, this.seconds());
  }

  /** Removes entries whose time is over, at most `budget`. @returns true when there may be more */
  expire(budget: number): boolean {
    return this.wheel.advance(this.seconds(), this.expired, budget) === budget;
  }

  /** One second more than it has lived for: times are kept in whole seconds, and no entry is to go early. */
  protected override refreshed(row: FlowRow): void {
    this.wheel.arm(row, this.seconds() + this.cacheTimeout + 1);
  }

  protected override remove(row: FlowRow): void {
    this.wheel.cancel(row);
    super.remove(row);
  }

  private readonly expired = (row: FlowRow): void => {
    // CacheTimeout may have grown since the row was armed.
    const dueSeconds = this.table.word(row, UPDATED) + this.cacheTimeout + 1;
    if (dueSeconds > this.seconds()) this.wheel.arm(row, dueSeconds);
    else super.remove(row);
  };
}
