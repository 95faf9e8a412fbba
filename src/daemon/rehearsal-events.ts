import type { Views } from '../base/views.js';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_SEEN_REPLY,
  IPS_SRC_NAT,
  IPS_SRC_NAT_DONE,
  K_MARK,
  K_ORIG,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
  K_STATUS,
  K_TIMEOUT,
  KIND,
  KNOWN,
  kindOf,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  protocolOf,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TIMEOUT,
} from '../flow/layout.js';
import { FlowScratch } from '../flow/scratch.js';
import {
  CTA_ID,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
  CTA_PROTOINFO_TCP_FLAGS_REPLY,
  CTA_PROTOINFO_TCP_STATE,
  CTA_PROTOINFO_TCP_WSCALE_ORIGINAL,
  CTA_PROTOINFO_TCP_WSCALE_REPLY,
  CTA_SYNPROXY,
  CTA_SYNPROXY_ISN,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_NEW,
  NFNL_SUBSYS_CTNETLINK,
  NLA_F_NESTED,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLMSG_TYPE_AT,
} from '../netlink/constants.js';
import { encodeCreate, TIMEOUT_AS_KNOWN } from '../netlink/encode.js';

/*
 * The events of the rehearsal (rehearsal.ts), made as the kernel makes them: what is decoded in another order is
 * other code.
 */

const TUPLES = K_ORIG | K_ORIG_L4 | K_REPLY | K_REPLY_L4;
const TCP_ESTABLISHED = 3;

/** What happens to a flow, as its event tells. */
export type Happening = 'create' | 'update' | 'renew' | 'destroy';

/** Type and flags of the events, as words of a netlink header (spec/kernel.md). */
const EVENT_HEADERS: Readonly<Record<Happening, number>> = {
  create: eventHeader(IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL),
  update: eventHeader(IPCTNL_MSG_CT_NEW, 0),
  renew: eventHeader(IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL),
  destroy: eventHeader(IPCTNL_MSG_CT_DELETE, 0),
};

function eventHeader(operation: number, flags: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | operation | (flags << 16);
}

/**
 * CTA_PROTOINFO of a TCP flow (spec/kernel.md): headers are words of type and length; state, window scales and flags
 * are values of a connection between two of today's hosts. When a flow ends the kernel tells its state only.
 */
const TCP_INFO = Uint32Array.of(
  attribute(NLA_F_NESTED | CTA_PROTOINFO, 48),
  attribute(NLA_F_NESTED | CTA_PROTOINFO_TCP, 44),
  attribute(CTA_PROTOINFO_TCP_STATE, 5),
  TCP_ESTABLISHED,
  attribute(CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, 5),
  7,
  attribute(CTA_PROTOINFO_TCP_WSCALE_REPLY, 5),
  7,
  attribute(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, 6),
  0x23,
  attribute(CTA_PROTOINFO_TCP_FLAGS_REPLY, 6),
  0x23,
);
const TCP_END = Uint32Array.of(
  attribute(NLA_F_NESTED | CTA_PROTOINFO, 16),
  attribute(NLA_F_NESTED | CTA_PROTOINFO_TCP, 12),
  attribute(CTA_PROTOINFO_TCP_STATE, 5),
  TCP_ESTABLISHED,
);

function attribute(type: number, bytes: number): number {
  return (type << 16) | bytes;
}

const actor = new FlowScratch();
const options = { sequence: 0, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: true };

/**
 * Writes the event of what happens to flow `number`.
 *
 * @param at byte offset, a multiple of 4, with room for MAX_REQUEST_BYTES
 * @returns its length
 */
export function writeEvent(views: Views, at: number, happening: Happening, number: number): number {
  describe(actor, number);
  const length = encodeCreate(views, at, actor, options);
  views.u32[(at + NLMSG_TYPE_AT) >>> 2] = EVENT_HEADERS[happening];
  return appendRest(views, at, length, happening === 'destroy' ? TCP_END : TCP_INFO, number);
}

/**
 * Events carry what requests do not: the state of a TCP flow in the kernel's own order, the kernel's number of the flow,
 * and sometimes an attribute that few flows have.
 *
 * @param length of the message without them
 * @param tcp CTA_PROTOINFO, where the flow is one of TCP
 * @returns the length of the message with them
 */
function appendRest({ u32 }: Views, at: number, length: number, tcp: Uint32Array, number: number): number {
  let w = (at + length) >>> 2;
  if (protocolOf(actor.words[KIND]!) === IPPROTO_TCP) {
    u32.set(tcp, w);
    w += tcp.length;
  }
  u32[w++] = attribute(CTA_ID, 8);
  u32[w++] = number;
  if (number % 2 === 0) {
    u32[w++] = attribute(CTA_SYNPROXY, 12);
    u32[w++] = attribute(CTA_SYNPROXY_ISN, 8);
    u32[w++] = 0;
  }
  u32[at >>> 2] = (w << 2) - at;
  return (w << 2) - at;
}

/** Flows of the kinds that firewalls see most, in turn: what was never met is not compiled. */
function describe({ words }: FlowScratch, number: number): void {
  words.fill(0);
  const six = number % 5 === 0;
  const protocol = number % 3 === 0 ? IPPROTO_UDP : number % 7 === 0 && !six ? IPPROTO_ICMP : IPPROTO_TCP;
  const tcp = protocol === IPPROTO_TCP;
  words[KNOWN] = TUPLES | K_STATUS | K_TIMEOUT | (number % 4 === 0 ? K_MARK : 0);
  words[KIND] = kindOf(six ? AF_INET6 : AF_INET, protocol, tcp ? TCP_ESTABLISHED : 0);
  words[STATUS] = IPS_CONFIRMED | IPS_SEEN_REPLY | (tcp ? IPS_ASSURED : 0);
  words[TIMEOUT] = 600;
  words[MARK] = number;
  words[ORIG_SRC] = number;
  words[ORIG_DST] = ~number;
  if (six) words[ORIG_SRC + 3] = number;
  words[ORIG_L4] = protocol === IPPROTO_ICMP ? 0x00080000 | (number & 0xffff) : 0xbb010000 | (number & 0xffff);
  words.copyWithin(REPLY_SRC, ORIG_DST, ORIG_DST + 4);
  words.copyWithin(REPLY_DST, ORIG_SRC, ORIG_SRC + 4);
  words[REPLY_L4] = ((words[ORIG_L4]! >>> 16) | (words[ORIG_L4]! << 16)) >>> 0;
  if (number % 8 !== 1) return;
  words[STATUS] |= IPS_SRC_NAT | IPS_SRC_NAT_DONE;
  words[REPLY_DST] = 0x0100000a;
}
