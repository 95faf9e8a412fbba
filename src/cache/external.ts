import type { Clock } from '../base/clock.js';
import { K_TIMEOUT, KNOWN, SEQUENCE, STATE_ALIVE, STATE_NEW, TIMEOUT } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { type FlowRow, FlowTable, NO_ROW } from '../flow/table.js';
import { FLOW_DESTROY, FLOW_NEW } from '../wire/tables.js';
import { CacheCounters } from './counters.js';

/** An entry past its time gets so much more, as a commit gives it (spec/findings.md 32). */
const GRACE_SECONDS = 60;

/** A slice of a walk over the cache. */
export interface Swept {
  readonly removed: number;
  /** Where to go on; NO_ROW: the walk is over. */
  readonly next: FlowRow;
}

/**
 * The flows the peers handle: what a commit gives to the kernel (spec/sync.md "Caches").
 *
 * NEW replaces, UPDATE creates or merges, DESTROY removes, an unknown DESTROY is nothing. How the original counts a
 * replacement was observed on it: one destroyed and one created.
 */
export class ExternalCache {
  readonly table: FlowTable;
  readonly counters = new CacheCounters();
  /** Entries removed because their peer no longer has them. */
  swept = 0;
  /** Entries removed because their peer is gone and their time is over. */
  aged = 0;

  constructor(
    /** HashLimit. */
    limit: number,
    protected readonly clock: Clock,
  ) {
    this.table = new FlowTable({ limit });
  }

  /** Entries that live; the cache keeps no others. */
  get active(): number {
    return this.table.size;
  }

  /** The next messages are about these flows, the first `count` of them. */
  expect(flows: readonly FlowRef[], count: number): void {
    this.table.prefetch(flows, count);
  }

  /**
   * What a peer's message says of a flow.
   *
   * @param type FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY
   * @param peer number of the peer, 0 to 255
   * @param stamp of the message: of two messages of a peer the later one has the later stamp, modulo 2^32
   */
  apply(type: number, flow: FlowRef, peer: number, stamp = 0): void {
    if (type === FLOW_NEW) this.onNew(flow, peer, stamp);
    else if (type === FLOW_DESTROY) this.onDestroy(flow);
    else this.onUpdate(flow, peer, stamp);
  }

  /** A peer made this flow known, or tells all of it anew. */
  onNew(flow: FlowRef, peer: number, stamp = 0): void {
    const row = this.table.find(flow);
    if (row === NO_ROW) {
      this.create(flow, peer, stamp);
      return;
    }
    this.table.replace(row, flow, this.seconds());
    this.table.setState(row, STATE_NEW);
    this.table.setPeer(row, peer);
    this.table.setWord(row, SEQUENCE, stamp);
    this.refreshed(row);
    this.counters.destroyed++;
    this.counters.created++;
  }

  /** A peer's flow changed; attributes that the message lacks stay as they were. */
  onUpdate(flow: FlowRef, peer: number, stamp = 0): void {
    const row = this.table.find(flow);
    if (row === NO_ROW) {
      this.create(flow, peer, stamp);
      return;
    }
    this.table.merge(row, flow, this.seconds());
    this.table.setState(row, STATE_ALIVE);
    this.table.setPeer(row, peer);
    this.table.setWord(row, SEQUENCE, stamp);
    this.refreshed(row);
    this.counters.updated++;
  }

  /** A peer's flow ended. */
  onDestroy(flow: FlowRef): void {
    const row = this.table.find(flow);
    if (row !== NO_ROW) this.remove(row);
  }

  /**
   * Removes entries of a peer that it has not mentioned since `stamp`, looking at `budget` rows at most.
   *
   * @returns how many went, and the row to go on with, NO_ROW at the end
   */
  sweep(peer: number, stamp: number, from: FlowRow, budget: number): Swept {
    const { table } = this;
    let removed = 0;
    let row = table.next(from);
    for (let left = budget; row !== NO_ROW && left > 0; left--) {
      // Modulo 2^32, like sequence numbers.
      if (table.peer(row) === (peer & 0xff) && ((stamp - table.word(row, SEQUENCE)) | 0) > 0) {
        this.remove(row);
        removed++;
      }
      row = table.next(row + 1);
    }
    this.swept += removed;
    return { removed, next: row };
  }

  /**
   * Removes entries of gone peers whose replicated timeout is over, looking at `budget` rows at most. The time runs from
   * when the peer was last heard: as long as it is there, a flow lives until it says otherwise, whatever its timeout was
   * at the last change. Without a timeout an entry stays.
   *
   * @param goneSinceMs when a peer was last heard, null while it is there
   * @param aged called for the peer of each entry that went
   */
  age(
    nowMs: number,
    goneSinceMs: (peer: number) => number | null,
    aged: (peer: number) => void,
    from: FlowRow,
    budget: number,
  ): Swept {
    const { table } = this;
    let removed = 0;
    let row = table.next(from);
    for (let left = budget; row !== NO_ROW && left > 0; left--) {
      const peer = table.peer(row);
      const sinceMs = goneSinceMs(peer);
      if (sinceMs !== null && this.isOver(row, nowMs, sinceMs)) {
        this.remove(row);
        removed++;
        aged(peer);
      }
      row = table.next(row + 1);
    }
    this.aged += removed;
    return { removed, next: row };
  }

  private isOver(row: FlowRow, nowMs: number, sinceMs: number): boolean {
    if ((this.table.word(row, KNOWN) & K_TIMEOUT) === 0) return false;
    return nowMs - sinceMs >= (this.table.word(row, TIMEOUT) + GRACE_SECONDS) * 1000;
  }

  /** Forgets every entry and gives the memory back. */
  flush(): void {
    this.counters.destroyed += this.table.size;
    this.table.clear();
  }

  /** Only right after `find` has not found it. */
  private create(flow: FlowRef, peer: number, stamp: number): FlowRow {
    const row = this.table.insertMissing(flow, this.seconds());
    if (row === NO_ROW) {
      this.counters.createFailed++;
      this.counters.noSpace++;
      return NO_ROW;
    }
    this.table.setPeer(row, peer);
    this.table.setWord(row, SEQUENCE, stamp);
    this.refreshed(row);
    this.counters.created++;
    return row;
  }

  /** A peer has told of the entry; for caches whose entries age. */
  protected refreshed(_row: FlowRow): void {}

  /** The entry ends. */
  protected remove(row: FlowRow): void {
    this.table.remove(row);
    this.counters.destroyed++;
  }

  protected seconds(): number {
    return Math.floor(this.clock.monotonicMs() / 1000);
  }
}
