import type { Views } from '../base/views.js';
import {
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_NEW,
  NLA_HDRLEN,
  NLA_TYPE_MASK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_CREATE,
  NLMSG_FLAGS_AT,
  NLMSG_HDRLEN,
  NLMSG_PID_AT,
  NLMSG_SEQ_AT,
  NLMSG_TYPE_AT,
  NLMSGERR_ATTR_MSG,
} from './constants.js';

export {
  NLM_F_ACK,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
} from './constants.js';

/**
 * Walking the netlink messages of one receive. `at` is the byte offset of a message header and a multiple of 4;
 * before any other field is read, `isWhole` must have said that the message is there.
 *
 * ```ts
 * for (let at = start; isWhole(views, at, end); at = nextOf(views, at)) switch (typeOf(views, at)) { ... }
 * ```
 */

/** linux/netlink.h: messages and attributes begin at multiples of 4. */
export function NLMSG_ALIGN(length: number): number {
  return (length + 3) & ~3;
}

/** Whether a message with a header and a plausible length lies at `at`, before `end`. */
export function isWhole(views: Views, at: number, end: number): boolean {
  if (at + NLMSG_HDRLEN > end || (at & 3) !== 0) return false;
  const length = views.u32[at >>> 2]!;
  return length >= NLMSG_HDRLEN && length <= end - at;
}

/** Byte offset of the message that follows a whole one. */
export function nextOf(views: Views, at: number): number {
  return at + NLMSG_ALIGN(lengthOf(views, at));
}

/** Bytes of the message, header included, padding not. */
export function lengthOf(views: Views, at: number): number {
  return views.u32[at >>> 2]!;
}

export function typeOf(views: Views, at: number): number {
  return views.u16[(at + NLMSG_TYPE_AT) >>> 1]!;
}

/** NLM_F_ bits. */
export function flagsOf(views: Views, at: number): number {
  return views.u16[(at + NLMSG_FLAGS_AT) >>> 1]!;
}

/** Sequence number of the request that the message answers; events have 0. */
export function sequenceOf(views: Views, at: number): number {
  return views.u32[(at + NLMSG_SEQ_AT) >>> 2]!;
}

/** Netlink port of the socket whose request caused the event; 0 for the kernel's own doing. */
export function portIdOf(views: Views, at: number): number {
  return views.u32[(at + NLMSG_PID_AT) >>> 2]!;
}

/** NFNL_SUBSYS_ number of a nfnetlink message type. */
export function subsystemOf(type: number): number {
  return type >>> 8;
}

/** What happened to the flow or expectation that an event is about. */
export const EVENT_NONE = 0;
export const EVENT_NEW = 1;
export const EVENT_UPDATE = 2;
export const EVENT_DESTROY = 3;

/**
 * Kind of a conntrack or expectation event. A NEW event has NLM_F_CREATE | NLM_F_EXCL, an update has neither; both
 * have the same type (spec/kernel.md). Expectation messages use the same numbers. Entries of a dump read as updates.
 */
export function eventOf(type: number, flags: number): number {
  const operation = type & 0xff;
  if (operation === IPCTNL_MSG_CT_NEW) return (flags & NLM_F_CREATE) !== 0 ? EVENT_NEW : EVENT_UPDATE;
  return operation === IPCTNL_MSG_CT_DELETE ? EVENT_DESTROY : EVENT_NONE;
}

/** errno of an NLMSG_ERROR or of the NLMSG_DONE that ends a dump: positive, 0 for success or when it is missing. */
export function errorOf(views: Views, at: number): number {
  if (lengthOf(views, at) < NLMSG_HDRLEN + 4) return 0;
  return (0 - views.u32[(at + NLMSG_HDRLEN) >>> 2]!) | 0;
}

/** Reason in words that the kernel adds to an NLMSG_ERROR of a socket with NETLINK_EXT_ACK; empty when there is none. */
export function errorTextOf(views: Views, at: number): string {
  const flags = flagsOf(views, at);
  const end = at + lengthOf(views, at);
  // The error number and the header of the request come first, the rest of the request only when it is not capped.
  const request = at + NLMSG_HDRLEN + 4;
  if ((flags & NLM_F_ACK_TLVS) === 0 || request + NLMSG_HDRLEN > end) return '';
  const requestLength = (flags & NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN : lengthOf(views, request);
  if (requestLength > end - request) return '';
  for (let p = request + NLMSG_ALIGN(requestLength); p + NLA_HDRLEN <= end; ) {
    const length = views.u16[p >>> 1]!;
    if (length < NLA_HDRLEN || p + length > end) return '';
    if ((views.u16[(p + 2) >>> 1]! & NLA_TYPE_MASK) === NLMSGERR_ATTR_MSG) {
      return textAt(views, p + NLA_HDRLEN, p + length);
    }
    p += NLMSG_ALIGN(length);
  }
  return '';
}

/** The text from `from` to a NUL or `end`, one character a byte. Not for the hot path. */
export function textAt(views: Views, from: number, end: number): string {
  let text = '';
  for (let p = from; p < end && views.u8[p] !== 0; p++) text += String.fromCharCode(views.u8[p]!);
  return text;
}
