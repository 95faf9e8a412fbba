import { swap16, swap32, type Views } from '../base/views.js';
import {
  AF_INET,
  AF_INET6,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SYNPROXY,
  familyOf,
  IPPROTO_DCCP,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPS_DST_NAT_DONE,
  IPS_SRC_NAT_DONE,
  K_ASIDE_MASK,
  K_DCCP_ROLE,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG_L4,
  K_REPLY,
  K_SEQ_ADJ,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_SYNPROXY,
  K_TIMEOUT,
  K_VTAG_ORIG,
  K_VTAG_REPLY,
  K_ZONE,
  KIND,
  KNOWN,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  protocolOf,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  stateOf,
  TCP_WINDOW,
  TIMEOUT,
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE,
} from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import {
  attributeHeader,
  CONTROL,
  DCCP_ROLE,
  DCCP_STATE,
  DNAT_IPV4,
  DNAT_IPV6,
  DPAT_PORT,
  FLOW_MARK,
  FLOW_STATUS,
  FLOW_TIMEOUT,
  FLOW_ZONE,
  HEADER_BYTES,
  HELPER_DATA_BYTES,
  HELPER_NAME,
  ICMP_CODE,
  ICMP_ID,
  ICMP_TYPE,
  IPV4,
  IPV6,
  L4PROTO,
  LABELS,
  MASTER_IPV4,
  MASTER_IPV6,
  MASTER_L4PROTO,
  MASTER_PORT,
  NAT_SEQ_ADJ,
  PORT,
  PROTOCOL_VERSION,
  RANGE_FLAGS,
  RANGE_HEADER_BYTES,
  SCTP_STATE,
  SCTP_VTAG_ORIG,
  SCTP_VTAG_REPL,
  SNAT_IPV4,
  SNAT_IPV6,
  SPAT_PORT,
  SYNPROXY,
  TCP_STATE,
  TCP_WSCALE_ORIG,
  TCP_WSCALE_REPL,
} from './tables.js';

/** What the configuration says about messages. */
export interface EncodeOptions {
  /** Send the timeout: there is no CommitTimeout (spec/findings.md 12). */
  readonly timeout: boolean;
  /** TCPWindowTracking On: send the window scales. */
  readonly windowTracking: boolean;
}

// Attribute headers as words, computed once: everything below writes whole words.
const HEAD_IPV4 = attributeHeader(IPV4, 8);
const HEAD_IPV6 = attributeHeader(IPV6, 32);
const HEAD_STATUS = attributeHeader(FLOW_STATUS, 4);
const HEAD_L4PROTO = attributeHeader(L4PROTO, 1);
const HEAD_PORT = attributeHeader(PORT, 4);
const HEAD_TCP_STATE = attributeHeader(TCP_STATE, 1);
const HEAD_WSCALE_ORIG = attributeHeader(TCP_WSCALE_ORIG, 1);
const HEAD_WSCALE_REPL = attributeHeader(TCP_WSCALE_REPL, 1);
const HEAD_SCTP_STATE = attributeHeader(SCTP_STATE, 1);
const HEAD_VTAG_ORIG = attributeHeader(SCTP_VTAG_ORIG, 4);
const HEAD_VTAG_REPL = attributeHeader(SCTP_VTAG_REPL, 4);
const HEAD_DCCP_STATE = attributeHeader(DCCP_STATE, 1);
const HEAD_DCCP_ROLE = attributeHeader(DCCP_ROLE, 1);
const HEAD_ICMP_TYPE = attributeHeader(ICMP_TYPE, 1);
const HEAD_ICMP_CODE = attributeHeader(ICMP_CODE, 1);
const HEAD_ICMP_ID = attributeHeader(ICMP_ID, 2);
const HEAD_TIMEOUT = attributeHeader(FLOW_TIMEOUT, 4);
const HEAD_MARK = attributeHeader(FLOW_MARK, 4);
const HEAD_SPAT_PORT = attributeHeader(SPAT_PORT, 2);
const HEAD_DPAT_PORT = attributeHeader(DPAT_PORT, 2);
const HEAD_ZONE = attributeHeader(FLOW_ZONE, 2);

/**
 * Writes a flow's message, its attributes in the order of the original (spec/findings.md 3).
 *
 * A row with a reply tuple (a kernel's flow) is put to the NAT test; a peer's flow, which has K_SNAT and its like
 * instead, is written as it came. Only known attributes go out. The message may be up to MAX_MESSAGE_BYTES long.
 *
 * @param at byte offset in `out`, a multiple of 4
 * @param type FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY
 * @returns bytes written, a multiple of 4
 */
