import { describe, expect, test } from 'vitest';
import { Views } from '../../src/base/views.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { OK } from '../../src/wire/counters.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { encodeFlow } from '../../src/wire/encode.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { FLOW_ATTRIBUTES, FLOW_DESTROY, MAX_MESSAGE_BYTES, PORT, SYNPROXY } from '../../src/wire/tables.js';
import { bytesOf, flowOfEvents, hexOf, readFixture, type WireCase, type WireCases } from './wire-cases.js';

const { events, cases } = readFixture<WireCases>('wire/flows.json');
const out = new Views(MAX_MESSAGE_BYTES);

/** Attributes of a message as `number:data` strings, read without the decoder under test. */
function attributesOf(hex: string): string[] {
  const bytes = Buffer.from(hex, 'hex');
  const found: string[] = [];
  for (let at = 8; at < bytes.length; at += (bytes.readUInt16BE(at) + 3) & ~3) {
    const length = bytes.readUInt16BE(at);
    found.push(`${bytes.readUInt16BE(at + 2)}:${bytes.subarray(at + 4, at + length).toString('hex')}`);
  }
  return found;
}

/** What ours sends where we do not follow the original: see "Ours" in spec/findings.md. */
function expected(golden: WireCase): string[] {
  return attributesOf(golden.message).filter((attribute) => {
    const [number, data] = attribute.split(':') as [string, string];
    const name = `NTA_${FLOW_ATTRIBUTES[Number(number)]!.name}`;
    if (Number(number) === SYNPROXY && /^0*$/.test(data)) return false; // 5: says nothing
    if (name === golden.unstable && Number(number) === PORT) return false; // 10: stale bytes, the kernel gave no ports
    return name !== golden.unstable;
  });
}

/** The message ours makes of the same events. */
function message(golden: WireCase): string {
  const history = golden.prior.map((index) => events[index]!);
  // A destroy event only marks the cached flow dead; without a cache it is the message (spec/findings.md 15).
  const last = golden.type === FLOW_DESTROY && golden.cached ? [] : [golden.event];
  const flow = flowOfEvents([...history, ...last.flatMap((index) => (index === null ? [] : [events[index]!]))]);
  const options = { timeout: golden.timeout, windowTracking: golden.window };
  const sequence = Buffer.from(golden.message, 'hex').readUInt32BE(4);
  const flags = Buffer.from(golden.message, 'hex')[1]!;
  out.u8.fill(0xee);
  const length = encodeFlow(out, 0, golden.type, flags, sequence, flow, options);
  return hexOf(out, 0, length);
}

describe('kernel events to messages, as the original makes them', () => {
  test.each(cases)('$name', (golden) => {
    const made = message(golden);
    const want = expected(golden);
    const unstable = golden.unstable;
    const isUnstable = (attribute: string) =>
      `NTA_${FLOW_ATTRIBUTES[Number.parseInt(attribute, 10)]!.name}` === unstable;
    expect(attributesOf(made).filter((attribute) => !isUnstable(attribute))).toEqual(want);
    if (want.length === attributesOf(golden.message).length) expect(made).toBe(golden.message);
    else expect(made.slice(0, 4)).toBe(golden.message.slice(0, 4));
    expect(Buffer.from(made, 'hex').readUInt16BE(2)).toBe(made.length / 2);
  });
});

describe('messages of the original to flows and back', () => {
  test.each(cases)('$name', (golden) => {
    const bytes = bytesOf(golden.message);
    const views = Views.of(bytes);
    const header = new MessageHeader();
    expect(readHeader(views, 0, bytes.length, header)).toBe(OK);
    expect(header.type).toBe(golden.type);
    expect(header.length).toBe(bytes.length);
    const scratch = new FlowScratch();
    expect(decodeFlow(views, 0, bytes.length, scratch)).toBe(true);
    // A peer's flow encodes back into the very message, so every attribute the capture decoded arrived where it must.
    const scales = golden.attributes.includes(' 25:');
    const options = { timeout: true, windowTracking: scales };
    const length = encodeFlow(out, 0, header.type, header.flags, header.sequence, scratch, options);
    const withoutEmptySynproxy = golden.attributes.split(' ').filter((attribute) => !/^31:0*$/.test(attribute));
    expect(attributesOf(hexOf(out, 0, length))).toEqual(withoutEmptySynproxy);
  });
});
