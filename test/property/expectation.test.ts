import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Views } from '../../src/base/views.js';
import type { Expectation, ExpectationTuple } from '../../src/flow/expectation.js';
import { expectationLine, expectationXml } from '../../src/flow/expectation-format.js';
import { AF_INET, AF_INET6, familyOf, IPPROTO_ICMP, IPPROTO_ICMPV6, kindOf } from '../../src/flow/layout.js';
import { decodeKernelExpectation } from '../../src/netlink/expectation-decode.js';
import { encodeExpectationCreate, MAX_EXPECTATION_REQUEST_BYTES } from '../../src/netlink/expectation-encode.js';
import { OK } from '../../src/wire/counters.js';
import { decodeExpectation, encodeExpectation, MAX_EXPECTATION_BYTES } from '../../src/wire/expectation.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { EXPECTATION_UPDATE, MAX_MESSAGE_BYTES } from '../../src/wire/tables.js';

const word = fc.nat(0xffffffff);

function tupleOf(family: number): fc.Arbitrary<ExpectationTuple> {
  return fc
    .tuple(fc.constantFrom(6, 17, 132), fc.array(word, { minLength: 9, maxLength: 9 }))
    .map(([protocol, values]) => {
      const words = Uint32Array.from(values);
      if (family === AF_INET) for (const at of [1, 2, 3, 5, 6, 7]) words[at] = 0;
      return { kind: kindOf(family, protocol), words };
    });
}

const name = (most: number) => fc.string({ unit: fc.constantFrom(...'abcxyz-_.59'), minLength: 0, maxLength: most });

const expectations: fc.Arbitrary<Expectation> = fc.constantFrom(AF_INET, AF_INET6).chain((family) =>
  fc.record({
    master: tupleOf(family),
    expected: tupleOf(family),
    mask: tupleOf(family),
    timeout: fc.option(word),
    flags: fc.option(word),
    class: fc.option(word),
    zone: fc.constant(0),
    nat: fc.option(fc.record({ direction: word, tuple: tupleOf(family) })),
    helper: name(11),
    functionName: name(27),
  }),
);

/** What the wire can carry: of IPv6 NAT no addresses. */
function carried(expectation: Expectation): Expectation {
  const { nat } = expectation;
  if (nat === null || familyOf(nat.tuple.kind) === AF_INET) return expectation;
  const words = new Uint32Array(9);
  words[8] = nat.tuple.words[8]!;
  return { ...expectation, nat: { ...nat, tuple: { ...nat.tuple, words } } };
}

describe('messages of expectations', () => {
  const out = new Views(MAX_MESSAGE_BYTES + 64);

  it('come back as they went', () => {
    fc.assert(
      fc.property(expectations, word, (expectation, sequence) => {
        out.u8.fill(0xa5);
        const length = encodeExpectation(out, 32, EXPECTATION_UPDATE, 0, sequence, expectation, true);
        expect(length % 4).toBe(0);
        expect(length).toBeLessThanOrEqual(MAX_EXPECTATION_BYTES);
        expect(out.u8[32 + length]).toBe(0xa5);
        const header = new MessageHeader();
        expect(readHeader(out, 32, 32 + length, header)).toBe(OK);
        expect([header.type, header.length, header.sequence]).toEqual([EXPECTATION_UPDATE, length, sequence]);
        expect(decodeExpectation(out, 32, 32 + length)).toEqual(carried(expectation));
      }),
    );
  });

  it('leave out names that the original would refuse', () => {
    fc.assert(
      fc.property(expectations, (expectation) => {
        const long = { ...expectation, helper: 'x'.repeat(12), functionName: 'y'.repeat(28) };
        const length = encodeExpectation(out, 0, EXPECTATION_UPDATE, 0, 1, long, true);
        const decoded = decodeExpectation(out, 0, length);
        expect([decoded?.helper, decoded?.functionName]).toEqual(['', '']);
      }),
    );
  });

  it('fit where flows do', () => {
    expect(MAX_EXPECTATION_BYTES).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  });

  it('are refused rather than misread when bytes change, and can be shown when they are not', () => {
    fc.assert(
      fc.property(
        expectations,
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
        fc.nat(300),
        (expectation, changes, cut) => {
          const length = encodeExpectation(out, 0, EXPECTATION_UPDATE, 0, 1, expectation, true);
          for (const [at, byte] of changes) if (8 + at < length) out.u8[8 + at] = byte;
          const decoded = decodeExpectation(out, 0, Math.max(8, length - cut));
          if (decoded === null) return;
          expect(expectationLine(decoded, { timeout: true })).toMatch(/proto=\d+ src=[\da-f.:]+ dst=/);
          expect(expectationXml(decoded)).toMatch(/^<flow>.*<\/flow>$/);
        },
      ),
    );
  });

  it('never throw on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), (bytes, at) => {
        const views = Views.of(bytes);
        decodeExpectation(views, Math.min(at, bytes.length), bytes.length);
        decodeKernelExpectation(views, 0, bytes.length);
      }),
    );
  });
});

