import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Views } from '../../src/base/views.js';
import { type Expectation, mergeExpectation } from '../../src/flow/expectation.js';
import { expectationLine, expectationXml } from '../../src/flow/expectation-format.js';
import { decodeKernelExpectation } from '../../src/netlink/expectation-decode.js';
import {
  encodeExpectationCreate,
  encodeExpectationDelete,
  encodeExpectationDumpRequest,
  encodeExpectationFlush,
  MAX_EXPECTATION_REQUEST_BYTES,
} from '../../src/netlink/expectation-encode.js';
import { OK } from '../../src/wire/counters.js';
import { decodeExpectation, encodeExpectation, MAX_EXPECTATION_BYTES } from '../../src/wire/expectation.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { EXPECTATION_UPDATE } from '../../src/wire/tables.js';

interface Shown {
  readonly name: string;
  readonly plain: string;
  readonly xml: string;
}

/** What the original made of expectations; see `provenance` in the file. */
const captured = JSON.parse(
  readFileSync(new URL('../fixtures/expectation/captured.json', import.meta.url), 'utf8'),
) as {
  wire: { name: string; timeout: boolean; events: string[]; message: string }[];
  dumps: (Shown & { events: string[] })[];
  external: (Shown & { message: string })[];
  requests: { name: string; message: string; requests: string[] }[];
  lines: { name: string; message: string; line: string }[];
  table: { hex: string; line: string }[];
  flush: string;
  dumpRequest: string;
};

const viewsOf = (hex: string): [Views, number] => [Views.of(Buffer.from(hex, 'hex')), hex.length / 2];

function ofKernel(hex: string): Expectation {
  const [views, length] = viewsOf(hex);
  const expectation = decodeKernelExpectation(views, 0, length);
  if (expectation === null) throw new Error(`undecodable: ${hex}`);
  return expectation;
}

function ofPeer(hex: string): Expectation {
  const [views, length] = viewsOf(hex);
  const expectation = decodeExpectation(views, 0, length);
  if (expectation === null) throw new Error(`undecodable: ${hex}`);
  return expectation;
}

function headerOf(hex: string): MessageHeader {
  const header = new MessageHeader();
  const [views, length] = viewsOf(hex);
  expect(readHeader(views, 0, length, header)).toBe(OK);
  return header;
}

/** Our message of an expectation, with the header of the original's. */
function message(expectation: Expectation, header: MessageHeader, timeout: boolean): string {
  const out = new Views(MAX_EXPECTATION_BYTES + 64);
  out.u8.fill(0xee); // what an earlier message left there
  const length = encodeExpectation(out, 32, header.type, header.flags, header.sequence, expectation, timeout);
  return Buffer.from(out.u8.subarray(32, 32 + length)).toString('hex');
}

describe('kernel events of an expectation to its message', () => {
  it.each(captured.wire)('$name', ({ events, message: golden, timeout }) => {
    const [first, ...more] = events.map(ofKernel);
    const merged = more.reduce(mergeExpectation, first!);
    // What came second is a dump, and the daemon made its own a moment earlier: the seconds left differ by one.
    const cached = more.length > 0 ? { ...merged, timeout: ofPeer(golden).timeout } : merged;
    expect(message(cached, headerOf(golden), timeout)).toBe(golden);
  });

  it('covers new, update and destroy, both families, NAT and no timeout', () => {
    expect(new Set(captured.wire.map(({ message: hex }) => hex.slice(0, 2)))).toEqual(new Set(['13', '14', '15']));
    expect(captured.wire.some(({ timeout }) => !timeout)).toBe(true);
    expect(captured.wire.filter(({ events }) => ofKernel(events[0]!).nat !== null).length).toBeGreaterThanOrEqual(4);
    expect(headerOf(captured.wire.find(({ message: hex }) => hex.startsWith('14'))!.message).type).toBe(
      EXPECTATION_UPDATE,
    );
  });
});

describe('messages of the original to expectations and back', () => {
  it.each(captured.wire)('$name', ({ message: golden }) => {
    const header = headerOf(golden);
    expect(message(ofPeer(golden), header, true)).toBe(golden);
    // One byte behind a multiple of 4: a message may follow one of odd length.
    const shifted = Views.of(Buffer.from(`ee${golden}`, 'hex'));
    expect(decodeExpectation(shifted, 1, 1 + golden.length / 2)).toEqual(ofPeer(golden));
  });
});

describe('dumps', () => {
  const line = (expectation: Expectation) => `${expectationLine(expectation)}`;
  const withoutAge = (plain: string) => plain.replace(/ \[active since \d+s\]\n$/, '');

  it.each(captured.dumps)('internal: $name', ({ events, plain, xml }) => {
    const expectation = ofKernel(events.at(-1)!);
    expect(line(expectation)).toBe(withoutAge(plain));
    expect(`${expectationXml(expectation)}\n`).toBe(xml);
  });

  it.each(captured.external)('external: $name', ({ message: hex, plain, xml }) => {
    expect(line(ofPeer(hex))).toBe(withoutAge(plain));
    expect(`${expectationXml(ofPeer(hex))}\n`).toBe(xml);
  });

  it.each(captured.lines)('under a commit error: $name', ({ message: hex, line: golden }) => {
    expect(expectationLine(ofPeer(hex), { timeout: true })).toBe(golden);
  });

  it.each(captured.table)('entry of a kernel dump: $line', ({ hex, line: golden }) => {
    expect(expectationLine(ofKernel(hex), { timeout: true })).toBe(golden);
  });
});

describe('requests to the kernel', () => {
  const AT = 64;
  const made = (write: (out: Views) => number): string => {
    const out = new Views(AT + MAX_EXPECTATION_REQUEST_BYTES);
    out.u8.fill(0xa5);
    const length = write(out);
    return Buffer.from(out.u8.subarray(AT, AT + length)).toString('hex');
  };

  it.each(captured.requests)('$name', ({ message: hex, requests }) => {
    const expectation = ofPeer(hex);
    for (const golden of requests) {
      // A commit takes the entry's age off; it is the only number that is not the peer's.
      const timeout = Number.parseInt(/08000400([0-9a-f]{8})/.exec(golden)![1]!, 16);
      const options = { sequence: 0, ack: true, timeout, setup: false };
      const encode = golden.slice(8, 12) === '0202' ? encodeExpectationDelete : encodeExpectationCreate;
      expect(made((out) => encode(out, AT, expectation, options))).toBe(golden);
    }
  });

  it('asks for a dump as the original does', () => {
    expect(made((out) => encodeExpectationDumpRequest(out, AT))).toBe(captured.dumpRequest);
  });

  it('flushes as the original does', () => {
    expect(made((out) => encodeExpectationFlush(out, AT, 0, true))).toBe(captured.flush);
  });

  it('adds what sets the expected connection up, as the kernel reports it', () => {
    const event = captured.wire.find(({ name }) => name.includes('exp_netlink_nat'))!.events[0]!;
    const expectation = ofKernel(event);
    const options = { sequence: 0, ack: true, timeout: null, setup: true };
    const request = made((out) => encodeExpectationCreate(out, AT, expectation, options));
    expect(ofKernel(request)).toEqual({ ...expectation, class: null });
  });
});
