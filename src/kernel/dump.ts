import { performance } from 'node:perf_hooks';
import { TURN_MS } from '../base/turn.js';
import { Views } from '../base/views.js';
import { POLL_READABLE } from '../native/constants.js';
import * as native from '../native/index.js';
import { encodeDumpRequest } from '../netlink/encode.js';
import {
  errorOf,
  flagsOf,
  isWhole,
  lengthOf,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  nextOf,
  typeOf,
} from '../netlink/message.js';
import { NetfilterSocket, netfilterFailure } from './socket.js';

/**
 * Bytes read at once. The kernel fills a dump's messages up to the largest buffer its reader offered, 32 KiB at most
 * (net/netlink/af_netlink.c, netlink_dump): less would cost more system calls, more would stay empty.
 */
const CHUNK_BYTES = 32768;
/**
 * Chunks received at once, by another thread, while those before are handled: some 1,200 flows, which take the kernel
 * two milliseconds to tell and us less than one to handle, as long as what they are compared with is in the caches.
 */
const CHUNKS_AHEAD = 8;

/** What a dump tells its owner. */
export interface DumpEvents {
  /** One entry: a netlink message in `views` from byte `at` (a multiple of 4) to `end`. */
  onEntry(views: Views, at: number, end: number): void;
  /** The table changed while it was read and the kernel says the dump may lack entries; another one is needed. */
  onInterrupted(): void;
  /** Every entry was handed over. */
  onDone(): void;
  /** The kernel refused. */
  onError(error: Error): void;
  /** While held: `handOver` has something to hand over. */
  onWaiting?(): void;
}

/** Chunks and their lengths, with the receiving thread or with us. */
class ChunkBuffer {
  readonly views = new Views(CHUNKS_AHEAD * CHUNK_BYTES);
  readonly lengths = new Int32Array(CHUNKS_AHEAD);
}

/**
 * One dump of the kernel's conntrack or expectation table, on a socket of its own, read in slices. It closes itself when it ends.
 */
export class TableDump {
  private readonly socket = new NetfilterSocket(0);
  private readonly poll: native.Poll;
  /** What is handled, and what is received meanwhile. */
  private handled = new ChunkBuffer();
  private received = new ChunkBuffer();
  /** The other thread has the socket. */
  private isAhead = false;
  /** The chunk to handle next, and behind the last one. */
  private next = 0;
  private end = 0;
  /** Chunks of `received` that the other thread has filled meanwhile. */
  private arrived = 0;
  private isHeld = false;
  /** A turn comes by itself. */
  private isDue = false;
  private interrupted = false;
  private open = true;

  /** @param encodeRequest what asks for the dump: of flows, or encodeExpectationDumpRequest */
  constructor(
    private readonly events: DumpEvents,
    private readonly encodeRequest: (out: Views, at: number) => number = encodeDumpRequest,
  ) {
    this.poll = new native.Poll(this.socket.fd, () => this.readable());
  }

  /**
   * Asks in another thread: the kernel makes the first piece of the dump in the one that asks, and lets it wait as long as
   * somebody else empties the table, which is seconds of a large one.
   */
  start(): void {
    const { views } = this.handled;
    const length = this.encodeRequest(views, 0);
    this.isAhead = true;
    native.sendAhead(this.socket.fd, views.buffer, length, (sent) => this.asked(sent));
  }

  /** Nothing is handed over from now on, but for the rest of the present piece and what `handOver` asks for. */
  hold(): void {
    this.isHeld = true;
  }

  /** Goes on by itself again. */
  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.soon();
  }

  /**
   * While held: hands over what is there, for TURN_MS at most, or asks for more, of which `onWaiting` tells. Nothing is
   * received that was not asked for, so that little of it is of the past.
   */
  handOver(): void {
    if (!this.open) return;
    if (this.next === this.end) {
      if (this.arrived === 0) {
        if (!this.isAhead) this.receive();
        return;
      }
      this.take();
    }
    const endMs = performance.now() + TURN_MS;
    do this.handleChunk();
    while (this.next < this.end && this.open && performance.now() < endMs);
  }

  /** While held: whether `handOver` has something to hand over. */
  get isWaiting(): boolean {
    return this.next < this.end || this.arrived > 0;
  }

  /** Gives up; nothing is called any more. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.poll.close();
    if (!this.isAhead) this.socket.close();
  }

  private asked(sent: number): void {
    this.isAhead = false;
    if (!this.open) this.socket.close();
    else if (sent < 0) this.finish(() => this.events.onError(netfilterFailure('send', -sent)));
    else this.receive();
  }

  private readable(): void {
    this.poll.stop();
    if (!this.isAhead && this.arrived === 0) this.receive();
  }

  private receive(): void {
    const { views, lengths } = this.received;
    this.isAhead = true;
    native.receiveAhead(this.socket.fd, views.buffer, CHUNK_BYTES, CHUNKS_AHEAD, lengths, (count) => {
      this.isAhead = false;
      if (this.open) this.arrive(count);
      else this.socket.close();
    });
  }

  private arrive(count: number): void {
    this.arrived = count;
    if (count === 0) this.poll.start(POLL_READABLE);
    else if (this.isHeld) this.events.onWaiting?.();
    else if (!this.isDue) this.turn();
  }

  private take(): void {
    const chunks = this.received;
    this.received = this.handled;
    this.handled = chunks;
    this.next = 0;
    this.end = this.arrived;
    this.arrived = 0;
    // Less than there is room for: no more is there now, so the end is among it or something has to come yet.
    if (this.end === CHUNKS_AHEAD && !this.isHeld) this.receive();
  }

  /** Handles what was received, for TURN_MS at a time. */
  private turn(): void {
    if (!this.open || this.isHeld) return;
    if (this.next === this.end && this.arrived > 0) this.take();
    const endMs = performance.now() + TURN_MS;
    while (this.next < this.end && this.open && !this.isHeld && performance.now() < endMs) this.handleChunk();
    if (!this.open || this.isHeld) return;
    if (this.next < this.end || this.arrived > 0) this.soon();
    else if (!this.isAhead) this.poll.start(POLL_READABLE);
  }

  private soon(): void {
    if (this.isDue) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      this.turn();
    });
  }

  private handleChunk(): void {
    const index = this.next++;
    this.chunk(index, this.handled.lengths[index]!);
  }

  private chunk(index: number, length: number): void {
    if (length < 0) {
      this.finish(() => this.events.onError(netfilterFailure('recv', -length)));
      return;
    }
    const { views } = this.handled;
    const end = index * CHUNK_BYTES + length;
    for (let at = index * CHUNK_BYTES; this.open && isWhole(views, at, end); at = nextOf(views, at)) {
      this.message(views, at, at + lengthOf(views, at));
    }
  }

  private message(views: Views, at: number, end: number): void {
    const type = typeOf(views, at);
    if ((flagsOf(views, at) & NLM_F_DUMP_INTR) !== 0) this.interrupted = true;
    if (type === NLMSG_DONE) {
      this.finish(() => (this.interrupted ? this.events.onInterrupted() : this.events.onDone()));
    } else if (type === NLMSG_ERROR) {
      const errno = errorOf(views, at);
      this.finish(() => this.events.onError(netfilterFailure('dump', errno)));
    } else {
      this.events.onEntry(views, at, end);
    }
  }

  private finish(tell: () => void): void {
    this.close();
    tell();
  }
}
