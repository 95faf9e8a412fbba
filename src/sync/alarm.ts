import type { Views } from '../base/views.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import { QUEUE_TRANSMIT, STATE_DEAD } from '../flow/layout.js';
import { FlowQueue } from '../flow/queue.js';
import { FlowPointer } from '../flow/ref.js';
import { type FlowRow, NO_ROW } from '../flow/table.js';
import { TimerWheel } from '../flow/wheel.js';
import type { MessageHeader } from '../wire/header.js';
import { ExpectationOutbox } from './expectation-outbox.js';
import type { ModeEvidence } from './health.js';
import { MessageSender, TYPE_OF_STATE } from './message-sender.js';
import type { Health, ModeSettings, QueueStatistics, SyncContext, SyncMode, TrackingStatistics } from './mode.js';
import { TURN_FLOWS, UNLIMITED } from './pace.js';
import { DONE, type MessageJudge, Receiver, TAKE } from './receiver.js';

export interface AlarmOptions {
  /** RefreshTime in seconds, at least 1, at first. */
  readonly refreshTime: number;
  /** Removes external entries that were not refreshed, at most `budget`. @returns true when there may be more */
  expireExternal(budget: number): boolean;
  /** Who tells of no flow for so long has none here any more: CacheTimeout in milliseconds. */
  silenceMs?(): number;
}

/**
 * Refreshes of one second are spread over so many moments: a million flows at RefreshTime 15 are 67,000 messages a
 * second, which in one burst no receiver's socket would hold.
 */
const TICKS_PER_SECOND = 10;
const TICK_MS = 1000 / TICKS_PER_SECOND;
/** Entries whose timer is handled before others get their turn: below a millisecond. */
const TURN_TIMERS = 4096;
/** External entries are kept to the second. */
const EXPIRY_MS = 1000;

/**
 * ALARM: what may be lost is said again and again, and what is not said again is forgotten (spec/sync.md).
 *
 * ```
 *   change ──> transmit queue ──send──> armed for a random moment of 1 to RefreshTime seconds
 *                    ^                            │
 *                    └────────── due ─────────────┘
 * ```
 * Every entry of the internal cache is armed, those of commits and dumps too (observed on the original). A destroyed
 * flow is told of once; when that message is lost, the peers drop it CacheTimeout seconds after its last refresh. There
 * are no control messages and no sequence tracking: a message with any flag is ignored.
 */
export class Alarm implements SyncMode, MessageJudge {
  readonly resyncs = false;
  readonly tracking: TrackingStatistics = { lost: 0, before: 0 };
  readonly speaker = 0;
  readonly stamp = 0;

  private readonly transmitQueue: FlowQueue;
  private readonly wheel: TimerWheel;
  private readonly sender: MessageSender;
  private readonly outbox: ExpectationOutbox;
  /** When all expectations are told of again: there are too few to be spread. */
  private nextRefreshMs: number;
  private readonly receiver: Receiver;
  private readonly pointer = new FlowPointer();
  /** Timers are due that did not fit into their turn. */
  private timersLeft = false;
  private taken = false;
  /** When a flow of a peer last came, -1: never; and whose it was. */
  private heardMs = -1;
  private heardFrom = 0;
  private nextExpiryMs: number;
  private refreshTime: number;
  /** After a change of RefreshTime: where the flows begin that are still armed by the old one. */
  private rearmFrom: number = NO_ROW;

  constructor(
    private readonly context: SyncContext,
    private readonly options: AlarmOptions,
  ) {
    const { table, clock, external } = context;
    this.refreshTime = options.refreshTime;
    this.transmitQueue = new FlowQueue(table, QUEUE_TRANSMIT);
    this.wheel = new TimerWheel(table, options.refreshTime * TICKS_PER_SECOND, this.ticks());
    this.sender = new MessageSender(context);
    this.outbox = new ExpectationOutbox(context.expectations ?? null, 0, () => {});
    this.nextRefreshMs = clock.monotonicMs() + options.refreshTime * 1000;
    this.receiver = new Receiver(this, external);
    this.nextExpiryMs = clock.monotonicMs() + EXPIRY_MS;
  }

  get counters() {
    return this.receiver.counters;
  }

  // --- the internal cache's side

  enqueue(row: FlowRow): void {
    this.transmitQueue.push(row);
  }

  hold(row: FlowRow): void {
    if (!this.wheel.isArmed(row)) this.arm(row);
  }

  forget(row: FlowRow): void {
    this.wheel.cancel(row);
    if (this.transmitQueue.has(row)) this.transmitQueue.remove(row);
  }

  /** The wheel empties itself with the table. */
  forgetAll(): void {
    while (this.transmitQueue.shift() !== NO_ROW);
  }

  enqueueExpectation(entry: ExpectationEntry): void {
    this.outbox.enqueue(entry);
  }

  forgetExpectations(): void {
    this.outbox.clear();
  }

