import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../../lab/daemon.js';
import { FirewallPair, SYNC_PORT } from '../../lab/firewall-pair.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { newFlow, ScriptedPeer } from '../../lab/scripted-peer.js';
import { statistic } from '../../lab/statistics.js';
import { eventually } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 5: one datagram from anywhere, and the next commit makes an established connection of it. Who is
 * heard in which case, and sealed links: test/interop/security.test.ts.
 */
const ELSEWHERE = '10.99.0.1';
const SOON_MS = 10_000;

describe('row 5: a flow told by somebody who is not on the link', () => {
  let pair: FirewallPair;
  let forger: ScriptedPeer;
  beforeEach(() => {
    pair = new FirewallPair();
    pair.b.namespace.ip('addr', 'add', `${ELSEWHERE}/32`, 'dev', 'lo');
    forger = new ScriptedPeer(pair.b.namespace, ELSEWHERE, pair.a.link('UDP').address, SYNC_PORT);
  });
  afterEach(() => {
    forger.close();
    pair.remove();
  });

  /** Says it, waits until the daemon has dealt with it, and commits. Returns the kernel's table. */
  async function forge(implementation: Implementation, dealtWith: (daemon: Daemon) => boolean): Promise<string[]> {
    const daemon = await pair.a.startDaemon(implementation, { mode: 'FTFW', link: pair.a.link('UDP') });
    forger.say(newFlow(1, 4001, 900));
    await eventually(() => dealtWith(daemon), { withinMs: SOON_MS, what: 'the datagram' });
    daemon.request('-c');
    return pair.a.kernelTable();
  }

  it('is an established connection in the kernel of the original after a commit', async () => {
    const table = await forge(original, () => pair.a.external().length > 0);
    expect(table).toEqual([
      expect.stringMatching(/^tcp .* ESTABLISHED src=192\.0\.2\.1 dst=198\.51\.100\.1 sport=4001 /),
    ]);
  });

  it('is counted by ours, and nothing else', async () => {
    const refused = (daemon: Daemon): boolean =>
      statistic(daemon.request('-s', 'security'), 'link security', 'Not from the link') === 1;
    expect(await forge(ours, refused)).toEqual([]);
    expect(pair.a.daemon.log()).toContain(`sync0: a message from ${ELSEWHERE}:`);
  });
});
