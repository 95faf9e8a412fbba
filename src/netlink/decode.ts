import { swap32, type Views } from '../base/views.js';
import {
  ID,
  IPPROTO_DCCP,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  K_DCCP_ROLE,
  K_ID,
  K_MARK,
  K_ORIG,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
  K_STATE,
  K_STATUS,
  K_TCP_FLAGS_ORIG,
  K_TCP_FLAGS_REPLY,
  K_TIMEOUT,
  K_USE,
  K_VTAG_ORIG,
  K_VTAG_REPLY,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  K_ZONE,
  K_ZONE_ORIG,
  K_ZONE_REPLY,
  KIND,
  KNOWN,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TCP_WINDOW,
  TIMEOUT,
  USE,
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE,
  ZONE_DIR,
} from '../flow/layout.js';
import type { FlowScratch } from '../flow/scratch.js';
import {
  CTA_COUNTERS_BYTES,
  CTA_COUNTERS_ORIG,
  CTA_COUNTERS_PACKETS,
  CTA_COUNTERS_REPLY,
  CTA_ID,
  CTA_MARK,
  CTA_PROTOINFO,
  CTA_PROTOINFO_DCCP,
  CTA_PROTOINFO_DCCP_ROLE,
  CTA_PROTOINFO_DCCP_STATE,
  CTA_PROTOINFO_SCTP,
  CTA_PROTOINFO_SCTP_STATE,
  CTA_PROTOINFO_SCTP_VTAG_ORIGINAL,
  CTA_PROTOINFO_SCTP_VTAG_REPLY,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
  CTA_PROTOINFO_TCP_FLAGS_REPLY,
  CTA_PROTOINFO_TCP_STATE,
  CTA_PROTOINFO_TCP_WSCALE_ORIGINAL,
  CTA_PROTOINFO_TCP_WSCALE_REPLY,
  CTA_STATUS,
  CTA_TIMEOUT,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_REPLY,
  CTA_USE,
  CTA_ZONE,
  NFGENMSG_BYTES,
  NLA_F_NESTED,
  NLA_TYPE_MASK,
  NLMSG_HDRLEN,
} from './constants.js';
import { readRareAttribute } from './rare.js';
import {
  readTuple,
  TUPLE_L4,
  TUPLE_MALFORMED,
  TUPLE_ZONE,
  type TupleInfo,
  tupleFamily,
  tupleProtocol,
  tupleZone,
} from './tuple.js';

/** Of functions that return K_ bits. */
const MALFORMED = -1;

/**
 * Reads one flow of the kernel: an event or an entry of a dump. One pass, in place, nothing allocated but the text of
 * a security context other than the last one.
 *
 * Total: any bytes give true or false, nothing is thrown and nothing outside of `at`..`end` is read. Attributes it
 * does not know are skipped. After false the scratch holds nothing of use.
 *
 * CTA_LABELS that are all zero count as known: they overwrite older ones. (The kernel leaves the attribute out when
 * no label is set, spec/findings.md 6.)
 *
 * @param at byte offset of the netlink header, a multiple of 4
 * @param end byte offset behind the message or behind the buffer's contents
 * @returns false when the message is malformed: truncated, an attribute too short, or an original tuple without
 *   addresses or protocol, which could neither be shown nor sent (spec/beyond.md 22)
 */
