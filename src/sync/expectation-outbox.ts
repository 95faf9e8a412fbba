import type { ExpectationEntry } from '../cache/expectation-entry.js';
import type { Expectation } from '../flow/expectation.js';
import { EXPECTATION_DESTROY, EXPECTATION_NEW, EXPECTATION_UPDATE } from '../wire/tables.js';
import { sequenceAfter } from './sequence.js';
import type { UnacknowledgedVisitor } from './unacknowledged.js';

/** What the message of an entry in this state is called. */
export const EXPECTATION_TYPES = {
  new: EXPECTATION_NEW,
  alive: EXPECTATION_UPDATE,
  dead: EXPECTATION_DESTROY,
} as const;

/** The expectations of the internal cache, as a mode sees them. */
export interface ExpectationSource {
  readonly entries: ReadonlyMap<string, ExpectationEntry>;
  /** The dead entry is of no more use to the mode. */
  release(entry: ExpectationEntry): void;
}

/** A message that was sent and not acknowledged. */
interface Sent {
  readonly sequence: number;
  /** Bits of the peers that have acknowledged it. */
  acknowledged: number;
}

/**
 * The expectations that a reliable mode has to send, and those that wait for their acknowledgement: what FlowQueue and
 * ResendQueue are to flows, and with the same rules. There are so few that both are plain collections in the order of
 * sending; an ACK walks the list, which is empty most of the time.
 */
export class ExpectationOutbox {
  private readonly transmit = new Set<ExpectationEntry>();
  private readonly sent = new Map<ExpectationEntry, Sent>();
  private bulkDue = false;
  /** Entries given up because the list was full. */
  overflows = 0;

  /**
   * @param capacity ResendQueueSize
   * @param overflowed called when an entry was given up that a peer may need
   */
  constructor(
    private readonly source: ExpectationSource | null,
    private readonly capacity: number,
    private readonly overflowed: () => void,
  ) {}

  /** Nothing is to be sent. */
  get idle(): boolean {
    return this.transmit.size === 0 && !this.bulkDue;
  }

  /** Entries to be sent. */
  get waiting(): number {
    return this.transmit.size;
  }

  /** Entries sent and not acknowledged. */
  get unacknowledged(): number {
    return this.sent.size;
  }

  enqueue(entry: ExpectationEntry): void {
    if (entry.queue === 'transmit') return;
    this.sent.delete(entry);
    entry.queue = 'transmit';
    this.transmit.add(entry);
  }

  /** Every entry is to be sent; `feedBulk` does it, when the flows are through. */
  bulk(): void {
    this.bulkDue = this.source !== null;
  }

  feedBulk(): void {
    if (!this.bulkDue || this.source === null) return;
    this.bulkDue = false;
    for (const entry of this.source.entries.values()) this.enqueue(entry);
  }

  /** The next entry to send; `markSent` has to follow. */
  shift(): ExpectationEntry | undefined {
    const [entry] = this.transmit;
    if (entry === undefined) return undefined;
    this.transmit.delete(entry);
    entry.queue = 'none';
    return entry;
  }

  /** For modes that acknowledge nothing: sends at most `budget`, a dead one leaves for good. */
  drain(budget: number, send: (type: number, expectation: Expectation) => void): void {
    for (let left = budget; left > 0; left--) {
      const entry = this.shift();
      if (entry === undefined) return;
      send(EXPECTATION_TYPES[entry.state], entry.expectation);
      if (entry.state === 'dead') this.source?.release(entry);
    }
  }

  markSent(entry: ExpectationEntry, sequence: number): void {
    if (this.sent.size >= this.capacity) this.dropOldest();
    entry.queue = 'resend';
    this.sent.set(entry, { sequence, acknowledged: 0 });
  }

  /** A peer has received `from`..`to`; see ResendQueue. */
  acknowledge(from: number, to: number, peer: number, required: number): void {
    for (const [entry, message] of this.sent) {
      if (sequenceAfter(from, message.sequence)) continue;
      if (sequenceAfter(message.sequence, to)) return;
      this.mark(entry, message, peer, required);
    }
  }

  /** A peer has missed `from`..`to`. */
  missed(from: number, to: number): void {
    this.retry(({ sequence }) => !sequenceAfter(from, sequence) && !sequenceAfter(sequence, to));
  }

  /** Nothing needs this peer's acknowledgement any more; ends are told anew, as those of flows are. */
  forgive(peer: number, required: number): void {
    for (const [entry, message] of [...this.sent]) {
      if (entry.state === 'dead') this.enqueue(entry);
      else this.mark(entry, message, peer, required);
    }
  }

  /** What was sent before `before` and a peer must have passed over is sent again. */
  retryPassed(before: number, passed: ReadonlyArray<number | null>): void {
    this.retry(({ sequence, acknowledged }) => {
      if (!sequenceAfter(before, sequence)) return false;
      return passed.some(
        (latest, bit) => latest !== null && (acknowledged & (1 << bit)) === 0 && sequenceAfter(latest, sequence),
      );
    });
  }

  retryBefore(sequence: number): void {
    this.retry((message) => sequenceAfter(sequence, message.sequence));
  }

  retryAll(): void {
    this.retry(() => true);
  }

  /** A peer that is new takes over this bit. */
  unmark(peer: number): void {
    for (const message of this.sent.values()) message.acknowledged &= ~peer;
  }

  /** The cache is about to be emptied. */
  clear(): void {
    for (const entry of [...this.transmit, ...this.sent.keys()]) entry.queue = 'none';
    this.transmit.clear();
    this.sent.clear();
    this.bulkDue = false;
  }

  /**
   * Joins its messages, in the order of their numbers, with those that `visit` goes through.
   *
   * @param visit goes through the others
   */
  visitAmong(visitor: UnacknowledgedVisitor, visit: (joined: UnacknowledgedVisitor) => void): void {
    const own = [...this.sent.values()].map(({ sequence }) => sequence);
    let next = 0;
    const upTo = (sequence: number | null) => {
      for (; next < own.length && (sequence === null || sequenceAfter(sequence, own[next]!)); next++) {
        visitor.object(own[next]!);
      }
    };
    visit({
      object: (sequence) => {
        upTo(sequence);
        visitor.object(sequence);
      },
      control: (sequence, flags) => {
        upTo(sequence);
        visitor.control(sequence, flags);
      },
    });
    upTo(null);
  }

  private mark(entry: ExpectationEntry, message: Sent, peer: number, required: number): void {
    message.acknowledged |= peer;
    if ((message.acknowledged & required) === required) this.settle(entry);
  }

  /** The peers have it. */
  private settle(entry: ExpectationEntry): void {
    this.sent.delete(entry);
    entry.queue = 'none';
    if (entry.state === 'dead') this.source?.release(entry);
  }

  private retry(chosen: (message: Sent) => boolean): void {
    for (const [entry, message] of [...this.sent]) if (chosen(message)) this.enqueue(entry);
  }

  private dropOldest(): void {
    const [oldest] = this.sent.keys();
    if (oldest === undefined) return;
    this.overflows++;
    this.overflowed();
    this.settle(oldest);
  }
}
