import { swap16, swap32, type Views } from '../base/views.js';
import {
  type Expectation,
  type ExpectationTuple,
  FUNCTION_NAME_BYTES,
  TUPLE_DST,
  TUPLE_PORTS,
  TUPLE_SRC,
} from '../flow/expectation.js';
import { familyOf, HELPER_NAME_BYTES } from '../flow/layout.js';
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
  IPCTNL_MSG_EXP_DELETE,
  IPCTNL_MSG_EXP_GET,
  IPCTNL_MSG_EXP_NEW,
  NFGENMSG_BYTES,
  NFNL_SUBSYS_CTNETLINK_EXP,
  NLA_F_NESTED,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
} from './constants.js';
import { writeTuple } from './tuple.js';

/** Requests to the kernel's expectation table, written in place; `at` is a byte offset and a multiple of 4. */

export interface ExpectationRequestOptions {
  /** nlmsg_seq: tells which request a failure is about. (The original sends 0.) */
  readonly sequence: number;
  /** Ask for an answer in case of success, too (NLM_F_ACK). */
  readonly ack: boolean;
  /** Seconds; null: the expectation's own, or none if that is unknown. */
  readonly timeout: number | null;
  /**
   * Class, NAT and function of the expectation as well. The original leaves them out (spec/findings.md 33), so that
   * there an expected connection arrives at the new firewall and is not translated.
   */
  readonly setup: boolean;
}

/** Room to reserve for one request: the largest, IPv6 with NAT and both names, takes 500 bytes. */
export const MAX_EXPECTATION_REQUEST_BYTES = 512;

/** Dump of all expectations of all families (spec/findings.md 28). @returns bytes written */
export function encodeExpectationDumpRequest(out: Views, at: number, sequence = 0): number {
  return finish(out, at, writeHeader(out, at, IPCTNL_MSG_EXP_GET, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0));
}

/** Removes every expectation: a delete that names none (fixtures/inject/requests.json). @returns bytes written */
export function encodeExpectationFlush(out: Views, at: number, sequence: number, ack: boolean): number {
  const flags = NLM_F_REQUEST | (ack ? NLM_F_ACK : 0);
  return finish(out, at, writeHeader(out, at, IPCTNL_MSG_EXP_DELETE, flags, sequence, 0));
}

/** A new expectation; fails with EEXIST when the kernel has it, with ENOENT when it lacks the master. @returns bytes written */
export function encodeExpectationCreate(
  out: Views,
  at: number,
  expectation: Expectation,
  options: ExpectationRequestOptions,
): number {
  const flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | (options.ack ? NLM_F_ACK : 0);
  const end = writeAttributes(out, at, IPCTNL_MSG_EXP_NEW, flags, expectation, options);
  return finish(out, at, options.setup ? writeSetup(out, end, expectation) : end);
}

/** Removes an expectation; fails with ENOENT when the kernel does not have it. @returns bytes written */
export function encodeExpectationDelete(
  out: Views,
  at: number,
  expectation: Expectation,
  options: ExpectationRequestOptions,
): number {
  const flags = NLM_F_REQUEST | (options.ack ? NLM_F_ACK : 0);
  return finish(out, at, writeAttributes(out, at, IPCTNL_MSG_EXP_DELETE, flags, expectation, options));
}

/** What the original sends, in its order. */
function writeAttributes(
  out: Views,
  at: number,
  operation: number,
  flags: number,
  expectation: Expectation,
  options: ExpectationRequestOptions,
): number {
  const { expected, master, mask, zone, helper } = expectation;
  const timeout = options.timeout ?? expectation.timeout;
  let p = writeHeader(out, at, operation, flags, options.sequence, familyOf(expected.kind));
  p = writeNest(out, p, CTA_EXPECT_TUPLE, expected);
  p = writeNest(out, p, CTA_EXPECT_MASTER, master);
  p = writeNest(out, p, CTA_EXPECT_MASK, mask);
  if (timeout !== null) p = writeWord(out, p, CTA_EXPECT_TIMEOUT, timeout);
  if (expectation.flags !== null) p = writeWord(out, p, CTA_EXPECT_FLAGS, expectation.flags);
  if (zone !== 0) p = writeZone(out, p, zone);
  return writeName(out, p, CTA_EXPECT_HELP_NAME, helper, HELPER_NAME_BYTES);
}

/** How the expected connection is to be set up. */
function writeSetup(out: Views, at: number, { class: policy, nat, functionName }: Expectation): number {
  let p = at;
  if (policy !== null && policy !== 0) p = writeWord(out, p, CTA_EXPECT_CLASS, policy);
  if (nat !== null) {
    const nest = p;
    p = writeWord(out, nest + 4, CTA_EXPECT_NAT_DIR, nat.direction);
    p = writeNest(out, p, CTA_EXPECT_NAT_TUPLE, nat.tuple);
    out.u32[nest >>> 2] = ((NLA_F_NESTED | CTA_EXPECT_NAT) << 16) | (p - nest);
  }
  return writeName(out, p, CTA_EXPECT_FN, functionName, FUNCTION_NAME_BYTES);
}

function writeNest({ u32 }: Views, at: number, type: number, { kind, words }: ExpectationTuple): number {
  return writeTuple(u32, at, type, words, TUPLE_SRC, TUPLE_DST, kind, words[TUPLE_PORTS]!, -1);
}

function writeWord({ u32 }: Views, at: number, type: number, value: number): number {
  u32[at >>> 2] = (type << 16) | 8;
  u32[(at + 4) >>> 2] = swap32(value);
  return at + 8;
}

function writeZone({ u32 }: Views, at: number, zone: number): number {
  u32[at >>> 2] = (CTA_EXPECT_ZONE << 16) | 6;
  u32[(at + 4) >>> 2] = swap16(zone);
  return at + 8;
}

/** A name with its NUL; none when it is empty or longer than the kernel takes. */
function writeName({ u8, u32 }: Views, at: number, type: number, name: string, most: number): number {
  if (name === '' || name.length >= most) return at;
  const end = at + 4 + ((name.length + 4) & ~3);
  u8.fill(0, at, end);
  u32[at >>> 2] = (type << 16) | (4 + name.length + 1);
  for (let i = 0; i < name.length; i++) u8[at + 4 + i] = name.charCodeAt(i);
  return end;
}

/** Netlink header, its length still missing, and nfgenmsg. @returns byte offset behind */
function writeHeader(
  { u32 }: Views,
  at: number,
  operation: number,
  flags: number,
  sequence: number,
  family: number,
): number {
  const w = at >>> 2;
  u32[w + 1] = (flags << 16) | (NFNL_SUBSYS_CTNETLINK_EXP << 8) | operation;
  u32[w + 2] = sequence;
  u32[w + 3] = 0;
  u32[w + 4] = family;
  return at + NLMSG_HDRLEN + NFGENMSG_BYTES;
}

function finish({ u32 }: Views, at: number, end: number): number {
  u32[at >>> 2] = end - at;
  return end - at;
}
