import { AF_INET, AF_INET6 } from '../flow/layout.js';
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
