import { swap32 } from '../base/views.js';
import {
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SECCTX,
  ASIDE_SEQ_ORIG,
  ASIDE_SEQ_REPLY,
  ASIDE_START,
  ASIDE_SYNPROXY,
  HELPER_NAME_BYTES,
  K_HELPER,
  K_LABELS,
  K_MASTER,
  K_MASTER_L4,
  K_SECCTX,
  K_SEQ_ADJ,
  K_SYNPROXY,
  K_TIMESTAMP,
  KNOWN,
  kindOf,
} from '../flow/layout.js';
import type { FlowScratch } from '../flow/scratch.js';
import {
  CTA_HELP,
  CTA_HELP_NAME,
  CTA_LABELS,
  CTA_SECCTX,
  CTA_SECCTX_NAME,
  CTA_SECMARK,
  CTA_SEQ_ADJ_ORIG,
  CTA_SEQ_ADJ_REPLY,
  CTA_SYNPROXY,
  CTA_TIMESTAMP,
  CTA_TIMESTAMP_STOP,
  CTA_TUPLE_MASTER,
  NLA_TYPE_MASK,
} from './constants.js';
import { readTuple, TUPLE_L4, TUPLE_MALFORMED, tupleFamily, tupleProtocol } from './tuple.js';

/** Bytes of the label set in a row: XT_CONNLABEL_MAXBIT + 1 bits (linux/netfilter/xt_connlabel.h). */
const LABEL_BYTES = 16;

/**
 * The attributes that few flows have: those of the aside record. Sets their K_ bits in the scratch's KNOWN; an
 * attribute it does not know is skipped.
 *
 * @param at byte offset of the attribute's header
 * @param end byte offset behind its payload
 * @returns false when malformed
 */
export function readRareAttribute(
  u8: Uint8Array,
  u32: Uint32Array,
  at: number,
  end: number,
  scratch: FlowScratch,
): boolean {
  const { words, aside } = scratch;
  switch ((u32[at >>> 2]! >>> 16) & NLA_TYPE_MASK) {
    case CTA_TUPLE_MASTER:
      return readMaster(u8, u32, at + 4, end, words, aside);
    case CTA_HELP:
      return readHelper(u8, u32, at + 4, end, words, aside);
    case CTA_LABELS:
      return readLabels(u32, at + 4, end, words, aside);
    case CTA_SEQ_ADJ_ORIG:
      return readSequenceAdjustment(u32, at + 4, end, words, aside, ASIDE_SEQ_ORIG);
    case CTA_SEQ_ADJ_REPLY:
      return readSequenceAdjustment(u32, at + 4, end, words, aside, ASIDE_SEQ_REPLY);
    case CTA_SYNPROXY:
      return readSynproxy(u32, at + 4, end, words, aside);
    case CTA_TIMESTAMP:
      return readTimestamp(u32, at + 4, end, words, aside);
    case CTA_SECCTX:
      return readSecurityContext(u8, u32, at + 4, end, scratch);
    case CTA_SECMARK:
      if (end - at < 8) return false;
      words[KNOWN]! |= K_SECCTX;
      aside[ASIDE_SECCTX] = swap32(u32[(at + 4) >>> 2]!);
      return true;
    default:
      return true;
  }
}

function readMaster(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  to: number,
  words: Uint32Array,
  aside: Uint32Array,
): boolean {
  aside.fill(0, ASIDE_MASTER_SRC, ASIDE_LABELS);
  const master = readTuple(u8, u32, from, to, aside, ASIDE_MASTER_SRC, ASIDE_MASTER_DST, ASIDE_MASTER_L4);
  if (master === TUPLE_MALFORMED) return false;
  aside[ASIDE_MASTER_KIND] = kindOf(tupleFamily(master), tupleProtocol(master));
  words[KNOWN]! |= (master & TUPLE_L4) !== 0 ? K_MASTER | K_MASTER_L4 : K_MASTER;
  return true;
}

/** CTA_HELP_NAME into the four words of ASIDE_HELPER. A name that does not fit with its NUL is malformed. */
function readHelper(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  to: number,
  words: Uint32Array,
  aside: Uint32Array,
): boolean {
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const bytes = header & 0xffff;
    const next = p + bytes;
    if (bytes < 4 || next > to) return false;
    if (((header >>> 16) & NLA_TYPE_MASK) === CTA_HELP_NAME) {
      aside.fill(0, ASIDE_HELPER, ASIDE_HELPER + HELPER_NAME_BYTES / 4);
      let length = 0;
      for (; p + 4 + length < next && u8[p + 4 + length] !== 0; length++) {
        if (length === HELPER_NAME_BYTES - 1) return false;
        aside[ASIDE_HELPER + (length >>> 2)]! |= u8[p + 4 + length]! << ((length & 3) << 3);
      }
      if (length > 0) words[KNOWN]! |= K_HELPER;
    }
    p = (next + 3) & ~3;
  }
  return true;
}

