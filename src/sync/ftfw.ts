import type { Views } from '../base/views.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import { fillMaster } from '../flow/expectation.js';
import { CACHE, QUEUE_RESEND, QUEUE_TRANSMIT, STATE_DEAD, STATE_MASK } from '../flow/layout.js';
import { FlowQueue } from '../flow/queue.js';
import { FlowPointer } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';
import { type Announcement, ENTRIES_UNKNOWN, encodeAnnouncement } from '../wire/announcement.js';
import { type EncodeOptions, encodeControl, encodeFlow } from '../wire/encode.js';
import { encodeExpectation } from '../wire/expectation.js';
import { isData, type MessageHeader } from '../wire/header.js';
import {
  CONTROL,
  FLAG_ACK,
  FLAG_ALIVE,
  FLAG_HELLO,
  FLAG_HELLO_BACK,
  FLAG_NACK,
  FLAG_RESYNC,
  HELLO_FLAGS,
  RANGE_FLAGS,
} from '../wire/tables.js';
import { Announcer } from './announcer.js';
import { BulkCursor } from './bulk.js';
import { NOTHING } from './bulk-evidence.js';
import { EXPECTATION_TYPES, ExpectationOutbox } from './expectation-outbox.js';
import { FlightWindow } from './flight.js';
import { OwnHello } from './greeting.js';
import type { ModeEvidence } from './health.js';
import { TYPE_OF_STATE } from './message-sender.js';
import { Allowance } from './missing.js';
import type {
  Health,
  ModeSettings,
  QueueStatistics,
  SyncContext,
  SyncMode,
  SyncSink,
  TrackingStatistics,
  UnacknowledgedVisitor,
} from './mode.js';
import { MEETING_MS, type Peer, Peers } from './peers.js';
import { DONE, LISTEN, type MessageJudge, REJECT, Receiver, TAKE } from './receiver.js';
import { type ControlMessage, type ResendEvents, ResendQueue } from './resend.js';
import {
  BEFORE,
  firstSequence,
  GAP,
  isNearTime,
  REJOINED,
  SUSPECT,
  sequenceAfter,
  sequenceDistance,
  sequencePlus,
} from './sequence.js';

/** What `Mode FTFW` configures. */
export interface FtfwOptions {
  /** ResendQueueSize, at least 1. */
  readonly resendQueueSize: number;
  /** ACKWindowSize, at least 1. */
  readonly ackWindowSize: number;
}

/** ALIVE or ACK leaves so long after the last transmission (spec/sync.md). */
const ALIVE_MS = 1000;
/**
 * The same wait counted from the message received. The original knows only the one above, so that a node which sends
 * without pause never acknowledges a window's rest. Twice as long, so that it shows only where the original would fail.
 */
const LATEST_ACK_MS = 2000;
/** A message that the peer must have passed over is sent again after one to two of these. */
const RETRY_MS = 5000;
/** A resync of our own accord is asked for at most once in so long: each is a bulk for the peers. */
const RESYNC_MS = 10_000;
/** On a shared link bulks begin so far apart: each is for all that asked meanwhile. */
const BULK_MS = 1000;
/** Messages retried at a time. */
const RETRY_BUDGET = 1024;
/** Flows sent before others get their turn: some 2 ms. */
const TURN_FLOWS = 2048;
/** Entries a bulk puts into the transmit queue at a time. */
const BULK_SLICE = 512;
/** On a shared link streams closer than this must part: one second at several million messages, and more. */
const LEAST_SEPARATION = 1 << 22;
/** On a shared link an ACK is ours when it ends so near behind our last number. */
const OWN_RANGE = 1 << 21;
/** `maximum elements` of the transmit queue in `-s queue`: it has no limit. */
const UNLIMITED = 0x7fffffff;
/** Bits of all peers. */
const EVERYBODY = -1;

