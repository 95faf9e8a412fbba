import type { Views } from '../base/views.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import type { Expectation } from '../flow/expectation.js';
import { QUEUE_TRANSMIT, STATE_DEAD } from '../flow/layout.js';
import { FlowQueue } from '../flow/queue.js';
import { FlowPointer, type FlowRef } from '../flow/ref.js';
import { type FlowRow, NO_ROW } from '../flow/table.js';
import { type Announcement, ENTRIES_UNKNOWN } from '../wire/announcement.js';
import { isData, type MessageHeader } from '../wire/header.js';
import { CONTROL, FLAG_ACK, FLAG_ALIVE, FLAG_NACK, FLAG_RESYNC, FLOW_NEW } from '../wire/tables.js';
import { Announcer } from './announcer.js';
import { BulkCursor } from './bulk.js';
import { BulkEvidence, NOTHING } from './bulk-evidence.js';
import { ExpectationOutbox } from './expectation-outbox.js';
import type { ModeEvidence } from './health.js';
import { MessageSender, TYPE_OF_STATE } from './message-sender.js';
import {
  type Health,
  heldOf,
  type QueueStatistics,
  type SyncContext,
  type SyncMode,
  type TrackingStatistics,
} from './mode.js';
import { type FlowReader, KernelBulk } from './notrack-bulk.js';
import { ALIVE_MS, RESYNC_MS, TURN_FLOWS, UNLIMITED } from './pace.js';
import { DONE, LISTEN, type MessageJudge, REJECT, Receiver, TAKE } from './receiver.js';
import { BEFORE, GAP, REJOINED, SequenceTracker, SUSPECT, sequenceDistance } from './sequence.js';

export interface NotrackOptions {
  /** With DisableInternalCache: what a bulk sends. Null: a bulk sends the internal cache. */
  readonly kernelFlows: FlowReader | null;
}

/** Who says nothing for so long is gone; it would say ALIVE every second. */
const SILENCE_MS = 10_000;
/**
 * Flows of a bulk sent at a time, some 62 packets of 1500 bytes. Nothing is acknowledged and nothing sent again, so the
 * receiver's socket must hold what it cannot take at once: 92 such packets fit into Linux's default of 208 KiB.
 */
const BULK_BURST = 2048;
/** Flows of a bulk per millisecond on average: below what either implementation takes. */
const BULK_RATE = 200;
/** A bulk goes on after so long. */
const BULK_PAUSE_MS = 5;
/** The widest gap that is taken for loss; a wider one is a stray, or a peer that began anew. */
const LOSS_BOUND = 1 << 20;
/** Peers that are told apart on a shared link; for one more, the one silent for the longest is forgotten. */
const MOST_PEERS = 64;

/** One peer's stream, of which gaps are only counted. */
interface Stream {
  readonly number: number;
  readonly tracker: SequenceTracker;
  /** What it has told us of all its flows. */
  readonly evidence: BulkEvidence;
  heardMs: number;
  /** While it was silent, entries of it went by age. */
  forgotten: boolean;
}

/**
 * NOTRACK: messages leave once and nobody asks whether they came (spec/sync.md).
 *
 * An entry leaves its queue when its message is written, a dead one is released then. What the link loses stays lost
 * until the flow changes again or a resync is asked for. Late messages are applied like others, as the original does;
 * the sequence numbers serve the statistics.
 *
 * With DisableInternalCache there are no entries: `send` turns an event into a message at once, and a bulk is read from
 * the kernel. Unlike the original's, these messages leave at the end of the turn, not with the next ALIVE
 * (spec/findings.md 24).
 */
export class Notrack implements SyncMode, MessageJudge {
  readonly resyncs = true;
  readonly tracking: TrackingStatistics = { lost: 0, before: 0 };
  speaker = 0;
  stamp = 0;

  private readonly transmitQueue: FlowQueue;
  private readonly sender: MessageSender;
  private readonly outbox: ExpectationOutbox;
  private readonly receiver: Receiver;
  private readonly bulkCursor: BulkCursor;
  private readonly kernelBulk: KernelBulk | null;
  private readonly pointer = new FlowPointer();
  /** Flags of control messages that wait. */
  private readonly controlQueue: number[] = [];
  private readonly streams: Stream[] = [];
  private stream: Stream | null = null;
  private datagram = 0;
  private nowMs: number;
  /** A resync was asked for while no peer was there to hear it. */
  private resyncUnheard = false;
  private readonly announcer: Announcer;
  private nextResyncMs = 0;
  private bulkSinceMs = 0;
  private allowance = BULK_BURST;
  private allowanceMs: number;

