import {
  AF_INET,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SEQ_REPLY,
  ASIDE_START,
  ASIDE_STOP,
  ASIDE_SYNPROXY,
  familyOf,
  ID,
  IPPROTO_DCCP,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  K_DCCP_ROLE,
  K_HELPER,
  K_ID,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
  K_SECCTX,
  K_SEQ_ADJ,
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
  USE,
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE,
  ZONE_DIR,
} from '../../src/flow/layout.js';
import type { FlowScratch } from '../../src/flow/scratch.js';
import { type AttributeContent, FLOW_ATTRIBUTES, type Nest } from '../../src/netlink/constants.js';

/**
 * A second, slow ctnetlink codec, driven by the attribute table alone and sharing no code with the fast one: bytes to
 * a tree of named attributes and back, and a flow in a scratch to the tree that the kernel would send of it.
 */
export interface Tree {
  [name: string]: TreeValue;
}
export type TreeValue = number | bigint | string | Tree;

/** Attributes of a flow message, by their kernel names; those the table does not have are left out. */
export function readTree(message: Buffer): Tree {
  return readNest(message.subarray(20, message.readUInt32LE(0)), FLOW_ATTRIBUTES);
}

function readNest(bytes: Buffer, nest: Nest): Tree {
  const tree: Tree = {};
  for (let p = 0; p + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(p);
    const number = bytes.readUInt16LE(p + 2) & 0x3fff;
    const entry = Object.entries(nest).find(([, attribute]) => attribute.number === number);
    if (entry !== undefined) tree[entry[0]] = readValue(bytes.subarray(p + 4, p + length), entry[1].content);
    p += Math.ceil(length / 4) * 4;
  }
  return tree;
}

function readValue(payload: Buffer, content: AttributeContent): TreeValue {
  if (typeof content !== 'string') return readNest(payload, content);
  switch (content) {
    case 'u8':
      return payload.readUInt8(0);
    case 'flags':
      return payload.readUInt8(0);
    case 'be16':
      return payload.readUInt16BE(0);
    case 'be32':
      return payload.readUInt32BE(0);
    case 'be64':
      return payload.readBigUInt64BE(0);
    case 'string':
      return payload.toString('latin1').replace(/\0.*$/s, '');
    default:
      return payload.toString('hex');
  }
}

/** A flow message with these attributes, as the kernel would send it. */
export function writeTree(
  tree: Tree,
  header: { type: number; flags: number; family: number; portId?: number },
): Buffer {
  const body = writeNest(tree, FLOW_ATTRIBUTES);
  const head = Buffer.alloc(20);
  head.writeUInt32LE(20 + body.length, 0);
  head.writeUInt16LE(header.type, 4);
  head.writeUInt16LE(header.flags, 6);
  head.writeUInt32LE(header.portId ?? 0, 12);
  head.writeUInt8(header.family, 16);
  return Buffer.concat([head, body]);
}

function writeNest(tree: Tree, nest: Nest): Buffer {
  return Buffer.concat(
    Object.entries(tree).map(([name, value]) => {
      const attribute = nest[name];
      if (attribute === undefined) throw new Error(`no attribute ${name}`);
      const payload = writeValue(value, attribute.content);
      const nested = typeof attribute.content === 'string' ? 0 : 0x8000;
      const bytes = Buffer.alloc(4 + Math.ceil(payload.length / 4) * 4);
      bytes.writeUInt16LE(4 + payload.length, 0);
      bytes.writeUInt16LE(attribute.number | nested, 2);
      payload.copy(bytes, 4);
      return bytes;
    }),
  );
}

function writeValue(value: TreeValue, content: AttributeContent): Buffer {
  if (typeof value === 'object') return writeNest(value, content as Nest);
  if (typeof value === 'string')
    return Buffer.from(content === 'string' ? `${value}\0` : value, content === 'string' ? 'latin1' : 'hex');
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  if (content === 'flags') return Buffer.from([Number(value), 0]);
  return bytes.subarray({ u8: 7, be16: 6, be32: 4, be64: 0 }[content as string]);
}

/** A whole event of the kernel about the flow: NEW (0x600), update (0) or, with type 2, DESTROY. */
export function kernelMessage(flow: FlowScratch, type = 0x100, flags = 0, portId = 0): Buffer {
  return writeTree(treeOf(flow), { type, flags, family: familyOf(flow.words[KIND]!), portId });
}

