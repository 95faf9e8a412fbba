import {
  AF_INET,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_START,
  ASIDE_STOP,
  familyOf,
  HELPER_NAME_BYTES,
  ID,
  IPS_ASSURED,
  IPS_HW_OFFLOAD,
  IPS_OFFLOAD,
  IPS_SEEN_REPLY,
  K_ASIDE_MASK,
  K_HELPER,
  K_ID,
  K_LABELS,
  K_MARK,
  K_REPLY,
  K_SECCTX,
  K_STATE,
  K_STATUS,
  K_TIMEOUT,
  K_TIMESTAMP,
  K_USE,
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
  TIMEOUT,
  USE,
  ZONE,
  ZONE_DIR,
} from './layout.js';
import { FLOW_PROTOCOLS, L4_ICMP, L4_KEYS, L4_NOTHING, L4_PORTS, protocolName } from './protocols.js';
import type { FlowRef } from './ref.js';
import { ascii, type Literal, type TextBuffer } from './text.js';

/**
 * Flows as one line of text, byte for byte as the original shows them: control dumps, statistics log, the lines
 * behind commit errors (spec/control.md "Flow line", fixtures/format). XML is in format-xml.ts.
 */

/** What a line shows beyond the flow's tuples, state, status, mark, zone and helper. */
export interface FormatOptions {
  /** The timeout, when known. Dumps of caches never do (spec/findings.md 35). */
  readonly timeout?: boolean;
  /** Packets and bytes of both directions, when the caller has them. */
  readonly counters?: boolean;
  /** The kernel's reference count (spec/findings.md 38). */
  readonly use?: boolean;
  /** The kernel's flow id; XML shows it always. */
  readonly id?: boolean;
  /** `ipv4     2` before the protocol. */
  readonly layer3?: boolean;
  /** Names of labels by bit; without it no labels. */
  readonly labels?: ReadonlyMap<number, string>;
  /** Seconds since 1970, for the age of flows that have a start but no stop. */
  readonly nowSeconds?: number;
}

const BLANK = 0x20;

/** `tcp      6 ` and the like for each protocol number: `%-8s %u `. */
const PROTOCOL_COLUMNS: readonly Literal[] = Array.from({ length: 256 }, (_, number) =>
  ascii(`${protocolName(number).padEnd(8)} ${number} `),
);
const LAYER3_IPV4 = ascii('ipv4     2 ');
const LAYER3_IPV6 = ascii('ipv6     10 ');

/** How each protocol's layer 4 bytes are shown; index = protocol number. */
export const L4_FORMS: Uint8Array = new Uint8Array(256).fill(L4_NOTHING);
/** State names of each protocol, followed by a blank; index = protocol number. Empty: it has no states. */
const STATE_COLUMNS: readonly (readonly Literal[])[] = Array.from({ length: 256 }, (_, number) => {
  const states = FLOW_PROTOCOLS.find((protocol) => protocol.number === number)?.states ?? [];
  return states.map((name) => ascii(`${name} `));
});
for (const protocol of FLOW_PROTOCOLS) L4_FORMS[protocol.number] = protocol.l4;

const SRC = ascii('src=');
const DST = ascii(' dst=');
const SPORT = ascii(' sport=');
const DPORT = ascii(' dport=');
const SRCKEY = ascii(' srckey=0x');
const DSTKEY = ascii(' dstkey=0x');
const TYPE = ascii(' type=');
const CODE = ascii(' code=');
const ICMP_ID = ascii(' id=');
const PACKETS = ascii('packets=');
const BYTES = ascii(' bytes=');
const UNREPLIED = ascii('[UNREPLIED] ');
const ASSURED = ascii('[ASSURED] ');
const OFFLOAD = ascii('[OFFLOAD] ');
const HW_OFFLOAD = ascii('[HW_OFFLOAD] ');
const MARK_FIELD = ascii('mark=');
const SECCTX = ascii('secctx=');
const ZONE_FIELD = ascii('zone=');
const ZONE_ORIG = ascii('zone-orig=');
const ZONE_REPLY = ascii('zone-reply=');
const DELTA_TIME = ascii('delta-time=');
const HELPER = ascii('helper=');
const LABELS = ascii('labels=');
const USE_FIELD = ascii('use=');
const ID_FIELD = ascii('id=');
const EXPIRES_IN = ascii(' [expires in ');
const ACTIVE_SINCE = ascii(' [active since ');
const SECONDS = ascii('s]');

/** More than the longest line takes, its context and label names apart: those reserve for themselves. */
const LONGEST_LINE = 1024;

/**
 * Writes a flow as one line, without line end.
 *
 * @param counters packets and bytes of the original, then the reply direction; shown with `options.counters`
 */
