import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../lab/configuration.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { pairings, tested } from '../lab/implementation.js';
import { statistic } from '../lab/statistics.js';
import { eventually, settled, sleep } from '../lab/waiting.js';

const CONVERGENCE_MS = 15_000;
const SETTINGS: Omit<Settings, 'link'> = { mode: 'FTFW' };
const MEBIBYTE = 1 << 20;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

function disagreement(): string {
  return difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B');
}

async function expectReplicated(withinMs = CONVERGENCE_MS): Promise<void> {
  expect(await settled(disagreement, withinMs, 100)).toBe('');
}

function ends({ daemon }: Firewall): string {
  return /server=\S+ client=\S+(?=:)/.exec(daemon.request('-s'))?.[0] ?? '';
}

async function expectEnds(firewall: Firewall, text: string, withinMs = 5000): Promise<void> {
  await eventually(() => ends(firewall) === text, { withinMs, what: `${text}, not ${ends(firewall)}` });
}

const BOTH = 'server=connected client=connected';

describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))('a TCP peer, %s', (_, pairing) => {
  it('is killed, and comes back: both connections are made again and the stream goes on', async () => {
    await pair.start(pairing, SETTINGS, { transport: 'TCP' });
    await expectEnds(pair.a, BOTH);
    await expectEnds(pair.b, BOTH);
    await sleep(1500);
    pair.a.loadFlows(mixedFlows(400));
    await expectReplicated();
    await pair.b.daemon.kill();
    await expectEnds(pair.a, 'server=disconnected client=disconnected');
    pair.a.loadFlows(mixedFlows(400, 1000));
    await eventually(() => pair.a.internal().length === 800, { withinMs: 5000, what: 'internal cache of A' });
    // What the killed one left in the way of a second start.
    pair.b.namespace.run(['rm', '-f', pair.b.daemon.paths.lock]);
    await pair.b.daemon.start();
    await expectEnds(pair.a, BOTH);
    await sleep(1500);
    pair.b.daemon.request('-n');
    await expectReplicated();
    pair.a.conntrack('-D', '-p', 'udp');
    await expectReplicated();
    for (const { daemon } of [pair.a, pair.b]) {
      expect(statistic(daemon.request('-s', 'network'), 'network statistics:', 'Malformed messages')).toBe(0);
    }
  });

  it('stands still and goes on: memory is bounded, nothing is lost, nothing arrives damaged', async () => {
    await pair.start(pairing, SETTINGS, { transport: 'TCP' });
    await expectEnds(pair.a, BOTH);
    await expectEnds(pair.b, BOTH);
    await sleep(1500);
    const before = pair.a.daemon.residentBytes();
    process.kill(pair.b.daemon.pid, 'SIGSTOP');
    try {
      for (let round = 0; round < 6; round++) {
        pair.a.loadFlows(tcpFlows(2000, round * 2000));
        pair.a.daemon.request('-B');
      }
      await sleep(1500);
      expect(pair.a.daemon.residentBytes() - before).toBeLessThan(64 * MEBIBYTE);
    } finally {
      process.kill(pair.b.daemon.pid, 'SIGCONT');
    }
    await expectReplicated(30_000);
    // The original forgets the rest of a message that the kernel took in part; ours begins a new stream then.
    if (pairing.a.name === 'original') return;
    const network = pair.b.daemon.request('-s', 'network');
    expect(statistic(network, 'network statistics:', 'Malformed messages')).toBe(0);
  });
});

