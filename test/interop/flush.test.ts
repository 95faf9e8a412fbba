import { describe, it } from 'vitest';
import type { Settings } from '../lab/configuration.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { mixedFlows } from '../lab/flows.js';
import { original, ours } from '../lab/implementation.js';
import { activeConnections } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';

const FLOWS = 50;
const MORE = 20;
const SOON_MS = 10_000;

/** What a node has of its peer. */
const inExternal = ({ daemon }: Firewall): number => activeConnections(daemon.request('-s'), 'external');
const inKernel = (firewall: Firewall): number => firewall.kernelCount();

const MODES: readonly [Settings['mode'], string, (firewall: Firewall) => number][] = [
  ['FTFW', 'DisableExternalCache off', inExternal],
  ['NOTRACK', 'DisableExternalCache off', inExternal],
  ['ALARM', '', inExternal],
  ['FTFW', 'DisableExternalCache on', inKernel],
  ['NOTRACK', 'DisableExternalCache on', inKernel],
];

/** The active node's kernel table is flushed: the other node keeps what it has, in its cache or in its kernel. */
describe.concurrent.each([original, ours])('-F, $name', (implementation) => {
  it.each(MODES)('%s, %s: the peer keeps all flows', async (mode, clause, held) => {
    const pair = new FirewallPair();
    try {
      const { a, b } = pair;
      const settings = { mode, modeClauses: clause === '' ? [] : [clause] };
      await pair.start({ a: implementation, b: implementation }, settings);
      const holds = (flows: number): Promise<true> =>
        eventually(() => held(b) === flows, { withinMs: SOON_MS, what: `${flows} flows at the peer` });
      a.loadFlows(mixedFlows(FLOWS));
      await holds(FLOWS);
      a.daemon.request('-F');
      await eventually(() => a.kernelCount() === 0 && a.internal().length === 0, {
        withinMs: SOON_MS,
        what: 'the flush',
      });
      // These are told behind whatever the flush may have told.
      a.loadFlows(mixedFlows(MORE, 500));
      await holds(FLOWS + MORE);
      if (implementation !== ours || mode !== 'FTFW' || clause !== 'DisableExternalCache off') return;
      // Who wants the peer to forget, too, says so: a bulk tells of all that is left.
      a.daemon.request('-B');
      await holds(MORE);
    } finally {
      pair.remove();
    }
  });
});
