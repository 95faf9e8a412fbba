import type { Clock } from '../base/clock.js';
import { type Expectation, expectationKey, isReplicated, mergeExpectation } from '../flow/expectation.js';
import { CacheCounters } from './counters.js';
import { type ExpectationEntry, makeEntry } from './expectation-entry.js';

export interface InternalExpectationsContext {
  /** HashLimit. */
  readonly limit: number;
  /** ExpectationSync: prefixes of helper names in lower case; none means all. */
  readonly helpers: readonly string[];
  readonly clock: Clock;
  /** Whether the master is a living entry of the internal cache. */
  isMasterCached(expectation: Expectation): boolean;
  /** The entry changed and the peers must hear of it; a dead one stays until `release`. */
  changed(entry: ExpectationEntry): void;
  /** Not replicated: its helper is not in the list, or its master never came. */
  ignored(): void;
}

/** An expectation whose master is not in the cache yet. */
interface Waiting {
  readonly expectation: Expectation;
  readonly own: boolean;
  readonly untilMs: number;
}

/**
 * How long an expectation waits for its master. The kernel reports an expectation when a packet makes it, and a new
 * flow only when its packet has left: of a protocol whose first packet announces (TFTP) the expectation comes first.
 * The original loses it (spec/findings.md 14). What is no longer on its way after a second was filtered out.
 */
const WAIT_FOR_MASTER_MS = 1000;
/** Expectations that wait; a flood of masters that never come must cost nothing. */
const MOST_WAITING = 1024;

/**
 * The expectations of the flows this firewall handles. As with flows, who caused an event decides whether it is
 * replicated; one is held only while its master is, since without it the peer could not commit it.
 */
export class InternalExpectations {
  readonly entries = new Map<string, ExpectationEntry>();
  readonly counters = new CacheCounters();

  private readonly waiting = new Map<string, Waiting>();
  private dead = 0;
  private generation = 0;
  private dumping = false;
  private readonly endedDuringDump = new Set<string>();

  private helpers: readonly string[];
  /** HashLimit. */
  limit: number;

  constructor(private readonly context: InternalExpectationsContext) {
    this.helpers = context.helpers;
    this.limit = context.limit;
  }

  /** Another list of helpers; what is no longer on it goes with `dismiss`. */
  setHelpers(helpers: readonly string[]): void {
    this.helpers = helpers;
  }

  /** Lets go of what is no longer to be replicated, by its helper or since its master left; the peers hear of it. */
  dismiss(): void {
    for (const entry of this.entries.values()) {
      const { expectation, state } = entry;
      if (state === 'dead') continue;
      const stays = isReplicated(expectation.helper, this.helpers) && this.context.isMasterCached(expectation);
      if (!stays) this.destroy(entry, false);
    }
  }

  /** Entries that live; destroyed ones may still wait for their acknowledgement. */
  get active(): number {
    return this.entries.size - this.dead;
  }

  /** The kernel made an expectation. A known entry of the same identity is replaced. */
  onNew(expectation: Expectation, own: boolean): void {
    if (this.admits(expectation, own)) this.insert(expectation, own);
  }

  /** One changed; the kernel sends no such event so far (spec/findings.md 13). */
  onUpdate(expectation: Expectation, own: boolean): void {
    if (this.admits(expectation, own)) this.merge(expectation, own);
  }

  /** One ended: it expired, its connection came, or its master went. Unknown ones are nothing. */
  onDestroy(expectation: Expectation, own: boolean): void {
    const key = expectationKey(expectation);
    if (this.dumping) this.endedDuringDump.add(key);
    this.waiting.delete(key);
    const entry = this.entries.get(key);
    if (entry !== undefined && entry.state !== 'dead') this.destroy(entry, own);
  }

  /** One of a kernel dump. @param send as after lost events; `-R` only fills the cache */
  onDumped(expectation: Expectation, send: boolean): void {
    const key = expectationKey(expectation);
    if (this.endedDuringDump.has(key)) return;
    const entry = this.entries.get(key);
    // An event during the dump is newer than the dump.
    if (this.dumping && entry !== undefined && entry.generation === this.generation) return;
    if (this.admits(expectation, !send)) this.merge(expectation, !send);
  }

