import { ageInSeconds, destinationPort, L4_FORMS, sourcePort } from './format.js';
import {
  AF_INET,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  familyOf,
  HELPER_NAME_BYTES,
  ID,
  IPS_ASSURED,
  IPS_SEEN_REPLY,
  K_ASIDE_MASK,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_ID,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_REPLY,
  K_SECCTX,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_TIMEOUT,
  K_TIMESTAMP,
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
  ZONE,
  ZONE_DIR,
} from './layout.js';
import { FLOW_PROTOCOLS, L4_ICMP, L4_KEYS, L4_PORTS, protocolName } from './protocols.js';
import type { FlowRef } from './ref.js';
import { ascii, type Literal, type TextBuffer } from './text.js';

/**
 * Flows as JSON, one object without line ends: what `-i --json` and `-e --json` show. The members and their meaning are
 * doc/schema/flow.schema.json; a member that is not known is absent. Written from the row as bytes, as the text is.
 */

/** What the dump knows of an entry besides the flow. */
export const NOT_SHOWN = -1;

const HEADS_IPV4 = heads('ipv4');
const HEADS_IPV6 = heads('ipv6');

/** `{"family":"ipv4","protocol":6,"protocolName":"tcp"` for each protocol number. */
function heads(family: string): readonly Literal[] {
  return Array.from({ length: 256 }, (_, protocol) =>
    ascii(`{"family":"${family}","protocol":${protocol},"protocolName":"${protocolName(protocol)}"`),
  );
}

/** `,"state":"ESTABLISHED"` for each state; index = protocol number. Empty: it has no states. */
const STATES: readonly (readonly Literal[])[] = Array.from({ length: 256 }, (_, protocol) => {
  const names = FLOW_PROTOCOLS.find(({ number }) => number === protocol)?.states ?? [];
  return names.map((name) => ascii(`,"state":"${name}"`));
});

const TIMEOUT_MEMBER = ascii(',"timeoutSeconds":');
const ORIGINAL = ascii(',"original":{');
const REPLY = ascii(',"reply":{');
const MASTER = ascii(',"master":{"protocol":');
const NAT = ascii(',"nat":{');
const CLOSE = ascii('}');
const COMMA = ascii(',');
const SOURCE = ascii('"source":"');
const DESTINATION = ascii('"destination":"');
const TO_DESTINATION = ascii('","destination":"');
const QUOTE = ascii('"');
const SOURCE_PORT = ascii(',"sourcePort":');
const DESTINATION_PORT = ascii(',"destinationPort":');
const SOURCE_KEY = ascii(',"sourceKey":');
const DESTINATION_KEY = ascii(',"destinationKey":');
const ICMP_TYPE = ascii(',"icmpType":');
const ICMP_CODE = ascii(',"icmpCode":');
const ICMP_ID = ascii(',"icmpId":');
const PACKETS = ascii(',"packets":');
const BYTES = ascii(',"bytes":');
const STATUS_MEMBER = ascii(',"status":');
const REPLIED = ascii(',"replied":true');
const UNREPLIED = ascii(',"replied":false');
const ASSURED = ascii(',"assured":true');
const UNASSURED = ascii(',"assured":false');
const MARK_MEMBER = ascii(',"mark":');
const ZONE_MEMBER = ascii(',"zone":');
const ID_MEMBER = ascii(',"id":');
const AGE = ascii(',"ageSeconds":');
const HELPER = ascii(',"helper":"');
const LABELS = ascii(',"labels":"');
const ACTIVE = ascii(',"activeSeconds":');
const EXPIRES = ascii(',"expiresInSeconds":');

/** More than the longest object takes, its context apart: that reserves for itself. */
const LONGEST_OBJECT = 2048;

/**
 * Writes a flow as one JSON object, without line end.
 *
 * @param wallSeconds since 1970, for the age of flows whose start is known
 * @param activeSeconds since the entry came into its cache, NOT_SHOWN without one
 * @param expiresIn seconds until the entry vanishes, NOT_SHOWN when it does not
 * @param counters packets and bytes of the original, then the reply direction; null: not known
 */
