import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { difference } from '../../lab/flow-lines.js';
import { mixedFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { activeConnections } from '../../lab/statistics.js';
import { eventually, settled, sleep } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 3: a firewall crashes with 300 flows that its peer has cached, and comes back with three. The
 * original keeps all 303 and commits them, whatever is asked of it.
 */
const FLOWS = 300;
const LEFT = 3;
const SOON_MS = 10_000;
/** A resync of our own accord, the bulk, and where the end of it has to be seen from silence: three seconds of that. */
const SWEPT_MS = 25_000;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

function externalOfB(): number {
  return activeConnections(pair.b.daemon.request('-s'), 'external');
}

/** A crashes with 300 flows, forgets them, and starts with three others. */
async function crash(a: Implementation, b: Implementation): Promise<void> {
  await pair.start({ a, b }, { mode: 'FTFW' });
  pair.a.loadFlows(mixedFlows(FLOWS));
  await eventually(() => externalOfB() === FLOWS, { withinMs: SOON_MS, what: `${FLOWS} flows cached` });
  await pair.a.daemon.kill();
  pair.a.flushKernelTable();
  // What the original leaves behind would keep it from starting.
  rmSync(pair.a.daemon.paths.lock, { force: true });
  await pair.a.daemon.start();
  pair.a.loadFlows(mixedFlows(LEFT, 20_000));
}

describe('row 3: flows of a crashed firewall', () => {
  it.each([ours, original].map((a) => [a.name, a] as const))('of ours or the original (%s) go', async (_, a) => {
    await crash(a, ours);
    const apart = (): string => difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B');
    expect(await settled(apart, SWEPT_MS)).toBe('');
    expect(externalOfB()).toBe(LEFT);
    expect(pair.b.daemon.log()).toContain(`external cache: ${FLOWS} entries removed that the peer no longer has`);
  });

  it('stay in the original, even when it asks for a bulk', async () => {
    await crash(ours, original);
    pair.b.daemon.request('-n');
    await sleep(5000);
    expect(externalOfB()).toBe(FLOWS + LEFT);
  });
});
