import type { Clock } from '../base/clock.js';
import type { Health } from '../base/health-states.js';
import type { Logger } from '../base/logger.js';
import type { Views } from '../base/views.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import type { Expectation } from '../flow/expectation.js';
import type { FlowRef } from '../flow/ref.js';
import type { FlowScratch } from '../flow/scratch.js';
import type { FlowRow, FlowTable } from '../flow/table.js';
import type { MessageCounters } from '../wire/counters.js';
import type { EncodeOptions } from '../wire/encode.js';
import type { ExpectationSource } from './expectation-outbox.js';
import type { ModeEvidence } from './health.js';
import type { UnacknowledgedVisitor } from './unacknowledged.js';

export type { Health } from '../base/health-states.js';
export type { UnacknowledgedVisitor } from './unacknowledged.js';

/** Where messages go: the part of a Channel that a mode uses. */
export interface SyncSink {
  readonly out: Views;
  /** Byte offset in `out`, a multiple of 4, with room for one message. */
  reserve(): number;
  /** The message of `length` bytes written there joins the packet. */
  commit(length: number): void;
  /** What has gathered goes out. */
  flush(): void;
  /** True when the link takes nothing at the moment: who can wait should, until it has been freed. */
  readonly congested?: boolean;
}

/** Who takes the flows that peers report: the external cache, or the kernel when that is disabled. */
export interface ExternalReceiver {
  /**
   * @param type FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY
   * @param peer number of the peer, as the channel gave it
   * @param stamp of the message; later messages of a peer have later ones (bulk-evidence.ts)
   * @returns false when the flow cannot be a flow (no addresses): counted as malformed payload
   */
  apply(type: number, flow: FlowScratch, peer: number, stamp: number): boolean;
  /** The first `count` of these are what the next calls of `apply` will be about. */
  expect?(flows: readonly FlowScratch[], count: number): void;
  /**
   * Takes an expectation message (types 3-5) at byte offsets `at`..`end`; absent when expectations are not replicated,
   * then they are ignored.
   *
   * @returns false when it is malformed
   */
  applyExpectation?(type: number, views: Views, at: number, end: number, peer: number): boolean;
}

/** What a mode is given. Everything it knows of the world comes through here. */
export interface SyncContext {
  /** The internal cache's table. */
  readonly table: FlowTable;
  readonly sink: SyncSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly encode: EncodeOptions;
  /** True on a multicast link, which more than two nodes may share. Else all that arrives is from the one peer. */
  readonly sharedLink: boolean;
  /** Redundant links; default 1. The rest of a sender's number divided by it says on which link it was heard. */
  readonly linkCount?: number;
  readonly external: ExternalReceiver;
  /** The internal cache's expectations; absent when they are not replicated. */
  readonly expectations?: ExpectationSource;
  /** A number in [0, 1). */
  random(): number;
  /** The dead entry is of no more use to the mode: its DESTROY has arrived, or nobody is left to be told. */
  release(row: FlowRow): void;
  /**
   * The peer has told of all its flows since `stamp`: its entries with an earlier one are of the past. Absent: nobody
   * wants to know, and a peer that starts anew is not asked for them.
   */
  sweep?(peer: number, stamp: number): void;
  /** Whether the internal cache has all that the kernel has, as far as is known; absent: it has. */
  isComplete?(): boolean;
  /** Entries of the external cache; absent: there is none. */
  countExternal?(): number;
  /** Live entries of the internal cache, for the peers to compare; absent: they are told nothing, as by the original. */
  countEntries?(): number;
  /** With the internal cache disabled: the peers want what the kernel holds. Absent = a bulk from `table`. */
  bulkFromKernel?(): void;
  /** Whether a bulk has to wait, because the cache is incomplete after a commit: its owner then calls `bulk`. */
  bulkLater?(): boolean;
}

/** Flows of the one peer that are here; of several nobody counts them apart. */
export function heldOf(context: SyncContext): number | null {
  return context.sharedLink ? null : (context.countExternal?.() ?? null);
}