  beginDump(): void {
    this.generation++;
    this.dumping = true;
    this.endedDuringDump.clear();
  }

  /** @param purge the dump was complete: what it did not show has ended */
  endDump(purge: boolean): void {
    this.dumping = false;
    this.endedDuringDump.clear();
    if (!purge) return;
    for (const entry of this.entries.values()) {
      if (entry.generation !== this.generation && entry.state !== 'dead') this.destroy(entry, false);
    }
  }

  /** True while expectations wait for their masters; then `retryWaiting` is to be called after input, and in time. */
  get hasWaiting(): boolean {
    return this.waiting.size > 0;
  }

  /** Takes those whose master has come, gives up those that have waited for long enough. */
  retryWaiting(): void {
    const now = this.context.clock.monotonicMs();
    for (const [key, { expectation, own, untilMs }] of this.waiting) {
      if (this.context.isMasterCached(expectation)) {
        this.waiting.delete(key);
        this.insert(expectation, own);
      } else if (now >= untilMs) {
        this.waiting.delete(key);
        this.context.ignored();
      }
    }
  }

  /** The mode no longer needs the dead entry. */
  release(entry: ExpectationEntry): void {
    if (entry.state !== 'dead' || this.entries.get(entry.key) !== entry) return;
    this.dead--;
    this.entries.delete(entry.key);
  }

  /** Forgets every entry without a message. The mode must have emptied its queues before. */
  flush(): void {
    this.counters.destroyed += this.active;
    this.dead = 0;
    this.entries.clear();
    this.waiting.clear();
  }

  /** Whether it is to be in the cache now; if only its master is missing, it waits. */
  private admits(expectation: Expectation, own: boolean): boolean {
    if (!isReplicated(expectation.helper, this.helpers)) {
      this.context.ignored();
      return false;
    }
    if (this.context.isMasterCached(expectation)) return true;
    if (this.waiting.size >= MOST_WAITING) this.context.ignored();
    else {
      const untilMs = this.context.clock.monotonicMs() + WAIT_FOR_MASTER_MS;
      this.waiting.set(expectationKey(expectation), { expectation, own, untilMs });
    }
    return false;
  }

  private insert(expectation: Expectation, own: boolean): void {
    const key = expectationKey(expectation);
    const entry = this.entries.get(key);
    if (entry === undefined) {
      this.create(key, expectation, own);
      return;
    }
    if (entry.state === 'dead') this.dead--;
    else this.counters.destroyed++;
    entry.expectation = expectation;
    entry.state = 'new';
    entry.createdSeconds = this.seconds();
    this.counters.created++;
    this.touched(entry, own);
  }

  private merge(expectation: Expectation, own: boolean): void {
    const entry = this.entries.get(expectationKey(expectation));
    if (entry === undefined || entry.state === 'dead') {
      this.insert(expectation, own);
      return;
    }
    entry.expectation = mergeExpectation(entry.expectation, expectation);
    entry.state = 'alive';
    this.counters.updated++;
    this.touched(entry, own);
  }

  private create(key: string, expectation: Expectation, own: boolean): void {
    if (this.entries.size >= this.limit) {
      this.counters.createFailed++;
      this.counters.noSpace++;
      return;
    }
    const entry = makeEntry(key, expectation, this.seconds());
    this.entries.set(key, entry);
    this.counters.created++;
    this.touched(entry, own);
  }

  private touched(entry: ExpectationEntry, own: boolean): void {
    entry.generation = this.generation;
    entry.updatedSeconds = this.seconds();
    if (!own) this.context.changed(entry);
  }

  /** An own destroy is told to the peers only if they were, or are about to be, told of the expectation. */
  private destroy(entry: ExpectationEntry, own: boolean): void {
    this.counters.destroyed++;
    if (own && entry.queue === 'none') {
      this.entries.delete(entry.key);
      return;
    }
    entry.state = 'dead';
    this.dead++;
    if (!own) this.context.changed(entry);
  }

  private seconds(): number {
    return Math.floor(this.context.clock.monotonicMs() / 1000);
  }
}
