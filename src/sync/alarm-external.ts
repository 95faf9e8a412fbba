import type { Clock } from '../base/clock.js';
import { ExternalCache } from '../cache/external.js';
import type { FlowRow } from '../flow/table.js';
import { TimerWheel } from '../flow/wheel.js';

/** The external cache of ALARM: an entry that no peer tells of for CacheTimeout seconds vanishes. */
export class AgingExternalCache extends ExternalCache {
  private readonly wheel: TimerWheel;

  /** @param cacheTimeout CacheTimeout in seconds, at least 1 */
  constructor(
    limit: number,
    clock: Clock,
    readonly cacheTimeout: number,
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

  private readonly expired = (row: FlowRow): void => super.remove(row);
}
