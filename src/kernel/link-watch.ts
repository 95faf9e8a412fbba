import type { Logger } from '../base/logger.js';
import { Views } from '../base/views.js';
import { AF_NETLINK, ENOBUFS, NETLINK_ROUTE, POLL_READABLE, SOCK_RAW } from '../native/constants.js';
import * as native from '../native/index.js';
import { netlinkAddress } from '../native/sockaddr.js';
import { NLMSG_DONE } from '../netlink/constants.js';
import { decodeLink, encodeLinkDumpRequest, newLinkMessage } from '../netlink/link.js';
import { isWhole, nextOf, typeOf } from '../netlink/message.js';

/** linux/rtnetlink.h: interfaces that come, go and change, and addresses. */
const RTMGRP_LINK = 0x1;
const RTMGRP_IPV4_IFADDR = 0x10;
const RTMGRP_IPV6_IFADDR = 0x100;
const GROUPS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
/** linux/rtnetlink.h: an address was added, or an IPv6 one can be used from now on. */
const RTM_NEWADDR = 20;
/** The kernel fills at most so much per datagram of a dump (af_netlink.c, SKB_WITH_OVERHEAD(32768)). */
const SLOT_BYTES = 32 * 1024;
const SLOTS = 8;
/** Batches a turn; the socket holds fewer, so more come only while interfaces change faster than they are read. */
const MOST_RECEIVES = 64;

/** What an interface is. Gone: index and flags are 0. */
export interface LinkState {
  readonly index: number;
  /** IFF_ bits (linux/if.h): IFF_UP, IFF_RUNNING and others. */
  readonly flags: number;
}

const GONE: LinkState = { index: 0, flags: 0 };

export interface LinkWatchEvents {
  /** The interface of that name is there, has changed, or is gone. Its MTU may be what changed. */
  onLink(name: string, state: LinkState): void;
  /** Some interface has a new address. */
  onAddress(): void;
}

/**
 * Tells about interfaces as the kernel does (rtnetlink): every one once at the beginning, then what changes. When the
 * kernel had more to say than the socket could hold, every one is told anew and those not there any more as gone.
 */
export class LinkWatch {
  private readonly fd: number;
  private readonly poll: native.Poll;
  private readonly views = new Views(SLOT_BYTES * SLOTS);
  private readonly lengths = new Int32Array(SLOTS);
  private readonly message = newLinkMessage();
  /** Names by index, to notice that an interface was renamed. */
  private readonly names = new Map<number, string>();
  /** Indices that a dump under way has not named yet; null while there is none. */
  private unseen: Set<number> | null = null;
  private closed = false;
  /** The kernel had more to say than could be read. */
  private lost = false;

  /** @throws SystemError when the kernel gives no NETLINK_ROUTE socket */
  constructor(
    private readonly events: LinkWatchEvents,
    private readonly log: Logger,
  ) {
    this.fd = native.openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    try {
      native.bind(this.fd, netlinkAddress(0, GROUPS));
      this.poll = new native.Poll(this.fd, () => this.receive());
    } catch (error) {
      native.closeSocket(this.fd);
      throw error;
    }
  }

  /** Events are told from the event loop from now on, the interfaces that are there first. */
  start(): void {
    this.requestDump();
    this.poll.start(POLL_READABLE);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.poll.close();
    native.closeSocket(this.fd);
  }

  private requestDump(): void {
    this.unseen = new Set(this.names.keys());
    const request = new Views(64);
    const sent = native.send(this.fd, request.buffer, 0, encodeLinkDumpRequest(request, 0));
    if (sent < 0) this.complain('send', -sent);
  }

  private receive(): void {
    for (let left = MOST_RECEIVES; left > 0 && this.receiveSome(); left--);
    // Only now, when nothing older waits: what is told from here on is the dump, and newer.
    if (!this.lost || this.closed) return;
    this.lost = false;
    this.requestDump();
  }

  /** @returns whether there may be more */
  private receiveSome(): boolean {
    const count = native.receiveBatch(this.fd, this.views.buffer, SLOT_BYTES, SLOTS, this.lengths, null);
    if (count === -ENOBUFS) this.lost = true;
    else if (count < 0) this.complain('recvmmsg', -count);
    for (let slot = 0; slot < count && !this.closed; slot++) this.hand(slot * SLOT_BYTES, this.lengths[slot]!);
    return !this.closed && (count === SLOTS || count === -ENOBUFS);
  }

  private hand(start: number, length: number): void {
    // Cut off: what it said is not known, all of it is asked for.
    if (length < 0) {
      this.lost = true;
      return;
    }
    const { views, message } = this;
    const end = start + length;
    for (let at = start; isWhole(views, at, end) && !this.closed; at = nextOf(views, at)) {
      if (typeOf(views, at) === NLMSG_DONE) this.dumped();
      else if (typeOf(views, at) === RTM_NEWADDR) this.events.onAddress();
      else if (decodeLink(views, at, end, message)) this.take();
    }
  }

  private take(): void {
    const { index, name, flags, removed } = this.message;
    this.unseen?.delete(index);
    const before = this.names.get(index);
    if (before !== undefined && (removed || before !== name)) this.forget(index, before);
    if (removed || name === '') return;
    this.names.set(index, name);
    this.events.onLink(name, { index, flags });
  }

  private dumped(): void {
    for (const index of this.unseen ?? []) {
      const name = this.names.get(index);
      if (name !== undefined) this.forget(index, name);
    }
    this.unseen = null;
  }

  private forget(index: number, name: string): void {
    this.names.delete(index);
    // A new one of this name may have been told of already.
    if (![...this.names.values()].includes(name)) this.events.onLink(name, GONE);
  }

  private complain(call: string, errno: number): void {
    const error = native.systemError(call, errno, 'route netlink socket');
    this.log.error(`${error.message}; changes of the links' interfaces may go unnoticed`);
  }
}