export function encodeFlow(
  out: Views,
  at: number,
  type: number,
  flags: number,
  sequence: number,
  flow: FlowRef,
  options: EncodeOptions,
): number {
  const u32 = out.u32;
  const words = flow.words;
  const row = flow.at;
  const known = words[row + KNOWN]!;
  let w = (at + HEADER_BYTES) >> 2;
  w = writeAddresses(u32, w, words, row);
  if ((known & K_STATUS) !== 0) w = writeWord(u32, w, HEAD_STATUS, swap32(words[row + STATUS]!));
  w = writeWord(u32, w, HEAD_L4PROTO, protocolOf(words[row + KIND]!));
  w = writeProtocol(u32, w, words, row, options.windowTracking);
  if (options.timeout && (known & K_TIMEOUT) !== 0) w = writeWord(u32, w, HEAD_TIMEOUT, swap32(words[row + TIMEOUT]!));
  if ((known & K_MARK) !== 0) w = writeWord(u32, w, HEAD_MARK, swap32(words[row + MARK]!));
  if ((known & K_MASTER) !== 0) w = writeMaster(u32, w, flow);
  w = writeNat(u32, w, words, row);
  if ((known & K_ASIDE_MASK) !== 0) w = writeAside(out, w, flow);
  if ((known & K_ZONE) !== 0) w = writeWord(u32, w, HEAD_ZONE, swap16(words[row + ZONE]! & 0xffff));
  const length = (w << 2) - at;
  writeHeader(u32, at >> 2, type, flags, length, sequence);
  return length;
}

/**
 * Writes a control message: 16 bytes when a flag calls for a range, else 8.
 *
 * @param from first sequence of an ACK or NACK, 0 for a RESYNC; not written without a flag of RANGE_FLAGS
 * @returns bytes written
 */
export function encodeControl(
  out: Views,
  at: number,
  flags: number,
  sequence: number,
  from: number,
  to: number,
): number {
  const w = at >> 2;
  if ((flags & RANGE_FLAGS) === 0) {
    writeHeader(out.u32, w, CONTROL, flags, HEADER_BYTES, sequence);
    return HEADER_BYTES;
  }
  writeHeader(out.u32, w, CONTROL, flags, RANGE_HEADER_BYTES, sequence);
  out.u32[w + 2] = swap32(from);
  out.u32[w + 3] = swap32(to);
  return RANGE_HEADER_BYTES;
}

function writeHeader(u32: Uint32Array, w: number, type: number, flags: number, length: number, sequence: number): void {
  u32[w] = (PROTOCOL_VERSION << 4) | type | (flags << 8) | (swap16(length) << 16);
  u32[w + 1] = swap32(sequence);
}

/** Writes an attribute of up to four bytes and its padding; returns the index after it. */
function writeWord(u32: Uint32Array, w: number, head: number, value: number): number {
  u32[w] = head;
  u32[w + 1] = value;
  return w + 2;
}

function writeAddresses(u32: Uint32Array, w: number, words: Uint32Array, row: number): number {
  if (familyOf(words[row + KIND]!) === AF_INET) {
    u32[w] = HEAD_IPV4;
    u32[w + 1] = words[row + ORIG_SRC]!;
    u32[w + 2] = words[row + ORIG_DST]!;
    return w + 3;
  }
  u32[w] = HEAD_IPV6;
  for (let i = 0; i < 4; i++) {
    u32[w + 1 + i] = words[row + ORIG_SRC + i]!;
    u32[w + 5 + i] = words[row + ORIG_DST + i]!;
  }
  return w + 9;
}

/** Ports, state and the like of the flow's protocol; nothing for those the original sends nothing of. */
function writeProtocol(u32: Uint32Array, at: number, words: Uint32Array, row: number, windowTracking: boolean): number {
  const known = words[row + KNOWN]!;
  const kind = words[row + KIND]!;
  const hasL4 = (known & K_ORIG_L4) !== 0;
  let w = at;
  switch (protocolOf(kind)) {
    case IPPROTO_TCP:
      if (hasL4) w = writeWord(u32, w, HEAD_PORT, words[row + ORIG_L4]!);
      if ((known & K_STATE) !== 0) w = writeWord(u32, w, HEAD_TCP_STATE, stateOf(kind));
      return windowTracking ? writeWindowScales(u32, w, words[row + TCP_WINDOW]!) : w;
    case IPPROTO_UDP:
      return hasL4 ? writeWord(u32, w, HEAD_PORT, words[row + ORIG_L4]!) : w;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return hasL4 ? writeIcmp(u32, w, words[row + ORIG_L4]!) : w;
    case IPPROTO_SCTP:
      if (hasL4) w = writeWord(u32, w, HEAD_PORT, words[row + ORIG_L4]!);
      return writeSctp(u32, w, words, row);
    case IPPROTO_DCCP:
      if (hasL4) w = writeWord(u32, w, HEAD_PORT, words[row + ORIG_L4]!);
      if ((known & K_STATE) !== 0) w = writeWord(u32, w, HEAD_DCCP_STATE, stateOf(kind));
      return (known & K_DCCP_ROLE) !== 0 ? writeWord(u32, w, HEAD_DCCP_ROLE, kind >>> 24) : w;
    default:
      return w;
  }
}

