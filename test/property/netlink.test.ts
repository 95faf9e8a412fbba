import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Views } from '../../src/base/views.js';
import {
  ASIDE_WORDS,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPS_DST_NAT,
  IPS_EXPECTED,
  IPS_SRC_NAT,
  K_DNAT,
  K_DPAT,
  K_SNAT,
  K_SPAT,
  KIND,
  KNOWN,
  protocolOf,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
} from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { decodeFlow } from '../../src/netlink/decode.js';
import {
  encodeCreate,
  encodeDelete,
  encodeUpdate,
  MAX_REQUEST_BYTES,
  TIMEOUT_AS_KNOWN,
} from '../../src/netlink/encode.js';
import { decodeLink, newLinkMessage } from '../../src/netlink/link.js';
import { errorOf, errorTextOf, isWhole, nextOf } from '../../src/netlink/message.js';
import { kernelMessage, readTree, type Tree, treeOf, writeTree } from '../support/netlink-tree.js';
import { randomFlow } from '../support/random-flow.js';

const { events } = JSON.parse(readFileSync(new URL('../fixtures/netlink/events.json', import.meta.url), 'utf8')) as {
  events: [source: string, hex: string][];
};

/** Room before and behind a message under test. */
const MARGIN = 64;

/** The message alone in a buffer that is otherwise full of `poison`. */
function surrounded(message: Uint8Array, poison: number): Views {
  const views = new Views(MARGIN + ((message.length + 3) & ~3) + MARGIN);
  views.u8.fill(poison);
  views.u8.set(message, MARGIN);
  return views;
}

function decodeIn(views: Views, length: number): { read: boolean; words: number[]; tree: Tree | null } {
  const scratch = new FlowScratch();
  const read = decodeFlow(views, MARGIN, MARGIN + length, scratch);
  return { read, words: Array.from(scratch.words), tree: read ? treeOf(scratch) : null };
}

/** The same result whatever lies around: nothing outside was read. */
function expectBounded(message: Uint8Array): void {
  const dark = decodeIn(surrounded(message, 0), message.length);
  const light = decodeIn(surrounded(message, 0xff), message.length);
  const attributes = decodeIn(surrounded(message, 0x08), message.length);
  expect(light.read).toBe(dark.read);
  expect(attributes.read).toBe(dark.read);
  if (!dark.read) return;
  expect(light).toEqual(dark);
  expect(attributes).toEqual(dark);
}

const someEvent = fc.constantFrom(...events).map(([, hex]) => Buffer.from(hex, 'hex'));

/** An event of the kernel with some bytes changed; half of the time its length still says the truth. */
const damagedEvent = fc
  .tuple(
    someEvent,
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
    fc.option(fc.nat()),
    fc.boolean(),
  )
  .map(([event, changes, cut, honest]) => {
    const bytes = Buffer.from(event);
    for (const [at, value] of changes) bytes[16 + (at % (bytes.length - 16))] = value;
    const length = cut === null ? bytes.length : 20 + (cut % (bytes.length - 19));
    if (honest) bytes.writeUInt32LE(length);
    return bytes.subarray(0, length);
  });

/** Rows hold only what their K_ bits say: compare flows by what the kernel would say of them, and by their words. */
function expectSameFlow(actual: FlowScratch, wanted: FlowScratch): void {
  expect(treeOf(actual)).toEqual(treeOf(wanted));
  expect(Array.from(actual.words)).toEqual(Array.from(wanted.words));
}

/** The attributes in another order, in every nest. */
function shuffled(tree: Tree, order: readonly number[]): Tree {
  const entries = Object.entries(tree).map(([name, value], index) => ({
    name,
    value,
    rank: order[index % order.length]!,
  }));
  entries.sort((left, right) => left.rank - right.rank);
  return Object.fromEntries(
    entries.map(({ name, value }) => [name, typeof value === 'object' ? shuffled(value, order) : value]),
  );
}

