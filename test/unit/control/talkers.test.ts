import { describe, expect, it } from 'vitest';
import { parseIpv4, parseIpv6 } from '../../../src/base/address.js';
import { formatTalkers } from '../../../src/control/replies/talkers.js';
import type { TalkersStatistics } from '../../../src/control/statistics.js';
import { MOST_TALKERS, SAMPLE, TalkerSurvey, type TalkingCache } from '../../../src/control/talkers.js';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPS_SEEN_REPLY,
  K_ORIG,
  K_ORIG_L4,
  K_STATUS,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  STATE_DEAD,
  STATUS,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { FlowTable } from '../../../src/flow/table.js';
import { dumpedObjects } from '../../support/schemas.js';

const NOW_SECONDS = 1000;
const CLOCK = { monotonicMs: () => NOW_SECONDS * 1000, wallSeconds: () => 0 };

interface Flow {
  readonly source: string;
  readonly destination?: string;
  readonly protocol?: number;
  /** Source port, which tells flows apart. */
  readonly number?: number;
  readonly port?: number;
  readonly answered?: boolean;
}

function flowOf({
  source,
  destination = '192.0.2.1',
  protocol = IPPROTO_TCP,
  number = 1,
  port = 443,
  answered = true,
}: Flow) {
  const { words } = new FlowScratch();
  const isIpv6 = source.includes(':');
  words[KNOWN] = K_ORIG | K_ORIG_L4 | K_STATUS;
  words[KIND] = kindOf(isIpv6 ? AF_INET6 : AF_INET, protocol, 3);
  for (const [at, text] of [
    [ORIG_SRC, source],
    [ORIG_DST, destination],
  ] as const) {
    if (isIpv6) words.set(parseIpv6(text)!, at);
    else words[at] = parseIpv4(text)!;
  }
  new DataView(words.buffer, words.byteOffset + ORIG_L4 * 4).setUint16(0, number);
  new DataView(words.buffer, words.byteOffset + ORIG_L4 * 4).setUint16(2, port);
  words[STATUS] = answered ? IPS_SEEN_REPLY : 0;
  const flow = new FlowScratch();
  flow.words.set(words);
  return flow;
}

function tableOf(flows: readonly Flow[], createdSeconds = 0): FlowTable {
  const table = new FlowTable({ limit: 1e6 });
  for (const flow of flows) table.insert(flowOf(flow), createdSeconds);
  return table;
}

function cacheOf(table: FlowTable, active = table.size): TalkingCache {
  return { name: 'internal', table, active };
}

/** All slices of a survey: what it found, and how many there were. */
function survey(caches: readonly TalkingCache[], random: () => number = Math.random) {
  let found: readonly TalkersStatistics[] = [];
  const source = new TalkerSurvey(
    caches,
    CLOCK,
    (talkers) => {
      found = talkers;
      return 'over';
    },
    random,
  );
  let slices = 0;
  let text = '';
  for (let bytes = source.next(); bytes !== null; bytes = source.next()) {
    slices++;
    text += new TextDecoder().decode(bytes);
  }
  expect(text).toBe('over');
  expect(source.next()).toBeNull();
  return { found, slices };
}

const many = (count: number, flow: (n: number) => Flow): Flow[] => Array.from({ length: count }, (_, n) => flow(n));

describe('talkers', () => {
  it('are counted by source, destination and service', () => {
    const table = tableOf([
      ...many(5, (number) => ({ source: '10.0.0.1', number })),
      ...many(3, (number) => ({ source: '10.0.0.2', number, port: 80, answered: false })),
      { source: '10.0.0.3', destination: '198.51.100.7', protocol: IPPROTO_UDP, port: 53 },
      { source: '10.0.0.3', destination: '198.51.100.7', protocol: IPPROTO_ICMP },
      { source: '10.0.0.3', destination: '198.51.100.7', protocol: 89, number: 0, port: 0 },
      { source: '2001:db8::1', destination: '2001:db8:0:1::2', port: 80 },
    ]);
    const [cache] = survey([cacheOf(table)]).found;
    expect(cache).toMatchObject({ name: 'internal', flows: 12, lookedAt: 12 });
    expect(cache!.sources).toEqual({
      different: 4,
      first: [
        { name: '10.0.0.1', flows: 5, recent: 0, unanswered: 0 },
        { name: '10.0.0.2', flows: 3, recent: 0, unanswered: 3 },
        { name: '10.0.0.3', flows: 3, recent: 0, unanswered: 0 },
        { name: '2001:db8::1', flows: 1, recent: 0, unanswered: 0 },
      ],
    });
    expect(cache!.destinations.first.map(({ name, flows }) => [name, flows])).toEqual([
      ['192.0.2.1', 8],
      ['198.51.100.7', 3],
      ['2001:db8:0:1::2', 1],
    ]);
    expect(Object.fromEntries(cache!.services.first.map(({ name, flows }) => [name, flows]))).toEqual({
      'tcp/443': 5,
      'tcp/80': 4,
      'udp/53': 1,
      icmp: 1,
      'protocol 89': 1,
    });
  });

  it('say how many of their flows are new', () => {
    const table = tableOf(
      many(2, (number) => ({ source: '10.0.0.1', number })),
      NOW_SECONDS - 9,
    );
    table.insert(flowOf({ source: '10.0.0.1', number: 9 }), NOW_SECONDS - 10);
    expect(survey([cacheOf(table)]).found[0]!.sources.first).toEqual([
      { name: '10.0.0.1', flows: 3, recent: 2, unanswered: 0 },
    ]);
  });

  it('have no flows that have ended', () => {
    const table = tableOf(many(3, (number) => ({ source: '10.0.0.1', number })));
    table.setState(table.next(0), STATE_DEAD);
    const [cache] = survey([cacheOf(table, 2)]).found;
    expect(cache).toMatchObject({ flows: 2, lookedAt: 2, sources: { first: [{ flows: 2 }] } });
  });

  it('of an empty cache, and of none', () => {
    const [cache] = survey([cacheOf(tableOf([]))]).found;
    expect(cache).toMatchObject({ flows: 0, lookedAt: 0, sources: { different: 0, first: [] } });
    expect(survey([]).found).toEqual([]);
  });

  it('are the greatest of many, each met once', () => {
    const source = (n: number) => `10.${n >> 16}.${(n >> 8) & 0xff}.${n & 0xff}`;
    const table = new FlowTable({ limit: 1e6 });
    for (let n = 0; n < 500; n++) {
      for (let number = 0; number <= n % 50; number++) table.insert(flowOf({ source: source(n), number }), 0);
    }
    const { first, different } = survey([cacheOf(table)]).found[0]!.sources;
    expect(different).toBe(500);
    expect(first).toHaveLength(MOST_TALKERS);
    expect(first.map(({ flows: count }) => count)).toEqual([
      ...Array(10).fill(50),
      ...Array(10).fill(49),
      ...Array(5).fill(48),
    ]);
    expect(new Set(first.map(({ name }) => name)).size).toBe(MOST_TALKERS);
  });
});

