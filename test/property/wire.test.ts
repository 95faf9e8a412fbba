import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Views } from '../../src/base/views.js';
import {
  AF_INET6,
  ASIDE_HELPER,
  ASIDE_SYNPROXY,
  familyOf,
  IPPROTO_GRE,
  IPPROTO_UDPLITE,
  K_HELPER,
  K_ORIG_L4,
  K_SYNPROXY,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  KIND,
  KNOWN,
  ORIG_L4,
  protocolOf,
} from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { OK } from '../../src/wire/counters.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { encodeFlow } from '../../src/wire/encode.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { attributeHeader, FLOW_UPDATE, HEADER_BYTES, MAX_MESSAGE_BYTES, SYNPROXY } from '../../src/wire/tables.js';
import { bytesOf, readFixture, type WireCases } from '../golden/wire-cases.js';
import { randomFlow } from '../support/random-flow.js';

const everything = { timeout: true, windowTracking: true };
const out = new Views(MAX_MESSAGE_BYTES + 64);

/** What the wire can carry of a flow: a decoded copy must equal this. */
function carried(flow: FlowScratch): FlowScratch {
  const copy = new FlowScratch();
  copy.words.set(flow.words);
  copy.aside.set(flow.aside);
  let known = flow.words[KNOWN]!;
  const protocol = protocolOf(flow.words[KIND]!);
  if (protocol === IPPROTO_GRE || protocol === IPPROTO_UDPLITE) {
    known &= ~K_ORIG_L4; // spec/findings.md 9: no keys, no ports of UDP-Lite
    copy.words[ORIG_L4] = 0;
  }
  if (protocol === 6) known |= K_WSCALE_ORIG | K_WSCALE_REPLY; // both or none, 0 if unknown
  if (flow.aside[ASIDE_HELPER + 3] !== 0) known &= ~K_HELPER; // longer than the original takes
  if (!flow.aside.subarray(ASIDE_SYNPROXY, ASIDE_SYNPROXY + 3).some((word) => word !== 0)) known &= ~K_SYNPROXY;
  copy.words[KNOWN] = known;
  for (let word = 0; word < 4; word++) if ((known & K_HELPER) === 0) copy.aside[ASIDE_HELPER + word] = 0;
  return copy;
}

/** The attributes of a message, with their padding. */
function attributesOf({ u8 }: Views, length: number): Buffer[] {
  const attributes: Buffer[] = [];
  for (let at = HEADER_BYTES; at < length; ) {
    const bytes = (((u8[at]! << 8) | u8[at + 1]!) + 3) & ~3;
    attributes.push(Buffer.from(u8.slice(at, at + bytes)));
    at += bytes;
  }
  return attributes;
}

/** An attribute of zeros. */
function attributeOf(number: number, bytes: number): Buffer {
  const attribute = Buffer.alloc(4 + bytes);
  attribute.writeUInt32LE(attributeHeader(number, bytes));
  return attribute;
}