  constructor(
    private readonly context: SyncContext,
    { kernelFlows }: NotrackOptions,
  ) {
    this.transmitQueue = new FlowQueue(context.table, QUEUE_TRANSMIT);
    this.sender = new MessageSender(context);
    this.outbox = new ExpectationOutbox(context.expectations ?? null, 0, () => {});
    this.receiver = new Receiver(this, context.external);
    this.bulkCursor = new BulkCursor(context.table);
    this.kernelBulk =
      kernelFlows === null
        ? null
        : new KernelBulk(kernelFlows, context.logger, (flow) => this.sender.sendFlow(FLOW_NEW, flow));
    this.nowMs = context.clock.monotonicMs();
    this.allowanceMs = this.nowMs;
    this.announcer = new Announcer(context);
  }

  get counters() {
    return this.receiver.counters;
  }

  // --- the internal cache's side

  enqueue(row: FlowRow): void {
    this.transmitQueue.push(row);
  }

  forget(row: FlowRow): void {
    if (this.transmitQueue.has(row)) this.transmitQueue.remove(row);
  }

  forgetAll(): void {
    while (this.transmitQueue.shift() !== NO_ROW);
    this.bulkCursor.stop();
    this.announcer.account.giveUp();
  }

  /** Without an internal cache: the flow's message is written now and leaves with the next `transmit`. */
  send(type: number, flow: FlowRef): void {
    this.sender.sendFlow(type, flow);
  }

  sendExpectation(type: number, expectation: Expectation): void {
    this.sender.sendExpectation(type, expectation);
  }

  enqueueExpectation(entry: ExpectationEntry): void {
    this.outbox.enqueue(entry);
  }

  forgetExpectations(): void {
    this.outbox.clear();
  }

  // --- requests

  bulk(): void {
    if (this.context.bulkLater?.()) return;
    // A dump of the kernel may have passed over flows: it proves nothing.
    this.bulkSinceMs = this.context.clock.monotonicMs();
    if (this.kernelBulk === null) this.announcer.account.begin(this.sender.next);
    if (this.kernelBulk === null) this.bulkCursor.start();
    else this.kernelBulk.start();
    this.outbox.bulk();
  }

  requestResync(): void {
    this.resyncUnheard = !this.heardLately();
    this.ask(false);
  }

  private ask(ours: boolean): void {
    this.controlQueue.push(FLAG_RESYNC);
    const nowMs = this.context.clock.monotonicMs();
    // The original says nothing of the end of its bulk, and here not even of the request: nothing to wait for.
    for (const { evidence } of this.streams) if (evidence.announces) evidence.asked(0, ours, nowMs);
  }

  /** What a peer told in a former life may be of the past. */
  private askByOurselves(): void {
    if (this.nowMs < this.nextResyncMs) return;
    this.nextResyncMs = this.nowMs + RESYNC_MS;
    this.context.logger.notice('resync requested');
    this.ask(true);
  }

  // --- sending

  transmit(): boolean {
    for (let flags = this.controlQueue.shift(); flags !== undefined; flags = this.controlQueue.shift()) {
      this.sender.sendControl(flags);
    }
    const more = this.sendQueued();
    if (!more) this.sendBulk();
    if (!more) this.sendExpectations();
    if (!more) this.endBulk();
    this.sender.flush();
    return more;
  }

  /** The last entry of a bulk has left: who received all messages since it began has received it whole. */
  private endBulk(): void {
    const { account } = this.announcer;
    if (!account.underWay || this.bulkActive || this.transmitQueue.length > 0) return;
    if (this.context.isComplete?.() === false) {
      account.giveUp();
      return;
    }
    account.sentAll(this.sender.next);
    if (account.settle(null)) this.announcer.hasNews(this.context.clock.monotonicMs());
  }

