import {
  AF_INET,
  familyOf,
  K_ORIG,
  K_ORIG_L4,
  K_ZONE,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  protocolOf,
  ZONE,
} from './layout.js';
import type { FlowScratch } from './scratch.js';

/**
 * Expectations: connections that a helper (FTP, SIP, ...) has announced and the kernel will let pass as related to
 * their master. There are tens of them where there are millions of flows, so they are plain objects.
 */

/** Words of a tuple: where source, destination and layer 4 bytes lie in `ExpectationTuple.words`. */
export const TUPLE_SRC = 0;
export const TUPLE_DST = 4;
export const TUPLE_PORTS = 8;
export const TUPLE_WORDS = 9;

export interface ExpectationTuple {
  /** Family and layer 4 protocol, as the KIND word of a flow has them (layout.ts). */
  readonly kind: number;
  /**
   * Source in words 0-3, destination in 4-7, ports (keys, ICMP triple) in word 8; all raw network order as in a flow's
   * row. IPv4 uses the first word of an address, unknown ports are 0.
   */
  readonly words: Uint32Array;
}

/** How the expected connection is to be translated: the kernel's saved address and port (CTA_EXPECT_NAT). */
export interface ExpectationNat {
  /** 0 original, 1 reply: the direction of the expected connection in its master's terms. */
  readonly direction: number;
  readonly tuple: ExpectationTuple;
}

export interface Expectation {
  /** Original tuple of the connection that announced this one. */
  readonly master: ExpectationTuple;
  readonly expected: ExpectationTuple;
  /** Bits of `expected` that count. */
  readonly mask: ExpectationTuple;
  /** Seconds; null when the message did not say. */
  readonly timeout: number | null;
  /** NF_CT_EXPECT_ bits. */
  readonly flags: number | null;
  /** Number of the helper's policy that applies. */
  readonly class: number | null;
  /** Conntrack zone of the master; does not travel to peers. */
  readonly zone: number;
  readonly nat: ExpectationNat | null;
  /** Name of the helper, empty when unknown. */
  readonly helper: string;
  /** Name of the kernel function that sets the expected connection up, `nat-follow-master`; empty: none. */
  readonly functionName: string;
}

// linux/netfilter/nf_conntrack_common.h
export const NF_CT_EXPECT_PERMANENT = 0x1;
export const NF_CT_EXPECT_INACTIVE = 0x2;
export const NF_CT_EXPECT_USERSPACE = 0x4;

/** Most bytes of the name of a function, its NUL included: the kernel's ctnetlink takes no more (CTA_EXPECT_FN). */
export const FUNCTION_NAME_BYTES = 32;

/** A tuple, all zero. */
export function makeTuple(family: number, protocol: number): ExpectationTuple {
  return { kind: kindOf(family, protocol), words: new Uint32Array(TUPLE_WORDS) };
}

/**
 * What makes two expectations the same: master, expected tuple, mask and zone, as the kernel has it
 * (net/netfilter/nf_conntrack_expect.c, expect_matches). To the original those with another class, helper or flags are
 * others; the kernel never has two such at a time.
 */
export function expectationKey({ master, expected, mask, zone }: Expectation): string {
  return `${tupleKey(master)}|${tupleKey(expected)}|${tupleKey(mask)}|${zone}`;
}

function tupleKey({ kind, words }: ExpectationTuple): string {
  const head = `${familyOf(kind)},${protocolOf(kind)},${words[TUPLE_PORTS]}`;
  if (familyOf(kind) === AF_INET) return `${head},${words[TUPLE_SRC]},${words[TUPLE_DST]}`;
  return `${head},${words.subarray(0, TUPLE_PORTS).join(',')}`;
}

/** Makes `scratch` a flow by which a table finds the expectation's master. */
export function fillMaster(scratch: FlowScratch, { master, zone }: Expectation): void {
  scratch.reset();
  const { words } = scratch;
  words[KNOWN] = K_ORIG | K_ORIG_L4 | (zone === 0 ? 0 : K_ZONE);
  words[KIND] = master.kind;
  words[ZONE] = zone;
  words.set(master.words.subarray(TUPLE_SRC, TUPLE_DST), ORIG_SRC);
  words.set(master.words.subarray(TUPLE_DST, TUPLE_PORTS), ORIG_DST);
  words[ORIG_L4] = master.words[TUPLE_PORTS]!;
}

/** Attributes that `change` knows replace those of `old`; the others stay. */
export function mergeExpectation(old: Expectation, change: Expectation): Expectation {
  return {
    ...change,
    timeout: change.timeout ?? old.timeout,
    flags: change.flags ?? old.flags,
    class: change.class ?? old.class,
    nat: change.nat ?? old.nat,
    helper: change.helper || old.helper,
    functionName: change.functionName || old.functionName,
  };
}

/**
 * Whether the expectations of a helper are replicated.
 *
 * @param prefixes in lower case; none: those of every helper
 */
export function isReplicated(helper: string, prefixes: readonly string[]): boolean {
  if (prefixes.length === 0) return true;
  const name = helper.toLowerCase();
  return prefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * A name that may be shown and committed: words as the kernel registers them. One with a blank, a control character or
 * markup would only serve to break a dump.
 *
 * @param from byte offset; the name ends before a NUL or `end`
 * @returns null when a character does not belong there
 */
export function readName(bytes: Uint8Array, from: number, end: number): string | null {
  let name = '';
  for (let at = from; at < end && bytes[at] !== 0; at++) {
    const byte = bytes[at]!;
    if (byte <= 0x20 || byte >= 0x7f || byte === 0x3c || byte === 0x3e || byte === 0x26) return null;
    name += String.fromCharCode(byte);
  }
  return name;
}
