import { CACHE, QUEUE_MASK, QUEUE_RESEND, QUEUE_SHIFT, SEQUENCE, STATE_DEAD } from '../flow/layout.js';
import { FlowQueue } from '../flow/queue.js';
import { FlowPointer } from '../flow/ref.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';
import { FLAG_RESYNC } from '../wire/tables.js';
import type { UnacknowledgedVisitor } from './mode.js';
import { sequenceAfter, sequenceDistance, sequencePlus } from './sequence.js';

/** A control message that waits to be sent, or to be acknowledged. */
export interface ControlMessage {
  /** Number it was sent with; of no meaning before. */
  sequence: number;
  flags: number;
  from: number;
  to: number;
  /** Bits of the peers that have acknowledged it, and of those whom it does not concern. */
  acknowledged: number;
  /** Bits of the peers whom it concerns: an ACK or NACK the one that it is about, a request for a resync all. */
  readonly concerns: number;
}

/** Where messages go that leave the resend queue. */
export interface ResendEvents {
  /** The peers have the entry's last message; it may go when it is dead. */
  settled(row: FlowRow): void;
  /** The entry must be sent once more. */
  again(row: FlowRow): void;
  controlAgain(message: ControlMessage): void;
  /** The queue was full and the oldest entry was given up. */
  overflowed(): void;
}

/**
 * A peer that answers leaves some two or three control messages a second unacknowledged; more than this only a flood
 * makes us send.
 */
const MOST_CONTROLS = 1024;

const QUEUED = QUEUE_RESEND << QUEUE_SHIFT;

/**
 * What was sent and not acknowledged, in the order of its sequence numbers.
 *
 * Entries are linked through their rows (FlowQueue). A ring leads from a sequence number to the row that it carried, so
 * that an ACK or NACK costs its own range and not the length of the queue. The ring is never cleaned: a slot counts
 * only while its row waits in this queue with that very number. Control messages are few and have a list of their own.
 *
 * With several peers each message waits for all of them: a second ring holds a bit per peer that acknowledged it.
 */
export class ResendQueue {
  private readonly flows: FlowQueue;
  private readonly pointer = new FlowPointer();
  private readonly rowOf: Int32Array;
  private readonly peersOf: Uint8Array;
  private readonly mask: number;
  private controls: ControlMessage[] = [];
  /** Number of the entry added last. */
  private newest = 0;
  /** `not enough space errors`. */
  overflows = 0;
  /** Entries and control messages that had to be sent again. */
  retried = 0;

  constructor(
    private readonly table: FlowTable,
    /** ResendQueueSize. */
    readonly capacity: number,
    private readonly events: ResendEvents,
  ) {
    this.flows = new FlowQueue(table, QUEUE_RESEND);
    // Twice the capacity, as control messages and entries sent several times use up numbers as well.
    const slots = 2 ** Math.ceil(Math.log2(Math.max(capacity, 64) * 2));
    this.rowOf = new Int32Array(slots).fill(NO_ROW);
    this.peersOf = new Uint8Array(slots);
    this.mask = slots - 1;
  }

  /** Entries that wait; they alone are limited by `capacity`. */
  get entries(): number {
    return this.flows.length;
  }

  /** Entries and control messages that wait. */
  get length(): number {
    return this.flows.length + this.controls.length;
  }

  /** Number of the oldest entry that waits, null when none does. */
  get oldest(): number | null {
    const { head } = this.flows;
    return head === NO_ROW ? null : this.table.word(head, SEQUENCE);
  }

  /** Control messages among them. */
  get controlLength(): number {
    return this.controls.length;
  }

  /** The entry, in no queue now, was sent with this number. */
  addFlow(row: FlowRow, sequence: number): void {
    if (this.flows.length >= this.capacity) this.dropOldest();
    const slot = sequence & this.mask;
    // Whoever waits since a turn of the ring, or several, would be lost to ACKs: it is sent again rather.
    const previous = this.rowOf[slot]! as FlowRow;
    if (this.waitsIn(previous, slot)) this.retry(previous);
    this.rowOf[slot] = row;
    this.peersOf[slot] = 0;
    this.table.setWord(row, SEQUENCE, sequence);
    this.newest = sequence;
    this.flows.push(row);
  }

  /** The message was sent. It never costs an entry its place: a lost entry is worse than a list somewhat longer. */
  addControl(message: ControlMessage): void {
    if (this.controls.length >= MOST_CONTROLS) {
      // A request for a resync is never given up: whoever comes is to hear it.
      const oldest = this.controls.findIndex(({ flags }) => (flags & FLAG_RESYNC) === 0);
      this.controls.splice(Math.max(0, oldest), 1);
      this.overflows++;
    }
    message.acknowledged = ~message.concerns;
    this.controls.push(message);
  }