  /** With another RefreshTime all flows get a new moment, in slices. */
  reconfigure({ refreshTime }: ModeSettings): void {
    if (refreshTime === undefined || refreshTime === this.refreshTime) return;
    this.refreshTime = refreshTime;
    this.nextRefreshMs = this.context.clock.monotonicMs() + refreshTime * 1000;
    this.wheel.widen(refreshTime * TICKS_PER_SECOND);
    this.rearmFrom = 0;
    this.timersLeft = true;
  }

  // --- requests, of which this mode has none

  bulk(): void {}

  requestResync(): void {}

  // --- sending

  transmit(): boolean {
    const { transmitQueue, sender } = this;
    if (this.timersLeft) this.advance();
    for (let left = TURN_FLOWS; left > 0 && transmitQueue.length > 0 && !sender.congested; left--) {
      this.sendEntry(transmitQueue.shift());
    }
    if (transmitQueue.length === 0 && !sender.congested) this.outbox.drain(TURN_FLOWS, sender.sendExpectation);
    sender.flush();
    return !sender.congested && (transmitQueue.length > 0 || this.timersLeft);
  }

  private sendEntry(row: FlowRow): void {
    const { table } = this.context;
    const state = table.state(row);
    table.point(row, this.pointer);
    this.sender.sendFlow(TYPE_OF_STATE[state]!, this.pointer);
    if (state !== STATE_DEAD) {
      this.arm(row);
      return;
    }
    this.wheel.cancel(row);
    this.context.release(row);
  }

  // --- time

  tick(nowMs: number): void {
    this.advance();
    if (nowMs >= this.nextRefreshMs) {
      this.nextRefreshMs = nowMs + this.refreshTime * 1000;
      this.outbox.bulk();
      this.outbox.feedBulk();
    }
    if (nowMs < this.nextExpiryMs) return;
    if (!this.options.expireExternal(TURN_TIMERS)) this.nextExpiryMs = nowMs + EXPIRY_MS;
  }

  deadlineMs(): number {
    if (this.wheel.length === 0) return this.nextExpiryMs;
    return Math.min(this.nextExpiryMs, (this.ticks() + 1) * TICK_MS);
  }

  private advance(): void {
    this.timersLeft = this.wheel.advance(this.ticks(), this.due, TURN_TIMERS) === TURN_TIMERS;
    if (this.rearmFrom === NO_ROW) return;
    this.rearm();
    this.timersLeft = true;
  }

  private rearm(): void {
    const { table } = this.context;
    let row = table.next(this.rearmFrom);
    for (let left = TURN_TIMERS; row !== NO_ROW && left > 0; left--) {
      if (this.wheel.isArmed(row)) this.arm(row);
      row = table.next(row + 1);
    }
    this.rearmFrom = row;
  }

  private readonly due = (row: FlowRow): void => {
    this.transmitQueue.push(row);
  };

  private arm(row: FlowRow): void {
    const { random } = this.context;
    const spread = (this.refreshTime - 1) * TICKS_PER_SECOND;
    this.wheel.arm(row, this.ticks() + TICKS_PER_SECOND + Math.floor(random() * (spread + 1)));
  }

  private ticks(): number {
    return Math.floor(this.context.clock.monotonicMs() / TICK_MS);
  }

  // --- receiving

  receiveDatagram(views: Views, at: number, length: number, peer: number): void {
    this.receiver.receive(views, at, length, peer);
    if (this.taken) this.hear(peer);
  }

  judge({ flags }: MessageHeader): number {
    if (flags !== 0) return DONE;
    this.taken = true;
    return TAKE;
  }

  /** A datagram held a message that this mode takes. */
  private hear(peer: number): void {
    this.taken = false;
    this.heardMs = this.context.clock.monotonicMs();
    this.heardFrom = peer;
  }

  // --- what others may know

  /** Peers that have nothing to say are silent here: whether one is there cannot be known. */
  health(): Health {
    return this.transmitQueue.length > 0 ? 'behind' : 'in sync';
  }

  evidence(): ModeEvidence {
    const gone =
      this.context.clock.monotonicMs() - this.heardMs >= (this.options.silenceMs?.() ?? Number.POSITIVE_INFINITY);
    const alone = { greeted: null, awaited: false, bulks: 0, announced: null, unacknowledged: null };
    return {
      mode: 'ALARM',
      peers: this.heardMs < 0 ? [] : [{ number: this.heardFrom, heardMs: this.heardMs, gone, ...alone }],
      unacknowledged: null,
      bulkSinceMs: null,
      gaveUp: false,
    };
  }

  visitUnacknowledged(): void {}

  controlMessages(): number {
    return 0;
  }

  queues(): QueueStatistics[] {
    return [{ name: 'txqueue', length: this.transmitQueue.length, maximum: UNLIMITED, overflows: 0 }];
  }
}
