import type { Views } from '../base/views.js';
import {
  IFINFOMSG_BYTES,
  IFLA_IFNAME,
  NLA_HDRLEN,
  NLA_TYPE_MASK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from './constants.js';
import { isWhole, lengthOf, NLMSG_ALIGN, textAt, typeOf } from './message.js';

/** What rtnetlink says about one interface. One object is made by the reader and filled again and again. */
export interface LinkMessage {
  index: number;
  /** IFF_ bits (linux/if.h): 0x1 IFF_UP, 0x40 IFF_RUNNING; 0 when the interface is gone. */
  flags: number;
  /** Empty when the message has no name. */
  name: string;
  /** The interface is gone. */
  removed: boolean;
}

export function newLinkMessage(): LinkMessage {
  return { index: 0, flags: 0, name: '', removed: false };
}

/** Dump of every interface, for a NETLINK_ROUTE socket. @returns bytes written */
export function encodeLinkDumpRequest(out: Views, at: number, sequence = 0): number {
  const w = at >>> 2;
  const length = NLMSG_HDRLEN + IFINFOMSG_BYTES;
  out.u32.fill(0, w, w + length / 4);
  out.u32[w] = length;
  out.u32[w + 1] = ((NLM_F_REQUEST | NLM_F_DUMP) << 16) | RTM_GETLINK;
  out.u32[w + 2] = sequence;
  return length;
}

/**
 * Reads an RTM_NEWLINK or RTM_DELLINK, from a dump or a notification (group RTMGRP_LINK).
 *
 * @param at byte offset of the netlink header, a multiple of 4
 * @returns false when the message is another one or malformed. A message of a family other than AF_UNSPEC is another
 *   one: a bridge sends RTM_DELLINK of AF_BRIDGE when an interface leaves it, though the interface stays.
 */
export function decodeLink(views: Views, at: number, end: number, link: LinkMessage): boolean {
  if (!isWhole(views, at, end)) return false;
  const type = typeOf(views, at);
  const stop = at + lengthOf(views, at);
  const attributes = at + NLMSG_HDRLEN + IFINFOMSG_BYTES;
  if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || attributes > stop) return false;
  if (views.u8[at + NLMSG_HDRLEN] !== 0) return false;
  link.removed = type === RTM_DELLINK;
  link.index = views.u32[(at + NLMSG_HDRLEN + 4) >>> 2]!;
  link.flags = link.removed ? 0 : views.u32[(at + NLMSG_HDRLEN + 8) >>> 2]!;
  link.name = '';
  for (let p = attributes; p + NLA_HDRLEN <= stop; ) {
    const length = views.u16[p >>> 1]!;
    if (length < NLA_HDRLEN || p + length > stop) return false;
    if ((views.u16[(p + 2) >>> 1]! & NLA_TYPE_MASK) === IFLA_IFNAME) {
      link.name = textAt(views, p + NLA_HDRLEN, p + length);
    }
    p += NLMSG_ALIGN(length);
  }
  return true;
}