describe('flow messages', () => {
  test('a peer flow survives encoding and decoding', () => {
    fc.assert(
      fc.property(randomFlow({ source: 'peer' }), fc.nat(0xffffffff), (flow, sequence) => {
        out.u8.fill(0xa5);
        const length = encodeFlow(out, 32, FLOW_UPDATE, 0, sequence, flow, everything);
        expect(length % 4).toBe(0);
        expect(length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
        expect(out.u32[8 + length / 4]).toBe(0xa5a5a5a5);
        const header = new MessageHeader();
        expect(readHeader(out, 32, 32 + length, header)).toBe(OK);
        expect([header.type, header.length, header.sequence]).toEqual([FLOW_UPDATE, length, sequence]);
        const decoded = new FlowScratch();
        expect(decodeFlow(out, 32, 32 + length, decoded)).toBe(true);
        const want = carried(flow);
        expect([...decoded.words]).toEqual([...want.words]);
        if ((want.words[KNOWN]! & 0x3f000000) !== 0) expect([...decoded.aside]).toEqual([...want.aside]);
      }),
    );
  });

  test('the order of attributes says nothing, nor does a synproxy of zeros', () => {
    fc.assert(
      fc.property(randomFlow({ source: 'peer' }), fc.boolean(), fc.infiniteStream(fc.nat()), (flow, silent, order) => {
        const length = encodeFlow(out, 0, FLOW_UPDATE, 0, 1, flow, everything);
        const decoded = new FlowScratch();
        expect(decodeFlow(out, 0, length, decoded)).toBe(true);
        const attributes = attributesOf(out, length);
        if (silent && (decoded.words[KNOWN]! & K_SYNPROXY) === 0) attributes.push(attributeOf(SYNPROXY, 12));
        const shuffled = attributes
          .map((attribute) => ({ attribute, place: order.next().value }))
          .sort((a, b) => a.place - b.place)
          .map(({ attribute }) => attribute);
        for (const written of [attributes, shuffled]) {
          const message = Views.of(Buffer.concat([Buffer.alloc(HEADER_BYTES), ...written]));
          const again = new FlowScratch();
          expect(decodeFlow(message, 0, message.u8.length, again)).toBe(true);
          expect([...again.words]).toEqual([...decoded.words]);
        }
      }),
    );
  });

  test('a kernel flow and what a peer makes of it are the same message', () => {
    fc.assert(
      fc.property(randomFlow({ source: 'kernel' }), (flow) => {
        const length = encodeFlow(out, 0, FLOW_UPDATE, 0, 1, flow, everything);
        const message = Buffer.from(out.buffer, 0, length).toString('hex');
        const decoded = new FlowScratch();
        expect(decodeFlow(out, 0, length, decoded)).toBe(true);
        expect(familyOf(decoded.words[KIND]!)).toBe(familyOf(flow.words[KIND]!));
        const again = encodeFlow(out, 0, FLOW_UPDATE, 0, 1, decoded, everything);
        expect(Buffer.from(out.buffer, 0, again).toString('hex')).toBe(message);
      }),
    );
  });

  test('an IPv6 TCP flow with everything fits MAX_MESSAGE_BYTES', () => {
    fc.assert(
      fc.property(randomFlow({ source: 'peer', protocols: [6] }), (flow) => {
        flow.words[KIND] = (flow.words[KIND]! & ~0xff) | AF_INET6;
        flow.words[KNOWN] = 0xffffffff;
        expect(encodeFlow(out, 0, FLOW_UPDATE, 0, 1, flow, everything)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
      }),
    );
  });
});

const messages = [...new Set(readFixture<WireCases>('wire/flows.json').cases.map((golden) => golden.message))];

/** Decodes bytes at some offset with others behind them; a sound flow must encode again. */
function readAll(bytes: Uint8Array, offset: number, behind: number): string {
  const block = Uint8Array.from([...new Uint8Array(offset), ...bytes, ...new Uint8Array(8).fill(behind)]);
  const views = Views.of(block);
  const header = new MessageHeader();
  if (readHeader(views, offset, offset + bytes.length, header) !== OK) return 'bad header';
  const scratch = new FlowScratch();
  scratch.aside.fill(behind);
  if (!decodeFlow(views, offset, offset + header.length, scratch)) return 'bad payload';
  expect(familyOf(scratch.words[KIND]!)).not.toBe(0);
  const length = encodeFlow(out, 0, FLOW_UPDATE, 0, 1, scratch, everything);
  expect(length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  return Buffer.from(out.buffer, 0, length).toString('hex');
}

/** The same whatever lies around the message: nothing outside it was read. */
function check(bytes: Uint8Array, offset: number): void {
  expect(readAll(bytes, offset, 0xff)).toBe(readAll(bytes, 0, 0));
}

describe('hostile bytes', () => {
  test('any bytes: a result, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(3), (bytes, offset) => {
        check(bytes, offset);
      }),
      { numRuns: 2000 },
    );
  });

  test('golden messages with bytes changed: the same wherever they lie, and what is decoded encodes again', () => {
    const change = fc.tuple(fc.nat(400), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...messages),
        fc.array(change, { maxLength: 6 }),
        fc.nat(3),
        (hex, changes, offset) => {
          const bytes = bytesOf(hex);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          check(bytes, offset);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
