import {
  ageInSeconds,
  destinationPort,
  type FormatOptions,
  isStopped,
  L4_FORMS,
  labelNames,
  nanosecondsOf,
  secondsOf,
  sourcePort,
  writeHelperName,
} from './format.js';
import {
  AF_INET,
  ASIDE_START,
  ASIDE_STOP,
  familyOf,
  ID,
  IPS_ASSURED,
  IPS_SEEN_REPLY,
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
import { L4_KEYS, L4_PORTS, protocolName, stateName } from './protocols.js';
import type { FlowRef } from './ref.js';
import { ascii, type Literal, type TextBuffer } from './text.js';

const FLOW_START = ascii('<flow>');
const FLOW_END = ascii('</flow>');
const META_ORIGINAL = ascii('<meta direction="original">');
const META_REPLY = ascii('<meta direction="reply">');
const META_INDEPENDENT = ascii('<meta direction="independent">');
const META_END = ascii('</meta>');
const LAYER3_IPV4 = ascii('<layer3 protonum="2" protoname="ipv4"><src>');
const LAYER3_IPV6 = ascii('<layer3 protonum="10" protoname="ipv6"><src>');
const SRC_TO_DST = ascii('</src><dst>');
const LAYER3_END = ascii('</dst></layer3>');
/** A peer's flow has no reply tuple; the original shows the empty one (spec/findings.md 35). */
const NO_REPLY = ascii(
  '<layer3 protonum="0" protoname="unknown"><src></src><dst></dst></layer3><layer4 protonum="0" protoname="unknown"></layer4>',
);
const LAYER4: readonly Literal[] = Array.from({ length: 256 }, (_, number) =>
  ascii(`<layer4 protonum="${number}" protoname="${protocolName(number)}">`),
);
const LAYER4_END = ascii('</layer4>');
const SPORT = ascii('<sport>');
const SPORT_TO_DPORT = ascii('</sport><dport>');
const DPORT_END = ascii('</dport>');
const SRCKEY = ascii('<srckey>0x');
const SRCKEY_TO_DSTKEY = ascii('</srckey><dstkey>0x');
const DSTKEY_END = ascii('</dstkey>');
const COUNTERS = ascii('<counters><packets>');
const PACKETS_TO_BYTES = ascii('</packets><bytes>');
const COUNTERS_END = ascii('</bytes></counters>');
const ASSURED = ascii('<assured/>');
const UNREPLIED = ascii('<unreplied/>');

/** An element that holds a number: its opening and closing tag. */
class NumberElement {
  private readonly open: Literal;
  private readonly close: Literal;

  constructor(name: string) {
    this.open = ascii(`<${name}>`);
    this.close = ascii(`</${name}>`);
  }

  write(out: TextBuffer, value: number): void {
    out.literal(this.open);
    out.decimal(value);
    out.literal(this.close);
  }
}

const TIMEOUT_ELEMENT = new NumberElement('timeout');
const MARK_ELEMENT = new NumberElement('mark');
const ZONE_ELEMENT = new NumberElement('zone');
const USE_ELEMENT = new NumberElement('use');
const ID_ELEMENT = new NumberElement('id');
const DELTA_TIME_ELEMENT = new NumberElement('deltatime');

/** More than the longest element takes, its context and label names apart: those reserve for themselves. */
const LONGEST_FLOW = 2048;

/**
 * Writes a flow as one `<flow>` element, without line end, as `-i -x` and `-e -x` show it. States of SCTP and DCCP get
 * their own names; the original shows those of TCP (spec/findings.md 36).
 *
 * @param counters packets and bytes of the original, then the reply direction; shown with `options.counters`
 */
export function formatFlowXml(
  out: TextBuffer,
  flow: FlowRef,
  options: FormatOptions,
  counters: Float64Array | null = null,
): void {
  out.reserve(LONGEST_FLOW);
  const words = flow.words;
  const row = flow.at;
  const known = words[row + KNOWN]!;
  const kind = words[row + KIND]!;
  const shown = options.counters === true ? counters : null;
  out.literal(FLOW_START);
  out.literal(META_ORIGINAL);
  writeTuple(out, kind, words, row + ORIG_SRC, row + ORIG_DST, words[row + ORIG_L4]!);
  if ((known & K_ZONE_ORIG) !== 0) ZONE_ELEMENT.write(out, words[row + ZONE_DIR]! & 0xffff);
  if (shown !== null) writeCounters(out, shown[0]!, shown[1]!);
  out.literal(META_END);
  out.literal(META_REPLY);
  if ((known & K_REPLY) === 0) out.literal(NO_REPLY);
  else writeTuple(out, kind, words, row + REPLY_SRC, row + REPLY_DST, words[row + REPLY_L4]!);
  if ((known & K_ZONE_REPLY) !== 0) ZONE_ELEMENT.write(out, words[row + ZONE_DIR]! >>> 16);
  if (shown !== null) writeCounters(out, shown[2]!, shown[3]!);
  out.literal(META_END);
  writeIndependent(out, flow, known, options);
  if ((known & K_HELPER) !== 0) {
    out.literal(HELPER);
    writeHelperName(out, flow);
    out.literal(HELPER_END);
  }
  out.literal(FLOW_END);
}

const HELPER = ascii('<helper>');
const HELPER_END = ascii('</helper>');

function writeTuple(
  out: TextBuffer,
  kind: number,
  words: Uint32Array,
  source: number,
  destination: number,
  l4: number,
): void {
  const family = familyOf(kind);
  const protocol = protocolOf(kind);
  out.literal(family === AF_INET ? LAYER3_IPV4 : LAYER3_IPV6);
  out.address(family, words, source);
  out.literal(SRC_TO_DST);
  out.address(family, words, destination);
  out.literal(LAYER3_END);
  out.literal(LAYER4[protocol]!);
  const form = L4_FORMS[protocol]!;
  if (form === L4_PORTS) {
    out.literal(SPORT);
    out.decimal(sourcePort(l4));
    out.literal(SPORT_TO_DPORT);
    out.decimal(destinationPort(l4));
    out.literal(DPORT_END);
  } else if (form === L4_KEYS) {
    out.literal(SRCKEY);
    out.hex(sourcePort(l4));
    out.literal(SRCKEY_TO_DSTKEY);
    out.hex(destinationPort(l4));
    out.literal(DSTKEY_END);
  }
  out.literal(LAYER4_END);
}

function writeCounters(out: TextBuffer, packets: number, bytes: number): void {
  out.literal(COUNTERS);
  out.decimal(packets);
  out.literal(PACKETS_TO_BYTES);
  out.decimal(bytes);
  out.literal(COUNTERS_END);
}

/** The attributes that make the original open the block of what belongs to no direction. */
const INDEPENDENT = K_STATE | K_STATUS | K_MARK | K_ZONE | K_LABELS | K_ID | K_TIMESTAMP;

function writeIndependent(out: TextBuffer, flow: FlowRef, known: number, options: FormatOptions): void {
  const words = flow.words;
  const row = flow.at;
  const hasTimeout = options.timeout === true && (known & K_TIMEOUT) !== 0;
  const hasUse = options.use === true && (known & K_USE) !== 0;
  const isOpen = (known & INDEPENDENT) !== 0 || hasTimeout || hasUse;
  if (isOpen) out.literal(META_INDEPENDENT);
  if ((known & K_STATE) !== 0) writeState(out, words[row + KIND]!);
  if (hasTimeout) TIMEOUT_ELEMENT.write(out, words[row + TIMEOUT]!);
  if ((known & K_MARK) !== 0) MARK_ELEMENT.write(out, words[row + MARK]!);
  if (options.labels !== undefined && (known & K_LABELS) !== 0) writeLabels(out, flow, options.labels);
  if ((known & K_SECCTX) !== 0 && flow.secctx !== '') writeContext(out, flow.secctx);
  if ((known & K_ZONE) !== 0) ZONE_ELEMENT.write(out, words[row + ZONE]! & 0xffff);
  if (hasUse) USE_ELEMENT.write(out, words[row + USE]!);
  if ((known & K_ID) !== 0) ID_ELEMENT.write(out, words[row + ID]!);
  if ((known & K_STATUS) !== 0) writeStatus(out, words[row + STATUS]!);
  if ((known & K_TIMESTAMP) !== 0) DELTA_TIME_ELEMENT.write(out, elapsed(flow, options.nowSeconds ?? 0));
  if (isOpen) out.literal(META_END);
}

/** `<state>NAME</state>` for each state of each protocol that has any; index = protocol number. */
const STATES: readonly (readonly Literal[])[] = Array.from({ length: 256 }, (_, protocol) =>
  stateName(protocol, 0) === ''
    ? []
    : Array.from({ length: 256 }, (_unused, state) => ascii(`<state>${stateName(protocol, state)}</state>`)),
);

function writeState(out: TextBuffer, kind: number): void {
  const element = STATES[protocolOf(kind)]![stateOf(kind)];
  if (element !== undefined) out.literal(element);
}

function writeStatus(out: TextBuffer, status: number): void {
  if ((status & IPS_ASSURED) !== 0) out.literal(ASSURED);
  if ((status & IPS_SEEN_REPLY) === 0) out.literal(UNREPLIED);
}

/** Contexts are the kernel's own words, but nothing says they hold no markup: the original does not look. */
function writeContext(out: TextBuffer, context: string): void {
  const escaped = context.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  out.text(`<secctx>${escaped}</secctx>`);
}

function writeLabels(out: TextBuffer, flow: FlowRef, names: ReadonlyMap<number, string>): void {
  const found = labelNames(flow, names);
  if (found.length === 0) return;
  out.text(`<labels>${found.map((name) => `<label>${name}</label>`).join('')}</labels>`);
}

/** Whole seconds of the difference once the flow has a stop; before, those of the clock. */
function elapsed(flow: FlowRef, nowSeconds: number): number {
  const age = ageInSeconds(flow, nowSeconds);
  if (!isStopped(flow)) return age;
  return secondsOf(flow, ASIDE_STOP) === secondsOf(flow, ASIDE_START) ||
    nanosecondsOf(flow, ASIDE_STOP) >= nanosecondsOf(flow, ASIDE_START)
    ? age
    : age - 1;
}