/**
 * CTA_LABELS: the kernel's bitmap of unsigned longs, on a little-endian host the same bytes as 32-bit words
 * (spec/findings.md 6). Labels beyond the 128 of a row are left out.
 */
function readLabels(u32: Uint32Array, from: number, to: number, words: Uint32Array, aside: Uint32Array): boolean {
  if (((to - from) & 3) !== 0) return false;
  aside.fill(0, ASIDE_LABELS, ASIDE_LABELS + LABEL_BYTES / 4);
  const count = Math.min(to - from, LABEL_BYTES) >>> 2;
  for (let i = 0; i < count; i++) aside[ASIDE_LABELS + i] = u32[(from >>> 2) + i]!;
  words[KNOWN]! |= K_LABELS;
  return true;
}

/** One direction of the sequence adjustment. The other direction is zero unless it is reported as well. */
function readSequenceAdjustment(
  u32: Uint32Array,
  from: number,
  to: number,
  words: Uint32Array,
  aside: Uint32Array,
  at: number,
): boolean {
  if ((words[KNOWN]! & K_SEQ_ADJ) === 0) aside.fill(0, ASIDE_SEQ_ORIG, ASIDE_SYNPROXY);
  words[KNOWN]! |= K_SEQ_ADJ;
  return readTriple(u32, from, to, aside, at);
}

/**
 * CTA_SYNPROXY. Every flow made by a request has one that is all zero and says nothing (spec/findings.md 5): it does
 * not count as known, else each committed flow would cost an aside record.
 */
function readSynproxy(u32: Uint32Array, from: number, to: number, words: Uint32Array, aside: Uint32Array): boolean {
  if (!readTriple(u32, from, to, aside, ASIDE_SYNPROXY)) return false;
  if ((aside[ASIDE_SYNPROXY]! | aside[ASIDE_SYNPROXY + 1]! | aside[ASIDE_SYNPROXY + 2]!) !== 0) {
    words[KNOWN]! |= K_SYNPROXY;
  }
  return true;
}

/** Nest of three 32-bit integers numbered 1 to 3, to three words of `target`; those missing are zero. */
function readTriple(u32: Uint32Array, from: number, to: number, target: Uint32Array, at: number): boolean {
  // Not fill(): it leaves compiled code, and flows made by requests have such a nest in each of their events.
  target[at] = 0;
  target[at + 1] = 0;
  target[at + 2] = 0;
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const bytes = header & 0xffff;
    if (bytes < 4 || p + bytes > to) return false;
    const type = (header >>> 16) & NLA_TYPE_MASK;
    if (type >= 1 && type <= 3) {
      if (bytes < 8) return false;
      target[at + type - 1] = swap32(u32[(p + 4) >>> 2]!);
    }
    p += (bytes + 3) & ~3;
  }
  return true;
}

/** CTA_TIMESTAMP: start and stop in nanoseconds since 1970, a pair of words each; a stop not reported is zero. */
function readTimestamp(u32: Uint32Array, from: number, to: number, words: Uint32Array, aside: Uint32Array): boolean {
  aside.fill(0, ASIDE_START, ASIDE_START + 4);
  for (let p = from; p + 4 <= to; ) {
    const w = p >>> 2;
    const header = u32[w]!;
    const bytes = header & 0xffff;
    if (bytes < 4 || p + bytes > to) return false;
    const type = (header >>> 16) & NLA_TYPE_MASK;
    if (type >= 1 && type <= CTA_TIMESTAMP_STOP) {
      if (bytes < 12) return false;
      aside[ASIDE_START + 2 * (type - 1)] = swap32(u32[w + 1]!);
      aside[ASIDE_START + 2 * (type - 1) + 1] = swap32(u32[w + 2]!);
    }
    p += (bytes + 3) & ~3;
  }
  words[KNOWN]! |= K_TIMESTAMP;
  return true;
}

/** The security context read last. A host uses few, so that most events need no new string. */
let recentContext = '';

function readSecurityContext(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  to: number,
  scratch: FlowScratch,
): boolean {
  for (let p = from; p + 4 <= to; ) {
    const header = u32[p >>> 2]!;
    const bytes = header & 0xffff;
    const next = p + bytes;
    if (bytes < 4 || next > to) return false;
    if (((header >>> 16) & NLA_TYPE_MASK) === CTA_SECCTX_NAME) {
      let end = p + 4;
      while (end < next && u8[end] !== 0) end++;
      scratch.secctx = contextText(u8, p + 4, end);
      scratch.words[KNOWN]! |= K_SECCTX;
    }
    p = (next + 3) & ~3;
  }
  return true;
}

function contextText(u8: Uint8Array, from: number, to: number): string {
  const length = to - from;
  let same = length === recentContext.length;
  for (let i = 0; same && i < length; i++) same = u8[from + i] === recentContext.charCodeAt(i);
  if (!same) {
    recentContext = '';
    for (let i = 0; i < length; i++) recentContext += String.fromCharCode(u8[from + i]!);
  }
  return recentContext;
}
