import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings } from '../lab/implementation.js';
import { activeConnections } from '../lab/statistics.js';
import { eventually, settled } from '../lab/waiting.js';

const FLOWS = 2000;
/** Milliseconds within which both sides have to agree on a link that loses nothing. */
const CONVERGENCE_MS = 10_000;

/** What the external cache of B lacks or has too much of against the internal cache of A; '' when they agree. */
function disagreement(pair: FirewallPair): string {
  return difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B');
}

describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))('FTFW over UDP, %s', (_, pairing) => {
  let pair: FirewallPair;

  beforeEach(async () => {
    pair = new FirewallPair();
    await pair.start(pairing, { mode: 'FTFW' });
  });
  afterEach(() => pair.remove());

  /** The caches agree and hold what the kernel of A holds. */
  async function expectReplicated(count: number): Promise<void> {
    // The kernel first: right after a change the caches still agree, on what was before.
    const kernelAgrees = (): string =>
      difference(pair.a.kernelTableAsCached(), pair.a.internal(), 'kernel of A', 'internal of A');
    expect(await settled(() => kernelAgrees() || disagreement(pair), CONVERGENCE_MS)).toBe('');
    expect(pair.b.external()).toHaveLength(count);
  }

  it('replicates new, updated and destroyed flows of every kind', async () => {
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated(FLOWS);
    // `conntrack -U` changes what its filter matches; without an address it refuses to.
    pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', '4711');
    pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '443', '--state', 'CLOSE_WAIT', '-t', '500');
    const updated = pair.a.kernelTable().filter((line) => /mark=4711|CLOSE_WAIT.* dport=443 /.test(line));
    expect(updated.length).toBeGreaterThan(200);
    await expectReplicated(FLOWS);
    pair.a.conntrack('-D', '-p', 'udp');
    const left = pair.a.kernelCount();
    expect(left).toBeGreaterThan(FLOWS / 2);
    expect(left).toBeLessThan(FLOWS);
    await expectReplicated(left);
    pair.a.flushKernelTable();
    await expectReplicated(0);
  });

  it('replicates in both directions at once', async () => {
    pair.a.loadFlows(mixedFlows(500));
    pair.b.loadFlows(mixedFlows(500, 10_000));
    await expectReplicated(500);
    const back = (): string => difference(pair.b.internal(), pair.a.external(), 'internal of B', 'external of A');
    expect(await settled(back, CONVERGENCE_MS)).toBe('');
    expect(pair.a.external()).toHaveLength(500);
  });

  it('commits the external cache: the kernel tables are equal, NAT included', async () => {
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated(FLOWS);
    pair.b.daemon.request('-c');
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
    expect(pair.b.daemon.log()).toMatch(/Committed 2000 new entries/);
  });

  it('commits over entries that exist already', async () => {
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated(FLOWS);
    pair.b.daemon.request('-c');
    pair.b.daemon.request('-c');
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
  });

  it('fills an emptied external cache by a bulk (-B)', async () => {
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated(FLOWS);
    pair.b.daemon.request('-f', 'external');
    expect(pair.b.external()).toEqual([]);
    pair.a.daemon.request('-B');
    await expectReplicated(FLOWS);
  });

  it('fills an emptied external cache on request (-n)', async () => {
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated(FLOWS);
    pair.b.daemon.request('-f', 'external');
    pair.b.daemon.request('-n');
    await expectReplicated(FLOWS);
  });

  it('brings a peer that comes later, or comes back, up to date on request', async () => {
    await pair.b.daemon.stop();
    pair.a.loadFlows(mixedFlows(FLOWS));
    await eventually(() => activeConnections(pair.a.daemon.request('-s'), 'internal') === FLOWS, {
      withinMs: CONVERGENCE_MS,
      what: 'internal cache of A',
    });
    await pair.b.daemon.start();
    pair.b.daemon.request('-n');
    await expectReplicated(FLOWS);
  });
});
