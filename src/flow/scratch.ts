import { ASIDE_WORDS, ATTRIBUTE_WORDS, ROW_WORDS, USE } from './layout.js';
import type { FlowRef } from './ref.js';

/**
 * One flow outside a table: what a decoder fills and a table takes over. Made once and reused for every message.
 *
 * `words` is laid out like a table row (layout.ts), `aside` like an aside record, valid where the K_ bits say so.
 * Counters live only here: caches do not keep them (spec/findings.md 35), the statistics log and
 * `traffic processed` read them from the event.
 */
export class FlowScratch implements FlowRef {
  readonly words = new Uint32Array(ROW_WORDS);
  readonly at = 0;
  readonly aside = new Uint32Array(ASIDE_WORDS);
  readonly asideAt = 0;
  /** Packets and bytes of the original, then of the reply direction; exact below 2^53. */
  readonly counters = new Float64Array(4);
  /** True when the message carried counters. */
  hasCounters = false;
  /** Security context of the message, empty when it had none. */
  secctx = '';

  /** Forgets the flow. The aside record is not cleared: without their K_ bit its words mean nothing. */
  reset(): void {
    // A loop, since fill() leaves compiled code, which for so few words costs more than the work.
    const words = this.words;
    for (let word = 0; word < ATTRIBUTE_WORDS; word++) words[word] = 0;
    words[USE] = 0;
    this.hasCounters = false;
    this.secctx = '';
  }
}