/** Both scales always, 0 for one that is unknown (spec/findings.md 12). */
function writeWindowScales(u32: Uint32Array, w: number, window: number): number {
  const next = writeWord(u32, w, HEAD_WSCALE_ORIG, window & 0xff);
  return writeWord(u32, next, HEAD_WSCALE_REPL, (window >>> 8) & 0xff);
}

function writeIcmp(u32: Uint32Array, w: number, l4: number): number {
  let next = writeWord(u32, w, HEAD_ICMP_TYPE, (l4 >>> 16) & 0xff);
  next = writeWord(u32, next, HEAD_ICMP_CODE, l4 >>> 24);
  return writeWord(u32, next, HEAD_ICMP_ID, swap16(l4 & 0xffff));
}

function writeSctp(u32: Uint32Array, at: number, words: Uint32Array, row: number): number {
  const known = words[row + KNOWN]!;
  let w = at;
  if ((known & K_STATE) !== 0) w = writeWord(u32, w, HEAD_SCTP_STATE, stateOf(words[row + KIND]!));
  if ((known & K_VTAG_ORIG) !== 0) w = writeWord(u32, w, HEAD_VTAG_ORIG, words[row + VTAG_ORIG]!);
  if ((known & K_VTAG_REPLY) !== 0) w = writeWord(u32, w, HEAD_VTAG_REPL, words[row + VTAG_REPLY]!);
  return w;
}

/** Which NAT attributes a row calls for, as K_SNAT, K_DNAT, K_SPAT and K_DPAT bits. */
const NAT_BITS = K_SNAT | K_DNAT | K_SPAT | K_DPAT;

/**
 * The NAT test of spec/wire.md: translated is what the status calls translated (or has no status) and differs.
 *
 * The ports' half compares words that are ports only in protocols that have them. Of ICMP, as in the original, it
 * compares id with type and code, so that flows seen while NAT chains are loaded carry SPAT and DPAT
 * (spec/findings.md 8).
 */
function natBits(words: Uint32Array, row: number): number {
  const known = words[row + KNOWN]!;
  if ((known & K_REPLY) === 0) return known & NAT_BITS;
  const status = (known & K_STATUS) !== 0 ? words[row + STATUS]! : IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE;
  if ((status & (IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE)) === 0) return 0;
  const original = words[row + ORIG_L4]!;
  const reply = words[row + REPLY_L4]!;
  let bits = 0;
  if ((status & IPS_SRC_NAT_DONE) !== 0) {
    if (!sameAddress(words, row + REPLY_DST, row + ORIG_SRC)) bits |= K_SNAT;
    if (reply >>> 16 !== (original & 0xffff)) bits |= K_SPAT;
  }
  if ((status & IPS_DST_NAT_DONE) !== 0) {
    if (!sameAddress(words, row + REPLY_SRC, row + ORIG_DST)) bits |= K_DNAT;
    if ((reply & 0xffff) !== original >>> 16) bits |= K_DPAT;
  }
  return bits;
}

function sameAddress(words: Uint32Array, a: number, b: number): boolean {
  return (
    words[a] === words[b] &&
    words[a + 1] === words[b + 1] &&
    words[a + 2] === words[b + 2] &&
    words[a + 3] === words[b + 3]
  );
}

function writeNat(u32: Uint32Array, at: number, words: Uint32Array, row: number): number {
  const bits = natBits(words, row);
  if (bits === 0) return at;
  const ipv6 = familyOf(words[row + KIND]!) === AF_INET6;
  let w = at;
  if ((bits & K_SNAT) !== 0) w = writeAddress(u32, w, ipv6 ? SNAT_IPV6 : SNAT_IPV4, ipv6, words, row + REPLY_DST);
  if ((bits & K_DNAT) !== 0) w = writeAddress(u32, w, ipv6 ? DNAT_IPV6 : DNAT_IPV4, ipv6, words, row + REPLY_SRC);
  const ports = natPorts(words, row);
  if ((bits & K_SPAT) !== 0) w = writeWord(u32, w, HEAD_SPAT_PORT, swap16(ports >>> 16));
  if ((bits & K_DPAT) !== 0) w = writeWord(u32, w, HEAD_DPAT_PORT, swap16(ports & 0xffff));
  return w;
}

/**
 * The word that holds DPAT and SPAT. A reply tuple of ICMP has no ports: what the test found there goes out as 0, like
 * every attribute the original reads without having it (spec/findings.md 8).
 */