/** The tree of a flow as decoded: what the kernel reports of it. */
export function treeOf(flow: FlowScratch): Tree {
  const { words, aside } = flow;
  const knows = (bit: number): boolean => (words[KNOWN]! & bit) !== 0;
  const kind = words[KIND]!;
  const numbers = (names: readonly string[], values: ArrayLike<number>): Tree =>
    Object.fromEntries(names.map((name, index) => [name, values[index]!]));
  const tree: Tree = {};
  tree.CTA_TUPLE_ORIG = tupleTree(words, kind, ORIG_SRC, ORIG_DST, knows(K_ORIG_L4) ? ORIG_L4 : -1);
  if (knows(K_ZONE_ORIG)) tree.CTA_TUPLE_ORIG.CTA_TUPLE_ZONE = words[ZONE_DIR]! & 0xffff;
  if (knows(K_REPLY)) {
    tree.CTA_TUPLE_REPLY = tupleTree(words, kind, REPLY_SRC, REPLY_DST, knows(K_REPLY_L4) ? REPLY_L4 : -1);
    if (knows(K_ZONE_REPLY)) tree.CTA_TUPLE_REPLY.CTA_TUPLE_ZONE = words[ZONE_DIR]! >>> 16;
  }
  if (knows(K_ID)) tree.CTA_ID = words[ID]!;
  if (knows(K_STATUS)) tree.CTA_STATUS = words[STATUS]!;
  if (knows(K_TIMEOUT)) tree.CTA_TIMEOUT = words[TIMEOUT]!;
  if (knows(K_MARK)) tree.CTA_MARK = words[MARK]!;
  if (knows(K_ZONE)) tree.CTA_ZONE = words[ZONE]!;
  if (knows(K_USE)) tree.CTA_USE = words[USE]!;
  const info = protocolTree(words, knows);
  if (info !== null) tree.CTA_PROTOINFO = info;
  if (flow.hasCounters) {
    const names = ['CTA_COUNTERS_PACKETS', 'CTA_COUNTERS_BYTES'];
    const counters = Array.from(flow.counters, BigInt);
    tree.CTA_COUNTERS_ORIG = { [names[0]!]: counters[0]!, [names[1]!]: counters[1]! };
    tree.CTA_COUNTERS_REPLY = { [names[0]!]: counters[2]!, [names[1]!]: counters[3]! };
  }
  if (knows(K_TIMESTAMP)) {
    tree.CTA_TIMESTAMP = { CTA_TIMESTAMP_START: pair(aside, ASIDE_START) };
    if (pair(aside, ASIDE_STOP) !== 0n) tree.CTA_TIMESTAMP.CTA_TIMESTAMP_STOP = pair(aside, ASIDE_STOP);
  }
  if (knows(K_MASTER)) {
    const l4At = knows(K_MASTER_L4) ? ASIDE_MASTER_L4 : -1;
    tree.CTA_TUPLE_MASTER = tupleTree(aside, aside[ASIDE_MASTER_KIND]!, ASIDE_MASTER_SRC, ASIDE_MASTER_DST, l4At);
  }
  if (knows(K_HELPER)) tree.CTA_HELP = { CTA_HELP_NAME: helperName(aside) };
  if (knows(K_LABELS)) tree.CTA_LABELS = hexOf(aside, ASIDE_LABELS, 4);
  if (knows(K_SEQ_ADJ)) {
    const names = ['CTA_SEQADJ_CORRECTION_POS', 'CTA_SEQADJ_OFFSET_BEFORE', 'CTA_SEQADJ_OFFSET_AFTER'];
    tree.CTA_SEQ_ADJ_ORIG = numbers(names, aside.subarray(ASIDE_SEQ_ORIG));
    tree.CTA_SEQ_ADJ_REPLY = numbers(names, aside.subarray(ASIDE_SEQ_REPLY));
  }
  if (knows(K_SYNPROXY)) {
    const names = ['CTA_SYNPROXY_ISN', 'CTA_SYNPROXY_ITS', 'CTA_SYNPROXY_TSOFF'];
    tree.CTA_SYNPROXY = numbers(names, aside.subarray(ASIDE_SYNPROXY));
  }
  if (knows(K_SECCTX)) tree.CTA_SECCTX = { CTA_SECCTX_NAME: flow.secctx };
  return tree;
}

