import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import {
  ASIDE_LABELS,
  ASIDE_SECCTX,
  ASIDE_SEQ_ORIG,
  ASIDE_STOP,
  ASIDE_SYNPROXY,
  K_HELPER,
  K_LABELS,
  K_ORIG,
  K_ORIG_L4,
  K_REPLY,
  K_SECCTX,
  K_SEQ_ADJ,
  K_STATE,
  K_SYNPROXY,
  K_TIMESTAMP,
  KNOWN,
  ORIG_SRC,
  ZONE_DIR,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { decodeFlow } from '../../../src/netlink/decode.js';
import { readTree, type Tree, treeOf, writeTree } from '../../support/netlink-tree.js';

const HEADER = { type: 0x100, flags: 0, family: 2 };

const addresses: Tree = { CTA_IP_V4_SRC: 'ac1e1001', CTA_IP_V4_DST: 'ac1e1002' };
const six: Tree = { CTA_IP_V6_SRC: `fd${'00'.repeat(14)}01`, CTA_IP_V6_DST: `fd${'00'.repeat(14)}02` };
const ports: Tree = { CTA_PROTO_NUM: 6, CTA_PROTO_SRC_PORT: 40001, CTA_PROTO_DST_PORT: 80 };
const original: Tree = { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: ports };

function decode(message: Buffer): FlowScratch | null {
  const scratch = new FlowScratch();
  scratch.aside.fill(0xdeadbeef); // what an earlier flow left there
  scratch.counters.fill(4711);
  return decodeFlow(Views.of(message), 0, message.length, scratch) ? scratch : null;
}

function decodeTree(tree: Tree): FlowScratch | null {
  return decode(writeTree(tree, HEADER));
}

/** A message with an attribute that the table does not know, or of an impossible length. */
function withAttribute(tree: Tree, length: number, type: number, payload: Buffer): Buffer {
  const message = writeTree(tree, HEADER);
  const head = Buffer.alloc(4);
  head.writeUInt16LE(length, 0);
  head.writeUInt16LE(type, 2);
  const whole = Buffer.concat([message, head, payload]);
  whole.writeUInt32LE(whole.length, 0);
  return whole;
}

const knows = (flow: FlowScratch | null, bit: number): boolean => ((flow?.words[KNOWN] ?? 0) & bit) !== 0;

describe('a flow that lacks what identifies it is malformed', () => {
  it.each<[string, Tree]>([
    ['no original tuple', { CTA_STATUS: 0 }],
    ['an empty original tuple', { CTA_TUPLE_ORIG: {} }],
    ['no addresses', { CTA_TUPLE_ORIG: { CTA_TUPLE_PROTO: ports } }],
    ['no source', { CTA_TUPLE_ORIG: { CTA_TUPLE_IP: { CTA_IP_V4_DST: 'ac1e1002' }, CTA_TUPLE_PROTO: ports } }],
    [
      'one address of each family',
      {
        CTA_TUPLE_ORIG: {
          CTA_TUPLE_IP: { CTA_IP_V4_SRC: 'ac1e1002', CTA_IP_V6_DST: '00'.repeat(16) },
          CTA_TUPLE_PROTO: ports,
        },
      },
    ],
    ['both families', { CTA_TUPLE_ORIG: { CTA_TUPLE_IP: { ...addresses, ...six }, CTA_TUPLE_PROTO: ports } }],
    ['no protocol nest', { CTA_TUPLE_ORIG: { CTA_TUPLE_IP: addresses } }],
    [
      'no protocol',
      {
        CTA_TUPLE_ORIG: { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: { CTA_PROTO_SRC_PORT: 1, CTA_PROTO_DST_PORT: 2 } },
      },
    ],
    [
      'one port only',
      { CTA_TUPLE_ORIG: { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: { CTA_PROTO_NUM: 6, CTA_PROTO_SRC_PORT: 1 } } },
    ],
    [
      'ports and an ICMP type',
      { CTA_TUPLE_ORIG: { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: { ...ports, CTA_PROTO_ICMP_TYPE: 8 } } },
    ],
    [
      'a reply of another family',
      { CTA_TUPLE_ORIG: original, CTA_TUPLE_REPLY: { CTA_TUPLE_IP: six, CTA_TUPLE_PROTO: ports } },
    ],
    [
      'a reply of another protocol',
      {
        CTA_TUPLE_ORIG: original,
        CTA_TUPLE_REPLY: { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: { ...ports, CTA_PROTO_NUM: 17 } },
      },
    ],
    ['a master without addresses', { CTA_TUPLE_ORIG: original, CTA_TUPLE_MASTER: { CTA_TUPLE_PROTO: ports } }],
    [
      'a TCP state on a protocol that has none',
      {
        CTA_TUPLE_ORIG: { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: { ...ports, CTA_PROTO_NUM: 17 } },
        CTA_PROTOINFO: { CTA_PROTOINFO_TCP: { CTA_PROTOINFO_TCP_STATE: 3 } },
      },
    ],
  ])('%s', (_what, tree) => {
    expect(decodeTree(tree)).toBeNull();
  });

  it('two original tuples', () => {
    const [head, tuple] = [20, writeTree({ CTA_TUPLE_ORIG: original }, HEADER)];
    const twice = Buffer.concat([tuple, tuple.subarray(head)]);
    twice.writeUInt32LE(twice.length, 0);
    expect(decode(twice)).toBeNull();
  });
});

describe('an attribute that is too short or too long is malformed', () => {
  const needed: [name: string, type: number, least: number][] = [
    ['CTA_STATUS', 3, 4],
    ['CTA_TIMEOUT', 7, 4],
    ['CTA_MARK', 8, 4],
    ['CTA_USE', 11, 4],
    ['CTA_ID', 12, 4],
    ['CTA_SECMARK', 17, 4],
    ['CTA_ZONE', 18, 2],
  ];
  it.each(needed)('%s', (_name, type, least) => {
    const tree: Tree = { CTA_TUPLE_ORIG: original };
    expect(decode(withAttribute(tree, 4 + least, type, Buffer.alloc(4)))).not.toBeNull();
    for (let length = 0; length < 4 + least; length++) {
      expect(decode(withAttribute(tree, length, type, Buffer.alloc(4)))).toBeNull();
    }
    expect(decode(withAttribute(tree, 9, type, Buffer.alloc(4)))).toBeNull();
  });

  it('also inside of nests', () => {
    const message = writeTree(
      { CTA_TUPLE_ORIG: original, CTA_PROTOINFO: { CTA_PROTOINFO_TCP: { CTA_PROTOINFO_TCP_STATE: 3 } } },
      HEADER,
    );
    message.writeUInt16LE(4, message.length - 8); // the state without its byte
    expect(decode(message)).toBeNull();
    message.writeUInt16LE(9, message.length - 8);
    expect(decode(message)).toBeNull();
  });

  it('also in the header of the message', () => {
    const message = writeTree({ CTA_TUPLE_ORIG: original }, HEADER);
    const views = Views.of(message);
    const scratch = new FlowScratch();
    expect(decodeFlow(views, 0, message.length, scratch)).toBe(true);
    expect(decodeFlow(views, 0, message.length - 1, scratch)).toBe(false);
    expect(decodeFlow(views, 0, 19, scratch)).toBe(false);
    expect(decodeFlow(views, 2, message.length, scratch)).toBe(false);
  });
});

describe('what is not needed', () => {
  it('is skipped when it is not known', () => {
    const unknown = withAttribute({ CTA_TUPLE_ORIG: original }, 12, 0x3fff, Buffer.alloc(8, 0xff));
    expect(treeOf(decode(unknown)!)).toEqual({ CTA_TUPLE_ORIG: original });
  });

  it('may be longer than today', () => {
    const longer = withAttribute({ CTA_TUPLE_ORIG: original }, 12, 3, Buffer.from('000001ae00000000', 'hex'));
    expect(treeOf(decode(longer)!)).toEqual({ CTA_TUPLE_ORIG: original, CTA_STATUS: 0x1ae });
  });

  it('may come in any order, with or without the flags of its type', () => {
    const zoned: Tree = { ...original, CTA_TUPLE_ZONE: 7 };
    const message = writeTree({ CTA_STATUS: 1, CTA_TUPLE_REPLY: zoned, CTA_TUPLE_ORIG: zoned }, HEADER);
    const plain = Buffer.from(message);
    plain.writeUInt16LE(2, 20 + 8 + 2); // CTA_TUPLE_REPLY without NLA_F_NESTED
    plain.writeUInt16LE(0x4003, 20 + 2); // CTA_STATUS with NLA_F_NET_BYTEORDER
    for (const bytes of [message, plain]) expect(treeOf(decode(bytes)!)).toEqual(readTree(message));
    expect(decode(message)!.words[ZONE_DIR]).toBe(0x00070007);
  });

  it('is not there for protocols without ports', () => {
    const flow = decodeTree({ CTA_TUPLE_ORIG: { CTA_TUPLE_IP: addresses, CTA_TUPLE_PROTO: { CTA_PROTO_NUM: 50 } } });
    expect(flow!.words[KNOWN]).toBe(K_ORIG);
  });
});

describe('nothing of an earlier flow shows', () => {
  it('in the row', () => {
    const scratch = new FlowScratch();
    const first = writeTree({ CTA_TUPLE_ORIG: { CTA_TUPLE_IP: six, CTA_TUPLE_PROTO: ports } }, HEADER);
    const second = writeTree({ CTA_TUPLE_ORIG: original }, HEADER);
    expect(decodeFlow(Views.of(first), 0, first.length, scratch)).toBe(true);
    expect(decodeFlow(Views.of(second), 0, second.length, scratch)).toBe(true);
    expect(Array.from(scratch.words.subarray(ORIG_SRC + 1, ORIG_SRC + 4))).toEqual([0, 0, 0]);
    expect(scratch.words[KNOWN]).toBe(K_ORIG | K_ORIG_L4);
    expect(knows(scratch, K_REPLY)).toBe(false);
  });

  it('in attributes that come in part', () => {
    const flow = decodeTree({
      CTA_TUPLE_ORIG: original,
      CTA_SEQ_ADJ_REPLY: { CTA_SEQADJ_OFFSET_AFTER: 5 },
      CTA_SYNPROXY: { CTA_SYNPROXY_ITS: 6 },
      CTA_TIMESTAMP: { CTA_TIMESTAMP_START: 1n << 32n },
      CTA_LABELS: '01000000',
    })!;
    expect(knows(flow, K_SEQ_ADJ) && knows(flow, K_SYNPROXY) && knows(flow, K_TIMESTAMP)).toBe(true);
    expect(Array.from(flow.aside.subarray(ASIDE_SEQ_ORIG, ASIDE_SYNPROXY))).toEqual([0, 0, 0, 0, 0, 5]);
    expect(Array.from(flow.aside.subarray(ASIDE_SYNPROXY, ASIDE_STOP))).toEqual([0, 6, 0, 1, 0]);
    expect(Array.from(flow.aside.subarray(ASIDE_STOP, ASIDE_STOP + 2))).toEqual([0, 0]);
    expect(Array.from(flow.aside.subarray(ASIDE_LABELS, ASIDE_LABELS + 4))).toEqual([1, 0, 0, 0]);
  });
});

describe('rare attributes', () => {
  it('count labels that are all zero as known, so that they overwrite', () => {
    expect(knows(decodeTree({ CTA_TUPLE_ORIG: original, CTA_LABELS: '00'.repeat(16) }), K_LABELS)).toBe(true);
  });

  it('leave out labels beyond the 128 of a row', () => {
    const flow = decodeTree({ CTA_TUPLE_ORIG: original, CTA_LABELS: `${'00'.repeat(16)}ffffffff` })!;
    expect(flow.aside[ASIDE_LABELS + 4]).not.toBe(0xffffffff);
    expect(knows(flow, K_LABELS)).toBe(true);
  });

  it.each([
    ['ftp', true],
    ['abcdefghijklmno', true], // 15 characters and the NUL: the most a kernel has
    ['', false],
  ])('take a helper called "%s"', (name, known) => {
    const flow = decodeTree({ CTA_TUPLE_ORIG: original, CTA_HELP: { CTA_HELP_NAME: name } });
    expect(knows(flow, K_HELPER)).toBe(known);
    if (known) expect(treeOf(flow!).CTA_HELP).toEqual({ CTA_HELP_NAME: name });
  });

  it('refuse a helper name that does not fit', () => {
    expect(decodeTree({ CTA_TUPLE_ORIG: original, CTA_HELP: { CTA_HELP_NAME: 'abcdefghijklmnop' } })).toBeNull();
  });

  it('give one string for the same security context', () => {
    const tree: Tree = { CTA_TUPLE_ORIG: original, CTA_SECCTX: { CTA_SECCTX_NAME: 'system_u:object_r:packet_t:s0' } };
    const [first, other, again] = [
      decodeTree(tree)!,
      decodeTree({ ...tree, CTA_SECCTX: { CTA_SECCTX_NAME: 'x' } })!,
      decodeTree(tree)!,
    ];
    expect([first.secctx, other.secctx, again.secctx]).toEqual(['system_u:object_r:packet_t:s0', 'x', first.secctx]);
  });

  it('keep the number of an old kernel where there is no context', () => {
    const flow = decodeTree({ CTA_TUPLE_ORIG: original, CTA_SECMARK: 258 })!;
    expect(knows(flow, K_SECCTX)).toBe(true);
    expect([flow.aside[ASIDE_SECCTX], flow.secctx]).toEqual([258, '']);
  });

  it('read 64-bit counters of one direction', () => {
    const flow = decodeTree({
      CTA_TUPLE_ORIG: original,
      CTA_COUNTERS_REPLY: { CTA_COUNTERS_PACKETS: 2n ** 40n, CTA_COUNTERS_BYTES: 2n ** 53n - 1n },
    })!;
    expect(flow.hasCounters).toBe(true);
    expect(Array.from(flow.counters)).toEqual([0, 0, 2 ** 40, 2 ** 53 - 1]);
  });

  it('do not take a state that is missing for state 0', () => {
    const flow = decodeTree({
      CTA_TUPLE_ORIG: original,
      CTA_PROTOINFO: { CTA_PROTOINFO_TCP: { CTA_PROTOINFO_TCP_WSCALE_REPLY: 7 } },
    });
    expect(knows(flow, K_STATE)).toBe(false);
  });
});
