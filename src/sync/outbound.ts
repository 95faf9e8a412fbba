import type { Clock } from '../base/clock.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import { fillMaster } from '../flow/expectation.js';
import { CACHE, QUEUE_RESEND, QUEUE_TRANSMIT, STATE_DEAD, STATE_MASK } from '../flow/layout.js';
import { FlowQueue } from '../flow/queue.js';
import { FlowPointer } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';
import { ENTRIES_UNKNOWN, encodeAnnouncement } from '../wire/announcement.js';
import { type EncodeOptions, encodeControl, encodeFlow } from '../wire/encode.js';
import { encodeExpectation } from '../wire/expectation.js';
import { FLAG_ALIVE, FLAG_RESYNC, HELLO_FLAGS, RANGE_FLAGS } from '../wire/tables.js';
import { Announcer } from './announcer.js';
import { BulkCursor } from './bulk.js';
import { EXPECTATION_TYPES, ExpectationOutbox } from './expectation-outbox.js';
import { FlightWindow } from './flight.js';
import { OwnHello } from './greeting.js';
import { TYPE_OF_STATE } from './message-sender.js';
import type { SyncContext, SyncSink } from './mode.js';
import { TURN_FLOWS } from './pace.js';
import { type ControlMessage, type ResendEvents, ResendQueue } from './resend.js';
import { firstSequence, sequencePlus } from './sequence.js';

/** Entries a bulk puts into the transmit queue at a time. */
const BULK_SLICE = 512;
/** Messages retried at a time. */
const RETRY_BUDGET = 1024;
/** Bits of all peers. */
export const EVERYBODY = -1;

/** What the mode hears of its own sending. */
export interface OutboundEvents {
  /** A request for a resync has left with this number. */
  asked(sequence: number): void;
  /** A message was given up that a peer may need. */
  gaveUp(): void;
}

/** FTFW's sending side: what waits to be sent, what was sent and waits for its acknowledgement, and the numbers. */
export class Outbound implements ResendEvents {
  readonly resendQueue: ResendQueue;
  readonly expectations: ExpectationOutbox;
  readonly flight: FlightWindow;
  readonly announcer: Announcer;
  readonly hello = new OwnHello();
  lastTransmissionMs: number;
  /** Number of the next message; of no meaning before `begun`. */
  nextSequence = 0;
  begun = false;

  // Of the context, what each flow or turn needs: fields of this class are found without asking what kind of object holds them.
  private readonly table: FlowTable;
  private readonly sink: SyncSink;
  private readonly clock: Clock;
  private readonly encode: EncodeOptions;
  private readonly release: (row: FlowRow) => void;
  private readonly transmitQueue: FlowQueue;
  private readonly controlQueue: ControlMessage[] = [];
  /** Of a shared link: control messages that were missed, which leave together with questions. */
  private readonly repeats: ControlMessage[] = [];
  private readonly bulkCursor: BulkCursor;
  private readonly pointer = new FlowPointer();
  private readonly master = new FlowScratch();
  private unflushed = false;
  /** What was sent before these numbers is due for this round of retries, and for the next one. */
  private retryFrom: number | null = null;
  private retryFromNext: number | null = null;

  /** @param resendQueueSize ResendQueueSize, at least 1 */
  constructor(
    private readonly context: SyncContext,
    resendQueueSize: number,
    private readonly events: OutboundEvents,
  ) {
    const { table, clock } = context;
    this.table = table;
    this.sink = context.sink;
    this.clock = clock;
    this.encode = context.encode;
    this.release = context.release;
    this.transmitQueue = new FlowQueue(table, QUEUE_TRANSMIT);
    this.resendQueue = new ResendQueue(table, resendQueueSize, this);
    this.flight = new FlightWindow(resendQueueSize);
    this.bulkCursor = new BulkCursor(table);
    this.expectations = new ExpectationOutbox(context.expectations ?? null, resendQueueSize, () => this.overflowed());
    this.lastTransmissionMs = clock.monotonicMs();
    this.announcer = new Announcer(context);
  }

