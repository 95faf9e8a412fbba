import { Views } from '../base/views.js';
import { EAGAIN, POLL_READABLE } from '../native/constants.js';
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
/** Chunks handled before other work gets a turn: some 1,200 flows, about a millisecond. */
const CHUNKS_PER_TURN = 8;

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
}

/**
 * One dump of the kernel's conntrack or expectation table, on a socket of its own, read in slices. It closes itself when it ends.
 */
export class TableDump {
  private readonly socket = new NetfilterSocket(0);
  private readonly poll: native.Poll;
  private readonly views = new Views(CHUNK_BYTES);
  private interrupted = false;
  private open = true;

  /** @param encodeRequest what asks for the dump: of flows, or encodeExpectationDumpRequest */
  constructor(
    private readonly events: DumpEvents,
    private readonly encodeRequest: (out: Views, at: number) => number = encodeDumpRequest,
  ) {
    this.poll = new native.Poll(this.socket.fd, () => this.turn());
  }

  start(): void {
    const length = this.encodeRequest(this.views, 0);
    const sent = native.send(this.socket.fd, this.views.buffer, 0, length);
    if (sent < 0) {
      this.end(() => this.events.onError(netfilterFailure('send', -sent)));
      return;
    }
    this.poll.start(POLL_READABLE);
  }

  /** Gives up; nothing is called any more. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.poll.close();
    this.socket.close();
  }

  private turn(): void {
    for (let chunk = 0; chunk < CHUNKS_PER_TURN && this.open; chunk++) {
      const received = native.receive(this.socket.fd, this.views.buffer, 0, CHUNK_BYTES);
      if (received === -EAGAIN) return;
      if (received < 0) {
        this.end(() => this.events.onError(netfilterFailure('recv', -received)));
        return;
      }
      this.chunk(received);
    }
  }

  private chunk(received: number): void {
    const { views } = this;
    for (let at = 0; this.open && isWhole(views, at, received); at = nextOf(views, at)) {
      this.message(at, at + lengthOf(views, at));
    }
  }

  private message(at: number, end: number): void {
    const type = typeOf(this.views, at);
    if ((flagsOf(this.views, at) & NLM_F_DUMP_INTR) !== 0) this.interrupted = true;
    if (type === NLMSG_DONE) {
      this.end(() => (this.interrupted ? this.events.onInterrupted() : this.events.onDone()));
    } else if (type === NLMSG_ERROR) {
      const errno = errorOf(this.views, at);
      this.end(() => this.events.onError(netfilterFailure('dump', errno)));
    } else {
      this.events.onEntry(this.views, at, end);
    }
  }

  private end(tell: () => void): void {
    this.close();
    tell();
  }
}
