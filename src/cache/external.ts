import type { Clock } from '../base/clock.js';
import { STATE_ALIVE, STATE_NEW } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { type FlowRow, FlowTable, NO_ROW } from '../flow/table.js';
import { FLOW_DESTROY, FLOW_NEW } from '../wire/tables.js';
import { CacheCounters } from './counters.js';

/**
 * The flows the peers handle: what a commit gives to the kernel (spec/sync.md "Caches").
 *
 * NEW replaces, UPDATE creates or merges, DESTROY removes, an unknown DESTROY is nothing. How the original counts a
 * replacement was observed on it: one destroyed and one created.
 */
export class ExternalCache {
  readonly table: FlowTable;
  readonly counters = new CacheCounters();

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
   */
  apply(type: number, flow: FlowRef, peer: number): void {
    if (type === FLOW_NEW) this.onNew(flow, peer);
    else if (type === FLOW_DESTROY) this.onDestroy(flow);
    else this.onUpdate(flow, peer);
  }

  /** A peer made this flow known, or tells all of it anew. */
  onNew(flow: FlowRef, peer: number): void {
    const row = this.table.find(flow);
    if (row === NO_ROW) {
      this.create(flow, peer);
      return;
    }
    this.table.replace(row, flow, this.seconds());
    this.table.setState(row, STATE_NEW);
    this.table.setPeer(row, peer);
    this.refreshed(row);
    this.counters.destroyed++;
    this.counters.created++;
  }

  /** A peer's flow changed; attributes that the message lacks stay as they were. */
  onUpdate(flow: FlowRef, peer: number): void {
    const row = this.table.find(flow);
    if (row === NO_ROW) {
      this.create(flow, peer);
      return;
    }
    this.table.merge(row, flow, this.seconds());
    this.table.setState(row, STATE_ALIVE);
    this.table.setPeer(row, peer);
    this.refreshed(row);
    this.counters.updated++;
  }

  /** A peer's flow ended. */
  onDestroy(flow: FlowRef): void {
    const row = this.table.find(flow);
    if (row !== NO_ROW) this.remove(row);
  }

  /** Forgets every entry and gives the memory back. */
  flush(): void {
    this.counters.destroyed += this.table.size;
    this.table.clear();
  }

  /** Only right after `find` has not found it. */
  private create(flow: FlowRef, peer: number): FlowRow {
    const row = this.table.insertMissing(flow, this.seconds());
    if (row === NO_ROW) {
      this.counters.createFailed++;
      this.counters.noSpace++;
      return NO_ROW;
    }
    this.table.setPeer(row, peer);
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
