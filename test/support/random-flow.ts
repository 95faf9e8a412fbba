import fc from 'fast-check';
import {
  AF_INET,
  AF_INET6,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_START,
  ASIDE_SYNPROXY,
  ID,
  IPPROTO_DCCP,
  IPPROTO_GRE,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  K_DCCP_ROLE,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_ID,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
  K_SECCTX,
  K_SEQ_ADJ,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_SYNPROXY,
  K_TCP_FLAGS_ORIG,
  K_TCP_FLAGS_REPLY,
  K_TIMEOUT,
  K_TIMESTAMP,
  K_USE,
  K_VTAG_ORIG,
  K_VTAG_REPLY,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  K_ZONE,
  K_ZONE_ORIG,
  K_ZONE_REPLY,
  KIND,
  KNOWN,
  kindOf,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TCP_WINDOW,
  TIMEOUT,
  USE,
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE,
  ZONE_DIR,
} from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';

/** Where the flow is supposed to come from: that decides how it says NAT, and which attributes it can have at all. */
export interface RandomFlowOptions {
  /** `kernel`: reply tuple, id, use, counters, time stamps. `peer`: K_SNAT and friends instead of a reply tuple. */
  readonly source?: 'kernel' | 'peer';
  /** Layer 4 protocols to draw from. */
  readonly protocols?: readonly number[];
}

const PROTOCOLS = [
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_DCCP,
  IPPROTO_GRE,
  IPPROTO_UDPLITE,
  50, // ESP: a protocol without ports
  253, // RFC 3692: for experiments
];

const word = fc.integer({ min: 0, max: 0xffffffff });
const short = fc.integer({ min: 0, max: 0xffff });
const byte = fc.integer({ min: 0, max: 0xff });
/** Four words of an address; IPv4 takes the first. */
const address = fc.tuple(word, word, word, word);
/** Words that are zero half of the time, as rare attributes are. */
const rare = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 2 });
/** ICMP types that have an inverse (linux/icmp.h, linux/icmpv6.h): request, reply. */
const icmpTypes = fc.constantFrom([8, 0], [13, 14], [15, 16], [17, 18]);
const icmpv6Types = fc.constantFrom([128, 129]);

function drawnFields(options: RandomFlowOptions) {
  return fc.record({
    family: fc.constantFrom(AF_INET, AF_INET6),
    protocol: fc.constantFrom(...(options.protocols ?? PROTOCOLS)),
    source: address,
    destination: address,
    sourcePort: short,
    destinationPort: short,
    icmp: icmpTypes,
    icmpv6: icmpv6Types,
    status: rare(fc.integer({ min: 0, max: 0xffff })),
    timeout: rare(word),
    mark: rare(word),
    zone: rare(fc.integer({ min: 1, max: 0xffff })),
    zoneDirections: fc.tuple(rare(fc.integer({ min: 1, max: 0xffff })), rare(fc.integer({ min: 1, max: 0xffff }))),
    state: rare(fc.integer({ min: 0, max: 9 })),
    window: fc.tuple(rare(byte), rare(byte), rare(byte), rare(byte)),
    tags: fc.tuple(rare(word), rare(word)),
    role: rare(fc.integer({ min: 0, max: 1 })),
    natSource: rare(address),
    natDestination: rare(address),
    natSourcePort: rare(short),
    natDestinationPort: rare(short),
    id: rare(word),
    use: rare(word),
    helper: rare(fc.constantFrom('ftp', 'tftp', 'sip-20000', 'abcdefghijklmno')),
    master: rare(
      fc.record({ protocol: fc.constantFrom(IPPROTO_TCP, IPPROTO_UDP), from: address, to: address, l4: word }),
    ),
    labels: rare(fc.tuple(word, word, word, word)),
    sequenceAdjustment: rare(fc.tuple(word, word, word, word, word, word)),
    synproxy: rare(fc.tuple(word, word, word)),
    timestamp: rare(fc.tuple(word, word, word, word)),
    secctx: rare(fc.constantFrom('system_u:object_r:unlabeled_t:s0', 'x')),
    counters: rare(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat())),
  });
}

type Drawn = ReturnType<typeof drawnFields> extends fc.Arbitrary<infer T> ? T : never;