  /** The entry leaves the queue: it changed, or it leaves the table. */
  removeFlow(row: FlowRow): void {
    this.flows.remove(row);
  }

  /**
   * A peer has received `from`..`to`.
   *
   * @param peer bit of the peer
   * @param required bits of all peers that must have it
   */
  acknowledge(from: number, to: number, peer: number, required: number): void {
    if (this.controls.length > 0) this.acknowledgeControls(from, to, peer, required);
    const mark = (row: FlowRow) => this.markFlow(row, this.table.word(row, SEQUENCE) & this.mask, peer, required);
    this.forRange(from, to, mark);
  }

  /** A peer has missed `from`..`to`: what of it still waits is sent again, where it concerns that peer. */
  missed(from: number, to: number, peer: number): void {
    this.retryControls(
      ({ sequence, concerns }) =>
        (concerns & peer) !== 0 && !sequenceAfter(from, sequence) && !sequenceAfter(sequence, to),
    );
    this.forRange(from, to, (row) => this.retry(row));
  }

  /**
   * Nothing that waits needs this peer's acknowledgement: it is new, or gone. Requests for a resync are asked anew. Ends
   * of flows are told anew as well: a peer that has been there for longer than we know may have heard of their
   * beginning, and no resync would tell it.
   */
  forgive(peer: number, required: number): void {
    this.askAgain();
    for (let row = this.flows.head; row !== NO_ROW; ) {
      const next = this.flows.after(row);
      if (this.table.state(row) === STATE_DEAD) this.retry(row);
      else this.markFlow(row, this.table.word(row, SEQUENCE) & this.mask, peer, required);
      row = next;
    }
    this.markControls(0, this.controls.length, peer, required);
  }

  /** A request for a resync waits for its acknowledgement. */
  get requestWaits(): boolean {
    return this.controls.some(({ flags }) => (flags & FLAG_RESYNC) !== 0);
  }

  /** Requests for a resync are sent again. */
  askAgain(): void {
    this.retryControls(({ flags }) => (flags & FLAG_RESYNC) !== 0);
  }

  /**
   * Messages older than `before` that a peer must have passed over, since it acknowledged later ones: they are sent
   * again, at most `budget` of them.
   *
   * @param passed per peer bit number: the latest number it acknowledged, and null for peers that need not
   */
  retryPassed(before: number, passed: ReadonlyArray<number | null>, budget: number): void {
    this.retryControls(
      (message) =>
        sequenceAfter(before, message.sequence) && passedOver(message.sequence, message.acknowledged, passed),
    );
    let row = this.flows.head;
    for (let left = budget; row !== NO_ROW && left > 0; left--) {
      const sequence = this.table.word(row, SEQUENCE);
      if (!sequenceAfter(before, sequence)) return;
      const next = this.flows.after(row);
      if (passedOver(sequence, this.peersOf[sequence & this.mask]!, passed)) this.retry(row);
      row = next;
    }
  }

  /** Entries and requests for a resync that were sent before this number are sent again. */
  retryBefore(sequence: number): void {
    this.retryControls((message) => (message.flags & FLAG_RESYNC) !== 0 && sequenceAfter(sequence, message.sequence));
    for (let row = this.flows.head; row !== NO_ROW; row = this.flows.head) {
      if (!sequenceAfter(sequence, this.table.word(row, SEQUENCE))) return;
      this.retry(row);
    }
  }

  /** Everything is sent again. */
  retryAll(): void {
    this.retryControls(() => true);
    for (let row = this.flows.head; row !== NO_ROW; row = this.flows.head) this.retry(row);
  }

  /** Entries and control messages in the order they were sent. */
  visit(visitor: UnacknowledgedVisitor): void {
    let next = 0;
    const controlsUntil = (sequence: number | null) => {
      for (; next < this.controls.length; next++) {
        const control = this.controls[next]!;
        if (sequence !== null && sequenceAfter(control.sequence, sequence)) return;
        visitor.control(control.sequence, control.flags);
      }
    };
    for (let row = this.flows.head; row !== NO_ROW; row = this.flows.after(row)) {
      const sequence = this.table.word(row, SEQUENCE);
      controlsUntil(sequence);
      visitor.object(sequence);
    }
    controlsUntil(null);
  }

  /** A peer that is new takes over this bit. */
  unmark(peer: number): void {
    if (this.flows.length === 0) return;
    for (let slot = 0; slot <= this.mask; slot++) this.peersOf[slot]! &= ~peer;
  }

  /** Empties the queue of entries; the table is about to forget them. */
  clearFlows(): void {
    while (this.flows.shift() !== NO_ROW);
    this.rowOf.fill(NO_ROW);
  }

