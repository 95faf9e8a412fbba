import { swap16 } from '../base/views.js';
import {
  AF_INET,
  AF_INET6,
  familyOf,
  IPPROTO_DCCP,
  IPPROTO_GRE,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  protocolOf,
} from '../flow/layout.js';
import {
  CTA_IP_V4_DST,
  CTA_IP_V4_SRC,
  CTA_IP_V6_DST,
  CTA_IP_V6_SRC,
  CTA_PROTO_DST_PORT,
  CTA_PROTO_ICMP_CODE,
  CTA_PROTO_ICMP_ID,
  CTA_PROTO_ICMP_TYPE,
  CTA_PROTO_ICMPV6_CODE,
  CTA_PROTO_ICMPV6_ID,
  CTA_PROTO_ICMPV6_TYPE,
  CTA_PROTO_NUM,
  CTA_PROTO_SRC_PORT,
  CTA_TUPLE_IP,
  CTA_TUPLE_PROTO,
  CTA_TUPLE_ZONE,
  NLA_F_NESTED,
  NLA_TYPE_MASK,
} from './constants.js';

/**
 * Result of `readTuple`: a whole tuple packed into an integer, so that the hot path makes no object.
 *
 * ```
 * bit   0      ports, keys or ICMP triple are known
 *       1      a zone of this direction only is known
 *       2-5    family (AF_INET, AF_INET6)
 *       6-13   layer 4 protocol
 *      14-29   the zone, host order
 * ```
 */
export type TupleInfo = number;
export const TUPLE_MALFORMED = -1;
export const TUPLE_L4 = 1;
export const TUPLE_ZONE = 2;

export function tupleFamily(info: TupleInfo): number {
  return (info >>> 2) & 0xf;
}

export function tupleProtocol(info: TupleInfo): number {
  return (info >>> 6) & 0xff;
}

export function tupleZone(info: TupleInfo): number {
  return (info >>> 14) & 0xffff;
}

// Which addresses, and which parts of the protocol, a tuple held.
const V4_BOTH = 3;
const V6_BOTH = 12;
const PROTOCOL = 1;
const PORTS = 6;
const ICMP = 56;

/**
 * Reads a CTA_TUPLE_ nest: addresses to four words each at `sourceAt` and `destinationAt` of `target`, ports or ICMP
 * triple to the word `l4At`, all as layout.ts keeps them. Words that the tuple does not fill stay as they are.
 *
 * @param from byte offset of the nest's first attribute, a multiple of 4
 * @param to byte offset behind the nest
 * @returns TUPLE_MALFORMED unless it holds two addresses of one family and a protocol
 */
export function readTuple(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  to: number,
  target: Uint32Array,
  sourceAt: number,
  destinationAt: number,
  l4At: number,
): TupleInfo {
  const w = from >>> 2;
  if (to - from === PLAIN_BYTES && isPlain(u32, w)) {
    target[sourceAt] = u32[w + 2]!;
    target[destinationAt] = u32[w + 4]!;
    target[l4At] = (u32[w + 9]! & 0xffff) | (u32[w + 11]! << 16);
    return (AF_INET << 2) | ((u32[w + 7]! & 0xff) << 6) | TUPLE_L4;
  }
  return readAnyTuple(u8, u32, from, to, target, sourceAt, destinationAt, l4At);
}

/** Bytes of the attributes of a tuple of IPv4 addresses and ports. */
const PLAIN_BYTES = 48;

/**
 * Whether the attributes are those of IPv4 addresses and ports in the kernel's order, which most tuples are. Compares
 * seven attribute headers (type << 16 | length) instead of walking them: a third of the time of a whole event.
 */
function isPlain(u32: Uint32Array, w: number): boolean {
  return (
    u32[w] === (((NLA_F_NESTED | CTA_TUPLE_IP) << 16) | 20) >>> 0 &&
    u32[w + 1] === ((CTA_IP_V4_SRC << 16) | 8) &&
    u32[w + 3] === ((CTA_IP_V4_DST << 16) | 8) &&
    u32[w + 5] === (((NLA_F_NESTED | CTA_TUPLE_PROTO) << 16) | 28) >>> 0 &&
    u32[w + 6] === ((CTA_PROTO_NUM << 16) | 5) &&
    u32[w + 8] === ((CTA_PROTO_SRC_PORT << 16) | 6) &&
    u32[w + 10] === ((CTA_PROTO_DST_PORT << 16) | 6)
  );
}

