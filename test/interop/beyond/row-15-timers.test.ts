import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { eventually, sleep } from '../../lab/waiting.js';

const FLOWS = 50;
const PURGE_SECONDS = 2;
/** Longer than PurgeTimeout, and what a flush takes. */
const AFTER_PURGE_MS = PURGE_SECONDS * 1000 + 1_000;

/** Called at the same time, as keepalived does; what is asked for last has to hold (spec/beyond.md row 15). */
describe('timers of the old role', () => {
  let pair: FirewallPair;

  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  async function start(implementation: Implementation): Promise<void> {
    await pair.start(
      { a: implementation, b: implementation },
      { mode: 'FTFW', modeClauses: [`PurgeTimeout ${PURGE_SECONDS}`] },
    );
    pair.a.loadFlows(tcpFlows(FLOWS));
    await eventually(() => pair.b.external().length === FLOWS, { withinMs: 10_000, what: 'replication' });
  }

  it('a quick failback: the flush of the kernel that backup announced does not come', async () => {
    await start(ours);
    const { daemon } = pair.a;
    daemon.request('--role', 'backup');
    daemon.request('--role', 'primary');
    await sleep(AFTER_PURGE_MS);
    expect(pair.a.kernelCount()).toBe(FLOWS);
    expect(daemon.log()).toContain(`flushing conntrack table in ${PURGE_SECONDS} secs`);
    expect(daemon.log()).not.toContain('(scheduled)');
  });

  it('without it, backup does flush; told twice, once', async () => {
    await start(ours);
    const { daemon } = pair.a;
    daemon.request('--role', 'backup');
    expect(daemon.request('--role', 'backup')).toContain('backup already');
    await eventually(() => pair.a.kernelCount() === 0, { withinMs: AFTER_PURGE_MS, what: 'the flush' });
    expect(daemon.log().match(/flushing conntrack table in/g)).toHaveLength(1);
    // The peers' copies are not this node's to end.
    expect(pair.b.external()).toHaveLength(FLOWS);
    pair.a.loadFlows(tcpFlows(FLOWS));
    daemon.request('--role', 'backup');
    await sleep(AFTER_PURGE_MS);
    expect(pair.a.kernelCount()).toBe(FLOWS);
  });

  it('the original: requests that arrive in the wrong order empty the kernel table of the active node', async () => {
    await start(original);
    // Two scripts at a time: `-c -f -R -B` of the new role is through before `-t -n` of the old one.
    for (const word of ['-c', '-f', '-R', '-B', '-t', '-n']) pair.a.daemon.request(word);
    await eventually(() => pair.a.kernelCount() === 0, { withinMs: AFTER_PURGE_MS, what: 'the flush' });
  });
});
