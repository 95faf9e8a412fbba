import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings, tested } from '../lab/implementation.js';
import { statistic } from '../lab/statistics.js';
import { settled } from '../lab/waiting.js';

const FLOWS = 340;
/** A poll a second, and the peer has it. */
const SOON_MS = 4000;

describe.each(pairings.filter(({ a }) => a === tested).map((pairing) => [pairing.name, pairing] as const))(
  'PollSecs, %s',
  (_, pairing) => {
    let pair: FirewallPair;

    beforeEach(() => {
      pair = new FirewallPair();
    });
    afterEach(() => pair.remove());

    async function expectReplicated(): Promise<void> {
      const complaint = () =>
        difference(pair.a.kernelTableAsCached(), pair.b.external(), 'kernel of A', 'external of B');
      expect(await settled(complaint, SOON_MS)).toBe('');
    }

    it('replicates what is new, changed and gone without any event', async () => {
      await pair.start(pairing, { mode: 'FTFW', generalClauses: ['PollSecs 1', 'NetlinkBufferSize 2097152'] });
      expect(pair.a.daemon.log()).toContain('[notice] running in polling mode');
      expect(pair.a.daemon.log()).not.toContain('netlink event socket buffer size');
      pair.a.loadFlows(mixedFlows(FLOWS));
      await expectReplicated();
      const marked = (lines: string[]) => lines.filter((line) => line.includes('mark=4711')).length;
      pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', '4711');
      expect(marked(pair.a.kernelTable())).toBeGreaterThan(10);
      await expectReplicated();
      expect(marked(pair.b.external())).toBe(marked(pair.a.kernelTable()));
      pair.a.conntrack('-D', '-p', 'udp');
      await expectReplicated();
      pair.a.flushKernelTable();
      await expectReplicated();
      const runtime = pair.a.daemon.request('-s', 'runtime');
      expect(statistic(runtime, 'netlink stats', 'events received')).toBe(0);
      expect(statistic(runtime, 'netlink stats', 'resync with kernel table')).toBe(0);
      expect(statistic(runtime, 'netlink stats', 'current buffer size')).toBe(2_097_152);
    });

    it('sends with each poll what has not changed, too: a peer that forgot has it again', async () => {
      await pair.start(pairing, { mode: 'FTFW', generalClauses: ['PollSecs 1'] });
      pair.a.loadFlows(mixedFlows(FLOWS));
      await expectReplicated();
      pair.b.daemon.request('-f', 'external');
      await expectReplicated();
    });

    it('reads only flows that pass the filter, and lets go of those that no longer do', async () => {
      const filter = ['Filter From Userspace {', 'State Accept {', 'ESTABLISHED for TCP', '}', '}'];
      await pair.start(pairing, { mode: 'FTFW', generalClauses: ['PollSecs 1', ...filter] });
      pair.a.loadFlows(
        '-I -p tcp -s 198.18.0.1 -d 198.19.0.1 --sport 1 --dport 80 --state ESTABLISHED -t 300\n' +
          '-I -p tcp -s 198.18.0.2 -d 198.19.0.1 --sport 2 --dport 80 --state TIME_WAIT -t 300\n' +
          '-I -p udp -s 198.18.0.3 -d 198.19.0.1 --sport 3 --dport 80 -t 300\n',
      );
      const sources = () => pair.b.external().map((line) => /src=(\S+)/.exec(line)![1]);
      const complaint = (wanted: string[]) => () => difference(wanted, sources().map(String).sort(), 'wanted', 'at B');
      expect(await settled(complaint(['198.18.0.1', '198.18.0.3']), SOON_MS)).toBe('');
      pair.a.conntrack('-U', '-p', 'tcp', '-s', '198.18.0.1', '--state', 'TIME_WAIT', '-t', '300');
      expect(await settled(complaint(['198.18.0.3']), SOON_MS)).toBe('');
    });
  },
);
