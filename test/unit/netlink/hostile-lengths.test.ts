import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { type AttributeContent, FLOW_ATTRIBUTES, type Nest } from '../../../src/netlink/constants.js';
import { decodeFlow } from '../../../src/netlink/decode.js';
import { type Tree, writeTree } from '../../support/netlink-tree.js';

const four: Tree = { CTA_IP_V4_SRC: 'ac1e1001', CTA_IP_V4_DST: 'ac1e1002' };
const six: Tree = { CTA_IP_V6_SRC: `fd${'00'.repeat(14)}01`, CTA_IP_V6_DST: `fd${'00'.repeat(14)}02` };
const adjustment: Tree = { CTA_SEQADJ_CORRECTION_POS: 1, CTA_SEQADJ_OFFSET_BEFORE: 2, CTA_SEQADJ_OFFSET_AFTER: 3 };
const counters: Tree = { CTA_COUNTERS_PACKETS: 4n, CTA_COUNTERS_BYTES: 5n };

/** A message with every attribute that a flow of this protocol can have. */
function fullMessage(addresses: Tree, protocol: Tree, info: Tree): Buffer {
  const tuple: Tree = { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: protocol, CTA_TUPLE_ZONE: 3 };
  const tree: Tree = {
    CTA_TUPLE_ORIG: tuple,
    CTA_TUPLE_REPLY: tuple,
    CTA_STATUS: 6,
    CTA_PROTOINFO: info,
    CTA_HELP: { CTA_HELP_NAME: 'ftp' },
    CTA_TIMEOUT: 7,
    CTA_MARK: 8,
    CTA_COUNTERS_ORIG: counters,
    CTA_COUNTERS_REPLY: counters,
    CTA_USE: 9,
    CTA_ID: 10,
    CTA_TUPLE_MASTER: tuple,
    CTA_SEQ_ADJ_ORIG: adjustment,
    CTA_SEQ_ADJ_REPLY: adjustment,
    CTA_SECMARK: 11,
    CTA_ZONE: 12,
    CTA_SECCTX: { CTA_SECCTX_NAME: 'context' },
    CTA_TIMESTAMP: { CTA_TIMESTAMP_START: 13n, CTA_TIMESTAMP_STOP: 14n },
    CTA_LABELS: '01'.repeat(16),
    CTA_SYNPROXY: { CTA_SYNPROXY_ISN: 15, CTA_SYNPROXY_ITS: 16, CTA_SYNPROXY_TSOFF: 17 },
  };
  return writeTree(tree, { type: 0x100, flags: 0, family: 2 });
}

const messages: Record<string, Buffer> = {
  TCP: fullMessage(
    four,
    { CTA_PROTO_NUM: 6, CTA_PROTO_SRC_PORT: 1, CTA_PROTO_DST_PORT: 2 },
    {
      CTA_PROTOINFO_TCP: {
        CTA_PROTOINFO_TCP_STATE: 3,
        CTA_PROTOINFO_TCP_WSCALE_ORIGINAL: 7,
        CTA_PROTOINFO_TCP_WSCALE_REPLY: 8,
        CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: 3,
        CTA_PROTOINFO_TCP_FLAGS_REPLY: 3,
      },
    },
  ),
  SCTP: fullMessage(
    six,
    { CTA_PROTO_NUM: 132, CTA_PROTO_SRC_PORT: 1, CTA_PROTO_DST_PORT: 2 },
    {
      CTA_PROTOINFO_SCTP: {
        CTA_PROTOINFO_SCTP_STATE: 3,
        CTA_PROTOINFO_SCTP_VTAG_ORIGINAL: 18,
        CTA_PROTOINFO_SCTP_VTAG_REPLY: 19,
      },
    },
  ),
  DCCP: fullMessage(
    four,
    { CTA_PROTO_NUM: 33, CTA_PROTO_SRC_PORT: 1, CTA_PROTO_DST_PORT: 2 },
    // 4: taken for a header, the payload is a whole attribute
    { CTA_PROTOINFO_DCCP: { CTA_PROTOINFO_DCCP_STATE: 4, CTA_PROTOINFO_DCCP_ROLE: 4 } },
  ),
  ICMP: fullMessage(
    four,
    { CTA_PROTO_NUM: 1, CTA_PROTO_ICMP_ID: 1, CTA_PROTO_ICMP_TYPE: 8, CTA_PROTO_ICMP_CODE: 0 },
    {},
  ),
  ICMPv6: fullMessage(
    six,
    { CTA_PROTO_NUM: 58, CTA_PROTO_ICMPV6_ID: 1, CTA_PROTO_ICMPV6_TYPE: 128, CTA_PROTO_ICMPV6_CODE: 0 },
    {},
  ),
};