  /** Entries that wait to be sent. */
  get unsentFlows(): number {
    return this.transmitQueue.length;
  }

  /** Messages of all kinds that wait to be sent. */
  get unsent(): number {
    return this.transmitQueue.length + this.unsentControls + this.expectations.waiting;
  }

  get unsentControls(): number {
    return this.controlQueue.length + this.repeats.length;
  }

  /** Messages sent and not acknowledged. */
  get unacknowledged(): number {
    return this.resendQueue.length + this.expectations.unacknowledged;
  }

  get repeatsWait(): boolean {
    return this.repeats.length > 0;
  }

  /** A bulk is under way. */
  get bulkActive(): boolean {
    return this.bulkCursor.active;
  }

  // --- the internal cache's side

  enqueue(row: FlowRow): void {
    const queue = this.table.queueOf(row);
    if (queue === QUEUE_TRANSMIT) return;
    if (queue === QUEUE_RESEND) this.resendQueue.removeFlow(row);
    this.transmitQueue.push(row);
  }

  forget(row: FlowRow): void {
    const queue = this.table.queueOf(row);
    if (queue === QUEUE_TRANSMIT) this.transmitQueue.remove(row);
    else if (queue === QUEUE_RESEND) this.resendQueue.removeFlow(row);
  }

  forgetAll(): void {
    while (this.transmitQueue.shift() !== NO_ROW);
    this.resendQueue.clearFlows();
    this.bulkCursor.stop();
    this.announcer.account.giveUp();
  }

  /** Every entry is to be sent. */
  startBulk(): void {
    this.beginNumbers();
    this.announcer.account.begin(this.nextSequence);
    this.bulkCursor.start();
    this.expectations.bulk();
  }

  // --- sending

  /**
   * @param awaited a peer is there whose acknowledgements are worth waiting for
   * @returns true when more could be sent at once
   */
  transmit(awaited: boolean): boolean {
    this.sendControls();
    const more = this.sendFlows(awaited);
    const moreExpectations = this.sendExpectations(awaited);
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

  sendControls(): void {
    const waiting = this.controlQueue;
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) this.sendControl(message);
  }

