import { afterEach, describe, expect, it } from 'vitest';
import type { LinkSettings, Settings } from '../lab/configuration.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings } from '../lab/implementation.js';
import { eventually, settled } from '../lab/waiting.js';

const FLOWS = 500;
const CONVERGENCE_MS = 20_000;

interface Variant {
  readonly settings: Omit<Settings, 'link'>;
  readonly transport: LinkSettings['transport'];
  readonly family: 'v4' | 'v6';
}

/** Modes and channels beside FTFW over UDP and IPv4, which ftfw.test.ts has. */
const VARIANTS: readonly Variant[] = [
  { settings: { mode: 'FTFW' }, transport: 'UDP', family: 'v6' },
  { settings: { mode: 'FTFW' }, transport: 'TCP', family: 'v4' },
  { settings: { mode: 'FTFW' }, transport: 'Multicast', family: 'v4' },
  { settings: { mode: 'NOTRACK' }, transport: 'UDP', family: 'v4' },
  { settings: { mode: 'NOTRACK' }, transport: 'TCP', family: 'v4' },
  { settings: { mode: 'ALARM', modeClauses: ['RefreshTime 5', 'CacheTimeout 60'] }, transport: 'UDP', family: 'v4' },
];

/**
 * Waits until both have connected. What is sent earlier waits in the error queue, which forgets the oldest beyond
 * ErrorQueueLength (spec/wire.md).
 */
async function connected(pair: FirewallPair): Promise<void> {
  for (const { daemon } of [pair.a, pair.b]) {
    await eventually(() => daemon.request('-s').includes('server=connected client=connected'), {
      withinMs: CONVERGENCE_MS,
      what: 'TCP connections both ways',
    });
  }
}

const titled = pairings.flatMap((pairing) =>
  VARIANTS.map((variant) => {
    const title = `${variant.settings.mode} over ${variant.transport}, IP${variant.family}, ${pairing.name}`;
    return [title, pairing, variant] as const;
  }),
);

describe.each(titled)('%s', (_, pairing, { settings, transport, family }) => {
  let pair: FirewallPair;

  afterEach(() => pair.remove());

  it('replicates flows and their end, and commits them', async () => {
    pair = new FirewallPair();
    await pair.start(pairing, settings, { transport, family });
    // The number first: right after a change the caches still agree, on what was before.
    const disagreement = (): string => {
      const internal = pair.a.internal();
      if (internal.length !== pair.a.kernelCount()) return `internal of A has ${internal.length} flows`;
      return difference(internal, pair.b.external(), 'internal of A', 'external of B');
    };
    if (transport === 'TCP') await connected(pair);
    pair.a.loadFlows(mixedFlows(FLOWS));
    expect(await settled(disagreement, CONVERGENCE_MS)).toBe('');
    expect(pair.b.external()).toHaveLength(FLOWS);
    pair.a.conntrack('-D', '-p', 'icmp');
    expect(await settled(disagreement, CONVERGENCE_MS)).toBe('');
    expect(pair.b.external().length).toBeLessThan(FLOWS);
    pair.b.daemon.request('-c');
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
  });
});