function natPorts(words: Uint32Array, row: number): number {
  const protocol = protocolOf(words[row + KIND]!);
  const isIcmp = protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6;
  return isIcmp && (words[row + KNOWN]! & K_REPLY) !== 0 ? 0 : words[row + REPLY_L4]!;
}

function writeAddress(
  u32: Uint32Array,
  w: number,
  number: number,
  ipv6: boolean,
  words: Uint32Array,
  from: number,
): number {
  const length = ipv6 ? 4 : 1;
  u32[w] = attributeHeader(number, length * 4);
  for (let i = 0; i < length; i++) u32[w + 1 + i] = words[from + i]!;
  return w + 1 + length;
}

function writeMaster(u32: Uint32Array, at: number, flow: FlowRef): number {
  const aside = flow.aside;
  const record = flow.asideAt;
  const kind = aside[record + ASIDE_MASTER_KIND]!;
  const ipv6 = familyOf(kind) === AF_INET6;
  const length = ipv6 ? 4 : 1;
  let w = at;
  u32[w] = attributeHeader(ipv6 ? MASTER_IPV6 : MASTER_IPV4, length * 8);
  for (let i = 0; i < length; i++) {
    u32[w + 1 + i] = aside[record + ASIDE_MASTER_SRC + i]!;
    u32[w + 1 + length + i] = aside[record + ASIDE_MASTER_DST + i]!;
  }
  w += 1 + length * 2;
  w = writeWord(u32, w, attributeHeader(MASTER_L4PROTO, 1), protocolOf(kind));
  if ((flow.words[flow.at + KNOWN]! & K_MASTER_L4) === 0) return w;
  return writeWord(u32, w, attributeHeader(MASTER_PORT, 4), aside[record + ASIDE_MASTER_L4]!);
}

/** Sequence adjustment, helper, labels, synproxy: behind the NAT attributes. */
function writeAside(out: Views, at: number, flow: FlowRef): number {
  const known = flow.words[flow.at + KNOWN]!;
  const aside = flow.aside;
  const record = flow.asideAt;
  let w = at;
  if ((known & K_SEQ_ADJ) !== 0) {
    out.u32[w] = attributeHeader(NAT_SEQ_ADJ, 24);
    for (let i = 0; i < 6; i++) out.u32[w + 1 + i] = swap32(aside[record + ASIDE_SEQ_ORIG + i]!);
    w += 7;
  }
  if ((known & K_HELPER) !== 0) w = writeHelper(out, w, aside, record + ASIDE_HELPER);
  if ((known & K_LABELS) !== 0) w = writeLabels(out.u32, w, aside, record + ASIDE_LABELS);
  if ((known & K_SYNPROXY) !== 0) w = writeSynproxy(out.u32, w, aside, record + ASIDE_SYNPROXY);
  return w;
}

/**
 * The name and its NUL (spec/findings.md 7); the rest of the last word is padding. A name too long for a peer to take
 * stays away, so that the flow itself gets through.
 */
function writeHelper(out: Views, w: number, aside: Uint32Array, name: number): number {
  let length = 0;
  while (length < HELPER_DATA_BYTES && byteOf(aside, name, length) !== 0) length++;
  if (length === 0 || length === HELPER_DATA_BYTES) return w;
  out.u32[w] = attributeHeader(HELPER_NAME, length + 1);
  const words = (length >> 2) + 1;
  for (let i = 0; i < words; i++) out.u32[w + 1 + i] = aside[name + i]!;
  return w + 1 + words;
}

function byteOf(aside: Uint32Array, from: number, index: number): number {
  return (aside[from + (index >> 2)]! >>> ((index & 3) * 8)) & 0xff;
}

function writeLabels(u32: Uint32Array, w: number, aside: Uint32Array, from: number): number {
  u32[w] = attributeHeader(LABELS, 16);
  for (let i = 0; i < 4; i++) u32[w + 1 + i] = swap32(aside[from + i]!);
  return w + 5;
}

/**
 * its, isn, tsoff on the wire (spec/findings.md 5). One that is all zero says nothing: entries made by `conntrack -I`
 * and by commits have it, the original sends it, nobody needs it.
 */
function writeSynproxy(u32: Uint32Array, w: number, aside: Uint32Array, from: number): number {
  const isn = aside[from]!;
  const its = aside[from + 1]!;
  const tsoff = aside[from + 2]!;
  if ((isn | its | tsoff) === 0) return w;
  u32[w] = attributeHeader(SYNPROXY, 12);
  u32[w + 1] = swap32(its);
  u32[w + 2] = swap32(isn);
  u32[w + 3] = swap32(tsoff);
  return w + 4;
}
