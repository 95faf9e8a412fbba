import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { original, ours } from '../../lab/implementation.js';
import { connect } from '../../lab/namespace.js';
import { eventually } from '../../lab/waiting.js';

/** spec/beyond.md row 17: names of interfaces that could be the beginning of an IPv6 address. */
const FLOWS = 10;

describe.each(['d0', 'fe0', 'abc'])('row 17: an interface called %s', (device) => {
  let pair: FirewallPair;
  beforeEach(() => {
    pair = new FirewallPair(false);
    connect(pair.a.namespace, device, pair.b.namespace, device);
    for (const firewall of [pair.a, pair.b]) firewall.addSyncAddresses(device);
  });
  afterEach(() => pair.remove());

  it('is a syntax error to the original, and a link to ours', async () => {
    const [a, b] = [pair.a, pair.b].map((firewall) => ({ ...firewall.link('UDP'), device }));
    const refused = await pair.a.prepareDaemon(original, { mode: 'FTFW', link: a! }).startAttempt();
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining(`symbol '${device}': syntax error`)]);
    await pair.a.startDaemon(ours, { mode: 'FTFW', link: a! });
    await pair.b.startDaemon(ours, { mode: 'FTFW', link: b! });
    pair.a.loadFlows(tcpFlows(FLOWS));
    // Connection tracking sees the link itself, whose name the ruleset of the lab does not expect.
    const arrived = (): number => pair.b.external().filter((line) => line.startsWith('tcp')).length;
    await eventually(() => arrived() === FLOWS, { withinMs: 20_000, what: 'flows over the link' });
  });
});
