import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LoadGenerator } from '../../bench/end-to-end/load.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { pairings, tested } from '../lab/implementation.js';
import { activeConnections, statistic } from '../lab/statistics.js';
import { settled } from '../lab/waiting.js';

/**
 * More flows at once than anything between the two kernels holds: the netlink buffer, the link's buffers and the resend
 * queue all overflow (spec/beyond.md row 23; npm run bench -- burst does it with 300,000).
 */
const FLOWS = 20_000;
const RESYNC_SECONDS = 1;
/** Most time until both sides have all of them. */
const CONVERGENCE_MS = 10_000;
const SMALL = {
  generalClauses: [
    'NetlinkBufferSize 65536',
    'NetlinkBufferSizeMaxGrowth 65536',
    `NetlinkOverrunResync ${RESYNC_SECONDS}`,
  ],
  modeClauses: ['ResendQueueSize 4096'],
};

describe.each(pairings.filter(({ a }) => a === tested).map((pairing) => [pairing.name, pairing] as const))(
  'a burst that overflows every buffer, %s',
  (_, pairing) => {
    let pair: FirewallPair;
    let load: LoadGenerator;

    beforeEach(async () => {
      pair = new FirewallPair();
      load = new LoadGenerator(pair.a.namespace);
      await pair.start(
        pairing,
        { mode: 'FTFW', ...SMALL },
        { transport: 'UDP', clauses: ['SndSocketBuffer 65536', 'RcvSocketBuffer 65536'] },
      );
    });
    afterEach(() => {
      load.close();
      pair.remove();
    });

    async function stillApart(flows: number): Promise<string> {
      const internal = activeConnections(await pair.a.daemon.rawRequest(STATS), 'internal');
      const external = activeConnections(await pair.b.daemon.rawRequest(STATS), 'external');
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

    it('reaches both sides whole, and so does its end', async () => {
      await whileStopped(() => load.run('create', FLOWS));
      expect(await settled(() => stillApart(FLOWS), CONVERGENCE_MS)).toBe('');
      const overruns = statistic(await pair.a.daemon.rawRequest(STATS_RUNTIME), 'netlink stats', 'netlink overrun');
      expect(overruns).toBeGreaterThan(0);
      await whileStopped(() => load.run('destroy', FLOWS));
      expect(await settled(() => stillApart(0), CONVERGENCE_MS)).toBe('');
    });
  },
);

/** Request codes (spec/control.md). */
const STATS = 21;
const STATS_RUNTIME = 30;
