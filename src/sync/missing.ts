/** What is said about a gap: what came before it is acknowledged, what is missing is asked for. */
export interface Question {
  /** First of the messages that were received before the gap and not acknowledged; null: there are none. */
  readonly received: number | null;
  readonly missingFrom: number;
  missingTo: number;
}

/** Questions put off for one peer: more than a packet holds are not told apart. */
const MOST_PUT_OFF = 32;

/**
 * Gaps in a peer's stream that wait to be asked for, in the order of its numbers. Each is asked for by itself: one range
 * over all of them would make the peer send again what was received in between, and lose as much of it as before.
 */
export class PutOff {
  private questions: Question[] = [];

  get pending(): boolean {
    return this.questions.length > 0;
  }

  add(received: number | null, missingFrom: number, missingTo: number): void {
    const { questions } = this;
    if (questions.length < MOST_PUT_OFF) {
      questions.push({ received, missingFrom, missingTo });
      return;
    }
    // What lies between was received, and is asked for as well: nobody acknowledges it any more.
    questions[MOST_PUT_OFF - 1]!.missingTo = missingTo;
  }

  take(): Question[] {
    const { questions } = this;
    this.questions = [];
    return questions;
  }

  /** The stream has ended. */
  clear(): void {
    this.questions = [];
  }
}

/** How often we may ask: so many times in a row, and once more every so many milliseconds. */
interface Frequency {
  readonly most: number;
  readonly everyMs: number;
}

/** A pair: 200 a second are more than real loss calls for, and no load. */
const PAIR: Frequency = { most: 32, everyMs: 5 };
/**
 * On a shared link a question is a message that all others may miss, and ask for. What was missed within a moment, of
 * all peers, is asked for in one packet, so that even where each loses half the questions cannot breed.
 */
const SHARED: Frequency = { most: 2, everyMs: 25 };

/**
 * How often we may ask for what was missed. A NACK is a message too, and its loss makes the peers ask: among four nodes
 * of which each loses a third, every question makes more than one, and the link drowns in them (the simulation showed
 * it).
 */
export class Allowance {
  private readonly most: number;
  private readonly everyMs: number;
  private left: number;
  private sinceMs = 0;

  constructor(sharedLink: boolean) {
    ({ most: this.most, everyMs: this.everyMs } = sharedLink ? SHARED : PAIR);
    this.left = this.most;
  }

  /** @returns false when the next packet of questions must wait, until `nextMs` */
  take(nowMs: number): boolean {
    const earned = Math.floor((nowMs - this.sinceMs) / this.everyMs);
    if (this.left + earned >= this.most) {
      this.left = this.most;
      this.sinceMs = nowMs;
    } else {
      this.left += earned;
      this.sinceMs += earned * this.everyMs;
    }
    if (this.left === 0) return false;
    this.left--;
    return true;
  }

  /** When there is one more. */
  get nextMs(): number {
    return this.sinceMs + this.everyMs;
  }
}