export function formatFlowJson(
  out: TextBuffer,
  flow: FlowRef,
  wallSeconds: number,
  activeSeconds: number,
  expiresIn: number,
  counters: Float64Array | null = null,
): void {
  out.reserve(LONGEST_OBJECT);
  const words = flow.words;
  const row = flow.at;
  const known = words[row + KNOWN]!;
  const kind = words[row + KIND]!;
  out.literal((familyOf(kind) === AF_INET ? HEADS_IPV4 : HEADS_IPV6)[protocolOf(kind)]!);
  if ((known & K_STATE) !== 0) writeState(out, kind);
  if ((known & K_TIMEOUT) !== 0) member(out, TIMEOUT_MEMBER, words[row + TIMEOUT]!);
  out.literal(ORIGINAL);
  writeEnds(out, kind, words, row + ORIG_SRC, row + ORIG_DST, words[row + ORIG_L4]!);
  if ((known & K_ZONE_ORIG) !== 0) member(out, ZONE_MEMBER, words[row + ZONE_DIR]! & 0xffff);
  if (counters !== null) writeCounters(out, counters[0]!, counters[1]!);
  out.literal(CLOSE);
  if ((known & K_REPLY) !== 0) {
    out.literal(REPLY);
    writeEnds(out, kind, words, row + REPLY_SRC, row + REPLY_DST, words[row + REPLY_L4]!);
    if ((known & K_ZONE_REPLY) !== 0) member(out, ZONE_MEMBER, words[row + ZONE_DIR]! >>> 16);
    if (counters !== null) writeCounters(out, counters[2]!, counters[3]!);
    out.literal(CLOSE);
  } else if ((known & (K_SNAT | K_DNAT | K_SPAT | K_DPAT)) !== 0) {
    writeNat(out, flow, known);
  }
  if ((known & K_STATUS) !== 0) writeStatus(out, words[row + STATUS]!);
  if ((known & K_MARK) !== 0) member(out, MARK_MEMBER, words[row + MARK]!);
  if ((known & K_ZONE) !== 0) member(out, ZONE_MEMBER, words[row + ZONE]! & 0xffff);
  if ((known & K_ID) !== 0) member(out, ID_MEMBER, words[row + ID]!);
  if ((known & K_ASIDE_MASK) !== 0) writeAside(out, flow, known, wallSeconds);
  if (activeSeconds !== NOT_SHOWN) member(out, ACTIVE, activeSeconds);
  if (expiresIn !== NOT_SHOWN) member(out, EXPIRES, expiresIn);
  out.literal(CLOSE);
}

function member(out: TextBuffer, name: Literal, value: number): void {
  out.literal(name);
  out.decimal(value);
}

function writeState(out: TextBuffer, kind: number): void {
  const states = STATES[protocolOf(kind)]!;
  const state = states[stateOf(kind)] ?? states[0];
  if (state !== undefined) out.literal(state);
}

/** Members of a tuple, without its braces. */
function writeEnds(
  out: TextBuffer,
  kind: number,
  words: Uint32Array,
  source: number,
  destination: number,
  l4: number,
): void {
  const family = familyOf(kind);
  out.literal(SOURCE);
  out.address(family, words, source);
  out.literal(TO_DESTINATION);
  out.address(family, words, destination);
  out.literal(QUOTE);
  switch (L4_FORMS[protocolOf(kind)]!) {
    case L4_PORTS:
      member(out, SOURCE_PORT, sourcePort(l4));
      member(out, DESTINATION_PORT, destinationPort(l4));
      break;
    case L4_ICMP:
      member(out, ICMP_TYPE, (l4 >>> 16) & 0xff);
      member(out, ICMP_CODE, l4 >>> 24);
      member(out, ICMP_ID, sourcePort(l4));
      break;
    case L4_KEYS:
      member(out, SOURCE_KEY, sourcePort(l4));
      member(out, DESTINATION_KEY, destinationPort(l4));
      break;
  }
}

function writeCounters(out: TextBuffer, packets: number, bytes: number): void {
  member(out, PACKETS, packets);
  member(out, BYTES, bytes);
}