  /** Sends entries, at most a turn of them. @returns true when more could be sent at once */
  private sendFlows(awaited: boolean): boolean {
    const { transmitQueue, resendQueue, flight } = this;
    const live = awaited ? flight.live : Number.POSITIVE_INFINITY;
    for (let left = TURN_FLOWS; left > 0; left--) {
      if (transmitQueue.length === 0) this.feedBulk();
      const row = transmitQueue.head;
      if (row === NO_ROW) return false;
      if (resendQueue.entries >= live) {
        flight.stall(this.clock.monotonicMs());
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
    sink.commit(encodeFlow(sink.out, at, TYPE_OF_STATE[state]!, this.hello.take(), sequence, pointer, encode));
    this.resendQueue.addFlow(row, sequence);
  }

  /** Each expectation goes out behind its master, those of a bulk behind all flows. */
  private sendExpectations(awaited: boolean): boolean {
    const { expectations: outbox, resendQueue, flight } = this;
    if (outbox.idle) return false;
    if (!this.bulkCursor.active) outbox.feedBulk();
    const live = awaited ? flight.live : Number.POSITIVE_INFINITY;
    for (let left = TURN_FLOWS; left > 0; left--) {
      if (outbox.waiting === 0) return false;
      if (resendQueue.entries + outbox.unacknowledged >= live) {
        flight.stall(this.clock.monotonicMs());
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
    if (master !== NO_ROW && this.table.queueOf(master) === QUEUE_TRANSMIT) {
      this.transmitQueue.remove(master);
      this.sendFlow(master);
    }
    const sequence = this.takeSequence();
    const type = EXPECTATION_TYPES[state];
    const at = sink.reserve();
    sink.commit(encodeExpectation(sink.out, at, type, this.hello.take(), sequence, expectation, encode.timeout));
    this.expectations.markSent(entry, sequence);
  }

  private sendControl(message: ControlMessage): void {
    const { sink } = this;
    message.sequence = this.takeSequence();
    message.flags = (message.flags & ~HELLO_FLAGS) | this.hello.take();
    const at = sink.reserve();
    if ((message.flags & FLAG_ALIVE) !== 0 && this.announcer.due) {
      const announcement = this.announcer.take(this.entriesTold());
      sink.commit(encodeAnnouncement(sink.out, at, message.flags, message.sequence, announcement));
      return;
    }
    sink.commit(encodeControl(sink.out, at, message.flags, message.sequence, message.from, message.to));
    if ((message.flags & FLAG_RESYNC) !== 0) this.events.asked(message.sequence);
    if ((message.flags & RANGE_FLAGS) !== 0) this.resendQueue.addControl(message);
  }

  /** Entries the peers should hold of ours when this message reaches them; unknown in the midst of changes. */
  private entriesTold(): number {
    if (this.transmitQueue.length > 0 || this.resendQueue.entries > 0 || this.bulkCursor.active) return ENTRIES_UNKNOWN;
    return this.context.countEntries?.() ?? ENTRIES_UNKNOWN;
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
  queueControl(flags: number, from: number, to: number, concerns: number): void {
    this.controlQueue.push({ sequence: 0, flags, from, to, acknowledged: 0, concerns });
  }

  flush(): void {
    if (!this.unflushed) return;
    this.unflushed = false;
    this.sink.flush();
    this.lastTransmissionMs = this.clock.monotonicMs();
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
    this.events.gaveUp();
  }

  // --- what peers say of our messages: of flows, expectations and control messages alike

  /** A request for a resync leaves, unless one is about to. */
  askForResync(): void {
    if (this.controlQueue.some(({ flags }) => (flags & FLAG_RESYNC) !== 0)) return;
    this.queueControl(FLAG_RESYNC, 0, 0, EVERYBODY);
  }

  /** Control messages that were missed leave with what is said next. */
  sendRepeats(): void {
    this.controlQueue.push(...this.repeats.splice(0));
  }

  /** A peer has received `from`..`to`; `required`: bits of all that must. */
  acknowledge(from: number, to: number, peer: number, required: number): void {
    this.resendQueue.acknowledge(from, to, peer, required);
    this.expectations.acknowledge(from, to, peer, required);
  }

  /** A peer has missed `from`..`to`. */
  missed(from: number, to: number, peer: number): void {
    this.flight.missed();
    this.resendQueue.missed(from, to, peer);
    this.expectations.missed(from, to);
  }

  /** Nothing waits for this peer any more. */
  forgive(peer: number, required: number): void {
    this.announcer.account.giveUp();
    this.resendQueue.forgive(peer, required);
    this.expectations.forgive(peer, required);
  }

  /** A peer that is new takes over this bit. */
  unmark(peer: number): void {
    this.resendQueue.unmark(peer);
    this.expectations.unmark(peer);
  }

  /** What was sent before this number is sent again. */
  retryBefore(sequence: number): void {
    this.resendQueue.retryBefore(sequence);
    this.expectations.retryBefore(sequence);
  }

  /**
   * A round of retries: messages older than the round before, which a peer passed over, acknowledging later ones, are
   * sent again. Only a hello leaves such holes.
   *
   * @param passed see ResendQueue.retryPassed
   */
  retryPassed(passed: ReadonlyArray<number | null>): void {
    const before = this.retryFrom;
    this.retryFrom = this.retryFromNext;
    this.retryFromNext = this.begun ? this.nextSequence : null;
    if (before === null) return;
    this.resendQueue.retryPassed(before, passed, RETRY_BUDGET);
    this.expectations.retryPassed(before, passed);
  }

  /** Goes on at another number, so far ahead; all that waits is sent again. */
  jump(steps: number): void {
    this.resendQueue.retryAll();
    this.expectations.retryAll();
    this.nextSequence = sequencePlus(this.nextSequence, steps);
    this.retryFrom = null;
    this.retryFromNext = null;
  }
}
