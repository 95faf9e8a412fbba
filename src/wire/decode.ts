import { swap32, Views } from '../base/views.js';
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
  IPPROTO_DCCP,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  K_ASIDE_MASK,
  K_DCCP_ROLE,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG,
  K_ORIG_L4,
  K_SEQ_ADJ,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_SYNPROXY,
  K_TIMEOUT,
  K_VTAG_ORIG,
  K_VTAG_REPLY,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  K_ZONE,
  KIND,
  KNOWN,
  kindOf,
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
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE,
} from '../flow/layout.js';
import type { FlowScratch } from '../flow/scratch.js';
import {
  attributeHeader,
  DCCP_ROLE,
  DCCP_STATE,
  DNAT_IPV4,
  DNAT_IPV6,
  DPAT_PORT,
  FIXED_LENGTHS,
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

/**
 * What a message says that means something only together with the layer 4 protocol or the family, which may come
 * later in the message. Filled while the attributes are read, weighed by `settle` at the end.
 */
class Pending {
  family = 0;
  protocol = -1;
  port = 0;
  hasPort = false;
  icmp = 0;
  hasIcmp = false;
  /** States by protocol, -1 = not in the message. */
  tcpState = -1;
  sctpState = -1;
  dccpState = -1;
  /** Family of the NAT addresses, 0 = none seen, -1 = of both families. */
  natFamily = 0;
  masterFamily = 0;
  masterProtocol = -1;
  /** K_ bits of what `readUsual` has read. */
  known = 0;

  reset(): void {
    this.family = 0;
    this.protocol = -1;
    this.hasPort = false;
    this.icmp = 0;
    this.hasIcmp = false;
    this.tcpState = -1;
    this.sctpState = -1;
    this.dccpState = -1;
    this.natFamily = 0;
    this.masterFamily = 0;
    this.masterProtocol = -1;
    this.known = 0;
  }
}

const pending = new Pending();

/** Most bytes of a message: its length field has 16 bits. */
const LONGEST_MESSAGE = 0xffff;
let aligned: Views | null = null;

/**
 * Reads the flow of a data message (types 0 to 2) into `scratch`: a peer's flow, without a reply tuple (see
 * layout.ts). False when the payload is malformed: an attribute of the wrong size or beyond the end, an unknown
 * number, or a flow that could neither be shown nor committed for want of an address or a protocol (spec/beyond.md 22).
 * The scratch then holds nothing of use. Never reads outside the message, never throws.
 *
 * @param at byte offset of the message's header, of any alignment, already accepted by `readHeader`
 * @param end offset after the message: `at` + its length
 */
export function decodeFlow(views: Views, at: number, end: number, scratch: FlowScratch): boolean {
  if ((at & 3) !== 0) return decodeUnaligned(views, at, end, scratch);
  scratch.reset();
  pending.reset();
  const u32 = views.u32;
  let next = readUsual(u32, (at + HEADER_BYTES) >> 2, end >> 2, scratch.words) << 2;
  let known = pending.known;
  while (end - next >= 4) {
    const head = u32[next >> 2]!;
    const length = ((head & 0xff) << 8) | ((head >>> 8) & 0xff);
    const number = ((head >>> 8) & 0xff00) | (head >>> 24);
    if (length < 4 || length > end - next || number > FLOW_ZONE) return false;
    const fixed = FIXED_LENGTHS[number]!;
    if (fixed !== 0 && fixed !== length) return false;
    const bit = readAttribute(number, u32, (next >> 2) + 1, scratch);
    if (bit === RARE) {
      const rare = readRare(number, views, next + 4, length - 4, known, scratch);
      if (rare < 0) return false;
      known |= rare;
    } else known |= bit;
    next += (length + 3) & ~3;
  }
  return settle(known, scratch);
}

// Headers of the attributes that most messages consist of, as words.
const HEAD_IPV4 = attributeHeader(IPV4, 8);
const HEAD_STATUS = attributeHeader(FLOW_STATUS, 4);
const HEAD_L4PROTO = attributeHeader(L4PROTO, 1);
const HEAD_PORT = attributeHeader(PORT, 4);
const HEAD_TCP_STATE = attributeHeader(TCP_STATE, 1);
const HEAD_TIMEOUT = attributeHeader(FLOW_TIMEOUT, 4);
const HEAD_SYNPROXY = attributeHeader(SYNPROXY, 12);

/**
 * Reads the attributes of a TCP or UDP flow of IPv4 as long as they come in the order in which every known peer writes
 * them (spec/findings.md 3), by comparing whole headers: a third of the time of telling attributes apart one by one. What
 * it leaves is for the general loop. Its K_ bits go to `pending.known`.
 *
 * @param from index in `u32` of the first attribute
 * @param stop index behind the last whole word of the message
 * @returns index of the first attribute it leaves
 */
function readUsual(u32: Uint32Array, from: number, stop: number, words: Uint32Array): number {
  let w = from;
  let known = 0;
  if (stop - w < 3 || u32[w] !== HEAD_IPV4) return w;
  pending.family = AF_INET;
  words[ORIG_SRC] = u32[w + 1]!;
  words[ORIG_DST] = u32[w + 2]!;
  known |= K_ORIG;
  w += 3;
  if (stop - w >= 2 && u32[w] === HEAD_STATUS) {
    words[STATUS] = swap32(u32[w + 1]!);
    known |= K_STATUS;
    w += 2;
  }
  if (stop - w >= 2 && u32[w] === HEAD_L4PROTO) {
    pending.protocol = u32[w + 1]! & 0xff;
    w += 2;
  }
  if (stop - w >= 2 && u32[w] === HEAD_PORT) {
    pending.port = u32[w + 1]!;
    pending.hasPort = true;
    w += 2;
  }
  if (stop - w >= 2 && u32[w] === HEAD_TCP_STATE) {
    pending.tcpState = u32[w + 1]! & 0xff;
    w += 2;
  }
  if (stop - w >= 2 && u32[w] === HEAD_TIMEOUT) {
    words[TIMEOUT] = swap32(u32[w + 1]!);
    known |= K_TIMEOUT;
    w += 2;
  }
  // The original ends nearly every message with one that says nothing (spec/findings.md 5).
  if (stop - w >= 4 && u32[w] === HEAD_SYNPROXY && (u32[w + 1]! | u32[w + 2]! | u32[w + 3]!) === 0) w += 4;
  pending.known = known;
  return w;
}

/** A message that does not begin at a multiple of 4, behind one of odd length: read from an aligned copy. */
function decodeUnaligned(views: Views, at: number, end: number, scratch: FlowScratch): boolean {
  aligned ??= new Views(LONGEST_MESSAGE + 1);
  const length = Math.min(end - at, LONGEST_MESSAGE);
  aligned.u8.set(views.u8.subarray(at, at + length));
  return decodeFlow(aligned, 0, length, scratch);
}

/** Result of `readAttribute` for attributes that `readRare` reads; no attribute has this K_ bit alone. */
const RARE = -1;

/**
 * Reads one attribute of the row.
 *
 * @param w index of the data's first word in `u32`
 * @returns its K_ bit, 0 when it waits in `pending`, RARE when it belongs to the aside record
 */
function readAttribute(number: number, u32: Uint32Array, w: number, scratch: FlowScratch): number {
  const words = scratch.words;
  switch (number) {
    case IPV4:
      return readAddresses(AF_INET, u32, w, words);
    case IPV6:
      return readAddresses(AF_INET6, u32, w, words);
    case L4PROTO:
      pending.protocol = u32[w]! & 0xff;
      return 0;
    case PORT:
      pending.port = u32[w]!;
      pending.hasPort = true;
      return 0;
    case TCP_STATE:
      pending.tcpState = u32[w]! & 0xff;
      return 0;
    case FLOW_STATUS:
      words[STATUS] = swap32(u32[w]!);
      return K_STATUS;
    case FLOW_TIMEOUT:
      words[TIMEOUT] = swap32(u32[w]!);
      return K_TIMEOUT;
    case FLOW_MARK:
      words[MARK] = swap32(u32[w]!);
      return K_MARK;
    case FLOW_ZONE:
      words[ZONE] = bigEndian16(u32[w]!);
      return K_ZONE;
    default:
      return readProtocol(number, u32, w, words);
  }
}

function readAddresses(family: number, u32: Uint32Array, w: number, words: Uint32Array): number {
  const length = family === AF_INET ? 1 : 4;
  pending.family = family;
  for (let i = 0; i < 4; i++) {
    words[ORIG_SRC + i] = i < length ? u32[w + i]! : 0;
    words[ORIG_DST + i] = i < length ? u32[w + length + i]! : 0;
  }
  return K_ORIG;
}

/** Attributes of one layer 4 protocol, and NAT. */
function readProtocol(number: number, u32: Uint32Array, w: number, words: Uint32Array): number {
  const value = number >= ICMP_TYPE || number === SCTP_STATE ? u32[w]! : 0;
  switch (number) {
    case ICMP_TYPE:
      return readIcmp(0xff00ffff, (value & 0xff) << 16);
    case ICMP_CODE:
      return readIcmp(0x00ffffff, (value & 0xff) << 24);
    case ICMP_ID:
      // Senders swap an id that is in network order already (spec/findings.md 4); swapping again restores it.
      return readIcmp(0xffff0000, bigEndian16(value));
    case TCP_WSCALE_ORIG:
      words[TCP_WINDOW] = (words[TCP_WINDOW]! & ~0xff) | (value & 0xff);
      return K_WSCALE_ORIG;
    case TCP_WSCALE_REPL:
      words[TCP_WINDOW] = (words[TCP_WINDOW]! & ~0xff00) | ((value & 0xff) << 8);
      return K_WSCALE_REPLY;
    case SCTP_STATE:
      pending.sctpState = value & 0xff;
      return 0;
    default:
      return readNat(number, u32, w, words);
  }
}

function readIcmp(keep: number, bits: number): number {
  pending.icmp = ((pending.icmp & keep) | bits) >>> 0;
  pending.hasIcmp = true;
  return 0;
}

function readNat(number: number, u32: Uint32Array, w: number, words: Uint32Array): number {
  switch (number) {
    case SNAT_IPV4:
      return readNatAddress(AF_INET, u32, w, words, REPLY_DST, K_SNAT);
    case DNAT_IPV4:
      return readNatAddress(AF_INET, u32, w, words, REPLY_SRC, K_DNAT);
    case SNAT_IPV6:
      return readNatAddress(AF_INET6, u32, w, words, REPLY_DST, K_SNAT);
    case DNAT_IPV6:
      return readNatAddress(AF_INET6, u32, w, words, REPLY_SRC, K_DNAT);
    case SPAT_PORT:
      words[REPLY_L4] = (words[REPLY_L4]! & 0xffff) | (bigEndian16(u32[w]!) << 16);
      return K_SPAT;
    case DPAT_PORT:
      words[REPLY_L4] = (words[REPLY_L4]! & ~0xffff) | bigEndian16(u32[w]!);
      return K_DPAT;
    default:
      return readSctpAndDccp(number, u32[w]!, words);
  }
}

function readNatAddress(
  family: number,
  u32: Uint32Array,
  w: number,
  words: Uint32Array,
  to: number,
  bit: number,
): number {
  const length = family === AF_INET ? 1 : 4;
  for (let i = 0; i < length; i++) words[to + i] = u32[w + i]!;
  pending.natFamily = pending.natFamily === 0 || pending.natFamily === family ? family : -1;
  return bit;
}

function readSctpAndDccp(number: number, value: number, words: Uint32Array): number {
  switch (number) {
    case SCTP_VTAG_ORIG:
      words[VTAG_ORIG] = value;
      return K_VTAG_ORIG;
    case SCTP_VTAG_REPL:
      words[VTAG_REPLY] = value;
      return K_VTAG_REPLY;
    case DCCP_STATE:
      pending.dccpState = value & 0xff;
      return 0;
    case DCCP_ROLE:
      words[KIND] = (value & 0xff) << 24;
      return K_DCCP_ROLE;
    default:
      return RARE;
  }
}

/**
 * Reads one attribute of the aside record.
 *
 * @param at byte offset of the data
 * @param size bytes of data, unpadded
 * @param known K_ bits of the attributes before it
 * @returns its K_ bit, 0 when it waits in `pending` or says nothing, -1 when it is malformed
 */
function readRare(number: number, views: Views, at: number, size: number, known: number, scratch: FlowScratch): number {
  const aside = scratch.aside;
  const u32 = views.u32;
  const w = at >> 2;
  if ((known & K_ASIDE_MASK) === 0 && pending.masterFamily === 0 && pending.masterProtocol < 0) aside.fill(0);
  switch (number) {
    case MASTER_IPV4:
      return readMaster(AF_INET, u32, w, aside);
    case MASTER_IPV6:
      return readMaster(AF_INET6, u32, w, aside);
    case MASTER_L4PROTO:
      pending.masterProtocol = u32[w]! & 0xff;
      return 0;
    case MASTER_PORT:
      aside[ASIDE_MASTER_L4] = u32[w]!;
      return K_MASTER_L4;
    case NAT_SEQ_ADJ:
      for (let i = 0; i < 6; i++) aside[ASIDE_SEQ_ORIG + i] = swap32(u32[w + i]!);
      return K_SEQ_ADJ;
    case SYNPROXY:
      // its, isn, tsoff on the wire; isn, its, tsoff in the record (spec/findings.md 5).
      aside[ASIDE_SYNPROXY] = swap32(u32[w + 1]!);
      aside[ASIDE_SYNPROXY + 1] = swap32(u32[w]!);
      aside[ASIDE_SYNPROXY + 2] = swap32(u32[w + 2]!);
      // All zero says nothing (spec/findings.md 5): it is not worth a record.
      return (u32[w]! | u32[w + 1]! | u32[w + 2]!) === 0 ? 0 : K_SYNPROXY;
    case HELPER_NAME:
      return readHelper(views.u8, at, size, aside);
    case LABELS:
      return readLabels(u32, w, size, aside);
    default:
      return -1;
  }
}

function readMaster(family: number, u32: Uint32Array, w: number, aside: Uint32Array): number {
  const length = family === AF_INET ? 1 : 4;
  pending.masterFamily = family;
  for (let i = 0; i < 4; i++) {
    aside[ASIDE_MASTER_SRC + i] = i < length ? u32[w + i]! : 0;
    aside[ASIDE_MASTER_DST + i] = i < length ? u32[w + length + i]! : 0;
  }
  return K_MASTER;
}

/**
 * Reads a helper's name up to its NUL. Names are registered in the kernel as plain words, so one with a blank, a
 * control character or markup would only serve to break a dump: it is malformed.
 */
function readHelper(u8: Uint8Array, at: number, size: number, aside: Uint32Array): number {
  if (size > HELPER_DATA_BYTES) return -1;
  for (let i = 0; i < 4; i++) aside[ASIDE_HELPER + i] = 0;
  let length = 0;
  for (; length < size && u8[at + length] !== 0; length++) {
    const byte = u8[at + length]!;
    if (byte <= 0x20 || byte >= 0x7f || byte === 0x3c || byte === 0x3e || byte === 0x26) return -1;
    aside[ASIDE_HELPER + (length >> 2)]! |= byte << ((length & 3) * 8);
  }
  return length === 0 ? 0 : K_HELPER;
}

/** Words of labels in a record: 128 bits (XT_CONNLABEL_MAXBIT, linux/netfilter/xt_connlabel.h). */
const LABEL_WORDS = 4;

/** Whole words only, and no more than a record holds; the original takes any length. Words not sent are zero. */
function readLabels(u32: Uint32Array, w: number, size: number, aside: Uint32Array): number {
  const sent = size >> 2;
  for (let i = 0; i < LABEL_WORDS; i++) aside[ASIDE_LABELS + i] = i < sent ? swap32(u32[w + i]!) : 0;
  return K_LABELS;
}

/** Weighs what waited for the protocol and the family, and sets KNOWN and KIND. False: this makes no flow. */
function settle(attributes: number, scratch: FlowScratch): boolean {
  const words = scratch.words;
  const protocol = pending.protocol;
  if (pending.family === 0 || protocol < 0) return false;
  if (pending.natFamily !== 0 && pending.natFamily !== pending.family) return false;
  let known = attributes;
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
    words[ORIG_L4] = pending.icmp;
    if (pending.hasIcmp) known |= K_ORIG_L4;
  } else if (pending.hasPort) {
    words[ORIG_L4] = pending.port;
    known |= K_ORIG_L4;
  }
  const state = stateFor(protocol);
  if (state >= 0) known |= K_STATE;
  const role = words[KIND]! >>> 24;
  words[KIND] = kindOf(pending.family, protocol, Math.max(state, 0), role);
  if ((known & (K_MASTER | K_MASTER_L4)) !== 0) known = settleMaster(known, scratch);
  words[KNOWN] = known;
  return true;
}

function stateFor(protocol: number): number {
  if (protocol === IPPROTO_TCP) return pending.tcpState;
  if (protocol === IPPROTO_SCTP) return pending.sctpState;
  return protocol === IPPROTO_DCCP ? pending.dccpState : -1;
}

/** A master is one only with address and protocol; the kernel finds it by its whole tuple. */
function settleMaster(known: number, scratch: FlowScratch): number {
  if ((known & K_MASTER) === 0 || pending.masterProtocol < 0) return known & ~(K_MASTER | K_MASTER_L4);
  scratch.aside[ASIDE_MASTER_KIND] = kindOf(pending.masterFamily, pending.masterProtocol);
  return known;
}

/** The 16-bit big-endian number in the first two bytes of a little-endian word. */
function bigEndian16(word: number): number {
  return ((word & 0xff) << 8) | ((word >>> 8) & 0xff);
}
