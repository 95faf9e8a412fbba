import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4Text, ipv6Text, LONGEST_ADDRESS, parseIpv4, parseIpv6, writeIpv6 } from '../../../src/base/address.js';

const fixture = new URL('../../fixtures/format/inet-ntop.json', import.meta.url);
const { addresses } = JSON.parse(readFileSync(fixture, 'utf8')) as { addresses: readonly [string, string][] };

function wordsOf(hex: string): Uint32Array {
  return new Uint32Array(Uint8Array.from(Buffer.from(hex, 'hex')).buffer);
}

describe('IPv6', () => {
  test.each(addresses)('%s is %s', (hex, text) => {
    expect(ipv6Text(wordsOf(hex))).toBe(text);
    expect([...parseIpv6(text)!]).toEqual([...wordsOf(hex)]);
  });

  test('any address survives text', () => {
    fc.assert(
      fc.property(fc.uint32Array({ minLength: 4, maxLength: 4 }), (words) => {
        const text = ipv6Text(words);
        expect(text.length).toBeLessThanOrEqual(LONGEST_ADDRESS);
        expect([...parseIpv6(text)!]).toEqual([...words]);
      }),
    );
  });

  test('writes from any word of a row to any offset', () => {
    const out = new DataView(new ArrayBuffer(50));
    const end = writeIpv6(out, 5, Uint32Array.of(7, 0, 0, 0, 0x01000000), 1);
    expect(Buffer.from(out.buffer, 5, end - 5).toString()).toBe('::1');
  });

  test.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '12345::',
    'g::',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    ':1::',
    '1:',
    '1.2.3.4',
    '::1%lo',
    ' ::1',
  ])('%j is none', (text) => {
    expect(parseIpv6(text)).toBeNull();
  });
});

describe('IPv4', () => {
  test('any address survives text', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), (word) => {
        expect(parseIpv4(ipv4Text(word))).toBe(word);
      }),
    );
    expect(ipv4Text(0x04030201)).toBe('1.2.3.4');
    expect(ipv4Text(0xffffffff)).toBe('255.255.255.255');
  });

  test.each(['', '1', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', 'a.b.c.d', '1..2.3'])(
    '%j is none',
    (text) => {
      expect(parseIpv4(text)).toBeNull();
    },
  );
});
