import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { decodeLink, encodeLinkDumpRequest, newLinkMessage } from '../../../src/netlink/link.js';

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/netlink/links.json', import.meta.url), 'utf8')) as {
  dump: string[];
  left_bridge: string;
  went_down: string;
  deleted: string;
};

/** IFF_ bits of linux/if.h. */
const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;

function decode(hex: string) {
  const bytes = Buffer.from(hex, 'hex');
  const link = newLinkMessage();
  return { read: decodeLink(Views.of(bytes), 0, bytes.length, link), ...link };
}

describe('decodeLink', () => {
  it('reads interfaces of a dump', () => {
    const [loopback, veth] = fixture.dump.map(decode);
    expect(loopback).toMatchObject({ read: true, index: 1, name: 'lo', removed: false });
    expect(veth).toMatchObject({ read: true, index: 2, name: 'vx1', removed: false });
    expect(veth!.flags & (IFF_UP | IFF_RUNNING)).toBe(IFF_UP | IFF_RUNNING);
  });

  it('does not take the end of a dump for an interface', () => {
    expect(decode(fixture.dump.at(-1)!).read).toBe(false);
  });

  it('sees an interface go down', () => {
    const link = decode(fixture.went_down);
    expect(link).toMatchObject({ read: true, index: 3, name: 'vx0', removed: false });
    expect(link.flags & (IFF_UP | IFF_RUNNING)).toBe(0);
  });

  it('sees an interface vanish', () => {
    expect(decode(fixture.deleted)).toMatchObject({ read: true, index: 3, name: 'vx0', removed: true, flags: 0 });
  });

  it('does not mistake leaving a bridge for vanishing', () => {
    expect(decode(fixture.left_bridge).read).toBe(false);
  });

  it('refuses every truncation', () => {
    const bytes = Buffer.from(fixture.deleted, 'hex');
    const views = Views.of(bytes);
    const link = newLinkMessage();
    for (let end = 0; end < bytes.length; end++) expect(decodeLink(views, 0, end, link)).toBe(false);
  });

  it('refuses an attribute that is longer than the message', () => {
    const bytes = Buffer.from(fixture.deleted, 'hex');
    bytes.writeUInt16LE(0xffff, 32);
    expect(decode(bytes.toString('hex')).read).toBe(false);
    bytes.writeUInt16LE(3, 32);
    expect(decode(bytes.toString('hex')).read).toBe(false);
  });
});

describe('encodeLinkDumpRequest', () => {
  it('asks for all families, with a whole ifinfomsg', () => {
    const out = new Views(64);
    out.u8.fill(0xff);
    expect(encodeLinkDumpRequest(out, 8, 7)).toBe(32);
    expect(Buffer.from(out.u8.subarray(8, 40)).toString('hex')).toBe(
      `20000000${'1200'}${'0103'}${'07000000'}${'00000000'}${'00'.repeat(16)}`,
    );
  });
});
