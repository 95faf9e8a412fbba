import type { Views } from '../base/views.js';
import { FlowScratch } from '../flow/scratch.js';
import { MOST_PREFETCHED } from '../flow/table.js';
import { Announcement, readAnnouncement } from '../wire/announcement.js';
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
/** Dealt with; behind its header the peer may tell of itself. */
export const LISTEN = 3;

/** The mode's part in receiving. */
export interface MessageJudge {
  /** Number of the peer whose message was judged last, the same on whichever link it speaks. */
  readonly speaker: number;
  /** Stamp of that message (bulk-evidence.ts). */
  readonly stamp: number;
  /** @returns TAKE, DONE, REJECT or LISTEN */
  judge(header: MessageHeader, peer: number): number;
  /** After LISTEN: the peer's message tells of itself. */
  announced?(announcement: Announcement): void;
}

/** Walks through the messages of a datagram: every check and counter of spec/wire.md "Checks on receipt", in its order. */
export class Receiver {
  readonly counters = new MessageCounters();
  private readonly header = new MessageHeader();
  /** Flows of the datagram that wait for others to be looked up together with them, their types and their peers. */
  private readonly batch: readonly FlowScratch[] = Array.from({ length: MOST_PREFETCHED }, () => new FlowScratch());
  private readonly types = new Uint8Array(MOST_PREFETCHED);
  private readonly speakers = new Int32Array(MOST_PREFETCHED);
  private readonly stamps = new Uint32Array(MOST_PREFETCHED);
  private readonly announcement = new Announcement();
  private waiting = 0;

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
    this.flush();
  }

  private take(views: Views, at: number, end: number, peer: number): ReadResult {
    const header = this.header;
    const plain = isFlow(header.type) && header.flags === 0;
    // Whatever else it is may begin a life of the peer, or be about flows that wait.
    if (!plain) this.flush();
    const verdict = this.mode.judge(header, peer);
    if (verdict === DONE) return OK;
    if (verdict === REJECT) return MALFORMED_HEADER;
    if (verdict === LISTEN) {
      if (readAnnouncement(views, at, header.length, this.announcement)) this.mode.announced?.(this.announcement);
      return OK;
    }
    const type = header.type;
    if (isFlow(type)) return this.gather(views, at, end, type);
    if (!isExpectation(type)) return BAD_TYPE;
    const sound = this.external.applyExpectation?.(type, views, at, end, this.mode.speaker) ?? true;
    return sound ? OK : MALFORMED_PAYLOAD;
  }

  private gather(views: Views, at: number, end: number, type: number): ReadResult {
    if (!decodeFlow(views, at, end, this.batch[this.waiting]!)) return MALFORMED_PAYLOAD;
    this.types[this.waiting] = type;
    this.speakers[this.waiting] = this.mode.speaker;
    this.stamps[this.waiting] = this.mode.stamp;
    this.waiting++;
    if (this.waiting === MOST_PREFETCHED) this.flush();
    return OK;
  }

  /** Hands on what was gathered, in the order it came. */
  private flush(): void {
    const { batch, types, speakers, stamps, external } = this;
    const count = this.waiting;
    if (count === 0) return;
    this.waiting = 0;
    if (count > 1) external.expect?.(batch, count);
    for (let number = 0; number < count; number++) {
      const sound = external.apply(types[number]!, batch[number]!, speakers[number]!, stamps[number]!);
      if (!sound) this.counters.count(MALFORMED_PAYLOAD);
    }
  }
}