export function decodeFlow(views: Views, at: number, end: number, scratch: FlowScratch): boolean {
  const { u8, u32 } = views;
  const { words } = scratch;
  scratch.reset();
  if ((at & 3) !== 0 || end - at < NLMSG_HDRLEN + NFGENMSG_BYTES) return false;
  const length = u32[at >>> 2]!;
  if (length > end - at) return false;
  const stop = at + length;
  let known = 0;
  let original: TupleInfo = TUPLE_MALFORMED;
  let reply: TupleInfo = TUPLE_MALFORMED;

  for (let p = at + NLMSG_HDRLEN + NFGENMSG_BYTES; p + 4 <= stop; ) {
    const w = p >>> 2;
    const header = u32[w]!;
    const bytes = header & 0xffff;
    const next = p + bytes;
    if (bytes < 4 || next > stop) return false;
    switch ((header >>> 16) & NLA_TYPE_MASK) {
      case CTA_TUPLE_ORIG:
        if (original !== TUPLE_MALFORMED) return false;
        original = readTuple(u8, u32, p + 4, next, words, ORIG_SRC, ORIG_DST, ORIG_L4);
        if (original === TUPLE_MALFORMED) return false;
        known |= K_ORIG;
        break;
      case CTA_TUPLE_REPLY:
        if (reply !== TUPLE_MALFORMED) return false;
        reply = readTuple(u8, u32, p + 4, next, words, REPLY_SRC, REPLY_DST, REPLY_L4);
        if (reply === TUPLE_MALFORMED) return false;
        known |= K_REPLY;
        break;
      case CTA_STATUS:
        if (bytes < 8) return false;
        words[STATUS] = swap32(u32[w + 1]!);
        known |= K_STATUS;
        break;
      case CTA_TIMEOUT:
        if (bytes < 8) return false;
        words[TIMEOUT] = swap32(u32[w + 1]!);
        known |= K_TIMEOUT;
        break;
      case CTA_MARK:
        if (bytes < 8) return false;
        words[MARK] = swap32(u32[w + 1]!);
        known |= K_MARK;
        break;
      case CTA_ID:
        if (bytes < 8) return false;
        words[ID] = swap32(u32[w + 1]!);
        known |= K_ID;
        break;
      case CTA_USE:
        if (bytes < 8) return false;
        words[USE] = swap32(u32[w + 1]!);
        known |= K_USE;
        break;
      case CTA_ZONE:
        if (bytes < 6) return false;
        words[ZONE] = (u8[p + 4]! << 8) | u8[p + 5]!;
        known |= K_ZONE;
        break;
      case CTA_PROTOINFO: {
        const found = readProtocolInfo(u8, u32, p + 4, next, words);
        if (found < 0) return false;
        known |= found;
        break;
      }
      case CTA_COUNTERS_ORIG:
        if (!readCounters(u32, p + 4, next, scratch, 0)) return false;
        break;
      case CTA_COUNTERS_REPLY:
        if (!readCounters(u32, p + 4, next, scratch, 2)) return false;
        break;
      default:
        if (!readRareAttribute(u8, u32, p, next, scratch)) return false;
    }
    p = (next + 3) & ~3;
  }
  return finish(words, known, original, reply);
}

/** What can only be checked once every attribute was seen. Completes KNOWN, KIND and the zones. */
function finish(words: Uint32Array, known: number, original: TupleInfo, reply: TupleInfo): boolean {
  if (original === TUPLE_MALFORMED) return false;
  const protocol = tupleProtocol(original);
  if ((known & K_STATE) !== 0 && !hasStates(protocol)) return false;
  let all = known;
  let zones = 0;
  if ((original & TUPLE_L4) !== 0) all |= K_ORIG_L4;
  if ((original & TUPLE_ZONE) !== 0) {
    all |= K_ZONE_ORIG;
    zones = tupleZone(original);
  }
  if ((known & K_REPLY) !== 0) {
    // One row has room for one family and one protocol; the kernel has no flow that changes them.
    if (tupleFamily(reply) !== tupleFamily(original) || tupleProtocol(reply) !== protocol) return false;
    if ((reply & TUPLE_L4) !== 0) all |= K_REPLY_L4;
    if ((reply & TUPLE_ZONE) !== 0) {
      all |= K_ZONE_REPLY;
      zones |= tupleZone(reply) << 16;
    }
  }
  words[ZONE_DIR] = zones;
  words[KIND]! |= tupleFamily(original) | (protocol << 8);
  words[KNOWN]! |= all;
  return true;
}

