import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { activeConnections, statistic } from '../../lab/statistics.js';
import { eventually } from '../../lab/waiting.js';

/** spec/beyond.md row 11: a commit makes flows faster than their events are read, and nobody reads while it runs. */
const FLOWS = 5_000;
const SOON_MS = 20_000;
/** Room for some 80 events; default 2 MiB, which takes so many more flows. */
const SMALL_BUFFER = ['NetlinkBufferSize 65536', 'NetlinkBufferSizeMaxGrowth 131072', 'NetlinkOverrunResync off'];

describe('row 11: the events of its own commit', () => {
  let pair: FirewallPair;
  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  const held = (cache: 'internal' | 'external'): number => activeConnections(pair.b.daemon.request('-s'), cache);
  const overruns = (): number => statistic(pair.b.daemon.request('-s', 'runtime'), 'netlink stats', 'netlink overrun');

  async function commit(implementation: Implementation): Promise<void> {
    await pair.a.startDaemon(implementation, { mode: 'FTFW', link: pair.a.link('UDP') });
    await pair.b.startDaemon(implementation, { mode: 'FTFW', link: pair.b.link('UDP'), generalClauses: SMALL_BUFFER });
    pair.a.loadFlows(tcpFlows(FLOWS));
    await eventually(() => held('external') === FLOWS, { withinMs: SOON_MS, what: 'replication' });
    pair.b.daemon.request('-c');
    expect(pair.b.kernelCount()).toBe(FLOWS);
  }

  it('overrun the socket of the original, which then lacks its own flows', async () => {
    await commit(original);
    await eventually(() => overruns() > 0, { withinMs: SOON_MS, what: 'an overrun' });
    expect(pair.b.daemon.log()).toContain('netlink event socket buffer size has been doubled to 131072 bytes');
    expect(held('internal')).toBeLessThan(FLOWS);
  });

  it('cost ours nothing', async () => {
    await commit(ours);
    await eventually(() => held('internal') === FLOWS, { withinMs: SOON_MS, what: 'the flows of the commit' });
    expect(overruns()).toBe(0);
    expect(pair.b.daemon.log()).not.toContain('buffer size has been doubled');
  });
});
