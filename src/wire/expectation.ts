import type { Views } from '../base/views.js';
import {
  type Expectation,
  type ExpectationTuple,
  makeTuple,
  readName,
  TUPLE_DST,
  TUPLE_PORTS,
  TUPLE_SRC,
} from '../flow/expectation.js';
import {
  AF_INET,
  AF_INET6,
  familyOf,
  IPPROTO_DCCP,
  IPPROTO_GRE,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  kindOf,
  protocolOf,
} from '../flow/layout.js';
import { ATTRIBUTE_HEADER_BYTES, HEADER_BYTES, PROTOCOL_VERSION } from './tables.js';

/**
 * Messages of types 3 to 5: expectations (spec/wire.md "Attributes", spec/findings.md 13).
 *
 * Numbers of the attributes. The three tuples have the same four attributes each, from their first number on.
 */
export const EXP_MASTER = 0;
export const EXP_EXPECT = 4;
export const EXP_MASK = 8;
export const EXP_TIMEOUT = 12;
export const EXP_FLAGS = 13;
export const EXP_CLASS = 14;
export const EXP_NAT_IPV4 = 15;
export const EXP_NAT_PORT = 16;
export const EXP_NAT_L4PROTO = 17;
export const EXP_NAT_DIR = 18;
export const EXP_HELPER_NAME = 19;
export const EXP_FN = 20;

// Within a tuple.
const IPV4 = 0;
const IPV6 = 1;
const L4PROTO = 2;
const PORT = 3;

/** Bytes of data by attribute number; the most allowed for the two names. */
export const EXPECTATION_DATA_BYTES: readonly number[] = [
  ...[8, 32, 1, 4],
  ...[8, 32, 1, 4],
  ...[8, 32, 1, 4],
  ...[4, 4, 4],
  ...[8, 4, 1, 4],
  // The original takes the attribute's length, 4 more than the name's, for the name's (16 and 32), as with flows.
  // Seen on the running 1.4.7: data of 13 and 29 bytes makes the message malformed.
  ...[12, 28],
];

/** The largest expectation: IPv6, every attribute once, padded. Less than the largest flow, so MAX_MESSAGE_BYTES does. */
export const MAX_EXPECTATION_BYTES = 272;

/** Tuples as they are read: their parts may come in any order. */
class PartialTuple {
  family = 0;
  protocol = -1;
  readonly words = makeTuple(0, 0).words;

  read(part: number, bytes: Uint8Array, at: number): void {
    if (part === IPV4 || part === IPV6) {
      const words = part === IPV4 ? 1 : 4;
      this.family = part === IPV4 ? AF_INET : AF_INET6;
      for (let word = 0; word < 4; word++) {
        this.words[TUPLE_SRC + word] = word < words ? rawWord(bytes, at + 4 * word) : 0;
        this.words[TUPLE_DST + word] = word < words ? rawWord(bytes, at + 4 * (words + word)) : 0;
      }
    } else if (part === L4PROTO) this.protocol = bytes[at]!;
    else this.words[TUPLE_PORTS] = rawWord(bytes, at);
  }

  /** Null when addresses or protocol are missing: it could neither be shown nor committed (spec/beyond.md 22). */
  get whole(): ExpectationTuple | null {
    if (this.family === 0 || this.protocol < 0) return null;
    return { kind: kindOf(this.family, this.protocol), words: this.words };
  }
}

/** A word of the row: a little-endian load of the bytes on the wire. */
function rawWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function bigEndianWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** What the attributes say, until the message was read to its end. */
class Draft {
  /** Master, expected tuple, mask. */
  readonly tuples = [new PartialTuple(), new PartialTuple(), new PartialTuple()] as const;
  readonly nat = new PartialTuple();
  natDirection: number | null = null;
  timeout: number | null = null;
  flags: number | null = null;
  class: number | null = null;
  helper = '';
  functionName = '';