function tupleTree(words: Uint32Array, kind: number, sourceAt: number, destinationAt: number, l4At: number): Tree {
  const four = familyOf(kind) === AF_INET;
  const protocol: Tree = { CTA_PROTO_NUM: protocolOf(kind) };
  if (l4At >= 0) {
    const l4 = Buffer.from(words.slice(l4At, l4At + 1).buffer);
    const name = { [IPPROTO_ICMP]: 'ICMP', [IPPROTO_ICMPV6]: 'ICMPV6' }[protocolOf(kind)];
    if (name === undefined) {
      protocol.CTA_PROTO_SRC_PORT = l4.readUInt16BE(0);
      protocol.CTA_PROTO_DST_PORT = l4.readUInt16BE(2);
    } else {
      protocol[`CTA_PROTO_${name}_ID`] = l4.readUInt16BE(0);
      protocol[`CTA_PROTO_${name}_TYPE`] = l4.readUInt8(2);
      protocol[`CTA_PROTO_${name}_CODE`] = l4.readUInt8(3);
    }
  }
  return {
    CTA_TUPLE_IP: {
      [four ? 'CTA_IP_V4_SRC' : 'CTA_IP_V6_SRC']: hexOf(words, sourceAt, four ? 1 : 4),
      [four ? 'CTA_IP_V4_DST' : 'CTA_IP_V6_DST']: hexOf(words, destinationAt, four ? 1 : 4),
    },
    CTA_TUPLE_PROTO: protocol,
  };
}

function protocolTree(words: Uint32Array, knows: (bit: number) => boolean): Tree | null {
  const kind = words[KIND]!;
  const window = Buffer.from(words.slice(TCP_WINDOW, TCP_WINDOW + 1).buffer);
  const tree: Tree = {};
  const add = (bit: number, name: string, value: number): void => {
    if (knows(bit)) tree[name] = value;
  };
  switch (protocolOf(kind)) {
    case IPPROTO_TCP:
      add(K_STATE, 'CTA_PROTOINFO_TCP_STATE', stateOf(kind));
      add(K_WSCALE_ORIG, 'CTA_PROTOINFO_TCP_WSCALE_ORIGINAL', window[0]!);
      add(K_WSCALE_REPLY, 'CTA_PROTOINFO_TCP_WSCALE_REPLY', window[1]!);
      add(K_TCP_FLAGS_ORIG, 'CTA_PROTOINFO_TCP_FLAGS_ORIGINAL', window[2]!);
      add(K_TCP_FLAGS_REPLY, 'CTA_PROTOINFO_TCP_FLAGS_REPLY', window[3]!);
      return Object.keys(tree).length > 0 ? { CTA_PROTOINFO_TCP: tree } : null;
    case IPPROTO_SCTP:
      add(K_STATE, 'CTA_PROTOINFO_SCTP_STATE', stateOf(kind));
      add(K_VTAG_ORIG, 'CTA_PROTOINFO_SCTP_VTAG_ORIGINAL', bigEndian(words[VTAG_ORIG]!));
      add(K_VTAG_REPLY, 'CTA_PROTOINFO_SCTP_VTAG_REPLY', bigEndian(words[VTAG_REPLY]!));
      return Object.keys(tree).length > 0 ? { CTA_PROTOINFO_SCTP: tree } : null;
    case IPPROTO_DCCP:
      add(K_STATE, 'CTA_PROTOINFO_DCCP_STATE', stateOf(kind));
      add(K_DCCP_ROLE, 'CTA_PROTOINFO_DCCP_ROLE', kind >>> 24);
      return Object.keys(tree).length > 0 ? { CTA_PROTOINFO_DCCP: tree } : null;
    default:
      return null;
  }
}

function bigEndian(raw: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(raw);
  return bytes.readUInt32BE();
}

function hexOf(words: Uint32Array, at: number, count: number): string {
  return Buffer.from(words.slice(at, at + count).buffer).toString('hex');
}

function helperName(aside: Uint32Array): string {
  const bytes = Buffer.from(aside.slice(ASIDE_HELPER, ASIDE_HELPER + 4).buffer);
  return bytes.toString('latin1').replace(/\0.*$/s, '');
}

function pair(words: Uint32Array, at: number): bigint {
  return (BigInt(words[at]!) << 32n) | BigInt(words[at + 1]!);
}
