import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings } from '../lab/implementation.js';
import { activeConnections } from '../lab/statistics.js';
import { eventually, settled } from '../lab/waiting.js';

const FLOWS = 300;
/** Milliseconds within which the nodes have to agree on a link that loses nothing. */
const CONVERGENCE_MS = 15_000;

/** The modes beside FTFW, and the nodes without one of the caches, between ours and the original in either direction. */
describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))('over UDP, %s', (_, pairing) => {
  let pair: FirewallPair;

  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  /** What the kernel of A holds is in the external cache of B. */
  async function expectReplicated(): Promise<void> {
    const disagreement = () =>
      difference(pair.a.kernelTableAsCached(), pair.b.external(), 'kernel of A', 'external of B');
    expect(await settled(disagreement, CONVERGENCE_MS)).toBe('');
  }

  /** Both kernels hold the same. */
  async function expectInjected(): Promise<void> {
    const disagreement = () => difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B');
    expect(await settled(disagreement, CONVERGENCE_MS)).toBe('');
  }

  /** Changes and ends some of the flows of A. */
  function change(): void {
    pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', '4711');
    pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '443', '--state', 'CLOSE_WAIT', '-t', '500');
    pair.a.conntrack('-D', '-p', 'udp');
  }

  it('NOTRACK replicates, answers resyncs and bulks, and is committed', async () => {
    await pair.start(pairing, { mode: 'NOTRACK' });
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated();
    expect(pair.b.external()).toHaveLength(FLOWS);
    change();
    await expectReplicated();
    expect(pair.b.external().length).toBeLessThan(FLOWS);
    pair.b.daemon.request('-f', 'external');
    pair.b.daemon.request('-n');
    await expectReplicated();
    pair.b.daemon.request('-f', 'external');
    pair.a.daemon.request('-B');
    await expectReplicated();
    pair.b.daemon.request('-c');
    await expectInjected();
    for (const { daemon } of [pair.a, pair.b]) {
      expect(daemon.request('-s')).toMatch(/^ +0 Malformed msgs +0 Lost msgs$/m);
      expect(daemon.request('-s', 'rsqueue')).toBe('');
    }
  });

  it('ALARM refreshes, forgets who is silent, and is committed', async () => {
    await pair.start(pairing, { mode: 'ALARM', modeClauses: ['RefreshTime 2', 'CacheTimeout 8'] });
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated();
    change();
    await expectReplicated();
    // A cache that was emptied fills again by itself.
    pair.b.daemon.request('-f', 'external');
    await expectReplicated();
    expect(pair.b.daemon.request('-e')).toMatch(/ \[expires in [0-7]s\] \[active since \d+s\]$/m);
    pair.b.daemon.request('-c');
    await expectInjected();
    await pair.a.daemon.kill();
    await eventually(() => pair.b.daemon.request('-e') === '', { withinMs: 14_000, what: 'end of the entries of A' });
    expect(pair.b.daemon.request('-s')).toMatch(/^ +0 Malformed msgs +0 Lost msgs$/m);
  });

  it.each(['FTFW', 'NOTRACK'] as const)('%s without external cache puts flows into the kernel', async (mode) => {
    await pair.start(pairing, { mode, modeClauses: ['DisableExternalCache On'] });
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectInjected();
    expect(pair.b.kernelCount()).toBe(FLOWS);
    change();
    await expectInjected();
    // A bulk over flows that are there replaces them.
    pair.a.daemon.request('-B');
    await expectInjected();
    const statistics = pair.b.daemon.request('-s');
    expect(statistics).toMatch(/^external inject:\nconnections created:\s+\d+\tfailed:\s+0$/m);
    // What was injected is the peer's: not cached, and not sent back.
    expect(activeConnections(statistics, 'internal')).toBe(0);
    expect(pair.a.daemon.request('-s')).toMatch(/^external inject:\nconnections created:\s+0\t/m);
    expect(pair.b.daemon.request('-e')).toBe('');
    pair.b.daemon.request('-c');
    expect(pair.b.daemon.log()).toMatch(/committing all external caches\n/);
    expect(pair.b.daemon.log()).not.toMatch(/Committed|\[ERROR\]|could not/);
    pair.a.flushKernelTable();
    await eventually(() => pair.b.kernelCount() === 0, { withinMs: CONVERGENCE_MS, what: 'empty kernel of B' });
  });

  it('NOTRACK without internal cache sends events as they come, and bulks from the kernel', async () => {
    await pair.start(pairing, { mode: 'NOTRACK', modeClauses: ['DisableInternalCache On'] });
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated();
    expect(pair.b.external()).toHaveLength(FLOWS);
    change();
    await expectReplicated();
    for (const request of [() => pair.b.daemon.request('-n'), () => pair.a.daemon.request('-B')]) {
      pair.b.daemon.request('-f', 'external');
      request();
      await expectReplicated();
    }
    // `-i` shows the kernel's lines.
    const lines = (text: string) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.replace(/^(\S+ +\d+) \d+ /, '$1 '))
        .sort();
    const kernel = pair.a.conntrack('-L') + pair.a.conntrack('-L', '-f', 'ipv6');
    expect(lines(pair.a.daemon.request('-i'))).toEqual([...new Set(lines(kernel))]);
    expect(pair.a.daemon.request('-i', '-x')).not.toContain('<flow>');
    expect(pair.a.daemon.request('-s')).toMatch(
      new RegExp(`^internal bypass:\\nconnections new:\\s+${FLOWS}\\nconnections updated:\\s+[1-9]`, 'm'),
    );
    pair.a.daemon.request('-R');
    expect(pair.a.daemon.log()).toMatch(/disabling internal cache\n[\s\S]*resync is unsupported in this mode\n/);
    expect(pair.a.daemon.log()).toMatch(/resync requested by other node\n/);
    expect(pair.a.daemon.log()).not.toMatch(/sending bulk update/);
  });
});
