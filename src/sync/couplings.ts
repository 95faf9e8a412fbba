import type { Views } from '../base/views.js';
import type { InternalCache, InternalCacheEvents } from '../cache/internal.js';
import type { FlowScratch } from '../flow/scratch.js';
import type { FlowRow } from '../flow/table.js';
import { MALFORMED_COUNTER } from '../wire/counters.js';
import type { ExternalReceiver, SyncMode } from './mode.js';

/*
 * What joins caches and mode, flow by flow. Classes rather than functions made where the daemon is put together: code
 * is compiled for the very objects it has met, and so the rehearsal (src/daemon/rehearsal.ts) can meet the same.
 */

/** Tells the mode what happens in the internal cache. */
export class CacheFeed implements InternalCacheEvents {
  /** Set once it is there: mode and cache are made for each other. */
  mode!: SyncMode;

  changed(row: FlowRow): void {
    this.mode.enqueue(row);
  }

  unsent(row: FlowRow): void {
    this.mode.hold?.(row);
  }

  leaving(row: FlowRow): void {
    this.mode.forget(row);
  }
}

/** Takes the flows of peers, whatever is in the external cache's place. */
interface PeerFlowTaker {
  apply(type: number, flow: FlowScratch, peer: number, stamp: number): void;
  expect?(flows: readonly FlowScratch[], count: number): void;
}

/** Takes the messages of peers about expectations. */
interface ExpectationTaker {
  /** @returns false when the message is malformed */
  applyMessage(type: number, views: Views, at: number, end: number): boolean;
}

/** Gives what peers say to the external cache. */
export class PeerFeed implements ExternalReceiver {
  constructor(
    private readonly flows: PeerFlowTaker,
    private readonly expectations: ExpectationTaker | null,
  ) {}

  apply(type: number, flow: FlowScratch, peer: number, stamp: number): boolean {
    this.flows.apply(type, flow, peer, stamp);
    return true;
  }

  expect(flows: readonly FlowScratch[], count: number): void {
    this.flows.expect?.(flows, count);
  }

  applyExpectation(type: number, views: Views, at: number, end: number): boolean {
    return this.expectations === null || this.expectations.applyMessage(type, views, at, end);
  }
}

/** Who takes datagrams: the engine. */
interface DatagramTaker {
  onDatagram(views: Views, at: number, length: number, source: number): void;
  onDatagramsEnd(): void;
}

/** Gives what the links receive to the engine. */
export class DatagramFeed {
  /** Both are set once they are there: links, mode and engine are made for each other. */
  engine!: DatagramTaker;
  mode!: SyncMode;

  /** Messages so far that were worth nothing (LinksReceiver). */
  get worthless(): number {
    const { counters, tracking } = this.mode;
    return counters.received[MALFORMED_COUNTER]! + tracking.before;
  }

  onDatagram(views: Views, at: number, length: number, source: number): void {
    this.engine.onDatagram(views, at, length, source);
  }

  onBatchEnd(): void {
    this.engine.onDatagramsEnd();
  }

  onUncongested(): void {
    this.engine.onDatagramsEnd();
  }
}

/** For SyncContext.release: dead entries leave `cache`. */
export function releaseFrom(cache: InternalCache): (row: FlowRow) => void {
  return (row) => cache.release(row);
}
