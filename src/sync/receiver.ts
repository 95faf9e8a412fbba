import type { Views } from '../base/views.js';
import { FlowScratch } from '../flow/scratch.js';
import {
  BAD_TYPE,
  MALFORMED_HEADER,
  MALFORMED_PAYLOAD,
  MessageCounters,
  OK,
  type ReadResult,
  WRONG_VERSION,
} from '../wire/counters.js';
import { decodeFlow } from '../wire/decode.js';
import { isExpectation, isFlow, MessageHeader, readHeader } from '../wire/header.js';
import type { ExternalReceiver } from './mode.js';

// What a mode says about a message.
/** Data that counts: to be decoded and applied. */
export const TAKE = 0;
/** Dealt with, or not wanted; nothing wrong with it. */
export const DONE = 1;
/** Such a message has no place in the mode: malformed header. */
export const REJECT = 2;

/** The mode's part in receiving. */
export interface MessageJudge {
  /** Number of the peer whose message was judged last, the same on whichever link it speaks. */
  readonly speaker: number;
  /** @returns TAKE, DONE or REJECT */
  judge(header: MessageHeader, peer: number): number;
}

/** Walks through the messages of a datagram: every check and counter of spec/wire.md "Checks on receipt", in its order. */
export class Receiver {
  readonly counters = new MessageCounters();
  private readonly header = new MessageHeader();
  private readonly scratch = new FlowScratch();

  constructor(
    private readonly mode: MessageJudge,
    private readonly external: ExternalReceiver,
  ) {}

  /** Never throws on any bytes. */
  receive(views: Views, at: number, length: number, peer: number): void {
    const header = this.header;
    const end = at + length;
    let next = at;
    while (next < end) {
      const start = next;
      let result = readHeader(views, start, end, header);
      next = result === OK || result === WRONG_VERSION ? start + header.length : end;
      if (result === OK) result = this.take(views, start, next, peer);
      if (result !== OK) this.counters.count(result);
    }
  }

  private take(views: Views, at: number, end: number, peer: number): ReadResult {
    const header = this.header;
    const verdict = this.mode.judge(header, peer);
    if (verdict === DONE) return OK;
    if (verdict === REJECT) return MALFORMED_HEADER;
    const type = header.type;
    const speaker = this.mode.speaker;
    if (isFlow(type)) {
      const scratch = this.scratch;
      const sound = decodeFlow(views, at, end, scratch) && this.external.apply(type, scratch, speaker);
      return sound ? OK : MALFORMED_PAYLOAD;
    }
    if (!isExpectation(type)) return BAD_TYPE;
    const sound = this.external.applyExpectation?.(type, views, at, end, speaker) ?? true;
    return sound ? OK : MALFORMED_PAYLOAD;
  }
}
