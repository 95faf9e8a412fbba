import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../../lab/daemon.js';
import { FirewallPair, SYNC_PORT } from '../../lab/firewall-pair.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { emptyFlow, newFlow, ScriptedPeer } from '../../lab/scripted-peer.js';
import { activeConnections, statistic } from '../../lab/statistics.js';
import { eventually } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 22: a message of eight bytes, a header and nothing else, which fuzzing finds at once. That the
 * stream of a peer can be led astray by such a datagram is row 2; random and mutated ones: bad-input.test.ts.
 */
const GENUINE = 10;
const SOON = { withinMs: 10_000, everyMs: 50 };

describe('row 22: a flow without addresses, protocol or anything else', () => {
  let pair: FirewallPair;
  let peer: ScriptedPeer;
  beforeEach(() => {
    pair = new FirewallPair();
    peer = new ScriptedPeer(pair.b.namespace, pair.b.link('UDP').address, pair.a.link('UDP').address, SYNC_PORT);
  });
  afterEach(() => {
    peer.close();
    pair.remove();
  });

  /** Says the empty one and genuine ones. */
  async function start(implementation: Implementation, expected: number): Promise<Daemon> {
    const daemon = await pair.a.startDaemon(implementation, { mode: 'NOTRACK', link: pair.a.link('UDP') });
    peer.say(emptyFlow(1));
    for (let number = 2; number < 2 + GENUINE; number++) peer.say(newFlow(number, 4000 + number, 100));
    const held = (): number => activeConnections(daemon.request('-s'), 'external');
    await eventually(() => held() === expected, { ...SOON, what: `${expected} flows` });
    return daemon;
  }
  const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

  it('stays in the original, where every dump from then on ends in a crash', async () => {
    const daemon = await start(original, GENUINE + 1);
    const crashes = (): number => statistic(daemon.request('-s', 'runtime'), 'runtime stats', 'child process segfault');
    for (let dumps = 1; dumps <= 2; dumps++) {
      expect(lines(daemon.request('-e')).length).toBeLessThan(GENUINE);
      await eventually(() => crashes() === dumps, { ...SOON, what: `${dumps} crashes` });
    }
  });

  it("is malformed to ours, counted, and in nobody's way", async () => {
    const daemon = await start(ours, GENUINE);
    expect(lines(daemon.request('-e'))).toHaveLength(GENUINE);
    expect(lines(daemon.request('-e', '-x'))).toHaveLength(GENUINE);
    expect(statistic(daemon.request('-s', 'network'), 'network statistics', 'Malformed payload')).toBe(1);
  });
});
