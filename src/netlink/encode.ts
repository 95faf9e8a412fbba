import { swap16, swap32, type Views } from '../base/views.js';
import {
  AF_INET,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SEQ_REPLY,
  ASIDE_SYNPROXY,
  familyOf,
  HELPER_NAME_BYTES,
  IPPROTO_DCCP,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPS_DST_NAT,
  IPS_EXPECTED,
  IPS_SRC_NAT,
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
  K_TCP_FLAGS_ORIG,
  K_TCP_FLAGS_REPLY,
  K_TIMEOUT,
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
  ZONE_DIR,
} from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import {
  CTA_HELP,
  CTA_HELP_NAME,
  CTA_LABELS,
  CTA_MARK,
  CTA_NAT_DST,
  CTA_NAT_PROTO,
  CTA_NAT_SRC,
  CTA_NAT_V4_MINIP,
  CTA_NAT_V6_MINIP,
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
  CTA_PROTONAT_PORT_MAX,
  CTA_PROTONAT_PORT_MIN,
  CTA_SEQ_ADJ_ORIG,
  CTA_SEQ_ADJ_REPLY,
  CTA_STATUS,
  CTA_SYNPROXY,
  CTA_TIMEOUT,
  CTA_TUPLE_MASTER,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_REPLY,
  CTA_ZONE,
  IP_CT_TCP_FLAG_BE_LIBERAL,
  IP_CT_TCP_FLAG_WINDOW_SCALE,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  IPCTNL_MSG_CT_NEW,
  NFGENMSG_BYTES,
  NFNL_SUBSYS_CTNETLINK,
  NLA_F_NESTED,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
} from './constants.js';
import { inverseL4, L4_PORTS, l4LayoutOf, writeTuple } from './tuple.js';

/**
 * Requests to the kernel's conntrack table, byte for byte those of the original (fixtures/inject), written in place.
 *
 * Every attribute is written as whole words: header (type << 16 | length), then the payload with its padding. `at` is
 * a byte offset and a multiple of 4 everywhere; the writers return the byte offset behind what they wrote.
 */

/** Room to reserve for one request: the largest, IPv6 with every attribute, takes 592 bytes. */
export const MAX_REQUEST_BYTES = 640;

/** `timeout` of a request that carries the flow's own timeout, or none if that is unknown. */
export const TIMEOUT_AS_KNOWN = -1;

export interface RequestOptions {
  /** nlmsg_seq: tells which request a failure is about. (The original sends 0.) */
  readonly sequence: number;
  /** Ask for an answer in case of success, too (NLM_F_ACK). */
  readonly ack: boolean;
  /** Seconds, or TIMEOUT_AS_KNOWN. */
  readonly timeout: number;
  /** Off: the kernel is told not to check TCP windows of this flow. Of no meaning to a delete. */
  readonly windowTracking: boolean;
  /** K_ bits of attributes to leave out, for a second try without the one the kernel refused. */
  readonly without?: number;
}

const K_NAT = K_SNAT | K_DNAT | K_SPAT | K_DPAT;
/** An existing flow keeps these; the kernel refuses to change them (spec/kernel.md). */
const UPDATE_WITHOUT = K_NAT | K_MASTER | K_MASTER_L4 | K_HELPER;

/** Dump of the whole table, all families: `NLM_F_REQUEST | NLM_F_DUMP`, family 0 (spec/findings.md 28). */
export function encodeDumpRequest(out: Views, at: number, sequence = 0): number {
  const flags = NLM_F_REQUEST | NLM_F_DUMP;
  return writeHeader(out.u32, at, IPCTNL_MSG_CT_GET, flags, sequence, 0) - at;
}

/** The flow with this original tuple, in the zone of nobody; fails with ENOENT when there is none. @returns bytes written */
export function encodeGet(out: Views, at: number, flow: FlowRef): number {
  const { words, at: row } = flow;
  const p = writeHeader(out.u32, at, IPCTNL_MSG_CT_GET, NLM_F_REQUEST, 0, familyOf(words[row + KIND]!));
  return finish(out.u32, at, writeOriginal(out.u32, p, flow, words[row + KNOWN]!));
}

/**
 * A new flow; fails with EEXIST when the kernel has it. Of a peer's flow the reply tuple is the original one reversed,
 * and NAT travels in CTA_NAT_SRC and CTA_NAT_DST (spec/kernel.md).
 *
 * @returns bytes written, a multiple of 4, at most MAX_REQUEST_BYTES
 */
