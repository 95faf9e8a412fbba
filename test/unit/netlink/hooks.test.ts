import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { encodeHookDumpRequest, hookFunctionOf } from '../../../src/netlink/hooks.js';

const text = (bytes: string): Buffer => Buffer.from(bytes.replaceAll(' ', ''), 'hex');

function attribute(type: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(data.length / 4) * 4);
  bytes.writeUInt16LE(4 + data.length, 0);
  bytes.writeUInt16LE(type, 2);
  data.copy(bytes, 4);
  return bytes;
}

/** A hook as linux/netfilter/nfnetlink_hook.h describes it: number, priority, function, module. */
function hook(name: string | null, subsystem = 12): Views {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  const body = Buffer.concat([
    Buffer.from([2, 0, 0, 0]),
    attribute(1, number(0)),
    attribute(2, number(-200)),
    ...(name === null ? [] : [attribute(4, Buffer.from(`${name}\0`))]),
    attribute(5, Buffer.from('nf_conntrack\0')),
  ]);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeUInt16LE(subsystem << 8, 4);
  const views = new Views(256);
  views.u8.set(Buffer.concat([header, body]));
  return views;
}

describe('hooks of the kernel', () => {
  it('are asked for as nft(8) does', () => {
    const views = new Views(64);
    const length = encodeHookDumpRequest(views, 0, 2, 1);
    // strace of `nft list hooks`: NLM_F_REQUEST | NLM_F_DUMP, family IPv4, hook number in network order.
    const expected = text('1c000000 000c 0103 00000000 00000000 02 00 0000 0800 0100 00000001');
    expect(Buffer.from(views.u8.subarray(0, length))).toEqual(expected);
  });

  it('have the names of their functions', () => {
    expect(hookFunctionOf(hook('ipv4_conntrack_in'), 0, 256)).toBe('ipv4_conntrack_in');
    expect(hookFunctionOf(hook(null), 0, 256)).toBe('');
  });

  it('are told from other messages, and from what is cut off', () => {
    expect(hookFunctionOf(hook('x', 1), 0, 256)).toBeNull();
    const views = hook('ipv4_conntrack_in');
    for (let end = 0; end < views.u32[0]!; end++) expect(hookFunctionOf(views, 0, end)).toBeNull();
    // An attribute that is longer than its message.
    views.u16[10] = 500;
    expect(hookFunctionOf(views, 0, 256)).toBeNull();
  });
});