/** Any tuple: attributes in any order, unknown ones among them. */
function readAnyTuple(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  to: number,
  target: Uint32Array,
  sourceAt: number,
  destinationAt: number,
  l4At: number,
): TupleInfo {
  let addresses = 0;
  let l4 = TUPLE_MALFORMED;
  let zone = 0;
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const length = header & 0xffff;
    const end = p + length;
    if (length < 4 || end > to) return TUPLE_MALFORMED;
    const type = (header >>> 16) & NLA_TYPE_MASK;
    if (type === CTA_TUPLE_IP) {
      // A second nest could leave words of an IPv6 address behind an IPv4 address.
      if (addresses !== 0) return TUPLE_MALFORMED;
      addresses = readAddresses(u32, p + 4, end, target, sourceAt, destinationAt);
    } else if (type === CTA_TUPLE_PROTO) {
      l4 = readProtocol(u8, u32, p + 4, end, target, l4At);
      if (l4 === TUPLE_MALFORMED) return TUPLE_MALFORMED;
    } else if (type === CTA_TUPLE_ZONE) {
      if (length < 6) return TUPLE_MALFORMED;
      zone = TUPLE_ZONE | (u8[p + 4]! << 22) | (u8[p + 5]! << 14);
    }
    p += (length + 3) & ~3;
  }
  if (l4 === TUPLE_MALFORMED) return TUPLE_MALFORMED;
  if (addresses === V4_BOTH) return (AF_INET << 2) | l4 | zone;
  return addresses === V6_BOTH ? (AF_INET6 << 2) | l4 | zone : TUPLE_MALFORMED;
}

/** CTA_TUPLE_IP: a bit for each address found, 0 when malformed. */
function readAddresses(
  u32: Uint32Array,
  from: number,
  to: number,
  target: Uint32Array,
  sourceAt: number,
  destinationAt: number,
): number {
  let found = 0;
  for (let p = from; p + 4 <= to; ) {
    const w = p >>> 2;
    const header = u32[w]!;
    const length = header & 0xffff;
    if (length < 4 || p + length > to) return 0;
    const type = (header >>> 16) & NLA_TYPE_MASK;
    if (type >= CTA_IP_V4_SRC && type <= CTA_IP_V6_DST) {
      const at = type === CTA_IP_V4_SRC || type === CTA_IP_V6_SRC ? sourceAt : destinationAt;
      if (length < (type <= CTA_IP_V4_DST ? 8 : 20)) return 0;
      target[at] = u32[w + 1]!;
      if (type >= CTA_IP_V6_SRC) {
        target[at + 1] = u32[w + 2]!;
        target[at + 2] = u32[w + 3]!;
        target[at + 3] = u32[w + 4]!;
      }
      found |= 1 << (type - CTA_IP_V4_SRC);
    }
    p += (length + 3) & ~3;
  }
  return found;
}

/** CTA_TUPLE_PROTO: protocol and TUPLE_L4 as TupleInfo has them. */
function readProtocol(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  to: number,
  target: Uint32Array,
  l4At: number,
): number {
  let found = 0;
  let protocol = 0;
  let low = 0;
  let high = 0;
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const length = header & 0xffff;
    if (length < 4 || p + length > to) return TUPLE_MALFORMED;
    const type = (header >>> 16) & NLA_TYPE_MASK;
    if (type >= CTA_PROTO_NUM && type <= CTA_PROTO_ICMPV6_CODE) {
      // Nothing here is longer than 2 bytes. A word at a time would be faster, but may reach behind the message.
      if (length < 5) return TUPLE_MALFORMED;
      const first = u8[p + 4]!;
      switch (type) {
        case CTA_PROTO_NUM:
          protocol = first;
          found |= PROTOCOL;
          break;
        case CTA_PROTO_SRC_PORT:
          if (length < 6) return TUPLE_MALFORMED;
          low = first | (u8[p + 5]! << 8);
          found |= 2;
          break;
        case CTA_PROTO_DST_PORT:
          if (length < 6) return TUPLE_MALFORMED;
          high = first | (u8[p + 5]! << 8);
          found |= 4;
          break;
        case CTA_PROTO_ICMP_ID:
        case CTA_PROTO_ICMPV6_ID:
          if (length < 6) return TUPLE_MALFORMED;
          low = first | (u8[p + 5]! << 8);
          found |= 8;
          break;
        case CTA_PROTO_ICMP_TYPE:
        case CTA_PROTO_ICMPV6_TYPE:
          high = (high & 0xff00) | first;
          found |= 16;
          break;
        case CTA_PROTO_ICMP_CODE:
        case CTA_PROTO_ICMPV6_CODE:
          high = (high & 0xff) | (first << 8);
          found |= 32;
          break;
      }
    }
    p += (length + 3) & ~3;
  }
  if (found === PROTOCOL) return protocol << 6;
  if (found !== (PROTOCOL | PORTS) && found !== (PROTOCOL | ICMP)) return TUPLE_MALFORMED;
  target[l4At] = low | (high << 16);
  return (protocol << 6) | TUPLE_L4;
}

/** What a tuple carries besides addresses and protocol number. */
export type L4Layout = 0 | 1 | 2;
/** The tuple has a protocol number only. */
export const L4_NONE = 0;
/** Source and destination port, or GRE keys. */
export const L4_PORTS = 1;
/** ICMP or ICMPv6 identifier, type and code. */
export const L4_ICMP = 2;

/** What the kernel's tuples of a protocol carry besides its number. */
export function l4LayoutOf(protocol: number): L4Layout {
  switch (protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
    case IPPROTO_GRE:
      return L4_PORTS;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return L4_ICMP;
    default:
      return L4_NONE;
  }
}

