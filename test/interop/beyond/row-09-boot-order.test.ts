import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Firewall, FirewallPair, SYNC_DEVICE } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { eventually } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 9: a machine boots in whatever order it does: the daemon before the dedicated interface, before
 * its address, or with the lock that a crash left behind.
 */
const FLOWS = 20;
const SOON_MS = 20_000;
const LATE_DEVICE = 'late0';

describe('row 9: boot order', () => {
  let pair: FirewallPair;
  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  const MISSING = {
    interface: ({ namespace }: Firewall) => namespace.ip('link', 'set', SYNC_DEVICE, 'down', 'name', LATE_DEVICE),
    address: ({ namespace }: Firewall) => namespace.ip('addr', 'flush', 'dev', SYNC_DEVICE),
  };
  const titles = Object.keys(MISSING) as (keyof typeof MISSING)[];

  /** Starts A's daemon while something is missing. */
  async function startWithout(what: keyof typeof MISSING, implementation: Implementation) {
    MISSING[what](pair.a);
    const daemon = pair.a.prepareDaemon(implementation, {
      mode: 'FTFW',
      link: pair.a.link('UDP'),
    });
    return { daemon, result: await daemon.startAttempt() };
  }

  it.each(titles)('without its %s the original does not start', async (what) => {
    const { daemon, result } = await startWithout(what, original);
    expect(result.status).toBe(1);
    expect(daemon.processes()).toEqual([]);
    expect(daemon.log()).toContain('[ERROR] initialization failed');
  });

  it.each(titles)('without its %s ours starts, says what it waits for, and joins when it is there', async (what) => {
    const { daemon, result } = await startWithout(what, ours);
    expect(result.status, result.stderr).toBe(0);
    expect(daemon.log()).toMatch(
      what === 'interface'
        ? /\[warning\] UDP channel on interface sync0: .*\(ENODEV\); waiting for it/
        : /\[warning\] UDP channel on interface sync0: bind 172\.30\.16\.1:3780: .*; waiting for it/,
    );
    await daemon.found();
    await pair.b.startDaemon(ours, { mode: 'FTFW', link: pair.b.link('UDP') });
    pair.a.loadFlows(tcpFlows(FLOWS));
    if (what === 'interface') pair.a.namespace.ip('link', 'set', LATE_DEVICE, 'name', SYNC_DEVICE, 'up');
    pair.a.addSyncAddresses();
    await eventually(() => pair.b.external().length === FLOWS, { withinMs: SOON_MS, what: 'flows at the peer' });
  });

  it.each([
    ['keeps the original from starting', original, 1, 'perhaps conntrackd already running?'],
    ['is taken over by ours', ours, 0, 'was left behind, process'],
  ] as const)('the lock of a crash %s', async (_, implementation, status, text) => {
    const daemon = await pair.a.startDaemon(implementation, { mode: 'FTFW', link: pair.a.link('UDP') });
    await daemon.kill();
    expect((await daemon.startAttempt()).status).toBe(status);
    expect(daemon.log()).toContain(text);
    expect(daemon.processes()).toHaveLength(1 - status);
  });
});
