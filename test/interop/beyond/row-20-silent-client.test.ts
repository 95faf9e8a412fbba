import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../../lab/daemon.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { HeldClients } from '../../lab/held-clients.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { activeConnections } from '../../lab/statistics.js';
import { eventually } from '../../lab/waiting.js';

/** spec/beyond.md row 20. Hundreds of silent, slow and stuck clients at a time: test/e2e/faults-resources.test.ts. */
const FLOWS = 20;
const STATS = 21;
const SOON_MS = 10_000;
/** No answer by then: somebody is in the way. */
const BLOCKED_MS = 1_500;

describe('row 20: a control client that connects and says nothing', () => {
  let pair: FirewallPair;
  const silent = new HeldClients();
  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => {
    silent.hangUp();
    pair.remove();
  });

  async function withSilentClient(implementation: Implementation): Promise<Daemon> {
    await pair.start({ a: implementation, b: implementation }, { mode: 'FTFW' });
    await silent.connect(pair.a.daemon.paths.socket);
    pair.a.loadFlows(tcpFlows(FLOWS));
    return pair.a.daemon;
  }
  const replicated = (): number => activeConnections(pair.b.daemon.request('-s'), 'external');

  it('blocks the original: no answers and no replication until it goes', async () => {
    const daemon = await withSilentClient(original);
    await expect(daemon.rawRequest(STATS, BLOCKED_MS)).rejects.toThrow('no end of the reply');
    expect(replicated()).toBe(0);
    silent.hangUp();
    await eventually(() => replicated() === FLOWS, { withinMs: SOON_MS, what: 'replication' });
  });

  it('costs ours nothing', async () => {
    const daemon = await withSilentClient(ours);
    expect(await daemon.rawRequest(STATS)).toMatch(/^cache internal:/);
    await eventually(() => replicated() === FLOWS, { withinMs: SOON_MS, what: 'replication' });
  });
});
