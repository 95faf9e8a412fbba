import type { Clock } from '../base/clock.js';
import type { FlowFilter } from '../flow/filter.js';
import { ID, QUEUE_NONE, STATE_ALIVE, STATE_DEAD, STATE_NEW } from '../flow/layout.js';
import { FlowPointer, type FlowRef } from '../flow/ref.js';
import type { FlowScratch } from '../flow/scratch.js';
import { type FlowRow, FlowTable, NO_ROW } from '../flow/table.js';
import { CacheCounters } from './counters.js';

/** What the internal cache tells its owner. */
export interface InternalCacheEvents {
  /** The entry changed and the peers must hear of it; a dead one stays in the table until `release`. */
  changed(row: FlowRow): void;
  /** The entry came or changed, and the peers need not hear of it. */
  unsent?(row: FlowRow): void;
  /** The entry is about to leave the table though nobody released it. */
  leaving?(row: FlowRow): void;
}

/**
 * The flows this firewall handles (spec/sync.md "Caches").
 *
 * Who caused a kernel event decides whether it is replicated: events of our own commits (`own`) keep the cache true
 * but are not sent. An own event never takes an entry out of a queue: what waits is sent with its newest state. (The
 * original drops the queued message there and its old peer stays 101 flows short, spec/beyond.md row 19.)
 *
 * Dumps and events meet through generations: while a dump runs, whatever an event touches is newer than the dump and
 * wins over it, and what neither the dump nor an event has seen at its end is gone from the kernel.
 */
export class InternalCache {
  readonly table: FlowTable;
  readonly counters = new CacheCounters();
  /** Packets and bytes of destroyed flows, both directions: `traffic processed`. */
  processedBytes = 0;
  processedPackets = 0;

  private readonly pointer = new FlowPointer();
  private dead = 0;
  private generation = 0;
  private dumping = false;
  /** Ids of flows destroyed while a dump runs: the dump may still bring them, older than their end. */
  private readonly endedDuringDump = new Set<number>();

  constructor(
    /** HashLimit. */
    limit: number,
    private readonly clock: Clock,
    private readonly events: InternalCacheEvents,
  ) {
    this.table = new FlowTable({ limit });
  }

  /** Entries that live; destroyed ones may still wait in the table for their acknowledgement. */
  get active(): number {
    return this.table.size - this.dead;
  }

  /** Whether the flow is a living entry. */
  holds(flow: FlowRef): boolean {
    const row = this.table.find(flow);
    return row !== NO_ROW && this.table.state(row) !== STATE_DEAD;
  }

  /** The next events are about these flows, the first `count` of them. */
  expect(flows: readonly FlowRef[], count: number): void {
    this.table.prefetch(flows, count);
  }

  /** The kernel made a flow. A known entry of the same identity is replaced, as the original does. */
  onNew(flow: FlowRef, own: boolean): void {
    const row = this.table.find(flow);
    if (row === NO_ROW) {
      this.create(flow, own);
      return;
    }
    this.replace(row, flow);
    this.touched(row, own);
  }

  /** A flow changed; one that is unknown is created, and travels as NEW. */
  onUpdate(flow: FlowRef, own: boolean): void {
    const row = this.table.find(flow);
    if (row === NO_ROW) {
      this.create(flow, own);
      return;
    }
    this.merge(row, flow);
    this.touched(row, own);
  }

  /** A flow ended. Unknown ones are nothing. */
  onDestroy(flow: FlowScratch, own: boolean): void {
    if (this.dumping) this.endedDuringDump.add(flow.words[ID]!);
    const row = this.table.find(flow);
    if (row === NO_ROW || this.table.state(row) === STATE_DEAD) return;
    if (flow.hasCounters) {
      this.processedPackets += flow.counters[0]! + flow.counters[2]!;
      this.processedBytes += flow.counters[1]! + flow.counters[3]!;
    }
    this.destroy(row, own);
  }

