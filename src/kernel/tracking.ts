import { Views } from '../base/views.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import { EAGAIN } from '../native/constants.js';
import * as native from '../native/index.js';
import { NFPROTO_BRIDGE, NFPROTO_IPV4, NFPROTO_IPV6 } from '../netlink/constants.js';
import { decodeFlow } from '../netlink/decode.js';
import { encodeGet, MAX_REQUEST_BYTES } from '../netlink/encode.js';
import { encodeHookDumpRequest, hookFunctionOf } from '../netlink/hooks.js';
import { errorOf, isWhole, lengthOf, NLMSG_DONE, NLMSG_ERROR, nextOf, typeOf } from '../netlink/message.js';
import { NetfilterSocket, netfilterFailure } from './socket.js';

/** As much as the kernel fills at once (net/netlink/af_netlink.c, netlink_dump). */
const CHUNK_BYTES = 32768;
/** Pieces of a dump of hooks; a family has a handful of hooks, which fit into one. */
const MOST_CHUNKS = 16;
/** linux/netfilter.h: NF_INET_PRE_ROUTING, and NF_BR_PRE_ROUTING of linux/netfilter_bridge.h. */
const PRE_ROUTING = 0;
/** What tracks connections there (net/netfilter/nf_conntrack_proto.c, net/bridge/netfilter/nf_conntrack_bridge.c). */
const TRACKING = /^(ipv[46]_conntrack_in|nf_ct_bridge_pre)$/;

/**
 * Questions to the kernel. It handles a request while it is sent, so that the answer waits in the socket then. Nothing is
 * changed by them.
 */
export class TrackingProbe {
  private readonly socket = new NetfilterSocket(0);
  private readonly views = new Views(CHUNK_BYTES);
  private readonly question = new Views(MAX_REQUEST_BYTES);
  private readonly scratch = new FlowScratch();
  /** The other thread has the socket. */
  private isAsking = false;
  private open = true;

  /** Whether any family's packets are tracked; null: this kernel does not tell of hooks. */
  tracksConnections(): boolean | null {
    const ipv4 = this.functionsOf(NFPROTO_IPV4);
    // Without names, which need CONFIG_KALLSYMS, nothing can be told.
    if (ipv4 === null || ipv4.includes('')) return null;
    const others = [NFPROTO_IPV6, NFPROTO_BRIDGE].flatMap((family) => this.functionsOf(family) ?? []);
    return [...ipv4, ...others].some((name) => TRACKING.test(name));
  }

  /**
   * Asks for the kernel's flow with the original tuple of `flow`, one at a time. In another thread: while somebody empties
   * a large table, nobody else is answered for seconds.
   *
   * @param done gets the flow, valid until it returns, or null when there is none, or why the kernel refused; never called
   *   after `close`
   */
  find(flow: FlowRef, done: (found: FlowScratch | null, error: Error | null) => void): void {
    const { question, socket } = this;
    this.isAsking = true;
    native.sendAhead(socket.fd, question.buffer, encodeGet(question, 0, flow), (sent) => {
      this.isAsking = false;
      if (!this.open) socket.close();
      else if (sent < 0) done(null, netfilterFailure('send', -sent));
      else done(this.answered(), null);
    });
  }

  close(): void {
    this.open = false;
    if (!this.isAsking) this.socket.close();
  }

  private answered(): FlowScratch | null {
    const received = this.receive();
    if (!isWhole(this.views, 0, received) || typeOf(this.views, 0) === NLMSG_ERROR) return null;
    return decodeFlow(this.views, 0, lengthOf(this.views, 0), this.scratch) ? this.scratch : null;
  }

  /** Names of the functions that see a packet first; null: the kernel cannot tell. */
  private functionsOf(family: number): string[] | null {
    this.send(encodeHookDumpRequest(this.views, 0, family, PRE_ROUTING));
    const names: string[] = [];
    for (let chunk = 0; chunk < MOST_CHUNKS; chunk++) {
      const received = this.receive();
      if (received === 0) return names;
      for (let at = 0; isWhole(this.views, at, received); at = nextOf(this.views, at)) {
        const type = typeOf(this.views, at);
        if (type === NLMSG_ERROR) return null;
        if (type === NLMSG_DONE) return errorOf(this.views, at) === 0 ? names : null;
        const name = hookFunctionOf(this.views, at, received);
        if (name !== null) names.push(name);
      }
    }
    return names;
  }

  private send(length: number): void {
    const sent = native.send(this.socket.fd, this.views.buffer, 0, length);
    if (sent < 0) throw netfilterFailure('send', -sent);
  }

  /** Bytes of the next answer; 0: there is none. */
  private receive(): number {
    const received = native.receive(this.socket.fd, this.views.buffer, 0, CHUNK_BYTES);
    if (received === -EAGAIN) return 0;
    if (received < 0) throw netfilterFailure('recv', -received);
    return received;
  }
}
