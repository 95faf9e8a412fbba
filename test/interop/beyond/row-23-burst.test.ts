import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LoadGenerator } from '../../../bench/end-to-end/load.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { original, type Pairing, pairings, tested } from '../../lab/implementation.js';
import { activeConnections, statistic } from '../../lab/statistics.js';
import { eventually, settled, sleep } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 23: more flows at once than anything between the two kernels holds: the netlink buffer, the link's
 * buffers and the resend queue all overflow. `npm run bench -- burst` does it with 300,000.
 */
const FLOWS = 20_000;
const RESYNC_SECONDS = 1;
/** Most time until both sides have all of them. */
const CONVERGENCE_MS = 10_000;
/** ALIVE, NACK and acknowledgements pass once a second: what has not come by then does not come. */
const REST_MS = 2_500;
const SMALL = {
  generalClauses: [
    'NetlinkBufferSize 65536',
    'NetlinkBufferSizeMaxGrowth 65536',
    `NetlinkOverrunResync ${RESYNC_SECONDS}`,
  ],
  modeClauses: ['ResendQueueSize 4096'],
};
/** Request codes (spec/control.md). */
const STATS = 21;
const STATS_RUNTIME = 30;

describe('row 23: a burst that overflows every buffer', () => {
  let pair: FirewallPair;
  let load: LoadGenerator;

  beforeEach(() => {
    pair = new FirewallPair();
    load = new LoadGenerator(pair.a.namespace);
  });
  afterEach(() => {
    load.close();
    pair.remove();
  });

  const internalOfA = async (): Promise<number> => activeConnections(await pair.a.daemon.rawRequest(STATS), 'internal');
  const externalOfB = async (): Promise<number> => activeConnections(await pair.b.daemon.rawRequest(STATS), 'external');

  async function stillApart(flows: number): Promise<string> {
    const [internal, external] = [await internalOfA(), await externalOfB()];
    return internal === flows && external === flows
      ? ''
      : `${internal} in the internal cache of A, ${external} in the external of B`;
  }

  /** The kernel's events come while the daemon cannot read: what the buffer does not hold is lost. */
  async function whileStopped(change: () => Promise<unknown>): Promise<void> {
    process.kill(pair.a.daemon.pid, 'SIGSTOP');
    await change();
    process.kill(pair.a.daemon.pid, 'SIGCONT');
  }

  async function burst(pairing: Pick<Pairing, 'a' | 'b'>): Promise<void> {
    const clauses = ['SndSocketBuffer 65536', 'RcvSocketBuffer 65536'];
    await pair.start(pairing, { mode: 'FTFW', ...SMALL }, { transport: 'UDP', clauses });
    await whileStopped(() => load.run('create', FLOWS));
  }

  it.each(pairings.filter(({ a }) => a === tested).map((pairing) => [pairing.name, pairing] as const))(
    'reaches both sides whole, and so does its end, %s',
    async (_, pairing) => {
      await burst(pairing);
      expect(await settled(() => stillApart(FLOWS), CONVERGENCE_MS)).toBe('');
      const overruns = statistic(await pair.a.daemon.rawRequest(STATS_RUNTIME), 'netlink stats', 'netlink overrun');
      expect(overruns).toBeGreaterThan(0);
      await whileStopped(() => load.run('destroy', FLOWS));
      expect(await settled(() => stillApart(0), CONVERGENCE_MS)).toBe('');
    },
  );

  it('leaves the peer of an original short of flows, for good', async () => {
    await burst({ a: original, b: original });
    await eventually(async () => (await internalOfA()) === FLOWS, { withinMs: CONVERGENCE_MS, what: 'the resync' });
    await sleep(REST_MS);
    expect(await externalOfB()).toBeLessThan(FLOWS);
  });
});
