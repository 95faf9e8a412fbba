import { describe, expect, test } from 'vitest';
import { Views } from '../../src/base/views.js';
import { type FormatOptions, formatAges, formatFlowLine } from '../../src/flow/format.js';
import { formatFlowXml } from '../../src/flow/format-xml.js';
import { ASIDE_START, K_TIMESTAMP, KIND, KNOWN, protocolOf, stateOf } from '../../src/flow/layout.js';
import { stateName } from '../../src/flow/protocols.js';
import type { FlowRef } from '../../src/flow/ref.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { TextBuffer } from '../../src/flow/text.js';
import { decodeFlow as decodeWire } from '../../src/wire/decode.js';
import { bytesOf, type CachedFlow, flowOfEvents, readFixture } from './wire-cases.js';

// Flows only: fixtures of expectations come with the expectations' own formatter.

interface Events {
  readonly labels: string;
  readonly events: readonly {
    readonly step: string;
    readonly kind: string;
    readonly hex: string;
    readonly lines: Readonly<Record<string, string>>;
  }[];
}
interface Internal {
  readonly steps: readonly {
    readonly step: string;
    readonly events: readonly string[];
    readonly plain: string;
    readonly xml: string;
  }[];
}
interface External {
  readonly entries: readonly {
    readonly name: string;
    readonly message: string;
    readonly plain: string;
    readonly xml: string;
  }[];
}
interface Tables {
  readonly labels: string;
  readonly tables: readonly {
    readonly command: string;
    readonly entries?: readonly { readonly event: string; readonly line: string }[];
    readonly dump?: readonly string[];
    readonly plain?: string;
    readonly xml?: string;
  }[];
}

const out = new TextBuffer();

function labelMap(file: string): Map<number, string> {
  const lines = file.trim().split('\n');
  return new Map(lines.map((line) => [Number.parseInt(line, 10), line.split(' ')[1]!]));
}

type Formatter = typeof formatFlowLine;

function format(formatter: Formatter, flow: FlowScratch | CachedFlow, options: FormatOptions): string {
  out.clear();
  formatter(out, flow, options, flow.hasCounters ? flow.counters : null);
  return out.toString();
}

/** The original's XML gives SCTP and DCCP the names of TCP's states; ours their own (spec/findings.md 36, "Ours"). */
function withTrueState(xml: string, flow: FlowRef): string {
  const kind = flow.words[flow.at + KIND]!;
  return protocolOf(kind) === 6
    ? xml
    : xml.replace(/<state>\w+<\/state>/, `<state>${stateName(protocolOf(kind), stateOf(kind))}</state>`);
}

/** What `conntrack` puts around and behind a flow: event, process, time stamps of its own options. */
function bare(line: string): string {
  return line
    .replace(/^(\[[\d.]+\]\t)?\s*\[(NEW|UPDATE|DESTROY)\] /, '')
    .replace(/ \[USERSPACE\].*$/, '')
    .replace(/ \[(start|stop)=[^\]]*\]/g, '')
    .replace(/<flow type="\w+">/, '<flow>')
    .replace(/<timestamp>.*<\/timestamp>/, '');
}

/** The second a dump was made in: the one that gives this line its age. */
function secondOf(line: string, flow: FlowRef): number {
  const age = /(?:delta-time=|<deltatime>)(\d+)/.exec(line);
  if (age === null || (flow.words[flow.at + KNOWN]! & K_TIMESTAMP) === 0) return 0;
  const start =
    (BigInt(flow.aside[flow.asideAt + ASIDE_START]!) << 32n) | BigInt(flow.aside[flow.asideAt + ASIDE_START + 1]!);
  return Number(start / 1_000_000_000n) + Number(age[1]);
}

describe('events, as conntrack -E shows them', () => {
  const { labels, events } = readFixture<Events>('format/events.json');
  const all = { timeout: true, counters: true };
  test.each(events)('$step $kind', ({ hex, lines }) => {
    const flow = flowOfEvents([hex]);
    for (const [style, line] of Object.entries(lines)) {
      if (style === 'xml') {
        expect(format(formatFlowXml, flow, all)).toBe(withTrueState(bare(line), flow));
        continue;
      }
      const extended = style === 'plain' ? {} : { layer3: true, id: true };
      const named = style.endsWith('labels') ? { labels: labelMap(labels) } : {};
      expect(format(formatFlowLine, flow, { ...all, ...extended, ...named })).toBe(bare(line));
    }
  });
});

describe('messages of a peer, as conntrackd -e shows them', () => {
  // observed.json: states, status bits, addresses and lone attributes that no captured story has.
  const entries = [
    ...readFixture<External>('format/external.json').entries,
    ...readFixture<External>('format/observed.json').entries,
  ];
  test.each(entries)('$name', ({ message, plain, xml }) => {
    const bytes = bytesOf(message);
    const flow = new FlowScratch();
    expect(decodeWire(Views.of(bytes), 0, bytes.length, flow)).toBe(true);
    out.clear();
    formatFlowLine(out, flow, {});
    formatAges(out, -1, Number(/active since (\d+)s/.exec(plain)![1]));
    expect(`${out.toString()}\n`).toBe(plain);
    expect(`${format(formatFlowXml, flow, {})}\n`).toBe(withTrueState(xml, flow));
  });
});