/** What a peer says of translation in place of a reply tuple (layout.ts, words 16-25); ports only beside addresses. */
function writeNat(out: TextBuffer, flow: FlowRef, known: number): void {
  const { words, at } = flow;
  const family = familyOf(words[at + KIND]!);
  const hasSource = (known & K_SNAT) !== 0;
  const hasDestination = (known & K_DNAT) !== 0;
  if (!hasSource && !hasDestination) return;
  out.literal(NAT);
  if (hasSource) {
    out.literal(SOURCE);
    out.address(family, words, at + REPLY_DST);
    out.literal(QUOTE);
    if ((known & K_SPAT) !== 0) member(out, SOURCE_PORT, destinationPort(words[at + REPLY_L4]!));
  }
  if (hasSource && hasDestination) out.literal(COMMA);
  if (hasDestination) {
    out.literal(DESTINATION);
    out.address(family, words, at + REPLY_SRC);
    out.literal(QUOTE);
    if ((known & K_DPAT) !== 0) member(out, DESTINATION_PORT, sourcePort(words[at + REPLY_L4]!));
  }
  out.literal(CLOSE);
}

function writeStatus(out: TextBuffer, status: number): void {
  member(out, STATUS_MEMBER, status);
  out.literal((status & IPS_SEEN_REPLY) === 0 ? UNREPLIED : REPLIED);
  out.literal((status & IPS_ASSURED) === 0 ? UNASSURED : ASSURED);
}

/** What most flows do not have. */
function writeAside(out: TextBuffer, flow: FlowRef, known: number, wallSeconds: number): void {
  const { aside, asideAt } = flow;
  if ((known & K_TIMESTAMP) !== 0) member(out, AGE, Math.max(0, ageInSeconds(flow, wallSeconds)));
  if ((known & K_HELPER) !== 0) {
    out.literal(HELPER);
    writeName(out, flow);
    out.literal(QUOTE);
  }
  if ((known & K_LABELS) !== 0) writeLabels(out, flow);
  if ((known & K_MASTER) !== 0) {
    const kind = aside[asideAt + ASIDE_MASTER_KIND]!;
    member(out, MASTER, protocolOf(kind));
    out.literal(COMMA);
    writeEnds(
      out,
      kind,
      aside,
      asideAt + ASIDE_MASTER_SRC,
      asideAt + ASIDE_MASTER_DST,
      aside[asideAt + ASIDE_MASTER_L4]!,
    );
    out.literal(CLOSE);
  }
  if ((known & K_SECCTX) !== 0 && flow.secctx !== '') {
    out.text(`,"securityContext":${jsonText(flow.secctx)}`);
    out.reserve(LONGEST_OBJECT);
  }
}

/** A string of JSON in ASCII. */
function jsonText(text: string): string {
  return JSON.stringify(text).replaceAll(/[^ -~]/g, (character) => escaped(character.charCodeAt(0)));
}

function escaped(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

const DOUBLE_QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A helper's name, without its NUL; peers may have sent any bytes, each a character here. */
function writeName(out: TextBuffer, flow: FlowRef): void {
  const name = flow.asideAt + ASIDE_HELPER;
  for (let i = 0; i < HELPER_NAME_BYTES; i++) {
    const byte = (flow.aside[name + (i >> 2)]! >>> ((i & 3) * 8)) & 0xff;
    if (byte === 0) return;
    if (byte < 0x20 || byte > 0x7e || byte === DOUBLE_QUOTE || byte === BACKSLASH) out.text(escaped(byte));
    else out.byte(byte);
  }
}

/** 128 bits in hexadecimal, bit 0 the last one. */
function writeLabels(out: TextBuffer, flow: FlowRef): void {
  out.literal(LABELS);
  for (let word = 3; word >= 0; word--) {
    const bits = flow.aside[flow.asideAt + ASIDE_LABELS + word]!;
    for (let shift = 28; shift >= 0; shift -= 4) out.hex((bits >>> shift) & 0xf);
  }
  out.literal(QUOTE);
}