/**
 * FTFW: the reliable mode.
 *
 * ```
 *  enqueue ──> transmit queue ──send──> resend queue ──ACK──> settled (a dead entry is released)
 *                   ^                        │
 *                   └────── NACK ────────────┘   with a new number and the flow's present state
 * ```
 *
 * **Sending.** Every message, of whatever kind, takes the next number. What was sent waits for its acknowledgement,
 * ALIVE excepted. An entry is in one queue or none: a change of one that waits for its acknowledgement moves it back.
 *
 * **Receiving.** Per peer a tracker says whether a message follows, leaves a gap or comes late (sequence.ts). The peer's
 * messages are acknowledged by ranges, when ACKWindowSize of them came or a second passed without our sending anything.
 * A gap acknowledges what came before it, asks for the missing range, and goes on.
 *
 * **Hello.** A node says HELLO on all it sends until it hears HELLO_BACK. A peer that says HELLO for the first time in
 * its life knows nothing: what waits for its acknowledgement is given up (`-n` there, or StartupResync, brings it a
 * bulk), except a request for a resync, which is repeated. But a HELLO with HELLO_BACK comes from one that has heard us
 * already, and further HELLOs of the same life are messages like others: here the original forgets messages that are
 * merely lost, and a node that started together with its peer stays short of them.
 *
 * What is promised: as long as no node restarts and no resend queue overflows, whatever the link loses, repeats or
 * reorders, the peers end up with what we have. After an overflow (a peer away for long, with more changes than
 * ResendQueueSize) a bulk starts by itself when the peer acknowledges again; destroyed flows whose messages were given
 * up stay in its cache until they age or are swept. After a restart a resync must be asked for.
 *
 * **More than two nodes** (spec/beyond.md row 6; multicast). Messages wait until all live peers have acknowledged them.
 * An ACK does not say whose messages it acknowledges; ours are told from others' by their numbers, so nodes keep their
 * numbers apart: one that finds a peer's stream near its own goes on at another number, far ahead. Its peers find out as
 * with any jump, and ask for what they refused meanwhile.
 */
export class Ftfw implements SyncMode, MessageJudge, ResendEvents {
  readonly resyncs = true;
  readonly tracking: TrackingStatistics = { lost: 0, before: 0 };
  speaker = 0;
  stamp = 0;

  // Of the context, what each flow needs: fields of this class are found without asking what kind of object holds them.
  private readonly table: FlowTable;
  private readonly sink: SyncSink;
  private readonly encode: EncodeOptions;
  private readonly release: (row: FlowRow) => void;
  private readonly transmitQueue: FlowQueue;
  private readonly resendQueue: ResendQueue;
  private readonly controlQueue: ControlMessage[] = [];
  /** Of a shared link: control messages that were missed, which leave together with questions. */
  private readonly repeats: ControlMessage[] = [];
  private readonly receiver: Receiver;
  private readonly peers: Peers;
  private readonly flight: FlightWindow;
  private readonly bulkCursor: BulkCursor;
  private readonly questions: Allowance;
  private readonly announcer: Announcer;
  private readonly pointer = new FlowPointer();
  private readonly outbox: ExpectationOutbox;
  private readonly master = new FlowScratch();

  /** Number of the next message; the time of day once the first one is sent. */
  private nextSequence = 0;
  private begun = false;
  private unflushed = false;
  private readonly ownHello = new OwnHello();
  private lastTransmissionMs: number;
  /** Messages were given up that a peer may need. */
  private shortOf = false;
  private datagram = 0;
  private resyncDue = false;
  private bulkSinceMs = 0;
  /** The resync that waits to be sent was nobody's wish but ours. */
  private resyncOurs = false;
  /** Since when something waits and nobody acknowledges anything; infinity: nothing waits. */
  private unansweredMs = Number.POSITIVE_INFINITY;
  private nextResyncMs = 0;
  /** The peers are to be told of everything, as soon as the last time is long enough ago. */
  private bulkDue = false;
  private nextBulkMs = 0;
  private readonly startedMs: number;
  private nowMs: number;
  private nextRetryMs: number;
  private retryBefore: number | null = null;
  private retryBeforeNext: number | null = null;

  constructor(
    private readonly context: SyncContext,
    private readonly options: FtfwOptions,
  ) {
    const { table, clock } = context;
    this.table = table;
    this.sink = context.sink;
    this.encode = context.encode;
    this.release = context.release;
    this.transmitQueue = new FlowQueue(table, QUEUE_TRANSMIT);
    this.resendQueue = new ResendQueue(table, options.resendQueueSize, this);
    this.receiver = new Receiver(this, context.external);
    // A gap wider than the peer's resend queue cannot be closed by asking, and both ends are configured alike.
    this.peers = new Peers(options.ackWindowSize, options.resendQueueSize, context.linkCount, context.sharedLink);
    this.questions = new Allowance(context.sharedLink);
    this.flight = new FlightWindow(options.resendQueueSize);
    this.bulkCursor = new BulkCursor(table);
    this.outbox = new ExpectationOutbox(context.expectations ?? null, options.resendQueueSize, () => this.overflowed());
    this.nowMs = clock.monotonicMs();
    this.startedMs = this.nowMs;
    this.lastTransmissionMs = this.nowMs;
    this.nextRetryMs = this.nowMs + RETRY_MS;
    const announceMs = context.countEntries === undefined ? Number.POSITIVE_INFINITY : this.nowMs;
    this.announcer = new Announcer(Math.floor(context.random() * 2 ** 32), announceMs);
  }

  get counters() {
    return this.receiver.counters;
  }

  get unsent(): number {
    return this.transmitQueue.length;
  }

  // --- the internal cache's side