describe('decodeFlow', () => {
  it('gives back any flow that the kernel could report', () => {
    fc.assert(
      fc.property(randomFlow(), (flow) => {
        const message = kernelMessage(flow);
        const decoded = new FlowScratch();
        decoded.aside.fill(0xdeadbeef);
        expect(decodeFlow(Views.of(message), 0, message.length, decoded)).toBe(true);
        expectSameFlow(decoded, flow);
      }),
    );
  });

  it('does not depend on the order of attributes, nor on the shortcut for plain tuples', () => {
    fc.assert(
      fc.property(randomFlow(), fc.array(fc.nat(100), { minLength: 12, maxLength: 12 }), (flow, order) => {
        const message = writeTree(shuffled(treeOf(flow), order), { type: 0x100, flags: 0, family: 2 });
        const decoded = new FlowScratch();
        expect(decodeFlow(Views.of(message), 0, message.length, decoded)).toBe(true);
        expectSameFlow(decoded, flow);
      }),
    );
  });

  it('survives damaged events and reads nothing around them', () => {
    fc.assert(fc.property(damagedEvent, expectBounded), { numRuns: 3000 });
  });

  it('survives any bytes and reads nothing around them', () => {
    const anything = fc.uint8Array({ maxLength: 200 });
    fc.assert(fc.property(anything, expectBounded), { numRuns: 500 });
    const headed = anything.map((bytes) => {
      const message = Buffer.concat([Buffer.alloc(20), bytes]);
      message.writeUInt32LE(message.length);
      return message;
    });
    fc.assert(fc.property(headed, expectBounded), { numRuns: 500 });
  });

  it('refuses every truncation of an event', () => {
    fc.assert(
      fc.property(someEvent, (event) => {
        const views = Views.of(event);
        const scratch = new FlowScratch();
        for (let end = 0; end < event.length; end++) expect(decodeFlow(views, 0, end, scratch)).toBe(false);
      }),
      { numRuns: 20 },
    );
  });
});

describe('the walk over messages', () => {
  it('ends for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const views = surrounded(bytes, 0x11);
        const link = newLinkMessage();
        let at = MARGIN;
        while (isWhole(views, at, MARGIN + bytes.length)) {
          errorOf(views, at);
          errorTextOf(views, at);
          decodeLink(views, at, MARGIN + bytes.length, link);
          const next = nextOf(views, at);
          expect(next).toBeGreaterThan(at);
          at = next;
        }
      }),
    );
  });
});

interface Written {
  length: number;
  tree: Tree;
}

type Encode = typeof encodeCreate;

/** Encodes into the middle of a poisoned buffer; what is around must stay as it was. */
function encoded(encode: Encode, flow: FlowScratch, windowTracking: boolean, timeout = TIMEOUT_AS_KNOWN): Written {
  const out = new Views(MARGIN + MAX_REQUEST_BYTES + MARGIN);
  out.u8.fill(0xa5);
  const length = encode(out, MARGIN, flow, { sequence: 77, ack: false, timeout, windowTracking });
  expect(length % 4).toBe(0);
  expect(length).toBeLessThanOrEqual(MAX_REQUEST_BYTES);
  expect(out.u8.subarray(0, MARGIN).every((byte) => byte === 0xa5)).toBe(true);
  expect(out.u8.subarray(MARGIN + length).every((byte) => byte === 0xa5)).toBe(true);
  const message = Buffer.from(out.u8.subarray(MARGIN, MARGIN + length));
  expect([message.readUInt32LE(0), message.readUInt32LE(8), message.readUInt32LE(12)]).toEqual([length, 77, 0]);
  const scratch = new FlowScratch();
  expect(decodeFlow(out, MARGIN, MARGIN + length, scratch)).toBe(true);
  return { length, tree: readTree(message) };
}

const PORTS = new Set([6, 17, 33, 47, 132, 136]);

/** The attributes of a request for a peer's flow, told without the encoder. */
function wantedOf(flow: FlowScratch, windowTracking: boolean, kind: 'create' | 'update' | 'delete'): Tree {
  const tree = treeOf(flow);
  const wanted: Tree = { ...tree };
  if (kind === 'create') wanted.CTA_TUPLE_REPLY = inverseOf(tree.CTA_TUPLE_ORIG as Tree, flow);
  if (kind === 'create' && typeof tree.CTA_STATUS === 'number') wanted.CTA_STATUS = tree.CTA_STATUS & ~IPS_EXPECTED;
  if (kind === 'update' && typeof tree.CTA_STATUS === 'number') {
    wanted.CTA_STATUS = tree.CTA_STATUS & ~(IPS_SRC_NAT | IPS_DST_NAT);
  }
  if (kind === 'update') {
    delete wanted.CTA_TUPLE_MASTER;
    delete wanted.CTA_HELP;
  } else {
    Object.assign(wanted, natOf(flow));
  }
  if (protocolOf(flow.words[KIND]!) === IPPROTO_TCP && kind !== 'delete') {
    const tcp = (tree.CTA_PROTOINFO as Tree | undefined)?.CTA_PROTOINFO_TCP as Tree | undefined;
    const value = windowTracking ? 1 : 8;
    const flags = { CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: value, CTA_PROTOINFO_TCP_FLAGS_REPLY: value };
    if (!windowTracking || isScaled(tcp)) wanted.CTA_PROTOINFO = { CTA_PROTOINFO_TCP: { ...tcp, ...flags } };
  }
  return wanted;
}

/** Both scales are known and say something: only then the kernel is told that windows are scaled. */
function isScaled(tcp: Tree | undefined): boolean {
  const scales = [tcp?.CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, tcp?.CTA_PROTOINFO_TCP_WSCALE_REPLY];
  return scales.every((scale) => scale !== undefined) && scales.some((scale) => scale !== 0);
}