export function encodeCreate(out: Views, at: number, flow: FlowRef, options: RequestOptions): number {
  const { u32 } = out;
  const { words, at: row } = flow;
  const known = words[row + KNOWN]! & ~(options.without ?? 0);
  const flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | (options.ack ? NLM_F_ACK : 0);
  let p = writeHeader(u32, at, IPCTNL_MSG_CT_NEW, flags, options.sequence, familyOf(words[row + KIND]!));
  p = writeOriginal(u32, p, flow, known);
  p = (known & K_REPLY) !== 0 ? writeReply(u32, p, flow, known) : writeInverse(u32, p, flow, known);
  p = writeAttributes(u32, p, flow, known, IPS_EXPECTED, options.timeout, windowFlags(options));
  return finish(u32, at, p);
}

/**
 * New values for a flow the kernel has; fails with ENOENT when it does not. Carries no NAT, master or helper, which
 * the kernel would refuse.
 *
 * @returns bytes written
 */
export function encodeUpdate(out: Views, at: number, flow: FlowRef, options: RequestOptions): number {
  const { u32 } = out;
  const { words, at: row } = flow;
  const known = words[row + KNOWN]! & ~UPDATE_WITHOUT & ~(options.without ?? 0);
  const flags = NLM_F_REQUEST | (options.ack ? NLM_F_ACK : 0);
  let p = writeHeader(u32, at, IPCTNL_MSG_CT_NEW, flags, options.sequence, familyOf(words[row + KIND]!));
  p = writeOriginal(u32, p, flow, known);
  p = writeAttributes(u32, p, flow, known, IPS_SRC_NAT | IPS_DST_NAT, options.timeout, windowFlags(options));
  return finish(u32, at, p);
}

/**
 * Removes a flow; fails with ENOENT when the kernel does not have it. The original tuple and the zone find it; the
 * rest goes along as the original has it.
 *
 * @returns bytes written
 */
export function encodeDelete(out: Views, at: number, flow: FlowRef, options: RequestOptions): number {
  const { u32 } = out;
  const { words, at: row } = flow;
  const known = words[row + KNOWN]! & ~(options.without ?? 0);
  const flags = NLM_F_REQUEST | (options.ack ? NLM_F_ACK : 0);
  let p = writeHeader(u32, at, IPCTNL_MSG_CT_DELETE, flags, options.sequence, familyOf(words[row + KIND]!));
  p = writeOriginal(u32, p, flow, known);
  if ((known & K_REPLY) !== 0) p = writeReply(u32, p, flow, known);
  p = writeAttributes(u32, p, flow, known, 0, options.timeout, 0);
  return finish(u32, at, p);
}

/** Netlink header, its length still missing, and nfgenmsg. The kernel fills in the port id of the socket. */
function writeHeader(
  u32: Uint32Array,
  at: number,
  operation: number,
  flags: number,
  sequence: number,
  family: number,
): number {
  const w = at >>> 2;
  u32[w] = NLMSG_HDRLEN + NFGENMSG_BYTES;
  u32[w + 1] = (flags << 16) | (NFNL_SUBSYS_CTNETLINK << 8) | operation;
  u32[w + 2] = sequence;
  u32[w + 3] = 0;
  u32[w + 4] = family; // version NFNETLINK_V0 and resource id are zero
  return at + NLMSG_HDRLEN + NFGENMSG_BYTES;
}

function finish(u32: Uint32Array, at: number, end: number): number {
  u32[at >>> 2] = end - at;
  return end - at;
}

function writeOriginal(u32: Uint32Array, at: number, flow: FlowRef, known: number): number {
  const { words, at: row } = flow;
  const zone = (known & K_ZONE_ORIG) !== 0 ? words[row + ZONE_DIR]! & 0xffff : -1;
  const l4 = (known & K_ORIG_L4) !== 0 ? words[row + ORIG_L4]! : 0;
  return writeTuple(u32, at, CTA_TUPLE_ORIG, words, row + ORIG_SRC, row + ORIG_DST, words[row + KIND]!, l4, zone);
}

/** The reply tuple as the kernel reported it. */
function writeReply(u32: Uint32Array, at: number, flow: FlowRef, known: number): number {
  const { words, at: row } = flow;
  const zone = (known & K_ZONE_REPLY) !== 0 ? words[row + ZONE_DIR]! >>> 16 : -1;
  const l4 = words[row + REPLY_L4]!;
  return writeTuple(u32, at, CTA_TUPLE_REPLY, words, row + REPLY_SRC, row + REPLY_DST, words[row + KIND]!, l4, zone);
}