  /** Sends entries that wait, at most a turn of them. @returns true when more could be sent at once */
  private sendQueued(): boolean {
    const { transmitQueue, sender } = this;
    for (let left = TURN_FLOWS; left > 0; left--) {
      if (transmitQueue.length === 0 || sender.congested) return false;
      this.sendEntry(transmitQueue.shift());
    }
    return transmitQueue.length > 0;
  }

  private sendEntry(row: FlowRow): void {
    const { table } = this.context;
    const state = table.state(row);
    table.point(row, this.pointer);
    this.sender.sendFlow(TYPE_OF_STATE[state]!, this.pointer);
    if (state === STATE_DEAD) this.context.release(row);
  }

  /** Behind the flows, since an expectation is nothing without its master. */
  private sendExpectations(): void {
    const { outbox, sender } = this;
    if (outbox.idle || sender.congested) return;
    if (!this.bulkActive) outbox.feedBulk();
    outbox.drain(TURN_FLOWS, sender.sendExpectation);
  }

  private get bulkActive(): boolean {
    return this.bulkCursor.active || this.kernelBulk?.active === true;
  }

  private sendBulk(): void {
    if (!this.bulkActive) return;
    const nowMs = this.context.clock.monotonicMs();
    this.allowance = Math.min(BULK_BURST, this.allowance + (nowMs - this.allowanceMs) * BULK_RATE);
    this.allowanceMs = nowMs;
    while (this.bulkActive && this.allowance >= 1 && !this.sender.congested) {
      const sent = this.kernelBulk === null ? this.sendNextEntry() : this.kernelBulk.next();
      if (sent === 0) return;
      this.allowance -= sent;
    }
  }

  /** The next entry of a bulk; one that waits already is sent now rather. @returns messages sent */
  private sendNextEntry(): number {
    const row = this.bulkCursor.next();
    if (row === NO_ROW) return 0;
    this.forget(row);
    this.sendEntry(row);
    return 1;
  }

  // --- time

  tick(nowMs: number): void {
    this.nowMs = nowMs;
    for (const { evidence } of this.streams) if (evidence.askAgain(nowMs)) this.askByOurselves();
    const announce = this.announcer.tick(nowMs);
    if (announce) this.sender.sendAnnouncement(this.announcer.take(this.entriesTold()));
    else if (nowMs - this.sender.lastTransmissionMs >= ALIVE_MS) this.sender.sendControl(FLAG_ALIVE);
    this.sender.flush();
  }

  private entriesTold(): number {
    if (this.transmitQueue.length > 0 || this.bulkActive || this.kernelBulk !== null) return ENTRIES_UNKNOWN;
    return this.context.countEntries?.() ?? ENTRIES_UNKNOWN;
  }

  deadlineMs(): number {
    const alive = Math.min(this.sender.lastTransmissionMs + ALIVE_MS, this.announcer.nextMs);
    return this.bulkActive ? Math.min(alive, this.allowanceMs + BULK_PAUSE_MS) : alive;
  }

  // --- receiving

  receiveDatagram(views: Views, at: number, length: number, peer: number): void {
    this.datagram++;
    this.nowMs = this.context.clock.monotonicMs();
    this.receiver.receive(views, at, length, this.context.sharedLink ? peer : 0);
  }

  judge(header: MessageHeader, number: number): number {
    const data = isData(header);
    if (!data && !isControl(header)) return REJECT;
    this.hear(number, header.sequence);
    if (data) return TAKE;
    if ((header.flags & FLAG_RESYNC) !== 0) this.resyncRequested();
    return (header.flags & FLAG_ALIVE) !== 0 ? LISTEN : DONE;
  }

  announced(announcement: Announcement): void {
    const stream = this.streamOf(this.speaker);
    const { evidence } = stream;
    const { lives } = evidence;
    const stamp = evidence.announced(announcement, heldOf(this.context));
    if (stamp !== NOTHING) this.context.sweep?.(stream.number, stamp);
    if (evidence.lives !== lives) this.askByOurselves();
  }

  private hear(number: number, sequence: number): void {
    const stream = this.streamOf(number);
    this.speaker = number;
    stream.heardMs = this.nowMs;
    this.track(stream, sequence);
    this.stamp = stream.evidence.stamp;
    if (stream.forgotten) this.remember(stream);
    if (!this.resyncUnheard) return;
    this.resyncUnheard = false;
    this.controlQueue.push(FLAG_RESYNC);
  }

