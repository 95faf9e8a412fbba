import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.js';
import {
  type EventFlow,
  type KernelSettings,
  type Observations,
  WARNINGS,
  type WarningFacts,
  type WarningName,
} from '../../../src/config/warnings.js';
import { kernelSettings } from '../../support/kernel-settings.js';

const LINK = 'UDP { IPv4_address 10.0.0.1 IPv4_Destination_Address 10.0.0.2 Port 3780 Interface d0 }';
const FTFW = `Sync { Mode FTFW { } ${LINK} }`;
/** As a manual's reader sets it up. */
const RIGHT = kernelSettings({
  conntrackMax: 1000,
  conntrackBuckets: 1000,
  conntrackEvents: 1,
  tcpLoose: 0,
  tcpBeLiberal: 0,
  accounting: 1,
  timestamps: 1,
});
const QUIET: EventFlow = { seconds: 5, received: 100, overruns: 0, dropped: 0, bufferBytes: 8192 };
const WELL: Observations = {
  caches: [{ name: 'internal cache', held: 10, refused: 0, refusedInAll: 0 }],
  events: QUIET,
  tracked: true,
  replicatedLinks: [],
};

interface Change {
  /** What stands in for `Sync`. */
  readonly mode?: string;
  readonly general?: string;
  readonly kernel?: Partial<KernelSettings>;
  readonly running?: Partial<Observations> | null;
}

function factsOf({ mode = FTFW, general = '', kernel, running = {} }: Change): WarningFacts {
  const text = `General { HashLimit 1000 UNIX { Path /x } ${general} } ${mode}`;
  const { config, diagnostics } = parseConfig(text, 'conf');
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return { config: config!, kernel: { ...RIGHT, ...kernel }, running: running && { ...WELL, ...running } };
}

/** The warnings there are, with their texts; undefined: cannot be told. */
function found(change: Change): Partial<Record<WarningName, string | undefined>> {
  const facts = factsOf(change);
  return Object.fromEntries(
    WARNINGS.map(({ name, find }) => [name, find(facts)] as const).filter(([, text]) => text !== null),
  );
}

const cache = (held: number, refused = 0, refusedInAll = refused) => [
  { name: 'external cache', held, refused, refusedInAll },
];

describe('a set-up that is right', () => {
  it.each([
    ['FTFW', {}],
    ['the same of which nothing is known', { kernel: kernelSettings(), running: null }],
    ['statistics mode', { mode: 'Stats { }' }],
    ['events of listeners only', { kernel: { conntrackEvents: 2 } }],
    ['polling, without events', { general: 'PollSecs 5', kernel: { conntrackEvents: 0 } }],
    ['a cache of which 79 % are used', { running: { caches: cache(799) } }],
    [
      'flows that go into the kernel at once',
      { mode: `Sync { Mode FTFW { DisableExternalCache on } ${LINK} }`, kernel: { tcpLoose: 1 } },
    ],
    [
      'packets that are held during a takeover',
      { mode: `Sync { Mode FTFW { } TakeoverHold 5 ${LINK} }`, kernel: { tcpLoose: 1 } },
    ],
    ['statistics mode has nothing to commit', { mode: 'Stats { }', kernel: { tcpLoose: 1 } }],
    ['packets outside the window pass, and windows are not replicated', { kernel: { tcpBeLiberal: 1 } }],
    ['nothing is counted, in synchronisation mode', { kernel: { accounting: 0, timestamps: 0 } }],
    ['eight flows in a bucket', { kernel: { conntrackBuckets: 125 } }],
    [
      'no cache at all',
      {
        mode: `Sync { Mode NOTRACK { DisableInternalCache on DisableExternalCache on } ${LINK} }`,
        kernel: { conntrackMax: 2000 },
      },
    ],
  ] as const)('%s: no warning', (_, change) => {
    expect(found(change)).toEqual({});
  });
});