/** The reply tuple of a peer's flow: the original reversed, before NAT. */
function writeInverse(u32: Uint32Array, at: number, flow: FlowRef, known: number): number {
  const { words, at: row } = flow;
  const kind = words[row + KIND]!;
  const zone = (known & K_ZONE_REPLY) !== 0 ? words[row + ZONE_DIR]! >>> 16 : -1;
  const l4 = (known & K_ORIG_L4) !== 0 ? inverseL4(protocolOf(kind), words[row + ORIG_L4]!) : 0;
  return writeTuple(u32, at, CTA_TUPLE_REPLY, words, row + ORIG_DST, row + ORIG_SRC, kind, l4, zone);
}

/** Everything behind the tuples, in the original's order (spec/findings.md 29). */
function writeAttributes(
  u32: Uint32Array,
  at: number,
  flow: FlowRef,
  known: number,
  statusWithout: number,
  timeout: number,
  flags: number,
): number {
  const { words, at: row } = flow;
  let p = at;
  if ((known & K_MASTER) !== 0) p = writeMaster(u32, p, flow, known);
  if ((known & K_STATUS) !== 0) p = writeWord(u32, p, CTA_STATUS, words[row + STATUS]! & ~statusWithout);
  if (timeout !== TIMEOUT_AS_KNOWN) p = writeWord(u32, p, CTA_TIMEOUT, timeout);
  else if ((known & K_TIMEOUT) !== 0) p = writeWord(u32, p, CTA_TIMEOUT, words[row + TIMEOUT]!);
  if ((known & K_MARK) !== 0) p = writeWord(u32, p, CTA_MARK, words[row + MARK]!);
  p = writeProtocolInfo(u32, p, words, row, known, flags);
  if ((known & K_NAT) !== 0) p = writeNat(u32, p, words, row, known);
  if ((known & K_ASIDE) !== 0) p = writeAside(u32, p, flow, known);
  if ((known & K_ZONE) !== 0) p = writeHalf(u32, p, CTA_ZONE, swap16(words[row + ZONE]!));
  if ((known & K_LABELS) !== 0) p = writeLabels(u32, p, flow);
  if ((known & K_SYNPROXY) !== 0) p = writeTriple(u32, p, CTA_SYNPROXY, flow.aside, flow.asideAt + ASIDE_SYNPROXY);
  return p;
}
const K_ASIDE = K_SEQ_ADJ | K_HELPER;

/** A 32-bit integer. */
function writeWord(u32: Uint32Array, at: number, type: number, value: number): number {
  u32[at >>> 2] = (type << 16) | 8;
  u32[(at + 4) >>> 2] = swap32(value);
  return at + 8;
}

/** A 16-bit integer, its bytes in network order already. */
function writeHalf(u32: Uint32Array, at: number, type: number, raw: number): number {
  u32[at >>> 2] = (type << 16) | 6;
  u32[(at + 4) >>> 2] = raw;
  return at + 8;
}

function writeByte(u32: Uint32Array, at: number, type: number, value: number): number {
  u32[at >>> 2] = (type << 16) | 5;
  u32[(at + 4) >>> 2] = value;
  return at + 8;
}

/** Header of the nest that began at `at`, now that its end is known. */
function closeNest(u32: Uint32Array, at: number, type: number, end: number): number {
  u32[at >>> 2] = ((NLA_F_NESTED | type) << 16) | (end - at);
  return end;
}

function writeMaster(u32: Uint32Array, at: number, flow: FlowRef, known: number): number {
  const { aside, asideAt } = flow;
  const l4 = (known & K_MASTER_L4) !== 0 ? aside[asideAt + ASIDE_MASTER_L4]! : 0;
  const kind = aside[asideAt + ASIDE_MASTER_KIND]!;
  const sourceAt = asideAt + ASIDE_MASTER_SRC;
  return writeTuple(u32, at, CTA_TUPLE_MASTER, aside, sourceAt, asideAt + ASIDE_MASTER_DST, kind, l4, -1);
}

/** CTA_PROTOINFO of what is known; nothing when that is nothing, as of protocols without states. */
function writeProtocolInfo(
  u32: Uint32Array,
  at: number,
  words: Uint32Array,
  row: number,
  known: number,
  flags: number,
): number {
  switch (protocolOf(words[row + KIND]!)) {
    case IPPROTO_TCP:
      if ((known & K_TCP) === 0 && flags !== BE_LIBERAL) return at;
      return closeNest(u32, at, CTA_PROTOINFO, writeTcp(u32, at + 4, words, row, known, flags));
    case IPPROTO_SCTP:
      if ((known & K_SCTP) === 0) return at;
      return closeNest(u32, at, CTA_PROTOINFO, writeSctp(u32, at + 4, words, row, known));
    case IPPROTO_DCCP:
      if ((known & K_DCCP) === 0) return at;
      return closeNest(u32, at, CTA_PROTOINFO, writeDccp(u32, at + 4, words[row + KIND]!, known));
    default:
      return at;
  }
}
const K_TCP = K_STATE | K_WSCALE_ORIG | K_WSCALE_REPLY | K_TCP_FLAGS_ORIG | K_TCP_FLAGS_REPLY;
const K_SCTP = K_STATE | K_VTAG_ORIG | K_VTAG_REPLY;
const K_DCCP = K_STATE | K_DCCP_ROLE;