export function formatFlowLine(
  out: TextBuffer,
  flow: FlowRef,
  options: FormatOptions,
  counters: Float64Array | null = null,
): void {
  out.reserve(LONGEST_LINE);
  const words = flow.words;
  const row = flow.at;
  const known = words[row + KNOWN]!;
  const kind = words[row + KIND]!;
  const family = familyOf(kind);
  const protocol = protocolOf(kind);
  const shown = options.counters === true ? counters : null;
  if (options.layer3 === true) out.literal(family === AF_INET ? LAYER3_IPV4 : LAYER3_IPV6);
  out.literal(PROTOCOL_COLUMNS[protocol]!);
  if (options.timeout === true && (known & K_TIMEOUT) !== 0) number(out, words[row + TIMEOUT]!);
  if ((known & K_STATE) !== 0) writeState(out, protocol, stateOf(kind));
  writeTuple(out, family, protocol, words, row + ORIG_SRC, row + ORIG_DST, words[row + ORIG_L4]!);
  if ((known & K_ZONE_ORIG) !== 0) field(out, ZONE_ORIG, words[row + ZONE_DIR]! & 0xffff);
  if (shown !== null) writeCounters(out, shown[0]!, shown[1]!);
  const status = (known & K_STATUS) !== 0 ? words[row + STATUS]! : IPS_SEEN_REPLY;
  if ((status & IPS_SEEN_REPLY) === 0) out.literal(UNREPLIED);
  if ((known & K_REPLY) !== 0) {
    writeTuple(out, family, protocol, words, row + REPLY_SRC, row + REPLY_DST, words[row + REPLY_L4]!);
  }
  if ((known & K_ZONE_REPLY) !== 0) field(out, ZONE_REPLY, words[row + ZONE_DIR]! >>> 16);
  if (shown !== null) writeCounters(out, shown[2]!, shown[3]!);
  writeStatus(out, status);
  if ((known & K_MARK) !== 0) field(out, MARK_FIELD, words[row + MARK]!);
  writeRest(out, flow, known, options);
  // Every field ends with a blank, the line does not.
  out.length -= 1;
}

/**
 * Writes the ages behind a line of a cache's dump: ` [expires in Ns]` and ` [active since Ns]`.
 *
 * @param expiresIn seconds left, -1 when the entry does not expire (only ALARM's external entries do)
 * @param activeSince seconds since the entry came into the cache
 */
export function formatAges(out: TextBuffer, expiresIn: number, activeSince: number): void {
  if (expiresIn >= 0) {
    out.literal(EXPIRES_IN);
    out.decimal(expiresIn);
    out.literal(SECONDS);
  }
  out.literal(ACTIVE_SINCE);
  out.decimal(activeSince);
  out.literal(SECONDS);
}

function number(out: TextBuffer, value: number): void {
  out.decimal(value);
  out.byte(BLANK);
}

function field(out: TextBuffer, name: Literal, value: number): void {
  out.literal(name);
  number(out, value);
}

function writeState(out: TextBuffer, protocol: number, state: number): void {
  const names = STATE_COLUMNS[protocol]!;
  const name = names[state] ?? names[0];
  if (name !== undefined) out.literal(name);
}

/** HW_OFFLOAD before OFFLOAD before ASSURED, one of them: so the running original. */
function writeStatus(out: TextBuffer, status: number): void {
  if ((status & IPS_HW_OFFLOAD) !== 0) out.literal(HW_OFFLOAD);
  else if ((status & IPS_OFFLOAD) !== 0) out.literal(OFFLOAD);
  else if ((status & IPS_ASSURED) !== 0) out.literal(ASSURED);
}

/** Addresses, and what the protocol has in its layer 4 bytes, known or not: the original shows zeros then. */
function writeTuple(
  out: TextBuffer,
  family: number,
  protocol: number,
  words: Uint32Array,
  source: number,
  destination: number,
  l4: number,
): void {
  out.literal(SRC);
  out.address(family, words, source);
  out.literal(DST);
  out.address(family, words, destination);
  switch (L4_FORMS[protocol]!) {
    case L4_PORTS:
      out.literal(SPORT);
      out.decimal(sourcePort(l4));
      out.literal(DPORT);
      out.decimal(destinationPort(l4));
      break;
    case L4_ICMP:
      out.literal(TYPE);
      out.decimal((l4 >>> 16) & 0xff);
      out.literal(CODE);
      out.decimal(l4 >>> 24);
      out.literal(ICMP_ID);
      out.decimal(sourcePort(l4));
      break;
    case L4_KEYS:
      out.literal(SRCKEY);
      out.hex(sourcePort(l4));
      out.literal(DSTKEY);
      out.hex(destinationPort(l4));
      break;
  }
  out.byte(BLANK);
}

/** Source port, source key or ICMP id of layer 4 bytes in raw network order. */
export function sourcePort(l4: number): number {
  return ((l4 & 0xff) << 8) | ((l4 >>> 8) & 0xff);
}

/** Destination port or key of layer 4 bytes in raw network order. */
export function destinationPort(l4: number): number {
  return ((l4 >>> 8) & 0xff00) | (l4 >>> 24);
}

