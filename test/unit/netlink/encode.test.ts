import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import {
  ASIDE_LABELS,
  ASIDE_WORDS,
  IPPROTO_DCCP,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  K_DCCP_ROLE,
  K_HELPER,
  K_LABELS,
  K_ORIG,
  K_ORIG_L4,
  K_SPAT,
  K_STATUS,
  K_TIMEOUT,
  K_VTAG_ORIG,
  KIND,
  KNOWN,
  kindOf,
  REPLY_L4,
  ROW_WORDS,
  VTAG_ORIG,
} from '../../../src/flow/layout.js';
import { FlowPointer } from '../../../src/flow/ref.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { decodeFlow } from '../../../src/netlink/decode.js';
import {
  encodeCreate,
  encodeDelete,
  encodeUpdate,
  MAX_REQUEST_BYTES,
  type RequestOptions,
  TIMEOUT_AS_KNOWN,
} from '../../../src/netlink/encode.js';
import { readTree, type Tree, writeTree } from '../../support/netlink-tree.js';

const OPTIONS: RequestOptions = { sequence: 0, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: false };

/** A flow with attributes of the row and of the aside record. */
function someFlow(labels = '00'.repeat(15).concat('80')): FlowScratch {
  const tree: Tree = {
    CTA_TUPLE_ORIG: {
      CTA_TUPLE_IP: { CTA_IP_V4_SRC: 'ac1e1001', CTA_IP_V4_DST: 'ac1e1002' },
      CTA_TUPLE_PROTO: { CTA_PROTO_NUM: 6, CTA_PROTO_SRC_PORT: 40001, CTA_PROTO_DST_PORT: 80 },
    },
    CTA_STATUS: 0x13f,
    CTA_TIMEOUT: 100,
    CTA_PROTOINFO: { CTA_PROTOINFO_TCP: { CTA_PROTOINFO_TCP_STATE: 3 } },
    CTA_HELP: { CTA_HELP_NAME: 'ftp' },
    CTA_LABELS: labels,
  };
  const message = writeTree(tree, { type: 0x100, flags: 0, family: 2 });
  const flow = new FlowScratch();
  if (!decodeFlow(Views.of(message), 0, message.length, flow)) throw new Error('the test is wrong');
  return flow;
}

function request(encode: typeof encodeCreate, flow: Parameters<typeof encodeCreate>[2], options = OPTIONS): Buffer {
  const out = new Views(MAX_REQUEST_BYTES);
  return Buffer.from(out.u8.subarray(0, encode(out, 0, flow, options)));
}

it.each([
  ['create', encodeCreate],
  ['update', encodeUpdate],
  ['delete', encodeDelete],
])('%s is the same for a row anywhere in a table', (_name, encode) => {
  const flow = someFlow();
  const row = new FlowPointer();
  row.words = new Uint32Array(3 * ROW_WORDS).fill(0xffffffff);
  row.words.set(flow.words, ROW_WORDS);
  row.at = ROW_WORDS;
  row.aside = new Uint32Array(4 * ASIDE_WORDS).fill(0xffffffff);
  row.aside.set(flow.aside, 2 * ASIDE_WORDS);
  row.asideAt = 2 * ASIDE_WORDS;
  expect(request(encode, row)).toEqual(request(encode, flow));
});

it('asks for an acknowledgement on demand', () => {
  expect(request(encodeCreate, someFlow(), { ...OPTIONS, ack: true }).readUInt16LE(6)).toBe(0x605);
  expect(request(encodeCreate, someFlow()).readUInt16LE(6)).toBe(0x601);
  expect(request(encodeDelete, someFlow()).readUInt16LE(6)).toBe(0x001);
});

it('keeps the bits of the status that the request may carry', () => {
  const status = (encode: typeof encodeCreate) => readTree(request(encode, someFlow())).CTA_STATUS;
  expect(status(encodeCreate)).toBe(0x13e); // without IPS_EXPECTED
  expect(status(encodeUpdate)).toBe(0x10f); // without IPS_SRC_NAT and IPS_DST_NAT
  expect(status(encodeDelete)).toBe(0x13f);
});

it('leaves attributes out on demand', () => {
  const without = K_LABELS | K_STATUS | K_TIMEOUT | K_HELPER;
  const tree = readTree(request(encodeCreate, someFlow(), { ...OPTIONS, without }));
  expect(Object.keys(tree)).toEqual(['CTA_TUPLE_ORIG', 'CTA_TUPLE_REPLY', 'CTA_PROTOINFO']);
});

describe('labels', () => {
  it('are the bitmap of the kernel', () => {
    const flow = someFlow();
    expect(flow.aside[ASIDE_LABELS + 3]).toBe(0x80000000);
    expect(readTree(request(encodeCreate, flow)).CTA_LABELS).toBe('00'.repeat(15).concat('80'));
  });

  it('are told when none is set, too', () => {
    expect(readTree(request(encodeUpdate, someFlow('00'.repeat(16)))).CTA_LABELS).toBe('00'.repeat(16));
  });
});

describe('protocol information', () => {
  const peer = (protocol: number, known: number): FlowScratch => {
    const flow = someFlow();
    flow.words[KIND] = kindOf(2, protocol, 3, 1);
    flow.words[KNOWN] = K_ORIG | K_ORIG_L4 | known;
    flow.words[VTAG_ORIG] = 0x44332211;
    flow.words[REPLY_L4] = 0x3412 << 16;
    return flow;
  };
  const tree = (flow: FlowScratch) => readTree(request(encodeCreate, flow));

  it('of TCP is liberal without state, unless windows are tracked', () => {
    const flow = peer(IPPROTO_TCP, 0);
    expect(tree(flow).CTA_PROTOINFO).toEqual({
      CTA_PROTOINFO_TCP: { CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: 8, CTA_PROTOINFO_TCP_FLAGS_REPLY: 8 },
    });
    expect(readTree(request(encodeCreate, flow, { ...OPTIONS, windowTracking: true })).CTA_PROTOINFO).toBeUndefined();
  });

  it('of SCTP and DCCP leaves out a state that is not known', () => {
    expect(tree(peer(IPPROTO_SCTP, K_VTAG_ORIG)).CTA_PROTOINFO).toEqual({
      CTA_PROTOINFO_SCTP: { CTA_PROTOINFO_SCTP_VTAG_ORIGINAL: 0x11223344 },
    });
    expect(tree(peer(IPPROTO_DCCP, K_DCCP_ROLE)).CTA_PROTOINFO).toEqual({
      CTA_PROTOINFO_DCCP: { CTA_PROTOINFO_DCCP_ROLE: 1 },
    });
    expect(tree(peer(IPPROTO_SCTP, 0)).CTA_PROTOINFO).toBeUndefined();
    expect(tree(peer(IPPROTO_DCCP, 0)).CTA_PROTOINFO).toBeUndefined();
  });

  it('does not make the translated port of SCTP get lost', () => {
    expect(tree(peer(IPPROTO_SCTP, K_SPAT)).CTA_NAT_SRC).toEqual({
      CTA_NAT_PROTO: { CTA_PROTONAT_PORT_MIN: 0x1234, CTA_PROTONAT_PORT_MAX: 0x1234 },
    });
  });
});