/** What a mode's clauses say that may change while it runs; those of other modes are absent. */
export interface ModeSettings {
  readonly kind: string;
  /** ACKWindowSize, at least 1. */
  readonly ackWindowSize?: number;
  /** RefreshTime in seconds, at least 1. */
  readonly refreshTime?: number;
}

/** One block of `-s queue`. */
export interface QueueStatistics {
  readonly name: 'txqueue' | 'rsqueue';
  readonly length: number;
  readonly maximum: number;
  /** `not enough space errors`. */
  readonly overflows: number;
}

/** What the receive side counted besides malformed messages. */
export interface TrackingStatistics {
  /** Messages missed, `Packets lost` and `Lost msgs`; those that came again later are still counted. */
  lost: number;
  /** Messages that came late or twice, `Packets before`. */
  before: number;
}

/**
 * A replication mode: turns changes of the internal cache into messages, and messages into changes of the external one.
 *
 * The owner calls `transmit` after it has handled input and after `tick`, again soon while it says true, and `tick` at
 * `deadlineMs`. Nothing in here waits, and no call takes longer than its slice.
 */
export interface SyncMode {
  readonly counters: MessageCounters;
  readonly tracking: TrackingStatistics;
  /** Messages sent again, as a peer had not got them; absent where none is. */
  readonly retransmitted?: number;
  /** Whether it knows resyncs; else `bulk` and `requestResync` do nothing. */
  readonly resyncs: boolean;
  /** The entry changed (its state word says how) and the peers are to hear of it. */
  enqueue(row: FlowRow): void;
  /** The entry came or changed, and the peers need not hear of it now: our own commit, or a dump. */
  hold?(row: FlowRow): void;
  /** Without an internal cache: the flow's message is written at once. @param type FLOW_NEW, FLOW_UPDATE, FLOW_DESTROY */
  send?(type: number, flow: FlowRef): void;
  /** The entry is about to leave the table though nobody released it. */
  forget(row: FlowRow): void;
  /** The same as `enqueue` for an expectation; a mode without it does not replicate them. */
  enqueueExpectation?(entry: ExpectationEntry): void;
  /** The same as `send` for an expectation. */
  sendExpectation?(type: number, expectation: Expectation): void;
  /** The cache of expectations is about to be emptied. */
  forgetExpectations?(): void;
  /** The table is about to be emptied. */
  forgetAll(): void;
  /** A datagram, or the complete messages of a stream, of `length` bytes at byte offset `at`. */
  receiveDatagram(views: Views, at: number, length: number, peer: number): void;
  /** Entries that wait to be sent; absent where none ever waits. */
  readonly unsent?: number;
  /** Sends what waits, a slice of it. @returns true when more could be sent at once */
  transmit(): boolean;
  /** Does what is due. @param nowMs of the context's clock */
  tick(nowMs: number): void;
  /** When `tick` is due next, in milliseconds of the context's clock. */
  deadlineMs(): number;
  /** `-B`: every entry is sent anew. */
  bulk(): void;
  /** `-n`: the peers are asked for a bulk. */
  requestResync(): void;
  /** The configuration has changed. */
  reconfigure?(settings: ModeSettings): void;
  health(): Health;
  /** What is known of the peers, for a verdict with its reasons (health.ts). */
  evidence(): ModeEvidence;
  /** The external cache was emptied on request: that it lacks flows says nothing until a bulk has come. */
  externalFlushed?(): void;
  /** When a peer that is gone was last heard, on the context's clock; null while it is there, or not known. */
  goneSinceMs?(peer: number): number | null;
  /** Entries of a peer that is gone went by age: should it come back, it is asked for all its flows. */
  forgot?(peer: number): void;
  visitUnacknowledged(visitor: UnacknowledgedVisitor): void;
  /** Control messages that wait in queues, `allocated queue nodes` of `-s queue`. */
  controlMessages(): number;
  queues(): QueueStatistics[];
}