  /** A flow of a kernel dump. Like the original, a resync does not send what it finds; `-B` does. */
  onDumped(flow: FlowRef, send: boolean): void {
    if (this.endedDuringDump.size > 0 && this.endedDuringDump.has(flow.words[flow.at + ID]!)) return;
    const row = this.table.find(flow);
    if (row === NO_ROW) {
      this.create(flow, !send);
      return;
    }
    if (this.dumping && this.table.generation(row) === this.generation) return;
    this.merge(row, flow);
    this.touched(row, !send);
  }

  /** A dump begins: from now on, entries seen are marked. */
  beginDump(): void {
    this.generation = (this.generation + 1) & 0xff;
    this.dumping = true;
    this.endedDuringDump.clear();
  }

  /** The dump is complete or given up. */
  endDump(): void {
    this.dumping = false;
    this.endedDuringDump.clear();
  }

  /**
   * Destroys, and sends DESTROY for, living entries that the complete dump and its events did not show: the next
   * `budget` rows from row `from` on.
   *
   * @returns where to go on, NO_ROW at the end of the table
   */
  purgeUnseen(from: FlowRow, budget: number): FlowRow {
    let row = this.table.next(from);
    for (let left = budget; row !== NO_ROW && left > 0; left--) {
      if (this.table.generation(row) !== this.generation && this.table.state(row) !== STATE_DEAD) {
        this.destroy(row, false);
      }
      row = this.table.next((row + 1) as FlowRow);
    }
    return row;
  }

  /**
   * Lets go of living entries that do not pass a filter: the next `budget` rows from row `from` on.
   *
   * @param tell the peers hear that they ended
   * @returns where to go on, NO_ROW at the end of the table
   */
  dismiss(filter: FlowFilter, from: FlowRow, budget: number, tell: boolean): FlowRow {
    let row = this.table.next(from);
    for (let left = budget; row !== NO_ROW && left > 0; left--) {
      this.table.point(row, this.pointer);
      if (this.table.state(row) !== STATE_DEAD && !filter.passes(this.pointer)) this.destroy(row, !tell);
      row = this.table.next((row + 1) as FlowRow);
    }
    return row;
  }

  /** The mode no longer needs the dead entry: its DESTROY is sent and acknowledged. */
  release(row: FlowRow): void {
    if (this.table.state(row) !== STATE_DEAD) return;
    this.dead--;
    this.table.remove(row);
  }

  /** Forgets every entry without a message. The mode must have emptied its queues before. */
  flush(): void {
    this.counters.destroyed += this.active;
    this.dead = 0;
    this.table.clear();
  }

  /** Only right after `find` has not found it. */
  private create(flow: FlowRef, own: boolean): void {
    const row = this.table.insertMissing(flow, this.seconds());
    if (row === NO_ROW) {
      this.counters.createFailed++;
      this.counters.noSpace++;
      return;
    }
    this.counters.created++;
    this.touched(row, own);
  }

  private merge(row: FlowRow, flow: FlowRef): void {
    if (this.table.state(row) === STATE_DEAD) {
      this.replace(row, flow);
      return;
    }
    this.table.merge(row, flow, this.seconds());
    this.table.setState(row, STATE_ALIVE);
    this.counters.updated++;
  }

  private touched(row: FlowRow, own: boolean): void {
    this.table.setGeneration(row, this.generation);
    if (!own) this.events.changed(row);
    else this.events.unsent?.(row);
  }

  private destroy(row: FlowRow, own: boolean): void {
    this.counters.destroyed++;
    // An own destroy is not told to the peers, unless they were, or are about to be, told of the flow.
    if (own && this.table.queueOf(row) === QUEUE_NONE) {
      this.events.leaving?.(row);
      this.table.remove(row);
      return;
    }
    this.table.setState(row, STATE_DEAD);
    this.dead++;
    if (!own) this.events.changed(row);
  }

  /** The entry starts anew; a dead one (its end not acknowledged yet) was counted as destroyed already. */
  private replace(row: FlowRow, flow: FlowRef): void {
    if (this.table.state(row) === STATE_DEAD) this.dead--;
    else this.counters.destroyed++;
    this.table.replace(row, flow, this.seconds());
    this.table.setState(row, STATE_NEW);
    this.counters.created++;
  }

  private seconds(): number {
    return Math.floor(this.clock.monotonicMs() / 1000);
  }
}
