import { describe, expect, test } from 'vitest';
import { Views } from '../../../src/base/views.js';
import {
  BAD_SIZE,
  INCOMPLETE,
  MessageCounters,
  OK,
  RECEIVE_COUNTERS,
  type ReadResult,
  TRUNCATED,
  WRONG_VERSION,
} from '../../../src/wire/counters.js';
import { encodeControl } from '../../../src/wire/encode.js';
import { isData, isExpectation, isFlow, MessageHeader, readHeader } from '../../../src/wire/header.js';
import {
  FLAG_ACK,
  FLAG_ALIVE,
  FLAG_HELLO,
  FLAG_NACK,
  FLAG_RESYNC,
  FLOW_ATTRIBUTES,
  MAX_MESSAGE_BYTES,
} from '../../../src/wire/tables.js';

const header = new MessageHeader();

function read(hex: string, stream = false): ReadResult {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  return readHeader(Views.of(bytes), 0, bytes.length, header, stream);
}

describe('readHeader', () => {
  test('reads a control message with a range', () => {
    expect(read('1a0800106b00e7bdfffffffe80000001')).toBe(OK);
    expect({ ...header }).toEqual({
      type: 10,
      flags: FLAG_ACK,
      length: 16,
      sequence: 0x6b00e7bd,
      from: 0xfffffffe,
      to: 0x80000001,
    });
  });

  test('a message without a range has none', () => {
    read('1a0800106b00e7bd0000000100000002');
    expect(read('1a1000080000000100000003')).toBe(OK);
    expect([header.from, header.to]).toEqual([0, 0]);
  });

  // Results as the running original counted them (bytes sent to it, `-s network` before and after).
  test.each<[string, ReadResult, string]>([
    ['', TRUNCATED, 'nothing'],
    ['10000008000000', TRUNCATED, 'seven bytes'],
    ['1a100000000003ea', BAD_SIZE, 'length 0'],
    ['1a100004000003ea', BAD_SIZE, 'length below the header'],
    ['1a100014000003ea', BAD_SIZE, 'length beyond the end'],
    ['1a080008000003ea', TRUNCATED, 'ACK without a range'],
    ['1a08000c0000000500000001', TRUNCATED, 'ACK of 12 bytes'],
    ['1a08000c000000050000000100000001', BAD_SIZE, 'ACK of 16 bytes that says 12'],
    ['20100008000003ea', WRONG_VERSION, 'version 2'],
    ['00100008000003ea', WRONG_VERSION, 'version 0'],
    ['20100000000003ea', BAD_SIZE, 'version 2 and length 0: size first'],
  ])('%s', (hex, result) => {
    expect(read(hex)).toBe(result);
  });

  test.each([
    ['1000', INCOMPLETE],
    ['1a10001400000001', INCOMPLETE],
    ['1a10000000000001', BAD_SIZE],
    ['1a08000c0000000500000001', TRUNCATED],
  ])('on a stream: %s', (hex, result) => {
    expect(read(hex, true)).toBe(result);
  });

  test('begins at any offset', () => {
    const bytes = Uint8Array.from(Buffer.from(`ffffff${'1a0400100000000700000001000000ff'}`, 'hex'));
    expect(readHeader(Views.of(bytes), 3, bytes.length, header)).toBe(OK);
    expect([header.flags, header.sequence, header.from, header.to]).toEqual([FLAG_NACK, 7, 1, 255]);
  });
});

describe('kinds of messages', () => {
  const kind = (type: number, flags: number) => isData(Object.assign(new MessageHeader(), { type, flags }));

  test('data has a data type and no flag but those of the hello', () => {
    expect(kind(0, 0)).toBe(true);
    expect(kind(5, FLAG_HELLO)).toBe(true);
    expect(kind(0, FLAG_ALIVE)).toBe(false);
    expect(kind(6, 0)).toBe(false);
    expect(kind(10, 0)).toBe(false);
  });

  test('types of flows and expectations', () => {
    expect([0, 1, 2, 3, 5, 6].map(isFlow)).toEqual([true, true, true, false, false, false]);
    expect([0, 2, 3, 5, 6, 10].map(isExpectation)).toEqual([false, false, true, true, false, false]);
  });
});

describe('encodeControl', () => {
  test.each([
    [FLAG_ALIVE, 8],
    [FLAG_ACK, 16],
    [FLAG_NACK, 16],
    [FLAG_RESYNC, 16],
  ])('flags %i make %i bytes that read back', (flags, length) => {
    const out = new Views(32);
    expect(encodeControl(out, 4, flags, 0xfffffff0, 1, 0x80000000)).toBe(length);
    expect(readHeader(out, 4, 4 + length, header)).toBe(OK);
    const [from, to] = length === 16 ? [1, 0x80000000] : [0, 0];
    expect({ ...header }).toEqual({ type: 10, flags, length, sequence: 0xfffffff0, from, to });
  });
});

describe('counters', () => {
  test('a bad message moves the malformed counter and its own', () => {
    const counters = new MessageCounters();
    for (const result of [OK, INCOMPLETE, TRUNCATED, BAD_SIZE, BAD_SIZE]) counters.count(result);
    expect(counters.value('malformed')).toBe(3);
    expect(counters.value('truncated')).toBe(1);
    expect(counters.value('badSize')).toBe(2);
  });

  test('every result but OK and INCOMPLETE has a counter of its own', () => {
    for (let result = TRUNCATED; result <= 7; result++) {
      const counters = new MessageCounters();
      counters.count(result);
      expect(counters.received[0]).toBe(1);
      expect(counters.received.slice(1).reduce((sum, value) => sum + value, 0)).toBe(1);
    }
    expect(RECEIVE_COUNTERS).toHaveLength(7);
  });
});

describe('tables', () => {
  test('index and number of an attribute agree', () => {
    FLOW_ATTRIBUTES.forEach((attribute, index) => {
      expect(attribute.number).toBe(index);
    });
    expect(FLOW_ATTRIBUTES).toHaveLength(33);
    expect(MAX_MESSAGE_BYTES % 4).toBe(0);
  });
});
