import { describe, expect, test } from 'vitest';
import { Views } from '../../../src/base/views.js';
import {
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_KIND,
  ASIDE_SYNPROXY,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG_L4,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_SYNPROXY,
  K_ZONE,
  KIND,
  KNOWN,
  kindOf,
  ORIG_L4,
  ORIG_SRC,
  REPLY_L4,
  ZONE,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { decodeFlow } from '../../../src/wire/decode.js';

const scratch = new FlowScratch();

/** An attribute with its padding; `length` overrides the true one. */
function attribute(number: number, data: string, length = 4 + data.length / 2): string {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(length, 0);
  header.writeUInt16BE(number, 2);
  return header.toString('hex') + data.padEnd(Math.ceil(data.length / 8) * 8, '0');
}

function message(...attributes: string[]): Uint8Array {
  const body = Buffer.from(attributes.join(''), 'hex');
  const header = Buffer.from('1000000000000001', 'hex');
  header.writeUInt16BE(8 + body.length, 2);
  return Uint8Array.from(Buffer.concat([header, body]));
}

function decode(...attributes: string[]): boolean {
  const bytes = message(...attributes);
  return decodeFlow(Views.of(bytes), 0, bytes.length, scratch);
}

const known = (bit: number) => (scratch.words[KNOWN]! & bit) !== 0;

const addresses = attribute(0, '0a0000010a000002');
const tcp = attribute(2, '06');
const ports = attribute(3, '03e80050');
const flow = [addresses, tcp, ports];

describe('decodeFlow takes', () => {
  test('attributes in any order', () => {
    expect(decode(attribute(4, '03'), ports, attribute(12, '01020304'), tcp, addresses)).toBe(true);
    expect(scratch.words[KIND]).toBe(kindOf(2, 6, 3));
    expect(scratch.words[ORIG_L4]).toBe(0x5000e803);
    expect(known(K_SNAT)).toBe(true);
  });

  test('a repeated attribute: the last one counts', () => {
    expect(decode(...flow, attribute(3, '00010002'), attribute(32, '0001'), attribute(32, '0203'))).toBe(true);
    expect(scratch.words[ORIG_L4]).toBe(0x02000100);
    expect(scratch.words[ZONE]).toBe(0x0203);
  });

  test('both families: the last one counts, without rests of the other', () => {
    expect(decode(attribute(1, '20'.padEnd(64, 'f')), tcp, ports, addresses)).toBe(true);
    expect([...scratch.words.subarray(ORIG_SRC, ORIG_SRC + 8)]).toEqual([0x0100000a, 0, 0, 0, 0x0200000a, 0, 0, 0]);
  });

  test('up to three bytes behind the last attribute', () => {
    for (const rest of ['ff', 'ffff', 'ffffff']) expect(decode(...flow, rest)).toBe(true);
  });

  test('a last attribute without its padding', () => {
    expect(decode(addresses, ports, attribute(2, '06').slice(0, 10))).toBe(true);
  });

  test('swapped ports and ICMP ids', () => {
    expect(decode(...flow, attribute(14, '48ee'), attribute(15, '1234'))).toBe(true);
    expect(known(K_SPAT) && known(K_DPAT)).toBe(true);
    // Raw network order: 61000 = ee 48 in bytes 2 and 3, 0x3412 in bytes 0 and 1.
    expect(scratch.words[REPLY_L4]).toBe(0x48ee1234);
    expect(decode(addresses, attribute(2, '01'), attribute(22, '08'), attribute(23, '00'), attribute(24, '3512'))).toBe(
      true,
    );
    expect(scratch.words[ORIG_L4]).toBe(0x00083512);
  });

  test('helper, labels and synproxy', () => {
    expect(decode(...flow, attribute(27, '66747000'), attribute(28, '0000000800000001'), attribute(31, SYNPROXY))).toBe(
      true,
    );
    expect(known(K_HELPER) && known(K_LABELS) && known(K_SYNPROXY)).toBe(true);
    expect(scratch.aside[ASIDE_HELPER]).toBe(0x00707466);
    expect([...scratch.aside.subarray(ASIDE_LABELS, ASIDE_LABELS + 4)]).toEqual([8, 1, 0, 0]);
    expect([...scratch.aside.subarray(ASIDE_SYNPROXY, ASIDE_SYNPROXY + 3)]).toEqual([2, 1, 3]);
  });

  test('labels of any length, as the original does', () => {
    for (const bytes of [0, 1, 4, 6, 16, 20, 64]) expect(decode(...flow, attribute(28, '01'.repeat(bytes)))).toBe(true);
    expect(scratch.aside[ASIDE_LABELS + 4]).toBe(0);
  });

  test('a helper without a name says nothing', () => {
    expect(decode(...flow, attribute(27, ''))).toBe(true);
    expect(decode(...flow, attribute(27, '00'))).toBe(true);
    expect(known(K_HELPER)).toBe(false);
  });

  test('a state of another protocol says nothing', () => {
    expect(decode(addresses, attribute(2, '11'), ports, attribute(4, '03'))).toBe(true);
    expect(known(K_STATE)).toBe(false);
    expect(decode(...flow, attribute(17, '03'))).toBe(true);
    expect(known(K_STATE)).toBe(false);
  });

  test('a flow without ports or status', () => {
    expect(decode(addresses, attribute(2, '88'))).toBe(true);
    expect(known(K_ORIG_L4) || known(K_STATUS) || known(K_ZONE)).toBe(false);
  });

  test('a master only with address and protocol', () => {
    expect(decode(...flow, attribute(10, '06'), attribute(11, '00010002'))).toBe(true);
    expect(known(K_MASTER) || known(K_MASTER_L4)).toBe(false);
    expect(decode(...flow, attribute(10, '06'), attribute(8, '0a0000010a000002'), attribute(11, '00010002'))).toBe(
      true,
    );
    expect(known(K_MASTER) && known(K_MASTER_L4)).toBe(true);
    expect(scratch.aside[ASIDE_MASTER_KIND]).toBe(kindOf(2, 6));
  });

  test('nothing of the message before', () => {
    decode(...flow, attribute(27, '66747000'), attribute(4, '03'), attribute(14, '48ee'));
    expect(decode(addresses, tcp)).toBe(true);
    expect(known(K_HELPER) || known(K_STATE) || known(K_SPAT) || known(K_ORIG_L4)).toBe(false);
    expect([scratch.words[ORIG_L4], scratch.words[REPLY_L4]]).toEqual([0, 0]);
  });
});

const SYNPROXY = '000000010000000200000003';

describe('decodeFlow refuses', () => {
  test.each([
    ['an unknown attribute', attribute(33, '00000000')],
    ['a far attribute', attribute(0x1000, '00000000')],
    ['a wrong size', attribute(2, '1111')],
    ['a length above the remainder', attribute(2, '11000000', 0x3c)],
    ['a length shorter than its header', attribute(2, '11000000', 2)],
    ['a length of 0', attribute(2, '11000000', 0)],
    ['a helper name too long', attribute(27, '78'.repeat(13))],
    ['a helper name that breaks lines', attribute(27, '610a6200')],
    ['a helper name that breaks XML', attribute(27, '3c2f6600')],
    ['IPv6 NAT of an IPv4 flow', attribute(29, '20'.repeat(16))],
    ['NAT of both families', attribute(12, '01020304') + attribute(30, '20'.repeat(16))],
  ])('%s', (_what, bad) => {
    expect(decode(...flow, bad)).toBe(false);
  });

  test('a flow that could be neither shown nor committed', () => {
    expect(decode()).toBe(false);
    expect(decode(tcp, ports)).toBe(false);
    expect(decode(addresses, ports)).toBe(false);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26])(
    'attribute %i one byte longer or shorter',
    (number) => {
      for (const bytes of [0, 3, 5, 7, 9, 31, 33])
        expect(decode(...flow, attribute(number, '01'.repeat(bytes)))).toBe(false);
    },
  );
});

describe('decodeFlow at any offset', () => {
  test.each([1, 2, 3, 4, 5])('offset %i', (offset) => {
    const bytes = message(...flow, attribute(4, '03'), attribute(27, '66747000'));
    const views = Views.of(Uint8Array.from([...new Array<number>(offset).fill(0xff), ...bytes, 0xff]));
    expect(decodeFlow(views, offset, offset + bytes.length, scratch)).toBe(true);
    expect(scratch.words[KIND]).toBe(kindOf(2, 6, 3));
    expect(scratch.aside[ASIDE_HELPER]).toBe(0x00707466);
  });
});
