import assert from 'node:assert/strict';
import { Views } from '../../src/base/views.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { OK, WRONG_VERSION } from '../../src/wire/counters.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { decodeExpectation } from '../../src/wire/expectation.js';
import { isExpectation, isFlow, MessageHeader, readHeader } from '../../src/wire/header.js';
import type { Random } from '../../test/simulation/random.js';
import { wireMessages } from '../fixtures.js';
import { checkExpectation, checkFlow } from '../flow-checks.js';
import { spoil } from '../spoil.js';
import type { FuzzTarget } from '../target.js';

const HEADER_BYTES = 8;
const ATTRIBUTE_HEADER_BYTES = 4;
/** Attribute numbers are below this (spec/wire.md); a little more, so that unknown ones come up. */
const NUMBERS = 36;

export interface Attribute {
  number: number;
  data: Uint8Array;
}

/** A message with its lengths made true again, so that what is changed gets as far as it can. */
export function composeMessage(head: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const parts = attributes.map(({ number, data }) => {
    const bytes = Buffer.alloc(ATTRIBUTE_HEADER_BYTES + ((data.length + 3) & ~3));
    bytes.writeUInt16BE(ATTRIBUTE_HEADER_BYTES + data.length, 0);
    bytes.writeUInt16BE(number & 0xffff, 2);
    bytes.set(data, ATTRIBUTE_HEADER_BYTES);
    return bytes;
  });
  const message = Buffer.concat([Buffer.from(head).subarray(0, HEADER_BYTES), ...parts]);
  message.writeUInt16BE(message.length & 0xffff, 2);
  return message;
}

export function attributesOf(message: Uint8Array): Attribute[] {
  const bytes = Buffer.from(message);
  const attributes: Attribute[] = [];
  for (let at = HEADER_BYTES; at + ATTRIBUTE_HEADER_BYTES <= bytes.length; ) {
    const length = Math.max(bytes.readUInt16BE(at), ATTRIBUTE_HEADER_BYTES);
    attributes.push({
      number: bytes.readUInt16BE(at + 2),
      data: bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length),
    });
    at += (length + 3) & ~3;
  }
  return attributes;
}

/** Changes one attribute, or their order, or takes one of another message. */
export function mutateMessage(message: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  if (message.length < HEADER_BYTES || other.length < HEADER_BYTES) return spoil(message, random);
  const attributes = attributesOf(message);
  const at = random.between(0, attributes.length);
  const here = attributes[at];
  switch (random.between(0, 6)) {
    case 0:
      attributes.splice(at, 1);
      break;
    case 1:
      attributes.splice(at, 0, ...attributesOf(other).slice(0, random.between(1, 3)));
      break;
    case 2:
      if (here) attributes.splice(random.between(0, attributes.length - 1), 0, here);
      break;
    case 3:
      if (here) here.number = random.between(0, NUMBERS);
      break;
    case 4:
      return Uint8Array.from(message).fill(random.between(0x10, 0x16), 0, 1);
    default:
      if (here) here.data = spoil(here.data, random);
  }
  return composeMessage(message, attributes);
}

const flow = new FlowScratch();
const header = new MessageHeader();

/** One message: decoded alike wherever it lies; what is understood can be shown and passed on unchanged. */
export const wire: FuzzTarget = {
  name: 'wire',
  covers: ['src/wire/', 'src/flow/'],
  longestBytes: 600,
  seeds: wireMessages,
  mutate: mutateMessage,
  run(input) {
    const results = [0, 1, 2, 3].map((offset) => readAt(input, offset));
    for (const result of results) assert.equal(result, results[0], 'it depends on where the message lies');
  },
};

/** The bytes somewhere in a buffer that is full of something else. @returns what became of them */
function readAt(input: Uint8Array, offset: number): string {
  const block = new Uint8Array(offset + input.length + 16).fill(0x11 * (offset + 1));
  block.set(input, offset);
  const views = Views.of(block);
  const result = readHeader(views, offset, offset + input.length, header);
  if (result !== OK) {
    if (result === WRONG_VERSION) assert.ok(header.length <= input.length);
    return `header ${result}`;
  }
  assert.ok(header.length >= HEADER_BYTES && header.length <= input.length, 'a length beyond the bytes');
  const end = offset + header.length;
  if (isFlow(header.type)) return decodeFlow(views, offset, end, flow) ? checkFlow(flow) : 'no flow';
  if (!isExpectation(header.type)) return 'no data';
  const expectation = decodeExpectation(views, offset, end);
  if (expectation === null) return 'no expectation';
  checkExpectation(expectation);
  return JSON.stringify(expectation);
}