/** Arbitrary of a flow of any protocol and either family, with any mix of the optional attributes. */
export function randomFlow(options: RandomFlowOptions = {}): fc.Arbitrary<FlowScratch> {
  const build = options.source === 'peer' ? peerFlow : kernelFlow;
  return drawnFields(options).map((drawn) => build(drawn));
}

function peerFlow(drawn: Drawn): FlowScratch {
  const flow = commonFlow(drawn);
  const { words } = flow;
  setAddress(flow, REPLY_DST, drawn.natSource, K_SNAT, drawn.family);
  setAddress(flow, REPLY_SRC, drawn.natDestination, K_DNAT, drawn.family);
  if (drawn.natDestinationPort !== null) learn(flow, K_DPAT, REPLY_L4, drawn.natDestinationPort);
  if (drawn.natSourcePort !== null) learn(flow, K_SPAT, REPLY_L4, words[REPLY_L4]! | (drawn.natSourcePort << 16));
  return flow;
}

function kernelFlow(drawn: Drawn): FlowScratch {
  const flow = commonFlow(drawn);
  const l4 = replyL4(drawn);
  setAddress(flow, REPLY_SRC, drawn.natDestination ?? drawn.destination, K_REPLY, drawn.family);
  setAddress(flow, REPLY_DST, drawn.natSource ?? drawn.source, K_REPLY, drawn.family);
  if (l4 !== null) learn(flow, K_REPLY_L4, REPLY_L4, l4);
  const [zoneOrig, zoneReply] = drawn.zoneDirections;
  // The kernel reports either one zone for both directions or one for a single direction.
  if (drawn.zone === null && zoneOrig !== null) learn(flow, K_ZONE_ORIG, ZONE_DIR, zoneOrig);
  else if (drawn.zone === null && zoneReply !== null) learn(flow, K_ZONE_REPLY, ZONE_DIR, zoneReply << 16);
  if (drawn.id !== null) learn(flow, K_ID, ID, drawn.id);
  if (drawn.use !== null) learn(flow, K_USE, USE, drawn.use);
  if (drawn.timestamp !== null) learnAside(flow, K_TIMESTAMP, ASIDE_START, drawn.timestamp);
  if (drawn.protocol === IPPROTO_TCP && drawn.state !== null) setTcpFlags(flow, drawn);
  if (drawn.secctx !== null) {
    know(flow, K_SECCTX);
    flow.secctx = drawn.secctx;
  }
  if (drawn.counters !== null) {
    flow.hasCounters = true;
    flow.counters.set(drawn.counters);
  }
  return flow;
}

function commonFlow(drawn: Drawn): FlowScratch {
  const flow = new FlowScratch();
  flow.words[KIND] = kindOf(drawn.family, drawn.protocol);
  setAddress(flow, ORIG_SRC, drawn.source, K_ORIG, drawn.family);
  setAddress(flow, ORIG_DST, drawn.destination, K_ORIG, drawn.family);
  const l4 = originalL4(drawn);
  if (l4 !== null) learn(flow, K_ORIG_L4, ORIG_L4, l4);
  if (drawn.status !== null) learn(flow, K_STATUS, STATUS, drawn.status);
  if (drawn.timeout !== null) learn(flow, K_TIMEOUT, TIMEOUT, drawn.timeout);
  if (drawn.mark !== null) learn(flow, K_MARK, MARK, drawn.mark);
  if (drawn.zone !== null) learn(flow, K_ZONE, ZONE, drawn.zone);
  if (drawn.state !== null) setProtocolState(flow, drawn, drawn.state);
  setAside(flow, drawn);
  return flow;
}

function setProtocolState(flow: FlowScratch, drawn: Drawn, state: number): void {
  const { words } = flow;
  if (![IPPROTO_TCP, IPPROTO_SCTP, IPPROTO_DCCP].includes(drawn.protocol)) return;
  learn(flow, K_STATE, KIND, kindOf(drawn.family, drawn.protocol, state));
  if (drawn.protocol === IPPROTO_TCP) {
    const [original, reply] = drawn.window;
    if (original !== null) learn(flow, K_WSCALE_ORIG, TCP_WINDOW, words[TCP_WINDOW]! | original);
    if (reply !== null) learn(flow, K_WSCALE_REPLY, TCP_WINDOW, words[TCP_WINDOW]! | (reply << 8));
  }
  if (drawn.protocol === IPPROTO_SCTP) {
    const [original, reply] = drawn.tags;
    if (original !== null) learn(flow, K_VTAG_ORIG, VTAG_ORIG, original);
    if (reply !== null) learn(flow, K_VTAG_REPLY, VTAG_REPLY, reply);
  }
  if (drawn.protocol === IPPROTO_DCCP && drawn.role !== null) {
    learn(flow, K_DCCP_ROLE, KIND, kindOf(drawn.family, drawn.protocol, state, drawn.role));
  }
}

