import type { Clock } from '../base/clock.js';
import { type Expectation, expectationKey, mergeExpectation } from '../flow/expectation.js';
import { EXPECTATION_DESTROY, EXPECTATION_NEW } from '../wire/tables.js';
import { CacheCounters } from './counters.js';
import { type ExpectationEntry, makeEntry } from './expectation-entry.js';

/**
 * The expectations of the flows the peers handle: what a commit gives to the kernel. NEW replaces, UPDATE creates or
 * merges, DESTROY removes; the counters move as those of flows (asked of the running original).
 */
export class ExternalExpectations {
  readonly counters = new CacheCounters();
  private readonly held = new Map<string, ExpectationEntry>();

  constructor(
    /** HashLimit. */
    public limit: number,
    private readonly clock: Clock,
    /** ALARM's CacheTimeout in seconds: an entry not told of for so long vanishes. Null: it stays until its end. */
    public lifetime: number | null = null,
  ) {}

  get entries(): ReadonlyMap<string, ExpectationEntry> {
    this.expire();
    return this.held;
  }

  /** Whoever looks finds no entry that is over; nobody needs it to go earlier, as new ones look as well. */
  private expire(): void {
    if (this.lifetime === null) return;
    const oldest = this.seconds() - this.lifetime;
    for (const [key, { updatedSeconds }] of this.held) {
      if (updatedSeconds >= oldest) continue;
      this.held.delete(key);
      this.counters.destroyed++;
    }
  }

  /** Entries that live; the cache keeps no others. */
  get active(): number {
    return this.entries.size;
  }

  /** @param type EXPECTATION_NEW, EXPECTATION_UPDATE or EXPECTATION_DESTROY */
  apply(type: number, expectation: Expectation): void {
    const key = expectationKey(expectation);
    const entry = this.entries.get(key);
    if (type === EXPECTATION_DESTROY) {
      if (this.held.delete(key)) this.counters.destroyed++;
    } else if (entry === undefined) {
      this.create(key, expectation);
    } else if (type === EXPECTATION_NEW) {
      this.held.set(key, makeEntry(key, expectation, this.seconds()));
      this.counters.destroyed++;
      this.counters.created++;
    } else {
      entry.expectation = mergeExpectation(entry.expectation, expectation);
      entry.state = 'alive';
      entry.updatedSeconds = this.seconds();
      this.counters.updated++;
    }
  }

  flush(): void {
    this.counters.destroyed += this.held.size;
    this.held.clear();
  }

  private create(key: string, expectation: Expectation): void {
    if (this.entries.size >= this.limit) {
      this.counters.createFailed++;
      this.counters.noSpace++;
      return;
    }
    this.held.set(key, makeEntry(key, expectation, this.seconds()));
    this.counters.created++;
  }

  private seconds(): number {
    return Math.floor(this.clock.monotonicMs() / 1000);
  }
}