  enqueue(row: FlowRow): void {
    const queue = this.queueOf(row);
    if (queue === QUEUE_TRANSMIT) return;
    if (queue === QUEUE_RESEND) this.resendQueue.removeFlow(row);
    this.transmitQueue.push(row);
  }

  forget(row: FlowRow): void {
    const queue = this.queueOf(row);
    if (queue === QUEUE_TRANSMIT) this.transmitQueue.remove(row);
    else if (queue === QUEUE_RESEND) this.resendQueue.removeFlow(row);
  }

  forgetAll(): void {
    while (this.transmitQueue.shift() !== NO_ROW);
    this.resendQueue.clearFlows();
    this.bulkCursor.stop();
    this.announcer.account.giveUp();
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
    this.beginNumbers();
    this.announcer.account.begin(this.nextSequence);
    this.bulkSinceMs = this.context.clock.monotonicMs();
    this.bulkCursor.start();
    this.outbox.bulk();
  }

  requestResync(): void {
    this.resyncOurs = false;
    if (this.controlQueue.some(({ flags }) => (flags & FLAG_RESYNC) !== 0)) return;
    this.queueControl(FLAG_RESYNC, 0, 0, EVERYBODY);
  }

  /** ResendQueueSize stays: the rings of numbers are made for it. */
  reconfigure({ ackWindowSize }: ModeSettings): void {
    if (ackWindowSize !== undefined) this.peers.setWindow(ackWindowSize);
  }

  // --- sending

  transmit(): boolean {
    this.sendControls();
    const more = this.sendFlows();
    const moreExpectations = this.sendExpectations();
    this.endBulk();
    this.flush();
    return more || moreExpectations;
  }

  /** The last entry of a bulk has left. */
  private endBulk(): void {
    const { account } = this.announcer;
    if (!account.underWay || this.bulkCursor.active || this.transmitQueue.length > 0) return;
    if (this.context.isComplete?.() === false) account.giveUp();
    else account.sentAll(this.nextSequence);
  }