  /** @returns false when the attribute's content is malformed */
  read(number: number, bytes: Uint8Array, at: number, end: number): boolean {
    if (number < EXP_TIMEOUT) {
      this.tuples[number >> 2]!.read(number & 3, bytes, at);
      return true;
    }
    if (number === EXP_HELPER_NAME || number === EXP_FN) return this.readText(number, bytes, at, end);
    if (number === EXP_NAT_IPV4) this.nat.read(IPV4, bytes, at);
    else if (number === EXP_NAT_PORT) this.nat.read(PORT, bytes, at);
    else if (number === EXP_NAT_L4PROTO) this.nat.read(L4PROTO, bytes, at);
    else this.readNumber(number, bigEndianWord(bytes, at));
    return true;
  }

  private readNumber(number: number, value: number): void {
    if (number === EXP_TIMEOUT) this.timeout = value;
    else if (number === EXP_FLAGS) this.flags = value;
    else if (number === EXP_CLASS) this.class = value;
    else this.natDirection = value;
  }

  private readText(number: number, bytes: Uint8Array, at: number, end: number): boolean {
    const name = readName(bytes, at, end);
    if (name === null) return false;
    if (number === EXP_HELPER_NAME) this.helper = name;
    else this.functionName = name;
    return true;
  }

  finish(): Expectation | null {
    const [master, expected, mask] = this.tuples.map((tuple) => tuple.whole);
    if (!master || !expected || !mask) return null;
    const families = new Set([master, expected, mask].map(({ kind }) => familyOf(kind)));
    if (families.size !== 1) return null;
    const { timeout, flags, class: policy, helper, functionName } = this;
    const nat = this.finishNat(familyOf(expected.kind));
    return { master, expected, mask, timeout, flags, class: policy, zone: 0, nat, helper, functionName };
  }

  /** The addresses of IPv6 NAT do not travel: they are zero, as the kernel has them for connections that follow. */
  private finishNat(family: number): Expectation['nat'] {
    if (this.natDirection === null || this.nat.protocol < 0) return null;
    return { direction: this.natDirection, tuple: { kind: kindOf(family, this.nat.protocol), words: this.nat.words } };
  }
}

/**
 * Reads an expectation message. Any bytes give an expectation or null, nothing is thrown and nothing outside of
 * `at`..`end` is read.
 *
 * @param at byte offset of the message's header, of any alignment, already accepted by `readHeader`
 * @param end offset after the message
 * @returns null when it is malformed: an attribute of the wrong size or beyond the end, a number above 20, or one of
 *   the three tuples incomplete
 */
export function decodeExpectation(views: Views, at: number, end: number): Expectation | null {
  const bytes = views.u8;
  const draft = new Draft();
  let next = at + HEADER_BYTES;
  while (end - next >= ATTRIBUTE_HEADER_BYTES) {
    const length = (bytes[next]! << 8) | bytes[next + 1]!;
    const number = (bytes[next + 2]! << 8) | bytes[next + 3]!;
    const size = EXPECTATION_DATA_BYTES[number];
    if (size === undefined || length < ATTRIBUTE_HEADER_BYTES || length > end - next) return null;
    const data = length - ATTRIBUTE_HEADER_BYTES;
    if (number >= EXP_HELPER_NAME ? data > size : data !== size) return null;
    if (!draft.read(number, bytes, next + ATTRIBUTE_HEADER_BYTES, next + length)) return null;
    next += (length + 3) & ~3;
  }
  return draft.finish();
}

/** Appends attributes; everything is rare enough to be written byte by byte. */
class Writer {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** Header, and zeros where the padding will be. @returns where the data goes */
  private open(number: number, size: number): number {
    const at = this.at;
    const length = ATTRIBUTE_HEADER_BYTES + size;
    this.at = at + ((length + 3) & ~3);
    this.bytes.fill(0, at, this.at);
    this.bytes[at + 1] = length;
    this.bytes[at + 3] = number;
    return at + ATTRIBUTE_HEADER_BYTES;
  }

  byte(number: number, value: number): void {
    this.bytes[this.open(number, 1)] = value;
  }