describe('a TCP link', () => {
  it.each(pairings.map((pairing) => pairing.b).filter((peer, index, all) => all.indexOf(peer) === index))(
    'what happens before the peer ($name) is there reaches it, though ErrorQueueLength is short',
    async (peer) => {
      const settings = { ...SETTINGS, link: pair.a.link('TCP', 'v4', ['ErrorQueueLength 20']) };
      await pair.a.startDaemon(tested, settings);
      for (let n = 0; n < 40; n++) {
        pair.a.loadFlows(tcpFlows(1, n));
        await sleep(20);
      }
      pair.a.loadFlows(tcpFlows(560, 100));
      const queue = pair.a.daemon.request('-s', 'queue');
      expect(statistic(queue, 'queue errorq:', 'maximum elements')).toBe(20);
      expect(statistic(queue, 'queue errorq:', 'current elements')).toBe(20);
      expect(statistic(queue, 'queue errorq:', 'not enough space errors')).toBeGreaterThan(0);
      expect(ends(pair.a)).toBe('server=disconnected client=disconnected');
      await pair.b.startDaemon(peer, { ...SETTINGS, link: pair.b.link('TCP') });
      await expectEnds(pair.a, BOTH);
      expect(statistic(pair.a.daemon.request('-s', 'queue'), 'queue errorq:', 'current elements')).toBe(0);
      await expectReplicated();
    },
  );

  it('a peer that stands still for longer than the kernel waits is connected to anew', async () => {
    await pair.start({ a: tested, b: tested }, SETTINGS, { transport: 'TCP' });
    await expectEnds(pair.a, BOTH);
    await expectEnds(pair.b, BOTH);
    const before = pair.a.daemon.residentBytes();
    process.kill(pair.b.daemon.pid, 'SIGSTOP');
    try {
      for (let second = 0; second < 16; second++) {
        pair.a.loadFlows(tcpFlows(1000, second * 1000));
        await sleep(1000);
      }
      expect(pair.a.daemon.residentBytes() - before).toBeLessThan(64 * MEBIBYTE);
    } finally {
      process.kill(pair.b.daemon.pid, 'SIGCONT');
    }
    await expectReplicated(30_000);
    await expectEnds(pair.a, BOTH);
    await expectEnds(pair.b, BOTH);
    const network = pair.b.daemon.request('-s', 'network');
    expect(statistic(network, 'network statistics:', 'Malformed messages')).toBe(0);
  });

  it('tries to connect at most once a second', async () => {
    pair.b.namespace.nft(`table inet count {
      counter syn { }
      chain in { type filter hook input priority 0; tcp dport 3780 tcp flags syn counter name syn; }
    }`);
    await pair.a.startDaemon(tested, { ...SETTINGS, link: pair.a.link('TCP') });
    pair.a.loadFlows(mixedFlows(200));
    await sleep(4000);
    const packets = /packets (\d+)/.exec(pair.b.namespace.run(['nft', 'list', 'counter', 'inet', 'count', 'syn']))?.[1];
    expect(Number(packets)).toBeGreaterThanOrEqual(3);
    expect(Number(packets)).toBeLessThanOrEqual(6);
  });

  it('a new connection of the peer replaces the old one', async () => {
    await pair.start({ a: tested, b: tested }, SETTINGS, { transport: 'TCP' });
    await expectEnds(pair.a, BOTH);
    await expectEnds(pair.b, BOTH);
    const accepted = (): number =>
      pair.a.namespace.run(['ss', '-Htn', 'state', 'established', 'sport', '=', ':3780']).trim().split('\n').length;
    expect(accepted()).toBe(1);
    const other = pair.b.namespace.start(['bash', '-c', 'exec 3<>/dev/tcp/172.30.16.1/3780; sleep 60']);
    try {
      // The peer's own connection was closed by the takeover; it connects again and takes the place back.
      pair.b.loadFlows(mixedFlows(100));
      await eventually(() => other.exitCode === null && accepted() === 1, { withinMs: 3000, what: 'one connection' });
      await expectEnds(pair.a, BOTH);
      const back = (): string => difference(pair.b.internal(), pair.a.external(), 'internal of B', 'external of A');
      expect(await settled(back, CONVERGENCE_MS, 100)).toBe('');
      expect(pair.a.external()).toHaveLength(100);
    } finally {
      other.kill('SIGKILL');
    }
  });
});