function hasStates(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_SCTP || protocol === IPPROTO_DCCP;
}

const TCP_DETAILS = K_STATE | K_WSCALE_ORIG | K_WSCALE_REPLY | K_TCP_FLAGS_ORIG | K_TCP_FLAGS_REPLY;
/** Bytes of a CTA_PROTOINFO_TCP nest with all five attributes, its header included. */
const PLAIN_TCP_BYTES = 44;

/**
 * Whether the attributes are those of a TCP flow, all there and in the kernel's order, as in every event of one
 * (spec/kernel.md): compares their headers (type << 16 | length) instead of walking them.
 */
function isPlainTcp(u32: Uint32Array, w: number): boolean {
  return (
    u32[w] === (((NLA_F_NESTED | CTA_PROTOINFO_TCP) << 16) | PLAIN_TCP_BYTES) >>> 0 &&
    u32[w + 1] === ((CTA_PROTOINFO_TCP_STATE << 16) | 5) &&
    u32[w + 3] === ((CTA_PROTOINFO_TCP_WSCALE_ORIGINAL << 16) | 5) &&
    u32[w + 5] === ((CTA_PROTOINFO_TCP_WSCALE_REPLY << 16) | 5) &&
    u32[w + 7] === ((CTA_PROTOINFO_TCP_FLAGS_ORIGINAL << 16) | 6) &&
    u32[w + 9] === ((CTA_PROTOINFO_TCP_FLAGS_REPLY << 16) | 6)
  );
}

/** CTA_PROTOINFO: K_ bits of what it holds, negative when malformed. */
function readProtocolInfo(u8: Uint8Array, u32: Uint32Array, from: number, to: number, words: Uint32Array): number {
  const w = from >>> 2;
  if (to - from === PLAIN_TCP_BYTES && isPlainTcp(u32, w)) {
    words[KIND]! |= (u32[w + 2]! & 0xff) << 16;
    words[TCP_WINDOW] =
      (u32[w + 4]! & 0xff) | ((u32[w + 6]! & 0xff) << 8) | ((u32[w + 8]! & 0xff) << 16) | (u32[w + 10]! << 24);
    return TCP_DETAILS;
  }
  return readAnyProtocolInfo(u8, u32, from, to, words);
}

function readAnyProtocolInfo(u8: Uint8Array, u32: Uint32Array, from: number, to: number, words: Uint32Array): number {
  let known = 0;
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const bytes = header & 0xffff;
    const next = p + bytes;
    if (bytes < 4 || next > to) return MALFORMED;
    let found = 0;
    switch ((header >>> 16) & NLA_TYPE_MASK) {
      case CTA_PROTOINFO_TCP:
        found = readTcp(u8, u32, p + 4, next, words);
        break;
      case CTA_PROTOINFO_SCTP:
        found = readSctp(u8, u32, p + 4, next, words);
        break;
      case CTA_PROTOINFO_DCCP:
        found = readDccp(u8, u32, p + 4, next, words);
        break;
    }
    if (found < 0) return MALFORMED;
    known |= found;
    p = (next + 3) & ~3;
  }
  return known;
}

/** CTA_PROTOINFO_TCP: state into KIND, window scales and flags into TCP_WINDOW. The mask of the flags is not kept. */
function readTcp(u8: Uint8Array, u32: Uint32Array, from: number, to: number, words: Uint32Array): number {
  let known = 0;
  let state = 0;
  let window = 0;
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const bytes = header & 0xffff;
    if (bytes < 5 || p + bytes > to) return MALFORMED;
    const value = u8[p + 4]!;
    switch ((header >>> 16) & NLA_TYPE_MASK) {
      case CTA_PROTOINFO_TCP_STATE:
        state = value;
        known |= K_STATE;
        break;
      case CTA_PROTOINFO_TCP_WSCALE_ORIGINAL:
        window |= value;
        known |= K_WSCALE_ORIG;
        break;
      case CTA_PROTOINFO_TCP_WSCALE_REPLY:
        window |= value << 8;
        known |= K_WSCALE_REPLY;
        break;
      case CTA_PROTOINFO_TCP_FLAGS_ORIGINAL:
        window |= value << 16;
        known |= K_TCP_FLAGS_ORIG;
        break;
      case CTA_PROTOINFO_TCP_FLAGS_REPLY:
        window |= value << 24;
        known |= K_TCP_FLAGS_REPLY;
        break;
    }
    p += (bytes + 3) & ~3;
  }
  words[KIND]! |= state << 16;
  words[TCP_WINDOW] = window;
  return known;
}

