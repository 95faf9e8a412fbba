import { FLAG_HELLO, FLAG_HELLO_BACK } from '../wire/tables.js';
import { type SequenceTracker, sequenceAfter, sequencePlus } from './sequence.js';

/** First messages of a life that may arrive after a later one: two packets full. */
const LATE_HELLOS = 64;
/** How long the network may hold back a HELLO: many times what any link does, and less than a quick restart takes. */
const OLD_HELLO_MS = 2000;

/** What we say of HELLO: on all that goes out until we have been heard; and HELLO_BACK once to each that says it. */
export class OwnHello {
  /** Somebody may not have heard us yet. */
  saying = true;
  private answering = false;

  /** Flags for the message that goes out next. */
  take(): number {
    if (!this.saying && !this.answering) return 0;
    const flags = (this.saying ? FLAG_HELLO : 0) | (this.answering ? FLAG_HELLO_BACK : 0);
    this.answering = false;
    return flags;
  }

  /** A peer said HELLO. */
  answer(): void {
    this.answering = true;
  }
}

/** The HELLOs of a peer's present life: first on all it sends, then no more. */
export class Greeting {
  /** True while every message of this life said HELLO. */
  private active = false;
  /** Their first and last numbers. */
  private from = 0;
  private to = 0;
  /** When the last one came. */
  private lastMs = 0;

  constructor(private readonly tracker: SequenceTracker) {}

  /** A new life begins with this HELLO. */
  begin(sequence: number, nowMs: number): void {
    this.active = true;
    this.from = sequence;
    this.to = sequence;
    this.lastMs = nowMs;
  }

  /** @returns whether the HELLO is one more of the same greeting */
  goesOn(sequence: number, nowMs: number): boolean {
    if (!this.active || !this.tracker.continues(sequence)) return false;
    this.to = sequence;
    this.lastMs = nowMs;
    return true;
  }

  /** The first message of a life without HELLO: every one before it belongs to the greeting. */
  end(sequence: number): void {
    if (!this.active) return;
    this.active = false;
    this.to = sequencePlus(sequence, -1);
  }

  /** What follows is of another life. */
  forget(): void {
    this.active = false;
  }

  /**
   * Whether the network has repeated or held back this HELLO. All HELLOs of a life come before its other messages, so
   * one with such a number is an old one. But a peer that soon starts again takes the same numbers: only for a while is
   * it old. Not answered meanwhile, the peer goes on greeting.
   */
  isOld(sequence: number, nowMs: number): boolean {
    if (!this.tracker.started || nowMs - this.lastMs >= OLD_HELLO_MS) return false;
    return isWithin(sequence, sequencePlus(this.from, -LATE_HELLOS), this.to);
  }
}

function isWithin(sequence: number, first: number, last: number): boolean {
  return !sequenceAfter(first, sequence) && !sequenceAfter(sequence, last);
}
