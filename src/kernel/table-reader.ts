import { Views } from '../base/views.js';
import type { FlowFilter } from '../flow/filter.js';
import { FlowScratch } from '../flow/scratch.js';
import { EAGAIN } from '../native/constants.js';
import * as native from '../native/index.js';
import { NFNL_SUBSYS_CTNETLINK } from '../netlink/constants.js';
import { decodeFlow } from '../netlink/decode.js';
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
  subsystemOf,
  typeOf,
} from '../netlink/message.js';
import { NetfilterSocket, netfilterFailure } from './socket.js';
import type { KernelCounters } from './statistics.js';

/** As much as the kernel fills at once (net/netlink/af_netlink.c, netlink_dump): some 150 flows. */
const CHUNK_BYTES = 32768;

/** Every flow was handed over. */
const NO_MORE_FLOWS = -1;

/**
 * The kernel's conntrack table for a reader that sets the pace, where TableDump pushes. The kernel makes the next piece of
 * a dump while the one before is read, so there is always one to read, and nothing to wait for.
 */
export class TableReader {
  /** After the end: the table changed meanwhile and flows may have been passed over. */
  interrupted = false;
  private socket: NetfilterSocket | null = null;
  private readonly views = new Views(CHUNK_BYTES);
  private readonly scratch = new FlowScratch();

  /**
   * @param counters where messages that are no flows are counted
   * @param filter gives the present one: flows that do not pass are as if the kernel had them not; null: all pass
   */
  constructor(
    private readonly counters: () => KernelCounters,
    private readonly filter: () => FlowFilter | null,
  ) {}

  /** Begins a dump, giving up one under way. @throws SystemError */
  open(): void {
    this.close();
    this.interrupted = false;
    this.socket = new NetfilterSocket(0);
    const length = encodeDumpRequest(this.views, 0);
    const sent = native.send(this.socket.fd, this.views.buffer, 0, length);
    if (sent < 0) throw this.failure('send', -sent);
  }

  /**
   * Hands over the flows of the next piece; each is valid until `each` returns.
   *
   * @returns how many, -1 at the end
   * @throws SystemError when the kernel refuses
   */
  read(each: (flow: FlowScratch) => void): number {
    if (this.socket === null) return NO_MORE_FLOWS;
    const received = native.receive(this.socket.fd, this.views.buffer, 0, CHUNK_BYTES);
    if (received === -EAGAIN) return 0;
    if (received < 0) throw this.failure('recv', -received);
    let count = 0;
    for (let at = 0; isWhole(this.views, at, received); at = nextOf(this.views, at)) {
      if ((flagsOf(this.views, at) & NLM_F_DUMP_INTR) !== 0) this.interrupted = true;
      const type = typeOf(this.views, at);
      if (type === NLMSG_ERROR) throw this.failure('dump', errorOf(this.views, at));
      if (type === NLMSG_DONE) {
        this.close();
        return count > 0 ? count : NO_MORE_FLOWS;
      }
      if (this.entry(at, each)) count++;
    }
    return count;
  }

  close(): void {
    this.socket?.close();
    this.socket = null;
  }

  private entry(at: number, each: (flow: FlowScratch) => void): boolean {
    const { views, scratch } = this;
    const filter = this.filter();
    const end = at + lengthOf(views, at);
    if (subsystemOf(typeOf(views, at)) !== NFNL_SUBSYS_CTNETLINK || !decodeFlow(views, at, end, scratch)) {
      this.counters().dumpUnknown++;
      return false;
    }
    if (filter !== null && !filter.passes(scratch)) return false;
    each(scratch);
    return true;
  }

  private failure(call: string, errno: number): Error {
    this.close();
    return netfilterFailure(call, errno);
  }
}