describe('dump entries no kernel at hand makes: security contexts, zones, offloading', () => {
  interface Crafted {
    readonly entries: readonly {
      readonly command: string;
      readonly event: string;
      readonly line: string;
      readonly xml: string;
    }[];
  }
  const { entries } = readFixture<Crafted>('format/crafted.json');
  const options = { timeout: true, counters: true, use: true, id: true };
  test.each(entries)('$command', ({ event, line, xml }) => {
    const flow = flowOfEvents([event]);
    expect(format(formatFlowLine, flow, options)).toBe(line);
    expect(format(formatFlowXml, flow, options)).toBe(withTrueState(xml, flow));
  });
});

/** Events of a story by flow: the bytes of its original tuple (CTA_TUPLE_ORIG is the first attribute) and its zone. */
function flowsOf(history: readonly string[]): CachedFlow[] {
  const flows = new Map<string, string[]>();
  for (const hex of history) {
    const bytes = Buffer.from(hex, 'hex');
    const tuple = hex.slice(40, 40 + 2 * bytes.readUInt16LE(20));
    const isDestroy = bytes[4] === 2; // IPCTNL_MSG_CT_DELETE (linux/netfilter/nfnetlink_conntrack.h)
    const isNew = (bytes.readUInt16LE(6) & 0x600) !== 0; // NLM_F_CREATE | NLM_F_EXCL
    if (isDestroy) flows.delete(tuple);
    else flows.set(tuple, isNew ? [hex] : [...(flows.get(tuple) ?? []), hex]);
  }
  return [...flows.values()].map(flowOfEvents);
}

const sorted = (text: string) => text.split('\n').sort();
const withoutAges = (text: string) => text.replaceAll(/ \[active since \d+s\]/g, '');

describe('the internal cache, as conntrackd -i shows it', () => {
  const { steps } = readFixture<Internal>('format/internal.json');
  const story = (step: string) => step.slice(0, step.lastIndexOf('.'));
  test.each(steps.map((step, index) => ({ ...step, index })))('$step', ({ step, index, plain, xml }) => {
    const history = steps.slice(0, index + 1).filter((other) => story(other.step) === story(step));
    const flows = flowsOf(history.flatMap((other) => other.events));
    // Lines come in the order of the original's hash buckets; ours have another.
    const lines = flows.map((flow) => `${format(formatFlowLine, flow, {})}\n`).join('');
    expect(sorted(lines)).toEqual(sorted(withoutAges(plain)));
    const documents = flows.map((flow) => ({ flow, text: format(formatFlowXml, flow, {}) }));
    const want = xml.split('\n').filter((line) => line !== '');
    expect(documents.map(({ text }) => text).sort()).toEqual(
      want
        .map((line) => {
          const owner = documents.find(({ flow, text }) => withTrueState(line, flow) === text);
          return owner === undefined ? line : owner.text;
        })
        .sort(),
    );
  });
});

describe('a dump, as conntrack -L and conntrackd -i show it', () => {
  const { labels, tables } = readFixture<Tables>('format/table.json');
  const listings = tables.flatMap(({ command, entries }) => (entries ?? []).map((entry) => ({ command, ...entry })));
  test.each(listings)('$command: $line', ({ command, event, line }) => {
    const flow = flowOfEvents([event]);
    const options = command.split('-o ')[1] ?? '';
    const formatter = options.includes('xml') ? formatFlowXml : formatFlowLine;
    const text = format(formatter, flow, {
      timeout: true,
      counters: true,
      use: true,
      id: options.includes('id'),
      layer3: options.includes('extended'),
      nowSeconds: secondOf(line, flow),
      ...(options.includes('labels') ? { labels: labelMap(labels) } : {}),
    });
    expect(text).toBe(formatter === formatFlowXml ? withTrueState(bare(line), flow) : bare(line));
  });

  const cacheDumps = tables.filter((table) => table.dump !== undefined);
  test.each(cacheDumps)('$command', ({ dump, plain, xml }) => {
    for (const [text, formatter] of [
      [plain!, formatFlowLine],
      [xml!, formatFlowXml],
    ] as const) {
      const lines = withoutAges(text)
        .split('\n')
        .filter((line) => line !== '');
      expect(lines).toHaveLength(dump!.length);
      for (const hex of dump!) {
        const flow = flowOfEvents([hex]);
        const found = lines.some((line) => {
          const want = formatter === formatFlowXml ? withTrueState(line, flow) : line;
          return format(formatter, flow, { nowSeconds: secondOf(line, flow) }) === want;
        });
        expect(found, format(formatter, flow, {})).toBe(true);
      }
    }
  });
});
