import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../../lab/daemon.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { HeldClients } from '../../lab/held-clients.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { statistic } from '../../lab/statistics.js';
import { eventually } from '../../lab/waiting.js';

/** spec/beyond.md row 21: a request is four bytes. What comes of one, two or three, which are the beginning of a code. */
const FLOWS = 20;
const SOON = { withinMs: 10_000, everyMs: 20 };
/** Codes of `-k` and `-F` (spec/control.md). */
const STOP = 0x14;
const FLUSH_KERNEL = 0x00;

describe('row 21: a control request that is too short', () => {
  let pair: FirewallPair;
  const clients = new HeldClients();
  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => {
    clients.hangUp();
    pair.remove();
  });

  async function start(implementation: Implementation): Promise<Daemon> {
    const daemon = await pair.a.startDaemon(implementation, { mode: 'FTFW', link: pair.a.link('UDP') });
    pair.a.loadFlows(tcpFlows(FLOWS));
    return daemon;
  }

  it('one byte empties the kernel table of an original, another one stops it', async () => {
    const daemon = await start(original);
    await clients.connect(daemon.paths.socket, [FLUSH_KERNEL]);
    await eventually(() => pair.a.kernelCount() === 0, { ...SOON, what: 'the flush' });
    await clients.connect(daemon.paths.socket, [STOP]);
    await eventually(() => !daemon.alive(), { ...SOON, what: 'end of the daemon' });
  });

  it('ours closes such a connection and counts it', async () => {
    const daemon = await start(ours);
    const counted = (): number => statistic(daemon.request('-s', 'runtime'), 'runtime stats', 'local read failed');
    let requests = 0;
    for (const code of [STOP, FLUSH_KERNEL]) {
      for (const rest of [[], [0], [0, 0]]) {
        await clients.connect(daemon.paths.socket, [code, ...rest]);
        clients.hangUp();
        requests += 1;
      }
    }
    await eventually(() => counted() === requests, { ...SOON, what: `${requests} requests counted` });
    expect(daemon.log()).toContain('[warning] control socket: a client ended after 1 of 4 bytes, closed');
    expect(pair.a.kernelCount()).toBe(FLOWS);
    expect(daemon.alive()).toBe(true);
  });
});