function writeCounters(out: TextBuffer, packets: number, bytes: number): void {
  out.literal(PACKETS);
  out.decimal(packets);
  out.literal(BYTES);
  number(out, bytes);
}

/** What most flows do not have: security context, zone, age, helper, use, id, labels. */
function writeRest(out: TextBuffer, flow: FlowRef, known: number, options: FormatOptions): void {
  const words = flow.words;
  const row = flow.at;
  if ((known & K_SECCTX) !== 0 && flow.secctx !== '') {
    out.literal(SECCTX);
    out.text(flow.secctx);
    out.reserve(LONGEST_LINE);
    out.byte(BLANK);
  }
  if ((known & K_ZONE) !== 0) field(out, ZONE_FIELD, words[row + ZONE]! & 0xffff);
  if ((known & K_ASIDE_MASK) !== 0) writeAside(out, flow, known, options);
  if (options.use === true && (known & K_USE) !== 0) field(out, USE_FIELD, words[row + USE]!);
  if (options.id === true && (known & K_ID) !== 0) field(out, ID_FIELD, words[row + ID]!);
  if (options.labels !== undefined && (known & K_LABELS) !== 0) writeLabels(out, flow, options.labels);
}

function writeAside(out: TextBuffer, flow: FlowRef, known: number, options: FormatOptions): void {
  if ((known & K_TIMESTAMP) !== 0) field(out, DELTA_TIME, ageInSeconds(flow, options.nowSeconds ?? 0));
  if ((known & K_HELPER) !== 0) {
    out.literal(HELPER);
    writeHelperName(out, flow);
    out.byte(BLANK);
  }
}

/** The helper's name, without its NUL. */
export function writeHelperName(out: TextBuffer, flow: FlowRef): void {
  const name = flow.asideAt + ASIDE_HELPER;
  for (let i = 0; i < HELPER_NAME_BYTES; i++) {
    const byte = (flow.aside[name + (i >> 2)]! >>> ((i & 3) * 8)) & 0xff;
    if (byte === 0) return;
    out.byte(byte);
  }
}

/** Names of the flow's labels in the order of their bits; labels without a name do not show. */
export function labelNames(flow: FlowRef, names: ReadonlyMap<number, string>): string[] {
  const first = flow.asideAt + ASIDE_LABELS;
  const found: string[] = [];
  for (let bit = 0; bit < 128; bit++) {
    const name = names.get(bit);
    if (name !== undefined && ((flow.aside[first + (bit >> 5)]! >>> (bit & 31)) & 1) !== 0) found.push(name);
  }
  return found;
}

function writeLabels(out: TextBuffer, flow: FlowRef, names: ReadonlyMap<number, string>): void {
  const found = labelNames(flow, names);
  if (found.length === 0) return;
  out.literal(LABELS);
  out.text(found.join(','));
  out.byte(BLANK);
}

/**
 * Seconds from a flow's start to its stop, or to now while it lives. The line counts whole seconds of the clock (a
 * flow of 0.2 s around a full second is 1 old), XML those of the difference once there is a stop (spec/findings.md 37
 * and fixtures/format/events.json have both).
 */
export function ageInSeconds(flow: FlowRef, nowSeconds: number): number {
  const start = secondsOf(flow, ASIDE_START);
  return (isStopped(flow) ? secondsOf(flow, ASIDE_STOP) : nowSeconds) - start;
}

/** True when the flow's record has the time of its end. */
export function isStopped(flow: FlowRef): boolean {
  return (flow.aside[flow.asideAt + ASIDE_STOP]! | flow.aside[flow.asideAt + ASIDE_STOP + 1]!) !== 0;
}

const NANOSECONDS = 1_000_000_000;
// 2^48 and 2^32 nanoseconds as seconds and a rest, so that no sum leaves the 53 bits a number is exact in.
const SECONDS_OF_2_48 = 281_474;
const REST_OF_2_48 = 976_710_656;
const SECONDS_OF_2_32 = 4;
const REST_OF_2_32 = 294_967_296;

/** Whole seconds of a time stamp in the record, of 64 bits in nanoseconds. */
export function secondsOf(flow: FlowRef, word: number): number {
  const high = flow.aside[flow.asideAt + word]!;
  return (
    (high >>> 16) * SECONDS_OF_2_48 + (high & 0xffff) * SECONDS_OF_2_32 + Math.floor(restOf(flow, word) / NANOSECONDS)
  );
}

/** Nanoseconds of a time stamp beyond its whole second. */
export function nanosecondsOf(flow: FlowRef, word: number): number {
  return restOf(flow, word) % NANOSECONDS;
}

function restOf(flow: FlowRef, word: number): number {
  const high = flow.aside[flow.asideAt + word]!;
  const low = flow.aside[flow.asideAt + word + 1]!;
  return (high >>> 16) * REST_OF_2_48 + (high & 0xffff) * REST_OF_2_32 + low;
}