describe('attributes of a message', () => {
  const make = (number: number, data: number): Uint8Array => {
    const attribute = new Uint8Array(8 + 4 + ((data + 3) & ~3));
    attribute.set([0, 4 + data, 0, number], 8);
    return attribute;
  };
  const base = new Views(512);
  const whole: Expectation = fc.sample(expectations, { numRuns: 1, seed: 7 })[0]!;

  /** Whether a sound message with this attribute behind it is accepted. */
  function accepts(number: number, size: number): boolean {
    const length = encodeExpectation(base, 0, EXPECTATION_UPDATE, 0, 1, { ...whole, nat: null }, false);
    const more = make(number, size).subarray(8);
    base.u8.set(more, length);
    return decodeExpectation(base, 0, length + more.length) !== null;
  }

  // Sizes of spec/wire.md; those of the two names asked of the running original.
  const sizes = [8, 32, 1, 4, 8, 32, 1, 4, 8, 32, 1, 4, 4, 4, 4, 8, 4, 1, 4];

  it.each(sizes.map((size, number) => ({ number, size })))('$number has $size bytes', ({ number, size }) => {
    const isAddress = number < 12 && (number & 3) < 2;
    // The addresses of another family than the other tuples' are refused, whatever their size.
    const family = (number & 3) === 0 ? AF_INET : AF_INET6;
    expect(accepts(number, size)).toBe(!isAddress || family === familyOf(whole.master.kind));
    for (const other of [size - 1, size + 1, size + 4]) expect(accepts(number, other)).toBe(false);
  });

  it('names have up to 12 and 28 bytes', () => {
    expect([accepts(19, 12), accepts(19, 13), accepts(20, 28), accepts(20, 29)]).toEqual([true, false, true, false]);
  });

  it('above 20 there is none', () => {
    for (const number of [21, 32, 255]) expect(accepts(number, 4)).toBe(false);
  });
});

describe('requests of expectations', () => {
  const out = new Views(MAX_EXPECTATION_REQUEST_BYTES + 64);

  it('say what the kernel would say', () => {
    fc.assert(
      fc.property(expectations, word, (expectation, timeout) => {
        out.u8.fill(0xa5);
        const options = { sequence: 3, ack: false, timeout, setup: true };
        const length = encodeExpectationCreate(out, 16, expectation, options);
        expect(length).toBeLessThanOrEqual(MAX_EXPECTATION_REQUEST_BYTES);
        expect(out.u8[16 + length]).toBe(0xa5);
        const policy = expectation.class === 0 ? null : expectation.class;
        expect(decodeKernelExpectation(out, 16, 16 + length)).toEqual({ ...expectation, class: policy, timeout });
      }),
    );
  });
});

it('ICMP shows type, code and id', () => {
  for (const protocol of [IPPROTO_ICMP, IPPROTO_ICMPV6]) {
    const tuple = { kind: kindOf(AF_INET, protocol), words: new Uint32Array(9) };
    const [sample] = fc.sample(expectations, { numRuns: 1, seed: 1 });
    expect(expectationLine({ ...sample!, expected: tuple })).toContain(
      `proto=${protocol} src=0.0.0.0 dst=0.0.0.0 type=0 code=0 id=0`,
    );
  }
});