/** The be-liberal flag with itself as mask in both directions. */
const BE_LIBERAL = IP_CT_TCP_FLAG_BE_LIBERAL | (IP_CT_TCP_FLAG_BE_LIBERAL << 8);
/** The same of the flag without which the kernel passes over window scales; the original leaves it out. */
const SCALED = IP_CT_TCP_FLAG_WINDOW_SCALE | (IP_CT_TCP_FLAG_WINDOW_SCALE << 8);
const K_WSCALE = K_WSCALE_ORIG | K_WSCALE_REPLY;

/** What a flow's TCP flags are set to: nothing is checked, or the windows as they are scaled. */
function windowFlags(options: RequestOptions): number {
  return options.windowTracking ? SCALED : BE_LIBERAL;
}

function writeTcp(u32: Uint32Array, at: number, words: Uint32Array, row: number, known: number, flags: number): number {
  const window = words[row + TCP_WINDOW]!;
  let p = at + 4;
  if ((known & K_STATE) !== 0) p = writeByte(u32, p, CTA_PROTOINFO_TCP_STATE, stateOf(words[row + KIND]!));
  // Flags that the kernel reported go back with mask 0, as the original does in a flush: they change nothing.
  const isScaled = (known & K_WSCALE) === K_WSCALE && (window & 0xffff) !== 0;
  const setsFlags = flags === BE_LIBERAL || (flags === SCALED && isScaled);
  if (setsFlags) p = writeHalf(u32, p, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, flags);
  else if ((known & K_TCP_FLAGS_ORIG) !== 0) {
    p = writeHalf(u32, p, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, (window >>> 16) & 0xff);
  }
  if (setsFlags) p = writeHalf(u32, p, CTA_PROTOINFO_TCP_FLAGS_REPLY, flags);
  else if ((known & K_TCP_FLAGS_REPLY) !== 0) {
    p = writeHalf(u32, p, CTA_PROTOINFO_TCP_FLAGS_REPLY, window >>> 24);
  }
  if ((known & K_WSCALE_ORIG) !== 0) p = writeByte(u32, p, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, window & 0xff);
  if ((known & K_WSCALE_REPLY) !== 0) p = writeByte(u32, p, CTA_PROTOINFO_TCP_WSCALE_REPLY, (window >>> 8) & 0xff);
  return closeNest(u32, at, CTA_PROTOINFO_TCP, p);
}

function writeSctp(u32: Uint32Array, at: number, words: Uint32Array, row: number, known: number): number {
  let p = at + 4;
  if ((known & K_STATE) !== 0) p = writeByte(u32, p, CTA_PROTOINFO_SCTP_STATE, stateOf(words[row + KIND]!));
  if ((known & K_VTAG_ORIG) !== 0) {
    p = writeWord(u32, p, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, swap32(words[row + VTAG_ORIG]!));
  }
  if ((known & K_VTAG_REPLY) !== 0) {
    p = writeWord(u32, p, CTA_PROTOINFO_SCTP_VTAG_REPLY, swap32(words[row + VTAG_REPLY]!));
  }
  return closeNest(u32, at, CTA_PROTOINFO_SCTP, p);
}

function writeDccp(u32: Uint32Array, at: number, kind: number, known: number): number {
  let p = at + 4;
  if ((known & K_STATE) !== 0) p = writeByte(u32, p, CTA_PROTOINFO_DCCP_STATE, stateOf(kind));
  if ((known & K_DCCP_ROLE) !== 0) p = writeByte(u32, p, CTA_PROTOINFO_DCCP_ROLE, kind >>> 24);
  return closeNest(u32, at, CTA_PROTOINFO_DCCP, p);
}

/**
 * CTA_NAT_SRC from K_SNAT and K_SPAT, CTA_NAT_DST from K_DNAT and K_DPAT. NAT of a port gives a CTA_NAT_PROTO, which
 * stays empty where the peer did not say the flow's own ports: of ICMP it is a slip of the sender (spec/findings.md 8).
 * The original also leaves it empty for SCTP and DCCP, whose translated ports then get lost.
 */
