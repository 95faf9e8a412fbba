import {
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SYNPROXY,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPS_ASSURED,
  IPS_FIXED_TIMEOUT,
  IPS_SEEN_REPLY,
  IPS_SEQ_ADJUST,
  K_ASIDE_MASK,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
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
} from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { IP_CT_TCP_FLAG_BE_LIBERAL } from '../netlink/constants.js';

// What a commit has to do to a flow that the kernel has already.
/** Nothing: it is what a commit would make of it. */
export const SAME = 1;
/** New values without the status, which is right, and which the kernel is picky about. */
export const REFRESH = 2;
/** New values, the status among them. */
export const CHANGE = 3;
/** The kernel cannot change this: the flow is deleted and created anew. */
export const RECREATE = 4;

/** Status bits that a peer decides; the others are the kernel's own bookkeeping, or show in the reply tuple (NAT). */
const PEERS_STATUS = IPS_SEEN_REPLY | IPS_ASSURED | IPS_SEQ_ADJUST | IPS_FIXED_TIMEOUT;
const K_TCP_FLAGS = K_TCP_FLAGS_ORIG | K_TCP_FLAGS_REPLY;
const K_WSCALE = K_WSCALE_ORIG | K_WSCALE_REPLY;
/** The be-liberal flag of both directions in the word TCP_WINDOW. */
const LIBERAL = ((IP_CT_TCP_FLAG_BE_LIBERAL << 16) | (IP_CT_TCP_FLAG_BE_LIBERAL << 24)) >>> 0;
/** Seconds by which a timeout may be short besides a sixteenth of it: each node rounds down. */
const ROUNDING_SECONDS = 2;

/**
 * What a commit has to do to a flow that the kernel has, so that it is as the peer told. A flow that is as far or
 * farther than the peer knew (it has seen the reply, is assured, has a longer timeout, a helper of this firewall's
 * rules) stays as it is.
 *
 * @param kernel the flow of a dump
 * @param peer the entry of the external cache
 * @param timeoutSeconds what a commit would give it
 * @param windowTracking TCPWindowTracking: else a TCP flow is to have the be-liberal flags
 * @returns SAME, REFRESH, CHANGE or RECREATE
 */
export function compareWithKernel(
  kernel: FlowRef,
  peer: FlowRef,
  timeoutSeconds: number,
  windowTracking: boolean,
): number {
  if (!hasSameReply(kernel, peer)) return RECREATE;
  const has = kernel.words;
  const at = kernel.at;
  const wants = peer.words;
  const row = peer.at;
  const known = wants[row + KNOWN]!;
  const hasKnown = has[at + KNOWN]!;
  let verdict = SAME;
  const mark = (hasKnown & K_MARK) !== 0 ? has[at + MARK]! : 0;
  if (mark !== ((known & K_MARK) !== 0 ? wants[row + MARK]! : 0)) {
    // A request without a mark leaves the one there is.
    if ((known & K_MARK) === 0) return RECREATE;
    verdict = REFRESH;
  }
  if (isShort(has, at, hasKnown, timeoutSeconds) || !hasSameProtocolState(has, at, wants, row, windowTracking)) {
    verdict = REFRESH;
  }
  if ((known & K_STATUS) !== 0 && (wants[row + STATUS]! & ~has[at + STATUS]! & PEERS_STATUS) !== 0) verdict = CHANGE;
  if (((known | hasKnown) & K_ASIDE_MASK) === 0) return verdict;
  return Math.max(verdict, compareAside(kernel, hasKnown, peer, known));
}

/** A flow that is offloaded shows no timeout: it does not run out. */
function isShort(has: Uint32Array, at: number, hasKnown: number, timeoutSeconds: number): boolean {
  if ((hasKnown & K_TIMEOUT) === 0) return false;
  return has[at + TIMEOUT]! + (timeoutSeconds >>> 4) + ROUNDING_SECONDS < timeoutSeconds;
}

/** Whether the reply tuple, and so the NAT, is the one a commit would give. */
function hasSameReply(kernel: FlowRef, peer: FlowRef): boolean {
  const has = kernel.words;
  const at = kernel.at;
  const wants = peer.words;
  const row = peer.at;
  const known = wants[row + KNOWN]!;
  const isReplyKnown = (known & K_REPLY) !== 0;
  const source = isReplyKnown || (known & K_DNAT) !== 0 ? REPLY_SRC : ORIG_DST;
  const destination = isReplyKnown || (known & K_SNAT) !== 0 ? REPLY_DST : ORIG_SRC;
  for (let word = 0; word < 4; word++) {
    if (has[at + REPLY_SRC + word] !== wants[row + source + word]) return false;
    if (has[at + REPLY_DST + word] !== wants[row + destination + word]) return false;
  }
  if ((known & K_ORIG_L4) === 0 || (has[at + KNOWN]! & K_REPLY_L4) === 0) return true;
  if (isReplyKnown) return (known & K_REPLY_L4) === 0 || has[at + REPLY_L4] === wants[row + REPLY_L4];
  const protocol = protocolOf(wants[row + KIND]!);
  // The id of a translated echo is not carried (spec/findings.md 8), and untranslated it is the original's.
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) return true;
  const own = wants[row + ORIG_L4]!;
  const translated = wants[row + REPLY_L4]!;
  const sourcePort = (known & K_DPAT) !== 0 ? translated & 0xffff : own >>> 16;
  const destinationPort = (known & K_SPAT) !== 0 ? translated >>> 16 : own & 0xffff;
  return has[at + REPLY_L4] === (sourcePort | (destinationPort << 16)) >>> 0;
}

