import { describe, expect, it } from 'vitest';
import {
  formatInet6,
  formatSocketAddress,
  inet6Address,
  inetAddress,
  netlinkAddress,
  packetAddress,
  parseSocketAddress,
  unixAddress,
} from '../../../src/native/sockaddr.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const linkLocal = bytes('fe800000000000000000000000000001');

describe('socket addresses', () => {
  it('IPv4: family in host order, port and address in network order', () => {
    const address = inetAddress(bytes('ac1e1001'), 3780);
    expect(hex(address)).toBe('02000ec4ac1e10010000000000000000');
    expect(parseSocketAddress(address)).toEqual({ family: 'inet', address: bytes('ac1e1001'), port: 3780 });
    expect(formatSocketAddress(address)).toBe('172.30.16.1:3780');
  });

  it('IPv6 with a scope', () => {
    const address = inet6Address(linkLocal, 3780, 2);
    expect(hex(address)).toBe('0a000ec400000000fe80000000000000000000000000000102000000');
    expect(parseSocketAddress(address)).toEqual({ family: 'inet6', address: linkLocal, port: 3780, scope: 2 });
    expect(formatSocketAddress(address)).toBe('[fe80::1%2]:3780');
    expect(formatSocketAddress(inet6Address(linkLocal, 1, 0))).toBe('[fe80::1]:1');
  });

  it('netlink: port id and groups in host order', () => {
    const address = netlinkAddress(0x01020304, 7);
    expect(hex(address)).toBe('100000000403020107000000');
    expect(parseSocketAddress(address)).toEqual({ family: 'netlink', portId: 0x01020304, groups: 7 });
    expect(formatSocketAddress(address)).toBe('netlink port 16909060 groups 0x7');
  });

  it('UNIX: paths, abstract names, and a path that is too long', () => {
    expect(hex(unixAddress('/a'))).toBe('01002f6100');
    expect(formatSocketAddress(unixAddress('/run/ctl'))).toBe('/run/ctl');
    expect(formatSocketAddress(bytes('0100006162'))).toBe('@ab');
    expect(formatSocketAddress(bytes('0100'))).toBe('unnamed UNIX socket');
    expect(unixAddress('x'.repeat(107))).toHaveLength(110);
    expect(() => unixAddress('x'.repeat(108))).toThrow(/108 bytes/);
  });

  it('packet: protocol in network order, interface in host order', () => {
    const address = packetAddress(0x0800, 3, bytes('0a0b0c0d0e0f'));
    expect(hex(address)).toBe('1100080003000000000000060a0b0c0d0e0f0000');
    expect(parseSocketAddress(address)).toEqual({
      family: 'packet',
      protocol: 0x0800,
      interfaceIndex: 3,
      address: bytes('0a0b0c0d0e0f'),
    });
    expect(formatSocketAddress(address)).toBe('packet protocol 0x800 interface 3');
  });

  it('short or foreign bytes are unknown, not an error', () => {
    for (const text of ['', '02', '0200', '0a000ec4', '1000', '1100ff', 'ffff00000000']) {
      expect(parseSocketAddress(bytes(text)).family).toBe('unknown');
    }
    expect(formatSocketAddress(bytes('ffff'))).toBe('address of family 65535');
  });

  it('IPv6 text compresses the longest run of zeros, and only runs', () => {
    const text = (groups: string) => formatInet6(bytes(groups.replaceAll(' ', '')));
    expect(text('0000 0000 0000 0000 0000 0000 0000 0000')).toBe('::');
    expect(text('0000 0000 0000 0000 0000 0000 0000 0001')).toBe('::1');
    expect(text('2001 0db8 0000 0000 0001 0000 0000 0000')).toBe('2001:db8:0:0:1::');
    expect(text('2001 0db8 0000 0001 0001 0001 0001 0001')).toBe('2001:db8:0:1:1:1:1:1');
    expect(text('ff02 0000 0000 0000 0000 0000 0000 0000')).toBe('ff02::');
  });
});