  private sendControls(): void {
    const waiting = this.controlQueue;
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) this.sendControl(message);
  }

  /** Sends entries, at most a turn of them. @returns true when more could be sent at once */
  private sendFlows(): boolean {
    const { transmitQueue, resendQueue, flight } = this;
    const live = this.peers.live > 0 ? flight.live : Number.POSITIVE_INFINITY;
    for (let left = TURN_FLOWS; left > 0; left--) {
      if (transmitQueue.length === 0) this.feedBulk();
      const row = transmitQueue.head;
      if (row === NO_ROW) return false;
      if (resendQueue.entries >= live) {
        flight.stall(this.context.clock.monotonicMs());
        return false;
      }
      transmitQueue.remove(row);
      this.sendFlow(row);
    }
    return transmitQueue.length > 0 || this.bulkCursor.active;
  }

  private sendFlow(row: FlowRow): void {
    const { table, sink, encode } = this;
    const pointer = this.pointer;
    table.point(row, pointer);
    const state = pointer.words[pointer.at + CACHE]! & STATE_MASK;
    const sequence = this.takeSequence();
    const at = sink.reserve();
    sink.commit(encodeFlow(sink.out, at, TYPE_OF_STATE[state]!, this.ownHello.take(), sequence, pointer, encode));
    this.resendQueue.addFlow(row, sequence);
  }

  /** Each expectation goes out behind its master, those of a bulk behind all flows. */
  private sendExpectations(): boolean {
    const { outbox, resendQueue, flight } = this;
    if (outbox.idle) return false;
    if (!this.bulkCursor.active) outbox.feedBulk();
    const live = this.peers.live > 0 ? flight.live : Number.POSITIVE_INFINITY;
    for (let left = TURN_FLOWS; left > 0; left--) {
      if (outbox.waiting === 0) return false;
      if (resendQueue.entries + outbox.unacknowledged >= live) {
        flight.stall(this.context.clock.monotonicMs());
        return false;
      }
      const entry = outbox.shift();
      if (entry !== undefined) this.sendExpectationEntry(entry);
    }
    return outbox.waiting > 0;
  }

  private sendExpectationEntry(entry: ExpectationEntry): void {
    const { sink, encode, table } = this;
    const { expectation, state } = entry;
    fillMaster(this.master, expectation);
    const master = table.find(this.master);
    if (master !== NO_ROW && this.queueOf(master) === QUEUE_TRANSMIT) {
      this.transmitQueue.remove(master);
      this.sendFlow(master);
    }
    const sequence = this.takeSequence();
    const type = EXPECTATION_TYPES[state];
    const at = sink.reserve();
    sink.commit(encodeExpectation(sink.out, at, type, this.ownHello.take(), sequence, expectation, encode.timeout));
    this.outbox.markSent(entry, sequence);
  }

  private sendControl(message: ControlMessage): void {
    const { sink } = this;
    message.sequence = this.takeSequence();
    message.flags = (message.flags & ~HELLO_FLAGS) | this.ownHello.take();
    const at = sink.reserve();
    if ((message.flags & FLAG_ALIVE) !== 0 && this.announcer.due) {
      const announcement = this.announcer.take(this.entriesTold());
      sink.commit(encodeAnnouncement(sink.out, at, message.flags, message.sequence, announcement));
      return;
    }
    sink.commit(encodeControl(sink.out, at, message.flags, message.sequence, message.from, message.to));
    if ((message.flags & FLAG_RESYNC) !== 0) this.asked(message.sequence);
    if ((message.flags & RANGE_FLAGS) !== 0) this.resendQueue.addControl(message);
  }

  /** Entries the peers should hold of ours when this message reaches them; unknown in the midst of changes. */
  private entriesTold(): number {
    if (this.transmitQueue.length > 0 || this.resendQueue.entries > 0 || this.bulkCursor.active) return ENTRIES_UNKNOWN;
    return this.context.countEntries?.() ?? ENTRIES_UNKNOWN;
  }

  private asked(sequence: number): void {
    for (const { live, evidence } of this.peers.all) if (live) evidence.asked(sequence, this.resyncOurs, this.nowMs);
  }

  /** Entries of a bulk join the transmit queue as far as what is under way allows. */
  private feedBulk(): void {
    if (!this.bulkCursor.active) return;
    const room = this.flight.bulk - this.resendQueue.entries;
    for (let left = Math.min(BULK_SLICE, room); left > 0; left--) {
      const row = this.bulkCursor.next();
      if (row === NO_ROW) return;
      this.enqueue(row);
    }
  }

  private beginNumbers(): void {
    if (this.begun) return;
    this.begun = true;
    this.nextSequence = firstSequence(this.context.clock.wallSeconds(), this.context.random());
  }

  private takeSequence(): number {
    if (!this.begun) this.beginNumbers();
    this.unflushed = true;
    const sequence = this.nextSequence;
    this.nextSequence = (sequence + 1) >>> 0;
    return sequence;
  }

  /** @param concerns bits of the peers that have to receive it */
  private queueControl(flags: number, from: number, to: number, concerns: number): void {
    this.controlQueue.push({ sequence: 0, flags, from, to, acknowledged: 0, concerns });
  }

  private flush(): void {
    if (!this.unflushed) return;
    this.unflushed = false;
    this.sink.flush();
    this.lastTransmissionMs = this.context.clock.monotonicMs();
  }

  // --- ResendEvents

  settled(row: FlowRow): void {
    if (this.table.state(row) === STATE_DEAD) this.release(row);
  }

  again(row: FlowRow): void {
    this.announcer.account.tookBack();
    this.transmitQueue.push(row);
  }

  controlAgain(message: ControlMessage): void {
    if (this.context.sharedLink) this.repeats.push(message);
    else this.controlQueue.push(message);
  }

  overflowed(): void {
    this.announcer.account.giveUp();
    this.shortOf = true;
  }

  // --- time

  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.flight.tick(nowMs);
    this.expirePeers(nowMs);
    if (this.context.sharedLink) this.separate();
    if (nowMs >= this.nextRetryMs) this.retry(nowMs);
    this.askForMissing();
    this.weighEvidence(nowMs);
    this.resyncWhenDue(nowMs);
    this.bulkWhenDue(nowMs);
    this.watchAnswers(nowMs);
    this.announce(nowMs);
    const idle = nowMs - this.lastTransmissionMs >= ALIVE_MS;
    const acknowledged = this.acknowledgeWaiting(idle ? 0 : LATEST_ACK_MS, nowMs);
    if (idle && !acknowledged && !this.announcer.due) this.queueControl(FLAG_ALIVE, 0, 0, EVERYBODY);
    this.sendControls();
    this.flush();
  }

  deadlineMs(): number {
    let deadline = Math.min(this.lastTransmissionMs + ALIVE_MS, this.nextRetryMs, this.flight.deadlineMs);
    if (this.peers.live > 0) deadline = Math.min(deadline, this.announcer.nextMs);
    let asks = this.repeats.length > 0;
    for (const peer of this.peers.all) {
      if (peer.waiting) deadline = Math.min(deadline, peer.waitingSinceMs + LATEST_ACK_MS);
      if (peer.missing.pending) asks = true;
    }
    if (asks) deadline = Math.min(deadline, this.questions.nextMs);
    if (this.resyncDue) deadline = Math.min(deadline, this.nextResyncMs);
    if (this.bulkDue) deadline = Math.min(deadline, this.nextBulkMs);
    return Math.min(deadline, this.peers.deadlineMs);
  }

  /** Queues an ACK for every peer whose messages wait for at least `ageMs`. The window goes on, as in the original. */
  private acknowledgeWaiting(ageMs: number, nowMs: number): boolean {
    let any = false;
    for (const peer of this.peers.all) {
      if (!peer.waiting || nowMs - peer.waitingSinceMs < ageMs) continue;
      this.acknowledge(peer, peer.tracker.last);
      any = true;
    }
    return any;
  }

  private acknowledge(peer: Peer, to: number): void {
    this.queueControl(FLAG_ACK, peer.acknowledgeFrom, to, peer.bit);
    peer.acknowledged();
  }

  private expirePeers(nowMs: number): void {
    for (let peer = this.peers.expire(nowMs); peer !== null; peer = this.peers.expire(nowMs)) {
      const seconds = Math.round((nowMs - peer.heardMs) / 1000);
      this.context.logger.warning(`no message from ${this.nameOf(peer)} for ${seconds} seconds`);
      // Alone, it is waited for: it may come back and ask for what it missed.
      if (this.peers.live === 0) continue;
      peer.forgiven = true;
      this.forgive(peer);
    }
  }

  /** After a jump of a peer's stream, what it could not send again is asked for as a whole. */
  private resyncWhenDue(nowMs: number): void {
    if (!this.resyncDue || nowMs < this.nextResyncMs) return;
    this.resyncDue = false;
    this.nextResyncMs = nowMs + RESYNC_MS;
    this.context.logger.notice('resync requested');
    this.requestResync();
    this.resyncOurs = true;
  }

  private bulkWhenDue(nowMs: number): void {
    if (!this.bulkDue || nowMs < this.nextBulkMs) return;
    this.bulkDue = false;
    this.sendBulk(nowMs);
  }

  /** Entries go that a peer no longer has, and what it did not tell whole is asked for again. */
  private weighEvidence(nowMs: number): void {
    for (const peer of this.peers.all) {
      if (!peer.live || !peer.evidence.awaited) continue;
      this.sweep(peer, peer.evidence.quiet(nowMs));
      if (peer.evidence.askAgain(nowMs)) this.resyncDue = true;
    }
  }

  private sweep(peer: Peer, stamp: number): void {
    if (stamp !== NOTHING) this.context.sweep?.(peer.number, stamp);
  }

  private watchAnswers(nowMs: number): void {
    if (this.resendQueue.length === 0) this.unansweredMs = Number.POSITIVE_INFINITY;
    else if (this.unansweredMs === Number.POSITIVE_INFINITY) this.unansweredMs = nowMs;
  }

  /** Tells the peers, one of these days or when they have just received a bulk whole. */
  private announce(nowMs: number): void {
    if (this.peers.live === 0) return;
    if (this.announcer.account.pending && this.announcer.account.settle(this.resendQueue.oldest)) {
      this.announcer.hasNews(nowMs);
    }
    if (this.announcer.tick(nowMs)) this.queueControl(FLAG_ALIVE, 0, 0, EVERYBODY);
  }

  /** Messages that a peer passed over, acknowledging later ones, are sent again. Only a hello leaves such holes. */
  private retry(nowMs: number): void {
    this.nextRetryMs = nowMs + RETRY_MS;
    const before = this.retryBefore;
    this.retryBefore = this.retryBeforeNext;
    this.retryBeforeNext = this.begun ? this.nextSequence : null;
    if (before === null) return;
    const passed = this.peers.passed();
    this.resendQueue.retryPassed(before, passed, RETRY_BUDGET);
    this.outbox.retryPassed(before, passed);
  }

  /** On a link shared by several, goes on at another number when a peer's stream is near ours. */
  private separate(): void {
    if (!this.begun || !this.peers.several || !this.peers.all.some((peer) => this.isNear(peer))) return;
    this.resendQueue.retryAll();
    this.outbox.retryAll();
    this.nextSequence = sequencePlus(
      this.nextSequence,
      4 * LEAST_SEPARATION + Math.floor(this.context.random() * 2 ** 30),
    );
    this.retryBefore = null;
    this.retryBeforeNext = null;
    for (const peer of this.peers.all) peer.passed = null;
  }

  private isNear(peer: Peer): boolean {
    return (
      peer.live &&
      peer.tracker.started &&
      Math.abs(sequenceDistance(peer.tracker.last, this.nextSequence)) < LEAST_SEPARATION
    );
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
    const { flags, sequence } = header;
    const hello = (flags & FLAG_HELLO) !== 0;
    const peer = this.peers.find(number) ?? this.meet(number, sequence, hello);
    this.speaker = peer.number;
    if (this.peers.heard(peer, this.nowMs)) this.returned(peer);
    if (hello && !this.hello(peer, header)) return DONE;
    if (!this.inSequence(peer, header)) return DONE;
    const { evidence } = peer;
    evidence.stamp = (sequence + evidence.offset) >>> 0;
    this.stamp = evidence.stamp;
    if (!hello) peer.greeting.end(sequence);
    if ((flags & FLAG_HELLO_BACK) !== 0) this.known(peer);
    if (data) {
      evidence.controls = 0;
      return TAKE;
    }
    evidence.control(this.nowMs);
    this.control(peer, header);
    return (flags & FLAG_ALIVE) !== 0 ? LISTEN : DONE;
  }

  /** Flows of the one peer that are here; of several nobody counts them apart. */
  private held(): number | null {
    return this.context.sharedLink ? null : (this.context.countExternal?.() ?? null);
  }

  announced(announcement: Announcement): void {
    const peer = this.peers.find(this.speaker);
    if (peer === null) return;
    const { lives } = peer.evidence;
    this.sweep(peer, peer.evidence.announced(announcement, this.held()));
    // On a shared link another node may have answered its HELLO before it got here.
    if (peer.evidence.lives !== lives) this.resyncDue = true;
  }

  private meet(number: number, sequence: number, hello: boolean): Peer {
    const nearTime = this.isNearTime(sequence);
    const peer = this.peers.meet(number, hello && nearTime ? null : sequence, nearTime, this.nowMs);
    if (peer.tracker.started) return peer;
    this.resendQueue.unmark(peer.bit);
    this.outbox.unmark(peer.bit);
    if (this.context.sharedLink && !hello) this.meetStranger();
    return peer;
  }

  /**
   * A node that runs already. Where it was we were not heard, nor our HELLO, which another node may have answered. When
   * we are no newcomer either, neither of us knows what the other one said until now.
   */
  private meetStranger(): void {
    this.ownHello.saying = true;
    if (this.nowMs - this.startedMs < MEETING_MS) return;
    this.resyncDue = true;
    this.bulkDue = true;
  }

  private isNearTime(sequence: number): boolean {
    return isNearTime(sequence, this.context.clock.wallSeconds());
  }

  private returned(peer: Peer): void {
    if (peer.forgiven) this.shortOf = true;
    peer.forgiven = false;
    if (!peer.tracker.started) return;
    peer.returning = true;
    if (peer.forgotten) this.resyncDue = true;
    peer.forgotten = false;
    this.context.logger.notice(`${this.nameOf(peer)} is back`);
  }

  /** Tracks the stream and acknowledges. @returns false when the message is not to be looked at */
  private inSequence(peer: Peer, { sequence, flags }: MessageHeader): boolean {
    const { tracker } = peer;
    const verdict = tracker.judge(sequence, this.datagram);
    if (verdict === BEFORE) {
      this.tracking.before++;
      return false;
    }
    if (verdict === SUSPECT) {
      this.logJump(peer, sequence, 'ignored until others follow it');
      return false;
    }
    if (verdict === REJOINED) {
      this.rejoin(peer, sequence);
      return false;
    }
    if (!tracker.started) peer.evidence.begin(sequence);
    if (verdict === GAP) this.gap(peer, sequence);
    peer.returning = false;
    peer.accept(sequence, this.nowMs);
    peer.window--;
    // An ACK or ALIVE waits for the alarm: answered at once, small windows would make ACKs of ACKs without end.
    if (peer.window <= 0 && (flags & (FLAG_ACK | FLAG_ALIVE)) === 0) {
      this.acknowledge(peer, sequence);
      peer.resetWindow();
      peer.jumpLogged = false;
    }
    return true;
  }

  /** Acknowledges what came before the gap and asks for the gap; too often in a row, it does both a little later. */
  private gap(peer: Peer, sequence: number): void {
    const { tracker } = peer;
    peer.evidence.gap(sequence);
    // After a long silence it may have given up what we ask for, and says so nowhere.
    if (peer.returning) this.resyncDue = true;
    this.tracking.lost += sequenceDistance(tracker.missingFrom, tracker.missingTo) + 1;
    peer.missing.add(peer.waiting ? peer.acknowledgeFrom : null, tracker.missingFrom, tracker.missingTo);
    peer.acknowledged();
    peer.resetWindow();
    this.askForMissing();
  }

  private get hasQuestions(): boolean {
    return this.repeats.length > 0 || this.peers.all.some(({ missing }) => missing.pending);
  }

  /** Asks, when we may, for all that is missing. */
  private askForMissing(): void {
    if (!this.hasQuestions || !this.questions.take(this.nowMs)) return;
    this.controlQueue.push(...this.repeats.splice(0));
    for (const { missing, bit } of this.peers.all) {
      for (const { received, missingFrom, missingTo } of missing.take()) {
        if (received !== null) this.queueControl(FLAG_ACK, received, sequencePlus(missingFrom, -1), bit);
        this.queueControl(FLAG_NACK, missingFrom, missingTo, bit);
      }
    }
  }

  /** The stream went on elsewhere. Nothing is acknowledged of the stretch that proved wrong. */
  private rejoin(peer: Peer, sequence: number): void {
    const { tracker } = peer;
    peer.acknowledged();
    peer.resetWindow();
    this.logJump(peer, sequence, 'followed');
    this.tracking.lost += tracker.refused;
    peer.missing.add(null, tracker.missingFrom, tracker.missingTo);
    this.askForMissing();
    tracker.accept(sequence);
    peer.evidence.jump(sequence);
    this.resyncDue = true;
  }

  /** @returns false when the message is to be dropped: the network repeated it, or it came late */
  private hello(peer: Peer, { sequence, flags }: MessageHeader): boolean {
    if (!peer.greeting.goesOn(sequence, this.nowMs)) {
      if (peer.greeting.isOld(sequence, this.nowMs)) {
        this.tracking.before++;
        return false;
      }
      // A stream that goes on is the same life's, greeting another node. Not the original's, whose next life may go on.
      const sameLife = peer.tracker.continues(sequence) && !this.isNearTime(sequence);
      if (!sameLife) this.newLife(peer, sequence, (flags & FLAG_HELLO_BACK) !== 0);
    }
    this.ownHello.answer();
    return true;
  }

  private newLife(peer: Peer, sequence: number, knowsUs: boolean): void {
    const known = peer.tracker.started;
    peer.restart();
    peer.greeting.begin(sequence, this.nowMs);
    if (!known) {
      // What was said before it was heard for the first time waits for it: it may have been there all the time.
      if (!this.context.sharedLink) this.resendQueue.askAgain();
      return;
    }
    if (!knowsUs) {
      this.forgive(peer);
      if (this.peers.live <= 1) this.shortOf = false;
    }
    if (this.context.sweep === undefined) return;
    // Of the flows it told us in its former life it may have lost some: only all of those it has now can tell.
    this.context.logger.notice(`${this.nameOf(peer)} has started anew`);
    this.resyncDue = true;
  }

  /** Nothing waits for this peer any more. */
  private forgive(peer: Peer): void {
    this.announcer.account.giveUp();
    this.resendQueue.forgive(peer.bit, this.peers.required);
    this.outbox.forgive(peer.bit, this.peers.required);
  }

  private known(peer: Peer): void {
    peer.knowsUs = true;
    if (this.peers.all.every((other) => other.knowsUs || !other.live)) this.ownHello.saying = false;
  }

  private control(peer: Peer, { flags, from, to }: MessageHeader): void {
    if ((flags & FLAG_RESYNC) !== 0) this.resyncRequested();
    else if ((flags & RANGE_FLAGS) === 0 || !this.isOurs(peer, to)) return;
    else if ((flags & FLAG_ACK) !== 0) this.acknowledgedBy(peer, from, to);
    else {
      this.flight.missed();
      this.resendQueue.missed(from, to, peer.bit);
      this.outbox.missed(from, to);
      this.makeUp();
    }
  }

  /** A range may end beyond what we sent (the original takes it), but one that begins there says nothing. */
  private acknowledgedBy(peer: Peer, from: number, to: number): void {
    const newest = sequencePlus(this.nextSequence, -1);
    const last = sequenceAfter(to, newest) ? newest : to;
    if (sequenceAfter(from, newest)) return;
    this.flight.acknowledged(sequenceDistance(from, last) + 1);
    // Its first ACK begins with the first of our messages that it received: it has missed those before.
    if (peer.passed === null) {
      this.resendQueue.retryBefore(from);
      this.outbox.retryBefore(from);
    }
    peer.pass(last, this.nowMs);
    peer.evidence.acknowledged(from, last, this.nowMs);
    this.unansweredMs = this.nowMs;
    this.resendQueue.acknowledge(from, last, peer.bit, this.peers.required);
    this.outbox.acknowledge(from, last, peer.bit, this.peers.required);
    this.makeUp();
  }

  /**
   * Whether an ACK or NACK that ends with `to` is about our messages. One that comes before the peer answered our HELLO
   * is about a former life of ours, whose numbers may have been the same.
   */
  private isOurs(peer: Peer, to: number): boolean {
    if (this.ownHello.saying && !peer.knowsUs) return false;
    if (!this.peers.several) return true;
    const behind = sequenceDistance(to, this.nextSequence);
    return behind > 0 && behind <= OWN_RANGE;
  }

  private resyncRequested(): void {
    const { logger, sharedLink } = this.context;
    logger.notice('resync requested by other node');
    // Soon: who asked is not to take a pause of ours for the end of the bulk.
    this.announcer.hasNews(this.nowMs);
    // Nodes that start together all ask, several times: one answer a second reaches all of them.
    if (sharedLink && this.nowMs < this.nextBulkMs) this.bulkDue = true;
    else this.sendBulk(this.nowMs);
  }

  private sendBulk(nowMs: number): void {
    const { logger, bulkFromKernel } = this.context;
    this.nextBulkMs = nowMs + BULK_MS;
    logger.notice('sending bulk update');
    if (bulkFromKernel) bulkFromKernel();
    else this.bulk();
  }

  /** A peer answers again after messages were given up: it gets everything. */
  private makeUp(): void {
    if (!this.shortOf) return;
    this.shortOf = false;
    this.context.logger.warning(
      `the peer missed messages that the resend queue could not hold (ResendQueueSize ${this.options.resendQueueSize})`,
    );
    this.bulk();
  }

  // --- what others may know

  evidence(): ModeEvidence {
    const messages = this.resendQueue.length + this.outbox.unacknowledged;
    return {
      mode: 'FTFW',
      peers: this.peers.all.map((peer) => ({
        number: peer.number,
        heardMs: peer.heardMs,
        gone: !peer.live,
        greeted: !this.ownHello.saying || peer.knowsUs,
        awaited: peer.evidence.awaited,
        bulks: peer.evidence.completed,
        announced: peer.evidence.comparison,
        unacknowledged: this.unacknowledgedBy(peer, messages),
      })),
      unacknowledged: {
        messages: this.unansweredMs === Number.POSITIVE_INFINITY ? 0 : messages,
        sinceMs: this.unansweredMs,
      },
      bulkSinceMs: this.announcer.account.pending ? this.bulkSinceMs : null,
      gaveUp: this.shortOf,
    };
  }

  /** @param waiting messages that are kept for any peer; those of the hello and ALIVE are not, but have numbers */
  private unacknowledgedBy({ passed, acknowledgedMs }: Peer, waiting: number): { messages: number; sinceMs: number } {
    const behind = passed === null ? waiting : sequenceDistance(passed, this.nextSequence) - 1;
    return { messages: Math.max(0, Math.min(behind, waiting)), sinceMs: acknowledgedMs };
  }

  externalFlushed(): void {
    for (const { evidence } of this.peers.all) evidence.dropped();
  }

  goneSinceMs(number: number): number | null {
    const peer = this.peers.find(number);
    return peer === null || peer.live ? null : peer.heardMs;
  }

  forgot(number: number): void {
    const peer = this.peers.find(number);
    if (peer !== null) peer.forgotten = true;
  }

  get retransmitted(): number {
    return this.resendQueue.retried;
  }

  health(): Health {
    if (this.peers.live === 0) return 'peer gone';
    const waits = this.flight.deadlineMs !== Number.POSITIVE_INFINITY || this.bulkCursor.active || this.shortOf;
    return waits || this.ownHello.saying ? 'behind' : 'in sync';
  }

  visitUnacknowledged(visitor: UnacknowledgedVisitor): void {
    this.outbox.visitAmong(visitor, (joined) => this.resendQueue.visit(joined));
  }

  controlMessages(): number {
    return this.controlQueue.length + this.repeats.length + this.resendQueue.controlLength;
  }

  queues(): QueueStatistics[] {
    const { transmitQueue, controlQueue, resendQueue, outbox } = this;
    const unsent = transmitQueue.length + controlQueue.length + this.repeats.length + outbox.waiting;
    return [
      { name: 'txqueue', length: unsent, maximum: UNLIMITED, overflows: 0 },
      {
        name: 'rsqueue',
        length: resendQueue.length + outbox.unacknowledged,
        maximum: resendQueue.capacity,
        overflows: resendQueue.overflows + outbox.overflows,
      },
    ];
  }

  private queueOf(row: FlowRow): number {
    return this.table.queueOf(row);
  }

  private nameOf(peer: Peer): string {
    return this.context.sharedLink ? `peer ${peer.number}` : 'the peer';
  }

  private logJump(peer: Peer, sequence: number, what: string): void {
    if (peer.jumpLogged) return;
    peer.jumpLogged = true;
    const expected = sequencePlus(peer.tracker.last, 1);
    this.context.logger.warning(`${this.nameOf(peer)}: message ${sequence} where ${expected} was due, ${what}`);
  }
}

/** A control message that this mode knows: one of the four, and no range that runs backwards. */
function isControl({ type, flags, from, to }: MessageHeader): boolean {
  if (type !== CONTROL || (flags & (RANGE_FLAGS | FLAG_ALIVE)) === 0) return false;
  return (flags & (FLAG_ACK | FLAG_NACK)) === 0 || !sequenceAfter(from, to);
}