function hasSameProtocolState(
  has: Uint32Array,
  at: number,
  wants: Uint32Array,
  row: number,
  windowTracking: boolean,
): boolean {
  const known = wants[row + KNOWN]!;
  const both = known & has[at + KNOWN]!;
  const kind = wants[row + KIND]!;
  if ((both & K_STATE) !== 0 && stateOf(kind) !== stateOf(has[at + KIND]!)) return false;
  if ((both & K_VTAG_ORIG) !== 0 && has[at + VTAG_ORIG] !== wants[row + VTAG_ORIG]) return false;
  if ((both & K_VTAG_REPLY) !== 0 && has[at + VTAG_REPLY] !== wants[row + VTAG_REPLY]) return false;
  if (protocolOf(kind) !== IPPROTO_TCP) return true;
  const window = has[at + TCP_WINDOW]!;
  if (!windowTracking) return (has[at + KNOWN]! & K_TCP_FLAGS) !== K_TCP_FLAGS || (window & LIBERAL) >>> 0 === LIBERAL;
  // Scales of zero are not told to the kernel (src/netlink/encode.ts).
  const scales = wants[row + TCP_WINDOW]! & 0xffff;
  return (both & K_WSCALE) !== K_WSCALE || scales === 0 || scales === (window & 0xffff);
}

function compareAside(kernel: FlowRef, hasKnown: number, peer: FlowRef, known: number): number {
  // A helper and a master that only this firewall knows of stay.
  if ((known & K_HELPER) !== 0 && !agree(K_HELPER, kernel, hasKnown, peer, ASIDE_HELPER, 4)) return RECREATE;
  if ((known & K_MASTER) !== 0 && !hasSameMaster(kernel, hasKnown, peer, known)) return RECREATE;
  if (((known | hasKnown) & K_LABELS) !== 0 && !hasSameLabels(kernel, hasKnown, peer, known)) {
    return (known & K_LABELS) !== 0 ? REFRESH : RECREATE;
  }
  if ((known & K_SEQ_ADJ) !== 0 && !agree(K_SEQ_ADJ, kernel, hasKnown, peer, ASIDE_SEQ_ORIG, 6)) return REFRESH;
  if ((known & K_SYNPROXY) !== 0 && !agree(K_SYNPROXY, kernel, hasKnown, peer, ASIDE_SYNPROXY, 3)) return REFRESH;
  return SAME;
}

/** Whether `count` words of the aside record are equal; what the kernel does not know counts as zero. */
function agree(bit: number, kernel: FlowRef, hasKnown: number, peer: FlowRef, first: number, count: number): boolean {
  const isKnown = (hasKnown & bit) !== 0;
  for (let word = first; word < first + count; word++) {
    const has = isKnown ? kernel.aside[kernel.asideAt + word]! : 0;
    if (has !== peer.aside[peer.asideAt + word]!) return false;
  }
  return true;
}

function hasSameMaster(kernel: FlowRef, hasKnown: number, peer: FlowRef, known: number): boolean {
  if ((hasKnown & K_MASTER) === 0) return false;
  if (!agree(K_MASTER, kernel, hasKnown, peer, ASIDE_MASTER_SRC, ASIDE_MASTER_DST + 4 - ASIDE_MASTER_SRC)) return false;
  const both = known & hasKnown & K_MASTER_L4;
  return both === 0 || kernel.aside[kernel.asideAt + ASIDE_MASTER_L4] === peer.aside[peer.asideAt + ASIDE_MASTER_L4];
}

/** Labels that are not known are none. */
function hasSameLabels(kernel: FlowRef, hasKnown: number, peer: FlowRef, known: number): boolean {
  for (let word = ASIDE_LABELS; word < ASIDE_LABELS + 4; word++) {
    const has = (hasKnown & K_LABELS) !== 0 ? kernel.aside[kernel.asideAt + word]! : 0;
    const wants = (known & K_LABELS) !== 0 ? peer.aside[peer.asideAt + word]! : 0;
    if (has !== wants) return false;
  }
  return true;
}