  /** It is back, and is asked for what was forgotten meanwhile. */
  private remember(stream: Stream): void {
    stream.forgotten = false;
    this.askByOurselves();
  }

  /** Counts gaps and late messages. Unlike the original, counts what was lost (spec/findings.md 21). */
  private track({ tracker, evidence }: Stream, sequence: number): void {
    const verdict = tracker.judge(sequence, this.datagram);
    if (!tracker.started) evidence.begin(sequence);
    if (verdict === GAP) {
      this.tracking.lost += sequenceDistance(tracker.missingFrom, tracker.missingTo) + 1;
      evidence.gap(sequence);
    }
    if (verdict === REJOINED) evidence.jump(sequence);
    if (verdict === BEFORE) this.tracking.before++;
    if (verdict === BEFORE || verdict === SUSPECT) return;
    tracker.accept(sequence);
    evidence.stamp = (sequence + evidence.offset) >>> 0;
  }

  private streamOf(number: number): Stream {
    if (this.stream?.number === number) return this.stream;
    this.stream = this.streams.find((stream) => stream.number === number) ?? this.meet(number);
    return this.stream;
  }

  private meet(number: number): Stream {
    const { streams } = this;
    if (streams.length >= MOST_PEERS) {
      const oldest = streams.reduce((a, b) => (b.heardMs < a.heardMs ? b : a));
      streams.splice(streams.indexOf(oldest), 1);
    }
    const stream = {
      number,
      tracker: new SequenceTracker(LOSS_BOUND),
      evidence: new BulkEvidence(true),
      heardMs: this.nowMs,
      forgotten: false,
    };
    streams.push(stream);
    return stream;
  }

  private resyncRequested(): void {
    const { logger } = this.context;
    logger.notice('resync requested by other node');
    this.announcer.hasNews(this.nowMs);
    // The original says nothing more where it has no cache.
    if (this.kernelBulk === null) logger.notice('sending bulk update');
    this.bulk();
  }

  private heardLately(): boolean {
    return this.streams.some(({ heardMs }) => this.context.clock.monotonicMs() - heardMs < SILENCE_MS);
  }

  // --- what others may know

  evidence(): ModeEvidence {
    const nowMs = this.context.clock.monotonicMs();
    return {
      mode: 'NOTRACK',
      peers: this.streams.map(({ number, heardMs, evidence }) => ({
        number,
        heardMs,
        gone: nowMs - heardMs >= SILENCE_MS,
        greeted: null,
        awaited: evidence.awaited,
        bulks: evidence.completed,
        announced: evidence.comparison,
        unacknowledged: null,
      })),
      unacknowledged: null,
      bulkSinceMs: this.bulkActive ? this.bulkSinceMs : null,
      gaveUp: false,
    };
  }

  externalFlushed(): void {
    for (const { evidence } of this.streams) evidence.dropped();
  }

  goneSinceMs(number: number): number | null {
    const stream = this.streams.find((known) => known.number === number);
    if (stream === undefined || this.context.clock.monotonicMs() - stream.heardMs < SILENCE_MS) return null;
    return stream.heardMs;
  }

  forgot(number: number): void {
    const stream = this.streams.find((known) => known.number === number);
    if (stream !== undefined) stream.forgotten = true;
  }

  /** Whether the peer has everything cannot be known here, only whether it is there. */
  health(): Health {
    if (!this.heardLately()) return 'peer gone';
    return this.transmitQueue.length > 0 || this.bulkActive ? 'behind' : 'in sync';
  }

  visitUnacknowledged(): void {}

  controlMessages(): number {
    return this.controlQueue.length;
  }

  queues(): QueueStatistics[] {
    const length = this.transmitQueue.length + this.controlQueue.length + this.outbox.waiting;
    return [{ name: 'txqueue', length, maximum: UNLIMITED, overflows: 0 }];
  }
}

/** A control message that this mode knows: ALIVE or RESYNC, whatever flags of the hello come along. */
function isControl({ type, flags }: MessageHeader): boolean {
  return type === CONTROL && (flags & (FLAG_ALIVE | FLAG_RESYNC)) !== 0 && (flags & (FLAG_ACK | FLAG_NACK)) === 0;
}