  /** A number of 32 bits, big-endian. */
  number(number: number, value: number): void {
    const at = this.open(number, 4);
    for (let i = 0; i < 4; i++) this.bytes[at + i] = value >>> (24 - 8 * i);
  }

  /** Words in raw network order. */
  words(number: number, ...words: number[]): void {
    const at = this.open(number, 4 * words.length);
    words.forEach((word, index) => {
      for (let i = 0; i < 4; i++) this.bytes[at + 4 * index + i] = word >>> (8 * i);
    });
  }

  /** A name with its NUL; one the peer would refuse is left out. */
  name(number: number, name: string): void {
    if (name === '' || name.length >= EXPECTATION_DATA_BYTES[number]!) return;
    const at = this.open(number, name.length + 1);
    for (let i = 0; i < name.length; i++) this.bytes[at + i] = name.charCodeAt(i);
  }

  tuple(first: number, { kind, words }: ExpectationTuple): void {
    if (familyOf(kind) === AF_INET) this.words(first + IPV4, words[TUPLE_SRC]!, words[TUPLE_DST]!);
    else this.words(first + IPV6, ...words.subarray(TUPLE_SRC, TUPLE_PORTS));
    this.byte(first + L4PROTO, protocolOf(kind));
    if (hasPorts(kind)) this.words(first + PORT, words[TUPLE_PORTS]!);
  }

  nat({ direction, tuple }: NonNullable<Expectation['nat']>): void {
    const { kind, words } = tuple;
    if (familyOf(kind) === AF_INET) this.words(EXP_NAT_IPV4, words[TUPLE_SRC]!, words[TUPLE_DST]!);
    this.byte(EXP_NAT_L4PROTO, protocolOf(kind));
    if (hasPorts(kind)) this.words(EXP_NAT_PORT, words[TUPLE_PORTS]!);
    this.number(EXP_NAT_DIR, direction);
  }
}

/** Protocols whose tuples have two 16-bit numbers; the original reads them of any. */
function hasPorts(kind: number): boolean {
  return PORT_PROTOCOLS.has(protocolOf(kind));
}
const PORT_PROTOCOLS = new Set([IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_GRE]);

/**
 * Writes an expectation's message, its attributes in the order of the original.
 *
 * @param at byte offset with room for MAX_EXPECTATION_BYTES
 * @param type EXPECTATION_NEW, EXPECTATION_UPDATE or EXPECTATION_DESTROY
 * @param withTimeout send the timeout: there is no CommitTimeout (spec/findings.md 12)
 * @returns bytes written, a multiple of 4
 */
export function encodeExpectation(
  out: Views,
  at: number,
  type: number,
  flags: number,
  sequence: number,
  expectation: Expectation,
  withTimeout: boolean,
): number {
  const writer = new Writer(out.u8, at + HEADER_BYTES);
  writer.tuple(EXP_MASTER, expectation.master);
  writer.tuple(EXP_EXPECT, expectation.expected);
  writer.tuple(EXP_MASK, expectation.mask);
  if (withTimeout && expectation.timeout !== null) writer.number(EXP_TIMEOUT, expectation.timeout);
  if (expectation.flags !== null) writer.number(EXP_FLAGS, expectation.flags);
  if (expectation.class !== null) writer.number(EXP_CLASS, expectation.class);
  if (expectation.nat !== null) writer.nat(expectation.nat);
  writer.name(EXP_HELPER_NAME, expectation.helper);
  writer.name(EXP_FN, expectation.functionName);
  writeHeader(out.u8, at, type, flags, writer.at - at, sequence);
  return writer.at - at;
}

function writeHeader(
  bytes: Uint8Array,
  at: number,
  type: number,
  flags: number,
  length: number,
  sequence: number,
): void {
  bytes[at] = (PROTOCOL_VERSION << 4) | type;
  bytes[at + 1] = flags;
  bytes[at + 2] = length >>> 8;
  bytes[at + 3] = length;
  for (let i = 0; i < 4; i++) bytes[at + 4 + i] = sequence >>> (24 - 8 * i);
}
