import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LinkSettings, Settings } from '../lab/configuration.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings } from '../lab/implementation.js';
import { eventually, settled } from '../lab/waiting.js';

/** Some of every kind. */
const FLOWS = 90;
const CONVERGENCE_MS = 15_000;

interface Cell {
  readonly mode: Settings['mode'];
  readonly transport: LinkSettings['transport'];
  readonly family: 'v4' | 'v6';
  /** Clauses of the mode, of both nodes. */
  readonly clauses?: readonly string[];
  readonly windowTracking?: true;
}

/**
 * Options that change what is said, in combinations that modes.test.ts, modes-caches.test.ts, channels.test.ts and
 * expectation.test.ts do not have. The original passes every cell with itself (`PAIRINGS=validate`).
 */
const CELLS: readonly Cell[] = [
  { mode: 'FTFW', transport: 'UDP', family: 'v4', clauses: ['CommitTimeout 400'], windowTracking: true },
  {
    mode: 'NOTRACK',
    transport: 'Multicast',
    family: 'v6',
    clauses: ['CommitTimeout 400', 'DisableInternalCache on'],
    windowTracking: true,
  },
  { mode: 'NOTRACK', transport: 'UDP', family: 'v4', clauses: ['DisableInternalCache on', 'DisableExternalCache on'] },
  { mode: 'NOTRACK', transport: 'TCP', family: 'v4', clauses: ['DisableExternalCache on'], windowTracking: true },
  { mode: 'ALARM', transport: 'Multicast', family: 'v6', clauses: ['RefreshTime 1', 'CommitTimeout 400'] },
  { mode: 'ALARM', transport: 'TCP', family: 'v4', clauses: ['RefreshTime 1'], windowTracking: true },
];

function title({ mode, transport, family, clauses = [], windowTracking }: Cell): string {
  const options = [...clauses, ...(windowTracking ? ['TCPWindowTracking on'] : [])];
  return [`${mode} over ${transport}, IP${family}`, ...options].join(', ');
}

const titled = CELLS.flatMap((cell) =>
  pairings.map((pairing) => [`${title(cell)}, ${pairing.name}`, cell, pairing] as const),
);

describe.each(titled)('%s', (_, { mode, transport, family, clauses = [], windowTracking }, pairing) => {
  const has = (clause: string): boolean => clauses.some((text) => text.startsWith(clause));
  let pair: FirewallPair;

  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  /** What the kernel of A holds is where B keeps the flows of its peers. */
  async function expectReplicated(): Promise<void> {
    const disagreement = (): string =>
      has('DisableExternalCache')
        ? difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')
        : difference(pair.a.kernelTableAsCached(), pair.b.external(), 'kernel of A', 'external of B');
    expect(await settled(disagreement, CONVERGENCE_MS, 50)).toBe('');
  }

  it('new, changed and finished flows arrive and are committed', async () => {
    const options = windowTracking ? { syncClauses: ['Options { TCPWindowTracking on }'] } : {};
    await pair.start(pairing, { mode, modeClauses: clauses, ...options }, { transport, family });
    if (transport === 'TCP') {
      // What is said before waits in the error queue, or, in ALARM, is said again later.
      await eventually(() => [pair.a, pair.b].every(({ daemon }) => isConnected(daemon.request('-s'), mode)), {
        withinMs: CONVERGENCE_MS,
        what: 'TCP connections',
      });
    }
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated();
    expect(pair.a.kernelCount()).toBe(FLOWS);
    pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', '4711');
    pair.a.conntrack('-D', '-p', 'icmp');
    expect(pair.a.kernelCount()).toBeLessThan(FLOWS);
    await expectReplicated();
    pair.b.daemon.request('-c');
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
    const left = timeouts(pair.b.conntrack('-L', '-p', 'udp'));
    // The flows have 700 seconds at A (flows.ts).
    expect(Math.max(...left)).toBeLessThanOrEqual(has('CommitTimeout') ? 400 : 700);
    expect(Math.min(...left)).toBeGreaterThan(has('CommitTimeout') ? 380 : 600);
    for (const { daemon } of [pair.a, pair.b]) {
      expect(daemon.request('-s')).toMatch(/^ +0 Malformed msgs/m);
    }
  });
});

/** In ALARM nothing is said without flows, so that nobody connects. */
function isConnected(statistics: string, mode: Settings['mode']): boolean {
  return mode === 'ALARM' || statistics.includes('server=connected client=connected');
}

function timeouts(table: string): number[] {
  const lines = table.split('\n').filter(Boolean);
  return lines.map((line) => Number(/^\S+ +\d+ (\d+) /.exec(line)?.[1]));
}
