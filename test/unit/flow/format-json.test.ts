import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExternalExpectations } from '../../../src/cache/expectation-external.js';
import { ExpectationDump } from '../../../src/control/expectation-dump.js';
import { expectationJson } from '../../../src/flow/expectation-format.js';
import { formatFlowLine } from '../../../src/flow/format.js';
import { formatFlowJson, NOT_SHOWN } from '../../../src/flow/format-json.js';
import {
  ASIDE_HELPER,
  ASIDE_LABELS,
  IPPROTO_TCP,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_ORIG,
  K_SECCTX,
  K_SNAT,
  K_SPAT,
  KIND,
  KNOWN,
  kindOf,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { TextBuffer } from '../../../src/flow/text.js';
import { expectationOf } from '../../support/expectation.js';
import { randomFlow } from '../../support/random-flow.js';
import { dumpedObjects, violations } from '../../support/schemas.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const NOW = 2_000_000_000;

function json(flow: FlowScratch, active = NOT_SHOWN, expires = NOT_SHOWN, counters: Float64Array | null = null) {
  const out = new TextBuffer(1);
  formatFlowJson(out, flow, NOW, active, expires, counters);
  const text = out.toString();
  expect(text).not.toMatch(/[^ -~]/);
  return JSON.parse(text);
}

describe('a flow as JSON', () => {
  it('is what doc/schema/flow.schema.json says, whatever the flow', () => {
    fc.assert(
      fc.property(randomFlow(), fc.nat(1e6), (flow, age) => {
        const object = json(flow, age, age, new Float64Array([1, 2, 3, 2 ** 53 - 1]));
        expect(violations('flow', object)).toEqual([]);
        expect(object).toMatchObject({ activeSeconds: age, expiresInSeconds: age });
      }),
    );
  });

  it('has the words of the line', () => {
    fc.assert(
      fc.property(randomFlow(), (flow) => {
        const out = new TextBuffer();
        formatFlowLine(out, flow, { nowSeconds: NOW });
        const line = out.toString();
        const object = json(flow);
        expect(line).toContain(`src=${object.original.source} dst=${object.original.destination}`);
        if (object.original.sourcePort !== undefined) expect(line).toContain(` sport=${object.original.sourcePort} `);
        if (object.reply !== undefined)
          expect(line).toContain(`src=${object.reply.source} dst=${object.reply.destination}`);
        if (object.mark !== undefined) expect(line).toContain(`mark=${object.mark}`);
        expect(line.includes('[UNREPLIED]')).toBe(object.replied === false);
      }),
    );
  });

  it('of a common flow', () => {
    const object = json(tcpFlow({ number: 1, timeout: 431_999 }), 12, NOT_SHOWN, new Float64Array([1, 60, 2, 120]));
    expect(object).toMatchObject({
      family: 'ipv4',
      protocol: 6,
      protocolName: 'tcp',
      state: 'ESTABLISHED',
      timeoutSeconds: 431_999,
      original: { packets: 1, bytes: 60 },
      activeSeconds: 12,
    });
    expect(object).not.toHaveProperty('expiresInSeconds');
  });

  it('shows what a peer tells of translation', () => {
    const flow = new FlowScratch();
    flow.words[KNOWN] = K_ORIG | K_SNAT | K_DNAT | K_SPAT | K_DPAT;
    flow.words[KIND] = kindOf(2, IPPROTO_TCP);
    // 192.0.2.1 and 10.0.0.9 in network order; ports 8080 and 40000.
    flow.words[REPLY_DST] = 0x0102_00c0;
    flow.words[REPLY_SRC] = 0x0900_000a;
    new DataView(flow.words.buffer, flow.words.byteOffset).setUint16(REPLY_L4 * 4, 8080);
    new DataView(flow.words.buffer, flow.words.byteOffset).setUint16(REPLY_L4 * 4 + 2, 40_000);
    expect(json(flow).nat).toEqual({
      source: '192.0.2.1',
      sourcePort: 40_000,
      destination: '10.0.0.9',
      destinationPort: 8080,
    });
  });

  it('escapes what peers and the kernel call things', () => {
    const flow = tcpFlow({ number: 1 });
    flow.words[KNOWN] = (flow.words[KNOWN]! | K_HELPER | K_LABELS | K_SECCTX) >>> 0;
    new DataView(flow.aside.buffer, flow.aside.byteOffset).setUint32(ASIDE_HELPER * 4, 0x22_5c_0a_ff);
    flow.aside[ASIDE_LABELS] = 5;
    flow.aside[ASIDE_LABELS + 3] = 0x8000_0000;
    flow.secctx = 'a"b\\c\nd\u00e9\u2028';
    expect(json(flow)).toMatchObject({
      helper: '"\\\n\u00ff',
      labels: '80000000000000000000000000000005',
      securityContext: 'a"b\\c\nd\u00e9\u2028',
    });
  });
});

describe('an expectation as JSON', () => {
  it('is what doc/schema/expectation.schema.json says', () => {
    const object = JSON.parse(
      expectationJson(expectationOf(1, 0x3412, { helper: 'ftp', class: 0 }), { activeSeconds: 3 }),
    );
    expect(violations('expectation', object)).toEqual([]);
    expect(object).toMatchObject({ protocolName: 'tcp', helper: 'ftp', class: 0, activeSeconds: 3 });
    expect(object.expected.destinationPort).toBe(0x1234);
  });

  it('is a line of the dump', () => {
    const clock = { monotonicMs: () => 50_000, wallSeconds: () => NOW };
    const cache = new ExternalExpectations(10, clock, 120);
    for (const port of [1, 2]) cache.apply(3, expectationOf(1, port));
    const bytes = new ExpectationDump(cache.entries, clock, 'json', 120).next()!;
    const objects = dumpedObjects('expectation', new TextDecoder().decode(bytes));
    expect(objects).toHaveLength(2);
    expect(objects[0]).toMatchObject({ activeSeconds: 0, expiresInSeconds: 120 });
  });
});