function inverseOf(original: Tree, flow: FlowScratch): Tree {
  const addresses = original.CTA_TUPLE_IP as Tree;
  const protocol = original.CTA_TUPLE_PROTO as Tree;
  const turned = Object.entries(addresses).map(([name]) => [name, addresses[turn(name)]!]);
  const l4 = Object.entries(protocol).map(([name, value]) => [name, protocol[turn(name)] ?? value]);
  const inverse = { CTA_TUPLE_IP: Object.fromEntries(turned), CTA_TUPLE_PROTO: Object.fromEntries(l4) };
  const answer: Record<number, number> = { 8: 0, 13: 14, 15: 16, 17: 18 };
  const number = protocolOf(flow.words[KIND]!);
  if (number === IPPROTO_ICMP) {
    inverse.CTA_TUPLE_PROTO.CTA_PROTO_ICMP_TYPE = answer[protocol.CTA_PROTO_ICMP_TYPE as number];
  }
  if (number === IPPROTO_ICMPV6) inverse.CTA_TUPLE_PROTO.CTA_PROTO_ICMPV6_TYPE = 129;
  return inverse;
}

function turn(name: string): string {
  return name.includes('SRC') ? name.replace('SRC', 'DST') : name.replace('DST', 'SRC');
}

function natOf(flow: FlowScratch): Tree {
  const { words } = flow;
  const range = (address: number, port: number, at: number, value: number): Tree => {
    const tree: Tree = {};
    const four = (words[KIND]! & 0xff) === 2;
    const bytes = Buffer.from(words.slice(at, at + (four ? 1 : 4)).buffer).toString('hex');
    if ((words[KNOWN]! & address) !== 0) tree[four ? 'CTA_NAT_V4_MINIP' : 'CTA_NAT_V6_MINIP'] = bytes;
    if ((words[KNOWN]! & port) === 0) return tree;
    const hasPorts = PORTS.has(protocolOf(words[KIND]!));
    tree.CTA_NAT_PROTO = hasPorts ? { CTA_PROTONAT_PORT_MIN: value, CTA_PROTONAT_PORT_MAX: value } : {};
    return tree;
  };
  const ports = Buffer.from(words.slice(REPLY_L4, REPLY_L4 + 1).buffer);
  const nat: Tree = {
    CTA_NAT_SRC: range(K_SNAT, K_SPAT, REPLY_DST, ports.readUInt16BE(2)),
    CTA_NAT_DST: range(K_DNAT, K_DPAT, REPLY_SRC, ports.readUInt16BE(0)),
  };
  return Object.fromEntries(Object.entries(nat).filter(([, tree]) => Object.keys(tree).length > 0));
}

describe('requests for a flow of a peer', () => {
  const peer = randomFlow({ source: 'peer' });

  it.each([
    ['create', encodeCreate],
    ['update', encodeUpdate],
    ['delete', encodeDelete],
  ] as const)('%s says what the flow says', (kind, encode) => {
    fc.assert(
      fc.property(peer, fc.boolean(), (flow, windowTracking) => {
        expect(encoded(encode, flow, windowTracking).tree).toEqual(wantedOf(flow, windowTracking, kind));
      }),
    );
  });

  it('carry the timeout of the caller, also where the flow has none', () => {
    fc.assert(
      fc.property(peer, fc.integer({ min: 0, max: 0x7fffffff }), (flow, timeout) => {
        expect(encoded(encodeCreate, flow, true, timeout).tree.CTA_TIMEOUT).toBe(timeout);
      }),
    );
  });
});

describe('the delete of a flow of the kernel', () => {
  it('says what the kernel said, but for what a request cannot say', () => {
    fc.assert(
      fc.property(randomFlow(), (flow) => {
        const wanted = treeOf(flow);
        for (const name of [
          'CTA_ID',
          'CTA_USE',
          'CTA_COUNTERS_ORIG',
          'CTA_COUNTERS_REPLY',
          'CTA_TIMESTAMP',
          'CTA_SECCTX',
        ]) {
          delete wanted[name];
        }
        expect(encoded(encodeDelete, flow, true).tree).toEqual(wanted);
      }),
    );
  });
});

it('writes the largest request into the room it asks for', () => {
  const flow = new FlowScratch();
  flow.words.fill(0xffffffff);
  flow.aside.fill(0x61616161, 0, ASIDE_WORDS);
  flow.words[KIND] = 10 | (6 << 8);
  const out = new Views(MAX_REQUEST_BYTES);
  const length = encodeCreate(out, 0, flow, { sequence: 0, ack: true, timeout: 1, windowTracking: false });
  expect(length).toBeLessThanOrEqual(MAX_REQUEST_BYTES);
  expect(length).toBeGreaterThan(MAX_REQUEST_BYTES - 100);
});
