import { describe, expect, it } from 'vitest';
import { CROWDED, SOURCE_WORDS, SourceTable, STRANGER } from '../../../src/channel/sources.js';
import { inet6Address, inetAddress } from '../../../src/native/sockaddr.js';

const v4 = (last: number, port = 1) => inetAddress(Uint8Array.of(10, 0, last >> 8, last & 0xff), port);
const v6 = (last: number, scope = 0) => {
  const address = new Uint8Array(16);
  address[0] = 0xfe;
  address[1] = 0x80;
  address[15] = last;
  return inet6Address(address, 1, scope);
};

/** As `receiveBatch` leaves it: the address in a slot of 28 bytes, padded with zeros. */
function slots(...addresses: Uint8Array[]): Uint32Array {
  const words = new Uint32Array(addresses.length * SOURCE_WORDS);
  const bytes = new Uint8Array(words.buffer);
  addresses.forEach((address, index) => {
    bytes.set(address, index * SOURCE_WORDS * 4);
  });
  return words;
}

describe('senders', () => {
  it('have the same number whatever their port', () => {
    const table = new SourceTable();
    const words = slots(v4(1, 1000), v4(2, 1000), v4(1, 2000), v6(1), v6(1, 2), v6(1));
    const numbers = Array.from({ length: 6 }, (_, index) => table.identify(words, index * SOURCE_WORDS));
    expect(numbers).toEqual([0, 1, 0, 2, 3, 2]);
    expect(table.name(1)).toBe('10.0.0.2:1000');
    expect(table.name(3)).toBe('[fe80::1%2]:1');
    expect(table.name(9)).toBe('unknown sender');
    expect(table.name(STRANGER)).toBe('unknown sender');
  });

  it('an expected one has its number before it is heard', () => {
    const table = new SourceTable();
    expect(table.add(v4(7))).toBe(0);
    expect(table.add(v4(7, 99))).toBe(0);
    expect(table.identify(slots(v4(8)), 0)).toBe(1);
    expect(table.identify(slots(v4(7, 5)), 0)).toBe(0);
  });

  it('are strangers to a closed table', () => {
    const table = new SourceTable(() => false);
    expect(table.identify(slots(v4(0)), 0)).toBe(STRANGER);
    table.add(v4(7));
    expect(table.identify(slots(v4(8)), 0)).toBe(STRANGER);
    expect(table.identify(slots(v4(7)), 0)).toBe(0);
  });

  it('are forgotten when too many come, the one silent for the longest first, and numbers are not given twice', () => {
    const table = new SourceTable();
    const peer = slots(v4(9999));
    const seen = new Set<number>();
    expect(table.identify(peer, 0)).toBe(0);
    for (let forged = 1; forged <= 500; forged++) {
      table.nowMs += 1000;
      seen.add(table.identify(slots(v4(forged)), 0));
      expect(table.identify(peer, 0)).toBe(0);
    }
    expect(seen.size).toBe(500);
    expect(table.identify(slots(v4(1)), 0)).toBe(501);
    expect(table.name(1)).toBe('unknown sender');
  });

  it('that are alive are not forgotten for new ones, nor is an expected one, however long it is silent', () => {
    const table = new SourceTable();
    table.add(v4(9999));
    for (let sender = 1; sender < 64; sender++) expect(table.identify(slots(v4(sender)), 0)).toBe(sender);
    table.nowMs = 9999;
    expect(table.identify(slots(v4(500)), 0)).toBe(CROWDED);
    expect(table.identify(slots(v4(7)), 0)).toBe(7);
    table.nowMs = 10_000;
    for (let forged = 500; forged < 562; forged++) expect(table.identify(slots(v4(forged)), 0)).toBeGreaterThan(63);
    expect(table.identify(slots(v4(600)), 0)).toBe(CROWDED);
    expect(table.identify(slots(v4(7)), 0)).toBe(7);
    expect(table.identify(slots(v4(9999)), 0)).toBe(0);
  });
});