function setTcpFlags(flow: FlowScratch, drawn: Drawn): void {
  const [, , original, reply] = drawn.window;
  const { words } = flow;
  if (original !== null) learn(flow, K_TCP_FLAGS_ORIG, TCP_WINDOW, words[TCP_WINDOW]! | (original << 16));
  if (reply !== null) learn(flow, K_TCP_FLAGS_REPLY, TCP_WINDOW, words[TCP_WINDOW]! | (reply << 24));
}

function setAside(flow: FlowScratch, drawn: Drawn): void {
  const { aside } = flow;
  if (drawn.helper !== null) {
    const bytes = new Uint8Array(16);
    new TextEncoder().encodeInto(drawn.helper, bytes);
    learnAside(flow, K_HELPER, ASIDE_HELPER, new Uint32Array(bytes.buffer));
  }
  if (drawn.labels !== null) learnAside(flow, K_LABELS, ASIDE_LABELS, drawn.labels);
  if (drawn.sequenceAdjustment !== null) learnAside(flow, K_SEQ_ADJ, ASIDE_SEQ_ORIG, drawn.sequenceAdjustment);
  if (drawn.synproxy !== null) learnAside(flow, K_SYNPROXY, ASIDE_SYNPROXY, drawn.synproxy);
  if (drawn.master !== null) {
    const length = addressWords(drawn.family);
    learnAside(flow, K_MASTER, ASIDE_MASTER_SRC, drawn.master.from.slice(0, length));
    learnAside(flow, K_MASTER, ASIDE_MASTER_DST, drawn.master.to.slice(0, length));
    learnAside(flow, K_MASTER_L4, ASIDE_MASTER_L4, [drawn.master.l4]);
    aside[ASIDE_MASTER_KIND] = kindOf(drawn.family, drawn.master.protocol);
  }
}

/** Word of the original's ports, keys or ICMP triple; null for protocols without. */
function originalL4(drawn: Drawn): number | null {
  switch (drawn.protocol) {
    case IPPROTO_ICMP:
      return drawn.sourcePort | (drawn.icmp[0]! << 16);
    case IPPROTO_ICMPV6:
      return drawn.sourcePort | (drawn.icmpv6[0]! << 16);
    case 50:
    case 253:
      return null;
    default:
      return drawn.sourcePort | (drawn.destinationPort << 16);
  }
}

function replyL4(drawn: Drawn): number | null {
  const identifier = drawn.natSourcePort ?? drawn.sourcePort;
  switch (drawn.protocol) {
    case IPPROTO_ICMP:
      return identifier | (drawn.icmp[1]! << 16);
    case IPPROTO_ICMPV6:
      return identifier | (drawn.icmpv6[1]! << 16);
    case 50:
    case 253:
      return null;
    default:
      return (drawn.natDestinationPort ?? drawn.destinationPort) | (identifier << 16);
  }
}

function addressWords(family: number): number {
  return family === AF_INET ? 1 : 4;
}

function setAddress(flow: FlowScratch, at: number, value: readonly number[] | null, bit: number, family: number): void {
  if (value === null) return;
  flow.words.set(value.slice(0, addressWords(family)), at);
  know(flow, bit);
}

function learn(flow: FlowScratch, bit: number, at: number, value: number): void {
  flow.words[at] = value;
  know(flow, bit);
}

function learnAside(flow: FlowScratch, bit: number, at: number, values: ArrayLike<number>): void {
  flow.aside.set(values, at);
  know(flow, bit);
}

function know(flow: FlowScratch, bit: number): void {
  flow.words[KNOWN] = flow.words[KNOWN]! | bit;
}