describe('a survey of a large cache', () => {
  const FLOWS = 4 * SAMPLE;
  /** Every eighth flow is of one source, in a pattern that regular steps would miss or meet always. */
  const source = (n: number) => (n % 8 === 0 ? '10.0.0.1' : `10.1.${(n >> 8) & 0xff}.${n & 0xff}`);
  const table = new FlowTable({ limit: 2 * FLOWS });
  for (let n = 0; n < FLOWS; n++) {
    table.insert(flowOf({ source: source(n), number: n & 0xffff, port: n >> 16, answered: n % 16 !== 0 }), 0);
  }

  it('looks at a sample, evenly, and scales it up', () => {
    const [cache] = survey([cacheOf(table)]).found;
    expect(cache!.lookedAt).toBe(SAMPLE);
    const [first] = cache!.sources.first;
    expect(first!.name).toBe('10.0.0.1');
    // Five standard deviations of the share of an eighth: a test that fails once in a million runs.
    const deviation = 5 * FLOWS * Math.sqrt(((1 / 8) * (7 / 8)) / SAMPLE);
    expect(Math.abs(first!.flows - FLOWS / 8)).toBeLessThan(deviation);
    expect(Math.abs(first!.unanswered - FLOWS / 16)).toBeLessThan(deviation);
  });

  it('is work in many small slices', () => {
    const { slices } = survey([cacheOf(table)]);
    expect(slices).toBeGreaterThan(SAMPLE / 2048);
    expect(slices).toBeLessThan(SAMPLE / 2048 + 10);
  });

  it('goes on when the table is cleared or grows meanwhile', () => {
    const small = tableOf(many(3000, (n) => ({ source: source(n), number: n })));
    let found: readonly TalkersStatistics[] = [];
    const growing = new TalkerSurvey([cacheOf(small)], CLOCK, (talkers) => {
      found = talkers;
      return '';
    });
    growing.next();
    for (let n = 3000; n < 60_000; n++) small.insert(flowOf({ source: source(n), number: n }), 0);
    while (growing.next() !== null);
    expect(found[0]!.lookedAt).toBeGreaterThanOrEqual(3000);
    expect(found[0]!.lookedAt).toBeLessThan(6000);
    const cleared = new TalkerSurvey([cacheOf(small)], CLOCK, (talkers) => {
      found = talkers;
      return '';
    });
    cleared.next();
    small.clear();
    while (cleared.next() !== null);
    expect(found[0]!.lookedAt).toBeLessThanOrEqual(2048);
  });
});

describe('-s talkers', () => {
  const { found } = survey([
    cacheOf(tableOf([{ source: '10.0.0.1', answered: false }])),
    { ...cacheOf(tableOf([])), name: 'external' },
  ]);

  it('three lists for each cache', () => {
    expect(formatTalkers(found)).toBe(
      [
        'cache internal: 1 flows, 1 looked at',
        '',
        'source (1 of 1)                                flows         new  unanswered',
        '10.0.0.1                                           1           0           1',
        '',
        'destination (1 of 1)                           flows         new  unanswered',
        '192.0.2.1                                          1           0           1',
        '',
        'service (1 of 1)                               flows         new  unanswered',
        'tcp/443                                            1           0           1',
        '',
        'cache external: 0 flows, 0 looked at',
        '',
        ...['source', 'destination', 'service'].flatMap((title) => [
          `${`${title} (0 of 0)`.padEnd(40)}       flows         new  unanswered`,
          '',
        ]),
        '',
      ].join('\n'),
    );
  });

  it('as JSON is what the schema says', () => {
    const reply = `${JSON.stringify({ format: 1, mode: 'sync', caches: found })}\n`;
    expect(dumpedObjects('talkers', reply)).toHaveLength(1);
  });
});