  /** The entry that waits under this number, NO_ROW when none does. */
  private holder(sequence: number): FlowRow {
    const row = this.rowOf[sequence & this.mask]! as FlowRow;
    // The ring is never cleaned: the row may be gone, and the memory it lay in as well.
    if (!this.table.has(row)) return NO_ROW;
    const pointer = this.pointer;
    this.table.point(row, pointer);
    const { words, at } = pointer;
    return words[at + SEQUENCE] === sequence && (words[at + CACHE]! & QUEUE_MASK) === QUEUED ? row : NO_ROW;
  }

  /** Whether the entry waits here under a number of this slot, whatever turn of the ring it is from. */
  private waitsIn(row: FlowRow, slot: number): boolean {
    if (!this.table.has(row)) return false;
    const pointer = this.pointer;
    this.table.point(row, pointer);
    const { words, at } = pointer;
    return (words[at + SEQUENCE]! & this.mask) === slot && (words[at + CACHE]! & QUEUE_MASK) === QUEUED;
  }

  /**
   * Entries that wait under a number of `from`..`to`, in order. A peer may claim any range: one wider than what waits
   * costs a walk over the queue, never one over the numbers.
   */
  private forRange(from: number, to: number, visit: (row: FlowRow) => void): void {
    const head = this.flows.head;
    if (head === NO_ROW) return;
    const oldest = this.table.word(head, SEQUENCE);
    const first = Math.max(0, sequenceDistance(oldest, from));
    const last = Math.min(sequenceDistance(oldest, this.newest), sequenceDistance(oldest, to));
    if (last - first > 2 * this.flows.length) {
      this.walk(sequencePlus(oldest, first), sequencePlus(oldest, last), visit);
      return;
    }
    for (let step = first; step <= last; step++) {
      const row = this.holder(sequencePlus(oldest, step));
      if (row !== NO_ROW) visit(row);
    }
  }

  private walk(from: number, to: number, visit: (row: FlowRow) => void): void {
    for (let row = this.flows.head; row !== NO_ROW; ) {
      const next = this.flows.after(row);
      const sequence = this.table.word(row, SEQUENCE);
      if (sequenceAfter(sequence, to)) return;
      if (!sequenceAfter(from, sequence)) visit(row);
      row = next;
    }
  }

  private markFlow(row: FlowRow, slot: number, peer: number, required: number): void {
    const peers = this.peersOf[slot]! | peer;
    this.peersOf[slot] = peers;
    if ((peers & required) !== required) return;
    this.flows.remove(row);
    this.events.settled(row);
  }

  private retry(row: FlowRow): void {
    this.retried++;
    this.flows.remove(row);
    this.events.again(row);
  }

  private acknowledgeControls(from: number, to: number, peer: number, required: number): void {
    const { controls } = this;
    const first = this.firstControlFrom(from);
    let end = first;
    while (end < controls.length && !sequenceAfter(controls[end]!.sequence, to)) end++;
    if (end > first) this.markControls(first, end, peer, required);
  }

  /** Index of the first control message sent with this number or a later one: they are in the order of their numbers. */
  private firstControlFrom(sequence: number): number {
    let low = 0;
    for (let high = this.controls.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (sequenceAfter(sequence, this.controls[middle]!.sequence)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A peer has received the control messages of index `first` up to, and without, `end`. */
  private markControls(first: number, end: number, peer: number, required: number): void {
    const { controls } = this;
    let kept = first;
    for (let index = first; index < end; index++) {
      const message = controls[index]!;
      message.acknowledged |= peer;
      if ((message.acknowledged & required) !== required) controls[kept++] = message;
    }
    if (kept < end) controls.splice(kept, end - kept);
  }

  private retryControls(chosen: (message: ControlMessage) => boolean): void {
    if (this.controls.length === 0) return;
    const again = this.controls.filter(chosen);
    if (again.length === 0) return;
    this.controls = this.controls.filter((message) => !chosen(message));
    this.retried += again.length;
    for (const message of again) this.events.controlAgain(message);
  }

  /** Gives up the oldest entry. Control messages have their own limit. */
  private dropOldest(): void {
    const head = this.flows.head;
    if (head === NO_ROW) return;
    this.overflows++;
    this.flows.remove(head);
    this.events.overflowed();
    this.events.settled(head);
  }
}

/** True when a peer that must acknowledge the message has not, and has acknowledged a later one. */
function passedOver(sequence: number, acknowledged: number, passed: ReadonlyArray<number | null>): boolean {
  return passed.some(
    (latest, bit) => latest !== null && (acknowledged & (1 << bit)) === 0 && sequenceAfter(latest, sequence),
  );
}
