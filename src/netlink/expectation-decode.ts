import type { Views } from '../base/views.js';
import {
  type Expectation,
  type ExpectationNat,
  type ExpectationTuple,
  readName,
  TUPLE_DST,
  TUPLE_PORTS,
  TUPLE_SRC,
  TUPLE_WORDS,
} from '../flow/expectation.js';
import { kindOf } from '../flow/layout.js';
import {
  CTA_EXPECT_CLASS,
  CTA_EXPECT_FLAGS,
  CTA_EXPECT_FN,
  CTA_EXPECT_HELP_NAME,
  CTA_EXPECT_MASK,
  CTA_EXPECT_MASTER,
  CTA_EXPECT_NAT,
  CTA_EXPECT_NAT_DIR,
  CTA_EXPECT_NAT_TUPLE,
  CTA_EXPECT_TIMEOUT,
  CTA_EXPECT_TUPLE,
  CTA_EXPECT_ZONE,
  NFGENMSG_BYTES,
  NLA_HDRLEN,
  NLA_TYPE_MASK,
  NLMSG_HDRLEN,
} from './constants.js';
import { readTuple, TUPLE_MALFORMED, tupleFamily, tupleProtocol } from './tuple.js';

/** Byte offsets of an attribute's data. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** The attributes of a message or nest by number, the last of each; null when one reaches beyond the end. */
function attributesOf(views: Views, from: number, to: number): ReadonlyMap<number, Range> | null {
  const found = new Map<number, Range>();
  for (let at = from; at + NLA_HDRLEN <= to; ) {
    const header = views.u32[at >>> 2]!;
    const length = header & 0xffff;
    if (length < NLA_HDRLEN || at + length > to) return null;
    found.set((header >>> 16) & NLA_TYPE_MASK, { from: at + NLA_HDRLEN, to: at + length });
    at += (length + 3) & ~3;
  }
  return found;
}

/**
 * Reads one expectation of the kernel: an event or an entry of a dump. Any bytes give an expectation or null; nothing
 * is thrown and nothing outside of `at`..`end` is read.
 *
 * @param at byte offset of the netlink header, a multiple of 4
 * @param end byte offset behind the message or behind the buffer's contents
 * @returns null when the message is malformed or lacks one of the three tuples
 */
export function decodeKernelExpectation(views: Views, at: number, end: number): Expectation | null {
  if ((at & 3) !== 0 || end - at < NLMSG_HDRLEN + NFGENMSG_BYTES) return null;
  const length = views.u32[at >>> 2]!;
  if (length > end - at) return null;
  const attributes = attributesOf(views, at + NLMSG_HDRLEN + NFGENMSG_BYTES, at + length);
  if (attributes === null) return null;
  const master = tupleAt(views, attributes.get(CTA_EXPECT_MASTER));
  const expected = tupleAt(views, attributes.get(CTA_EXPECT_TUPLE));
  const mask = tupleAt(views, attributes.get(CTA_EXPECT_MASK));
  if (master === null || expected === null || mask === null) return null;
  return {
    master,
    expected,
    mask,
    timeout: numberAt(views, attributes.get(CTA_EXPECT_TIMEOUT), 4),
    flags: numberAt(views, attributes.get(CTA_EXPECT_FLAGS), 4),
    class: numberAt(views, attributes.get(CTA_EXPECT_CLASS), 4),
    zone: numberAt(views, attributes.get(CTA_EXPECT_ZONE), 2) ?? 0,
    nat: natAt(views, attributes.get(CTA_EXPECT_NAT)),
    helper: nameAt(views, attributes.get(CTA_EXPECT_HELP_NAME)),
    functionName: nameAt(views, attributes.get(CTA_EXPECT_FN)),
  };
}

function tupleAt({ u8, u32 }: Views, range: Range | undefined): ExpectationTuple | null {
  if (range === undefined) return null;
  const words = new Uint32Array(TUPLE_WORDS);
  const info = readTuple(u8, u32, range.from, range.to, words, TUPLE_SRC, TUPLE_DST, TUPLE_PORTS);
  return info === TUPLE_MALFORMED ? null : { kind: kindOf(tupleFamily(info), tupleProtocol(info)), words };
}

/** A big-endian number of `size` bytes, null when it is not there or too short. */
function numberAt({ u8 }: Views, range: Range | undefined, size: number): number | null {
  if (range === undefined || range.to - range.from < size) return null;
  let value = 0;
  for (let at = range.from; at < range.from + size; at++) value = ((value << 8) | u8[at]!) >>> 0;
  return value;
}

function nameAt({ u8 }: Views, range: Range | undefined): string {
  return range === undefined ? '' : (readName(u8, range.from, range.to) ?? '');
}

function natAt(views: Views, range: Range | undefined): ExpectationNat | null {
  const attributes = range === undefined ? null : attributesOf(views, range.from, range.to);
  const tuple = tupleAt(views, attributes?.get(CTA_EXPECT_NAT_TUPLE));
  if (tuple === null) return null;
  return { direction: numberAt(views, attributes?.get(CTA_EXPECT_NAT_DIR), 4) ?? 0, tuple };
}
