import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { pairings, tested } from '../lab/implementation.js';
import { statistic } from '../lab/statistics.js';
import { eventually, settled, sleep } from '../lab/waiting.js';

/** Flows known before the burst, and flows of the burst: far more than a buffer of 8 KiB holds. */
const KNOWN = 340;
const BURST = 1000;
/** NetlinkOverrunResync, and time for the dump and the peer. */
const RESYNC_SECONDS = 2;
const CONVERGENCE_MS = (RESYNC_SECONDS + 4) * 1000;

const SMALL_BUFFER = ['NetlinkBufferSize 8192', 'NetlinkBufferSizeMaxGrowth 32768'];

describe.each(pairings.filter(({ a }) => a === tested).map((pairing) => [pairing.name, pairing] as const))(
  'netlink overrun, %s',
  (_, pairing) => {
    let pair: FirewallPair;

    beforeEach(() => {
      pair = new FirewallPair();
    });
    afterEach(() => pair.remove());

    async function start(...generalClauses: string[]): Promise<void> {
      // The small buffer comes once the known flows are there: they are read by the dump of the start.
      await pair.start(pairing, { mode: 'FTFW', generalClauses });
    }

    /** Changes the kernel's table while A's daemon cannot read events. */
    function whileStopped(change: () => void): void {
      process.kill(pair.a.daemon.pid, 'SIGSTOP');
      change();
      process.kill(pair.a.daemon.pid, 'SIGCONT');
    }

    function stillApart(): string {
      return (
        difference(pair.a.kernelTableAsCached(), pair.a.internal(), 'kernel of A', 'internal of A') ||
        difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B')
      );
    }

    function netlinkStatistic(label: string): number {
      return statistic(pair.a.daemon.request('-s', 'runtime'), 'netlink stats', label);
    }

    it('is followed by a resync: flows missed arrive at the peer, flows that ended meanwhile end there', async () => {
      await start('NetlinkBufferSize 2097152', `NetlinkOverrunResync ${RESYNC_SECONDS}`);
      pair.a.loadFlows(mixedFlows(KNOWN));
      expect(await settled(stillApart, CONVERGENCE_MS)).toBe('');
      await restartWith(...SMALL_BUFFER, `NetlinkOverrunResync ${RESYNC_SECONDS}`);
      whileStopped(() => {
        pair.a.loadFlows(tcpFlows(BURST, 10_000));
        pair.a.conntrack('-D', '-p', 'udp');
        pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '443', '-m', '99');
      });
      await eventually(() => netlinkStatistic('netlink overrun') > 0, { withinMs: 2000, what: 'the overrun' });
      expect(stillApart()).not.toBe('');
      expect(await settled(stillApart, CONVERGENCE_MS)).toBe('');
      expect(pair.b.external().filter((line) => line.startsWith('udp'))).toEqual([]);
      const marked = (lines: string[]) => lines.filter((line) => line.includes('mark=99')).length;
      expect(marked(pair.a.kernelTable())).toBeGreaterThan(10);
      expect(marked(pair.b.external())).toBe(marked(pair.a.kernelTable()));
      const log = pair.a.daemon.log();
      expect(log).toContain('[notice] netlink event socket buffer size has been set to 8192 bytes');
      expect(log).toContain('[notice] netlink event socket buffer size has been doubled to 16384 bytes');
      expect(netlinkStatistic('resync with kernel table')).toBe(1);
    });

    it('doubles the buffer up to its limit, then warns once', async () => {
      await start(...SMALL_BUFFER, 'NetlinkOverrunResync off');
      for (let burst = 0; burst < 5; burst++) {
        whileStopped(() => pair.a.loadFlows(tcpFlows(BURST / 2, burst * BURST)));
        await eventually(() => netlinkStatistic('netlink overrun') > burst, { withinMs: 2000, what: 'an overrun' });
      }
      const lines = pair.a.daemon
        .log()
        .split('\n')
        .filter((line) => line.includes('netlink event socket buffer size'))
        .map((line) => line.replace(/^.*\) \[/, '['));
      expect(lines.slice(0, 3)).toEqual([
        '[notice] netlink event socket buffer size has been set to 8192 bytes',
        '[notice] netlink event socket buffer size has been doubled to 16384 bytes',
        '[notice] netlink event socket buffer size has been doubled to 32768 bytes',
      ]);
      expect(lines[3]).toMatch(
        /^\[warning\] .* cannot be doubled further since it will exceed NetlinkBufferSizeMaxGrowth/,
      );
      expect(lines).toHaveLength(4);
      expect(netlinkStatistic('current buffer size')).toBe(32_768);
    });

    it('brings no resync with NetlinkOverrunResync off', async () => {
      await start(...SMALL_BUFFER, 'NetlinkOverrunResync off');
      whileStopped(() => pair.a.loadFlows(tcpFlows(BURST)));
      await eventually(() => netlinkStatistic('netlink overrun') > 0, { withinMs: 2000, what: 'the overrun' });
      await sleep(1500);
      expect(netlinkStatistic('resync with kernel table')).toBe(0);
      expect(pair.a.internal().length).toBeLessThan(BURST);
    });

    it('NetlinkEventsReliable: the kernel keeps the ends of flows until they are read, no overrun is seen', async () => {
      await start('NetlinkOverrunResync off');
      pair.a.loadFlows(mixedFlows(KNOWN));
      expect(await settled(stillApart, CONVERGENCE_MS)).toBe('');
      await restartWith(...SMALL_BUFFER, 'NetlinkOverrunResync off', 'NetlinkEventsReliable on');
      expect(pair.a.daemon.log()).toContain('[notice] reliable ctnetlink event delivery is ENABLED.');
      whileStopped(() => pair.a.flushKernelTable());
      expect(await settled(stillApart, 10_000)).toBe('');
      expect(pair.a.internal()).toEqual([]);
      expect(netlinkStatistic('netlink overrun')).toBe(0);
    });

    /** A's daemon anew with other settings of `General`; it reads the flows that are there, and B is told. */
    async function restartWith(...generalClauses: string[]): Promise<void> {
      await pair.a.daemon.stop();
      pair.a.daemon.configure({ ...pair.a.daemon.settings, generalClauses });
      await pair.a.daemon.start();
      pair.a.daemon.request('-B');
      expect(await settled(stillApart, CONVERGENCE_MS)).toBe('');
    }
  },
);