/** CTA_PROTOINFO_SCTP: state into KIND, verification tags as they are. */
function readSctp(u8: Uint8Array, u32: Uint32Array, from: number, to: number, words: Uint32Array): number {
  let known = 0;
  for (let p = from; p + 4 <= to; ) {
    const w = p >>> 2;
    const header = u32[w]!;
    const bytes = header & 0xffff;
    if (bytes < 5 || p + bytes > to) return MALFORMED;
    switch ((header >>> 16) & NLA_TYPE_MASK) {
      case CTA_PROTOINFO_SCTP_STATE:
        words[KIND]! |= u8[p + 4]! << 16;
        known |= K_STATE;
        break;
      case CTA_PROTOINFO_SCTP_VTAG_ORIGINAL:
        if (bytes < 8) return MALFORMED;
        words[VTAG_ORIG] = u32[w + 1]!;
        known |= K_VTAG_ORIG;
        break;
      case CTA_PROTOINFO_SCTP_VTAG_REPLY:
        if (bytes < 8) return MALFORMED;
        words[VTAG_REPLY] = u32[w + 1]!;
        known |= K_VTAG_REPLY;
        break;
    }
    p += (bytes + 3) & ~3;
  }
  return known;
}

/** CTA_PROTOINFO_DCCP: state and role into KIND. (Kernels from 6.16 on no longer track DCCP.) */
function readDccp(u8: Uint8Array, u32: Uint32Array, from: number, to: number, words: Uint32Array): number {
  let known = 0;
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const bytes = header & 0xffff;
    if (bytes < 4 || p + bytes > to) return MALFORMED;
    const type = (header >>> 16) & NLA_TYPE_MASK;
    if (type === CTA_PROTOINFO_DCCP_STATE || type === CTA_PROTOINFO_DCCP_ROLE) {
      if (bytes < 5) return MALFORMED;
      words[KIND]! |= u8[p + 4]! << (type === CTA_PROTOINFO_DCCP_STATE ? 16 : 24);
      known |= type === CTA_PROTOINFO_DCCP_STATE ? K_STATE : K_DCCP_ROLE;
    }
    p += (bytes + 3) & ~3;
  }
  return known;
}

/** CTA_COUNTERS_: packets and bytes of one direction, 64 bits each; a direction not reported is zero. */
function readCounters(u32: Uint32Array, from: number, to: number, scratch: FlowScratch, index: number): boolean {
  const { counters } = scratch;
  if (!scratch.hasCounters) counters.fill(0);
  scratch.hasCounters = true;
  for (let p = from; p + 4 <= to; ) {
    const w = p >>> 2;
    const header = u32[w]!;
    const bytes = header & 0xffff;
    if (bytes < 4 || p + bytes > to) return false;
    const type = (header >>> 16) & NLA_TYPE_MASK;
    if (type === CTA_COUNTERS_PACKETS || type === CTA_COUNTERS_BYTES) {
      if (bytes < 12) return false;
      const value = swap32(u32[w + 1]!) * 0x1_0000_0000 + swap32(u32[w + 2]!);
      counters[type === CTA_COUNTERS_PACKETS ? index : index + 1] = value;
    }
    p += (bytes + 3) & ~3;
  }
  return true;
}