/** The kernel's ICMP types that have an answer: type of the request and of the reply (nf_conntrack_proto_icmp*.c). */
const ICMP_PAIRS = [
  [8, 0], // echo
  [13, 14], // timestamp
  [15, 16], // information
  [17, 18], // address mask
] as const;
const ICMPV6_PAIRS = [
  [128, 129], // echo
  [139, 140], // node information
] as const;

/**
 * Type of the packets in the other direction by protocol and type. Of a type without answer the original says 255,
 * which the kernel refuses.
 */
const INVERSE_TYPES = { icmp: inverseTypes(ICMP_PAIRS), icmpv6: inverseTypes(ICMPV6_PAIRS) };

function inverseTypes(pairs: readonly (readonly [number, number])[]): Uint8Array {
  const inverse = new Uint8Array(256).fill(255);
  for (const [request, reply] of pairs) {
    inverse[request] = reply;
    inverse[reply] = request;
  }
  return inverse;
}

/** The layer 4 word (layout.ts) of the tuple in the other direction, before any NAT. */
export function inverseL4(protocol: number, l4: number): number {
  if (protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6) return (l4 >>> 16) | (l4 << 16);
  const inverse = protocol === IPPROTO_ICMP ? INVERSE_TYPES.icmp : INVERSE_TYPES.icmpv6;
  return (l4 & 0xff00ffff) | (inverse[(l4 >>> 16) & 0xff]! << 16);
}

/**
 * Writes a tuple as a nest of `type`, in the order of the original (spec/findings.md 29).
 *
 * @param at byte offset in the message buffer, a multiple of 4
 * @param type CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_TUPLE_MASTER
 * @param kind KIND word: family and protocol
 * @param l4 layer 4 word; zero when the peer did not say
 * @param zone zone of this direction only, -1 for none
 * @returns byte offset behind the nest
 */
export function writeTuple(
  u32: Uint32Array,
  at: number,
  type: number,
  words: Uint32Array,
  sourceAt: number,
  destinationAt: number,
  kind: number,
  l4: number,
  zone: number,
): number {
  const w = at >>> 2;
  let next = writeAddresses(u32, w + 1, words, sourceAt, destinationAt, familyOf(kind));
  next = writeProtocol(u32, next, protocolOf(kind), l4);
  if (zone >= 0) {
    u32[next] = (CTA_TUPLE_ZONE << 16) | 6;
    u32[next + 1] = swap16(zone);
    next += 2;
  }
  u32[w] = ((NLA_F_NESTED | type) << 16) | ((next - w) << 2);
  return next << 2;
}

/** CTA_TUPLE_IP at word `w`; returns the word behind it. */
function writeAddresses(
  u32: Uint32Array,
  w: number,
  words: Uint32Array,
  sourceAt: number,
  destinationAt: number,
  family: number,
): number {
  if (family === AF_INET) {
    u32[w] = ((NLA_F_NESTED | CTA_TUPLE_IP) << 16) | 20;
    u32[w + 1] = (CTA_IP_V4_SRC << 16) | 8;
    u32[w + 2] = words[sourceAt]!;
    u32[w + 3] = (CTA_IP_V4_DST << 16) | 8;
    u32[w + 4] = words[destinationAt]!;
    return w + 5;
  }
  u32[w] = ((NLA_F_NESTED | CTA_TUPLE_IP) << 16) | 44;
  u32[w + 1] = (CTA_IP_V6_SRC << 16) | 20;
  u32[w + 6] = (CTA_IP_V6_DST << 16) | 20;
  for (let i = 0; i < 4; i++) {
    u32[w + 2 + i] = words[sourceAt + i]!;
    u32[w + 7 + i] = words[destinationAt + i]!;
  }
  return w + 11;
}

/** CTA_TUPLE_PROTO at word `w`; returns the word behind it. */
function writeProtocol(u32: Uint32Array, w: number, protocol: number, l4: number): number {
  const layout = l4LayoutOf(protocol);
  u32[w + 1] = (CTA_PROTO_NUM << 16) | 5;
  u32[w + 2] = protocol;
  let next = w + 3;
  if (layout === L4_PORTS) {
    u32[w + 3] = (CTA_PROTO_SRC_PORT << 16) | 6;
    u32[w + 4] = l4 & 0xffff;
    u32[w + 5] = (CTA_PROTO_DST_PORT << 16) | 6;
    u32[w + 6] = l4 >>> 16;
    next = w + 7;
  } else if (layout === L4_ICMP) {
    const six = protocol === IPPROTO_ICMPV6;
    u32[w + 3] = ((six ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE) << 16) | 5;
    u32[w + 4] = l4 >>> 24;
    u32[w + 5] = ((six ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE) << 16) | 5;
    u32[w + 6] = (l4 >>> 16) & 0xff;
    u32[w + 7] = ((six ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID) << 16) | 6;
    u32[w + 8] = l4 & 0xffff;
    next = w + 9;
  }
  u32[w] = ((NLA_F_NESTED | CTA_TUPLE_PROTO) << 16) | ((next - w) << 2);
  return next;
}