interface Place {
  readonly path: string;
  readonly at: number;
  readonly length: number;
  /** Where the nest that holds the attribute ends. */
  readonly nestEnd: number;
  readonly content: AttributeContent;
}

/** Every attribute of the message, those in nests included. */
function placesOf(message: Buffer): Place[] {
  const places: Place[] = [];
  const walk = (from: number, nestEnd: number, nest: Nest, path: string): void => {
    for (let at = from; at + 4 <= nestEnd; at += Math.ceil(message.readUInt16LE(at) / 4) * 4) {
      const length = message.readUInt16LE(at);
      const number = message.readUInt16LE(at + 2) & 0x3fff;
      const [name, { content }] = Object.entries(nest).find(([, attribute]) => attribute.number === number)!;
      places.push({ path: `${path}${name}`, at, length, nestEnd, content });
      if (typeof content !== 'string') walk(at + 4, at + length, content, `${path}${name}.`);
    }
  };
  walk(20, message.length, FLOW_ATTRIBUTES, '');
  return places;
}

/** Bytes without which the attribute means nothing. */
const LEAST: Record<string, number> = { u8: 1, flags: 1, be16: 2, be32: 4, be64: 8, ipv4: 4, ipv6: 16 };

function decodes(message: Buffer): boolean {
  return decodeFlow(Views.of(message), 0, message.length, new FlowScratch());
}

function withLength(message: Buffer, at: number, length: number): Buffer {
  const changed = Buffer.from(message);
  changed.writeUInt16LE(length, at);
  return changed;
}

describe.each(Object.entries(messages))('%s', (_protocol, message) => {
  const places = placesOf(message);

  it('is fine as it is, with all that the table has for it', () => {
    expect(decodes(message)).toBe(true);
    expect(places.length).toBeGreaterThan(55);
  });

  it.each(places)('$path: a length below the header is malformed', ({ at }) => {
    for (const length of [0, 1, 2, 3]) expect(decodes(withLength(message, at, length))).toBe(false);
  });

  it.each(places)('$path: an attribute nobody knows, of no length, is malformed and ends the walk', ({ at }) => {
    const changed = withLength(message, at, 0);
    changed.writeUInt16LE(0x3ff0, at + 2);
    expect(decodes(changed)).toBe(false);
  });

  it.each(places)('$path: a length beyond its nest is malformed', ({ at, nestEnd }) => {
    for (const length of [nestEnd - at + 1, nestEnd - at + 4, 0xffff]) {
      expect(decodes(withLength(message, at, length))).toBe(false);
    }
  });

  const sized = places.filter(({ content }) => typeof content === 'string' && LEAST[content] !== undefined);
  it.each(sized)('$path: a payload that is too short is malformed', ({ at, content }) => {
    for (let length = 4; length < 4 + LEAST[content as string]!; length++) {
      expect(decodes(withLength(message, at, length))).toBe(false);
    }
  });
});

it('CTA_LABELS that are no whole words are malformed', () => {
  const message = messages.TCP!;
  const { at } = placesOf(message).find(({ path }) => path === 'CTA_LABELS')!;
  for (const length of [17, 18, 19]) expect(decodes(withLength(message, at, length))).toBe(false);
});

it('a protocol without its byte is malformed, also at the end of the message', () => {
  const tuple: Tree = { CTA_TUPLE_IP: four, CTA_TUPLE_PROTO: { CTA_PROTO_NUM: 6 } };
  const message = writeTree({ CTA_TUPLE_ORIG: tuple }, { type: 0x100, flags: 0, family: 2 });
  expect(decodes(message)).toBe(true);
  const shorter = Buffer.from(message.subarray(0, message.length - 4));
  for (const { at, length } of placesOf(message)) {
    if (at + length === message.length) shorter.writeUInt16LE(length - 4, at); // the nests
    if (at === message.length - 8) shorter.writeUInt16LE(4, at); // the protocol
  }
  shorter.writeUInt32LE(shorter.length, 0);
  expect(decodeFlow(Views.of(Buffer.concat([shorter, Buffer.from([6])])), 0, shorter.length, new FlowScratch())).toBe(
    false,
  );
});

it('a second address nest in a tuple is malformed', () => {
  const message = messages.SCTP!;
  const changed = Buffer.from(message);
  const zone = placesOf(message).find(({ path }) => path === 'CTA_TUPLE_ORIG.CTA_TUPLE_ZONE')!;
  changed.writeUInt16LE(1, zone.at + 2); // CTA_TUPLE_IP in place of CTA_TUPLE_ZONE
  expect(decodes(changed)).toBe(false);
});
