import { readFileSync } from 'node:fs';
import { Views } from '../../src/base/views.js';
import { FlowPointer, type FlowRef } from '../../src/flow/ref.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { FlowTable, NO_ROW } from '../../src/flow/table.js';
import { decodeFlow as decodeNetlink } from '../../src/netlink/decode.js';

/** One case of test/fixtures/wire/flows.json. */
export interface WireCase {
  readonly name: string;
  /** The original's options: no CommitTimeout, TCPWindowTracking, an internal cache. */
  readonly timeout: boolean;
  readonly window: boolean;
  readonly cached: boolean;
  /** Indices into `events`: earlier events of the flow, then the one that made the message (null: none did). */
  readonly prior: readonly number[];
  readonly event: number | null;
  readonly message: string;
  readonly type: number;
  /** `number:data` of each attribute, in message order, as the capture's own decoder read them. */
  readonly attributes: string;
  /** Name of the attribute whose value is no function of the events. */
  readonly unstable?: string;
}

export interface WireCases {
  readonly events: readonly string[];
  readonly cases: readonly WireCase[];
}

export function readFixture<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/${path}`, import.meta.url), 'utf8')) as T;
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function hexOf(views: Views, at: number, length: number): string {
  return Buffer.from(views.buffer, at, length).toString('hex');
}

/** A flow of a table, with the counters of its last event, which tables do not keep. */
export interface CachedFlow extends FlowRef {
  readonly hasCounters: boolean;
  readonly counters: Float64Array;
}

/** The flow as a cache holds it after these events of it. */
export function flowOfEvents(events: readonly string[]): CachedFlow {
  const table = new FlowTable({ limit: 4 });
  const scratch = new FlowScratch();
  for (const hex of events) {
    const bytes = bytesOf(hex);
    if (!decodeNetlink(Views.of(bytes), 0, bytes.length, scratch)) throw new Error(`undecodable event ${hex}`);
    const row = table.find(scratch);
    if (row === NO_ROW) table.insert(scratch, 0);
    else table.merge(row, scratch, 0);
  }
  if (table.size !== 1) throw new Error(`events of ${table.size} flows`);
  const flow = new FlowPointer();
  table.point(table.next(0), flow);
  return Object.assign(flow, { hasCounters: scratch.hasCounters, counters: scratch.counters });
}