function writeNat(u32: Uint32Array, at: number, words: Uint32Array, row: number, known: number): number {
  const kind = words[row + KIND]!;
  const ports = words[row + REPLY_L4]!;
  const hasPorts = (known & K_ORIG_L4) !== 0 && l4LayoutOf(protocolOf(kind)) === L4_PORTS;
  let p = at;
  if ((known & (K_SNAT | K_SPAT)) !== 0) {
    const nest = p;
    p = (known & K_SNAT) !== 0 ? writeNatAddress(u32, p + 4, familyOf(kind), words, row + REPLY_DST) : p + 4;
    if ((known & K_SPAT) !== 0) p = writeNatPort(u32, p, hasPorts, ports >>> 16);
    p = closeNest(u32, nest, CTA_NAT_SRC, p);
  }
  if ((known & (K_DNAT | K_DPAT)) !== 0) {
    const nest = p;
    p = (known & K_DNAT) !== 0 ? writeNatAddress(u32, p + 4, familyOf(kind), words, row + REPLY_SRC) : p + 4;
    if ((known & K_DPAT) !== 0) p = writeNatPort(u32, p, hasPorts, ports & 0xffff);
    p = closeNest(u32, nest, CTA_NAT_DST, p);
  }
  return p;
}

/** CTA_NAT_PROTO: a range of one port, given in network order. */
function writeNatPort(u32: Uint32Array, at: number, hasPorts: boolean, port: number): number {
  let p = at + 4;
  if (hasPorts) {
    p = writeHalf(u32, p, CTA_PROTONAT_PORT_MIN, port);
    p = writeHalf(u32, p, CTA_PROTONAT_PORT_MAX, port);
  }
  return closeNest(u32, at, CTA_NAT_PROTO, p);
}

function writeNatAddress(u32: Uint32Array, at: number, family: number, words: Uint32Array, addressAt: number): number {
  const w = at >>> 2;
  u32[w + 1] = words[addressAt]!;
  if (family === AF_INET) {
    u32[w] = (CTA_NAT_V4_MINIP << 16) | 8;
    return at + 8;
  }
  u32[w] = (CTA_NAT_V6_MINIP << 16) | 20;
  u32[w + 2] = words[addressAt + 1]!;
  u32[w + 3] = words[addressAt + 2]!;
  u32[w + 4] = words[addressAt + 3]!;
  return at + 20;
}

/** Sequence adjustment and helper. */
function writeAside(u32: Uint32Array, at: number, flow: FlowRef, known: number): number {
  const { aside, asideAt } = flow;
  let p = at;
  if ((known & K_SEQ_ADJ) !== 0) {
    p = writeTriple(u32, p, CTA_SEQ_ADJ_ORIG, aside, asideAt + ASIDE_SEQ_ORIG);
    p = writeTriple(u32, p, CTA_SEQ_ADJ_REPLY, aside, asideAt + ASIDE_SEQ_REPLY);
  }
  if ((known & K_HELPER) !== 0) p = writeHelper(u32, p, aside, asideAt + ASIDE_HELPER);
  return p;
}

/** Nest of three integers with the types 1 to 3. */
function writeTriple(u32: Uint32Array, at: number, type: number, aside: Uint32Array, from: number): number {
  let p = at + 4;
  for (let i = 0; i < 3; i++) p = writeWord(u32, p, i + 1, aside[from + i]!);
  return closeNest(u32, at, type, p);
}

/** CTA_HELP_NAME with its NUL; the row's name is NUL padded, so that the words are the padded payload already. */
function writeHelper(u32: Uint32Array, at: number, aside: Uint32Array, from: number): number {
  let bytes = 0;
  while (bytes < HELPER_NAME_BYTES - 1 && ((aside[from + (bytes >>> 2)]! >>> ((bytes & 3) << 3)) & 0xff) !== 0) bytes++;
  bytes++;
  const count = (bytes + 3) >>> 2;
  u32[(at + 4) >>> 2] = (CTA_HELP_NAME << 16) | (4 + bytes);
  for (let i = 0; i < count; i++) u32[((at + 8) >>> 2) + i] = aside[from + i]!;
  return closeNest(u32, at, CTA_HELP, at + 8 + (count << 2));
}

/** CTA_LABELS without mask: the kernel's bitmap of unsigned longs, on a little-endian host the row's words. */
function writeLabels(u32: Uint32Array, at: number, flow: FlowRef): number {
  const { aside, asideAt } = flow;
  const w = at >>> 2;
  u32[w] = (CTA_LABELS << 16) | 20;
  for (let i = 0; i < 4; i++) u32[w + 1 + i] = aside[asideAt + ASIDE_LABELS + i]!;
  return at + 20;
}
