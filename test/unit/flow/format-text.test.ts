import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAges, formatFlowLine } from '../../../src/flow/format.js';
import { formatFlowXml } from '../../../src/flow/format-xml.js';
import {
  AF_INET,
  IPPROTO_UDP,
  K_ORIG,
  K_SECCTX,
  K_STATUS,
  KIND,
  KNOWN,
  kindOf,
  ORIG_SRC,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { ascii, TextBuffer } from '../../../src/flow/text.js';

function written(write: (out: TextBuffer) => void): string {
  const out = new TextBuffer(1);
  write(out);
  return out.toString();
}

describe('TextBuffer', () => {
  test('numbers up to 2^53', () => {
    for (const value of [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 99_999, 100_000, 999_999, 1_000_000]) {
      expect(written((out) => out.decimal(value))).toBe(String(value));
    }
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(0xffffffff), (big, word) => {
        expect(written((out) => out.decimal(big))).toBe(String(big));
        expect(written((out) => out.decimal(word))).toBe(String(word));
        expect(written((out) => out.hex(word))).toBe(word.toString(16));
      }),
    );
  });

  test('padded numbers', () => {
    expect(written((out) => out.decimalPadded(42, 20))).toBe('42'.padStart(20));
    expect(written((out) => out.decimalPadded(12345, 3))).toBe('12345');
  });

  test('grows, keeps what it has, and can be taken and used again', () => {
    const out = new TextBuffer(4);
    for (let i = 0; i < 1000; i++) out.literal(ascii('twelve bytes'));
    expect(out.toString()).toBe('twelve bytes'.repeat(1000));
    expect(out.take()).toHaveLength(12_000);
    out.text('again');
    out.byte(0x0a);
    expect(out.toString()).toBe('again\n');
    out.clear();
    expect(out.length).toBe(0);
  });

  test('characters beyond latin1 become question marks', () => {
    expect(written((out) => out.text('aé€'))).toBe('aé?');
  });
});

describe('ages', () => {
  test('of an entry that expires and of one that does not', () => {
    expect(written((out) => formatAges(out, 179, 0))).toBe(' [expires in 179s] [active since 0s]');
    expect(written((out) => formatAges(out, -1, 3))).toBe(' [active since 3s]');
  });
});

describe('security contexts', () => {
  const flow = new FlowScratch();
  flow.words[KIND] = kindOf(AF_INET, IPPROTO_UDP);
  flow.words[ORIG_SRC] = 0x0100000a;
  flow.words[KNOWN] = K_ORIG | K_STATUS | K_SECCTX;

  test('with markup are escaped in XML', () => {
    flow.secctx = 'a<b>&c';
    expect(written((out) => formatFlowXml(out, flow, {}))).toContain('<secctx>a&lt;b&gt;&amp;c</secctx>');
    expect(written((out) => formatFlowLine(out, flow, {}))).toMatch(/ secctx=a<b>&c$/);
  });

  test('of any length find room', () => {
    flow.secctx = 'x'.repeat(100_000);
    const line = 'udp      17 src=10.0.0.1 dst=0.0.0.0 sport=0 dport=0 [UNREPLIED]';
    expect(written((out) => formatFlowLine(out, flow, {}))).toBe(`${line} secctx=${flow.secctx}`);
  });
});