describe('one thing that is wrong', () => {
  it.each([
    ['events-off', { kernel: { conntrackEvents: 0 } }, /nf_conntrack_events is 0/],
    ['nothing-tracked', { running: { tracked: false } }, /no rule makes the kernel track/],
    [
      'cache-full',
      { running: { caches: cache(1000) } },
      /external cache is full: it holds 1000 entries, HashLimit is 1000, and 0 new/,
    ],
    ['cache-filling', { running: { caches: cache(800) } }, /external cache holds 800 entries, 80 % of HashLimit 1000/],
    [
      'limit-below-kernel',
      { kernel: { conntrackMax: 1001 } },
      /HashLimit 1000 is less than .* nf_conntrack_max 1001: .* not replicated/,
    ],
    ['limit-below-kernel', { mode: 'Stats { }', kernel: { conntrackMax: 1001 } }, /are not counted/],
    [
      'event-buffer',
      { running: { events: { ...QUIET, overruns: 1, dropped: 50 } } },
      /dropped 50 events, and 100 came, within 5 s/,
    ],
    [
      'link-replicated',
      { running: { replicatedLinks: ['10.0.0.1 on d0', '10.0.1.1 on d1'] } },
      /10\.0\.0\.1 on d0, 10\.0\.1\.1 on d1/,
    ],
    ['tcp-loose', { kernel: { tcpLoose: 1 } }, /nf_conntrack_tcp_loose is 1/],
    [
      'window-liberal',
      { mode: `Sync { Mode FTFW { } ${LINK} Options { TCPWindowTracking on } }`, kernel: { tcpBeLiberal: 1 } },
      /TCPWindowTracking is on/,
    ],
    ['few-buckets', { kernel: { conntrackBuckets: 124 } }, /8 flows in a bucket/],
    [
      'accounting-off',
      { mode: 'Stats { }', kernel: { accounting: 0 } },
      /nf_conntrack_acct is 0: nothing is known of packets and bytes$/,
    ],
    ['accounting-off', { mode: 'Stats { }', kernel: { accounting: 0, timestamps: 0 } }, /no durations/],
  ] as const)('%s is the one warning', (name, change, text) => {
    expect(found(change)).toEqual({ [name]: expect.stringMatching(text) });
  });

  it('each of the table is among them', () => {
    expect(new Set(WARNINGS.map(({ name }) => name)).size).toBe(WARNINGS.length);
    for (const { name, shownWhen, advice } of WARNINGS) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/);
      expect(`${shownWhen}${advice}`).not.toContain('|');
      expect(advice).toMatch(/[^.]$/);
    }
  });
});

describe('what cannot be told', () => {
  it('whether connections are tracked, while no packet passes', () => {
    expect(found({ running: { tracked: null } })).toEqual({ 'nothing-tracked': undefined });
  });

  it('a cache that is full is not said to be filling as well, nor to have ceased to', () => {
    expect(found({ running: { caches: cache(900, 3, 7) } })).toEqual({
      'cache-full': expect.stringMatching(/holds 900 entries, HashLimit is 1000, and 7 new ones were refused/),
      'cache-filling': undefined,
    });
  });
});

describe('the buffer that is advised', () => {
  const enough = (events: Partial<EventFlow>): number => {
    const text = found({ running: { events: { ...QUIET, overruns: 1, ...events } } })['event-buffer'];
    return Number(/full, (\d+) would/.exec(text ?? '')![1]);
  };

  it('has room for what was dropped besides what there was', () => {
    expect(enough({ bufferBytes: 8192, dropped: 1000 })).toBe(2 ** 21);
    expect(enough({ bufferBytes: 2 ** 23, dropped: 100_000 })).toBe(2 ** 28);
  });

  it('is at least twice the present one', () => {
    expect(enough({ bufferBytes: 8192, dropped: 1 })).toBe(16_384);
    expect(enough({ bufferBytes: 212_992, dropped: null })).toBe(2 ** 19);
  });
});
