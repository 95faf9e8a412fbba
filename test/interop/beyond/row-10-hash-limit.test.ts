import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { activeConnections, statistic } from '../../lab/statistics.js';
import { eventually, sleep } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 10: HashLimit drops flows without a word. The original lost 68,928 of 200,000 and logged nothing.
 */
const LIMIT = 100;
const FLOWS = 300;
const SOON_MS = 10_000;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

/** A has three times as many flows as its HashLimit lets it replicate. */
async function overfill(implementation: Implementation): Promise<void> {
  const { a } = pair;
  await a.startDaemon(implementation, { mode: 'FTFW', link: a.link('UDP'), hashLimit: LIMIT, hashSize: LIMIT });
  a.loadFlows(tcpFlows(FLOWS));
  expect(a.kernelCount()).toBe(FLOWS);
}

/** Flows in the kernel that the daemon has not cached. */
function lost(): number {
  return pair.a.kernelCount() - activeConnections(pair.a.daemon.request('-s'), 'internal');
}

describe('row 10: more flows than HashLimit', () => {
  it('are refused by ours with a warning that says how many, and what to do; --check knows before', async () => {
    await overfill(ours);
    const { daemon } = pair.a;
    await eventually(() => /cache-full: .* 200 new ones were refused\. To do: raise HashLimit/.test(daemon.log()), {
      withinMs: SOON_MS,
      what: 'the warning',
    });
    expect(lost()).toBe(FLOWS - LIMIT);
    expect(statistic(daemon.request('-s', 'cache'), 'cache:internal', 'no space left in cache')).toBe(FLOWS - LIMIT);
    expect(daemon.log()).toMatch(/\[warning\] limit-below-kernel: HashLimit 100 is less than/);
    const check = daemon.requestAttempt(ours, '--check');
    expect(check.status).toBe(0);
    expect(check.stderr).toContain("HashLimit 100 is less than the kernel's nf_conntrack_max");
  });

  it('are lost by the original, and its log has no word of it', async () => {
    await overfill(original);
    await sleep(3000);
    expect(lost()).toBeGreaterThanOrEqual(FLOWS - LIMIT);
    expect(pair.a.daemon.log()).not.toMatch(/limit|space|full|\[warning\]|\[ERROR\]/i);
  });
});
