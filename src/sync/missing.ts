import { sequenceAfter } from './sequence.js';

/** Messages missed that wait to be asked for, as one range; what lies between was received, and is asked for as well. */
export class MissingRange {
  pending = false;
  from = 0;
  to = 0;

  add(from: number, to: number): void {
    if (!this.pending || sequenceAfter(this.from, from)) this.from = from;
    if (!this.pending || sequenceAfter(to, this.to)) this.to = to;
    this.pending = true;
  }
}

/** Questions that may be asked in a row, and the time after which there is one more. */
const MOST_QUESTIONS = 32;
const QUESTION_MS = 5;

/**
 * How often we may ask for what was missed. A NACK is a message too, and its loss makes the peers ask: among four nodes
 * of which each loses a third, every question makes more than one, and the link drowns in them (the simulation showed
 * it). 200 a second are more than real loss calls for, and no load.
 */
export class Allowance {
  private left = MOST_QUESTIONS;
  private sinceMs = 0;

  /** @returns false when the next question must wait, until `nextMs` */
  take(nowMs: number): boolean {
    const earned = Math.floor((nowMs - this.sinceMs) / QUESTION_MS);
    if (this.left + earned >= MOST_QUESTIONS) {
      this.left = MOST_QUESTIONS;
      this.sinceMs = nowMs;
    } else {
      this.left += earned;
      this.sinceMs += earned * QUESTION_MS;
    }
    if (this.left === 0) return false;
    this.left--;
    return true;
  }

  /** When there is one more. */
  get nextMs(): number {
    return this.sinceMs + QUESTION_MS;
  }
}
