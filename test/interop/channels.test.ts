import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../lab/configuration.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings, tested } from '../lab/implementation.js';
import { statistic } from '../lab/statistics.js';
import { eventually, settled } from '../lab/waiting.js';

/** Modes the daemon replicates in; a further one is a further line. */
const MODES: readonly Settings['mode'][] = ['FTFW', 'NOTRACK', 'ALARM'];

const CHANNELS = [
  { name: 'UDP over IPv4', transport: 'UDP', family: 'v4', title: 'UDP traffic (active device=sync0):' },
  { name: 'UDP over IPv6', transport: 'UDP', family: 'v6', title: 'UDP traffic (active device=sync0):' },
  {
    name: 'multicast over IPv4',
    transport: 'Multicast',
    family: 'v4',
    title: 'multicast traffic (active device=sync0):',
  },
  {
    name: 'multicast over IPv6',
    transport: 'Multicast',
    family: 'v6',
    title: 'multicast traffic (active device=sync0):',
  },
  {
    name: 'TCP over IPv4',
    transport: 'TCP',
    family: 'v4',
    title: 'TCP traffic (active device=sync0) server=connected client=connected:',
  },
  {
    name: 'TCP over IPv6',
    transport: 'TCP',
    family: 'v6',
    title: 'TCP traffic (active device=sync0) server=connected client=connected:',
  },
] as const;

const FLOWS = 300;
/** Milliseconds within which both sides have to agree; a TCP peer is tried once a second. */
const CONVERGENCE_MS = 10_000;

/** RefreshTime of ALARM: what is lost before the first connection comes again soon. */
const REFRESH_SECONDS = 2;

/** The original tries to connect once a second, when it has something to say, and begins with ALIVE after a second. */
const CONNECTION_MS = 10_000;

const CELLS = MODES.flatMap((mode) =>
  CHANNELS.flatMap((channel) => pairings.map((pairing) => ({ mode, channel, pairing }))),
).map((cell) => [`${cell.mode} over ${cell.channel.name}, ${cell.pairing.name}`, cell] as const);

describe.each(CELLS)('%s', (_, { mode, channel, pairing }) => {
  let pair: FirewallPair;
  /** A node in ALARM says nothing while it has no flows: it does not connect, and the other one receives nothing. */
  const speaksWhenIdle = mode !== 'ALARM';

  beforeEach(async () => {
    pair = new FirewallPair();
    await pair.start(
      pairing,
      mode === 'ALARM' ? { mode, modeClauses: [`RefreshTime ${REFRESH_SECONDS}`] } : { mode },
      channel,
    );
    if (!speaksWhenIdle) return;
    await eventually(() => isConnected(pair.a) && isConnected(pair.b), {
      withinMs: CONNECTION_MS,
      what: 'connections',
    });
  });
  afterEach(() => pair.remove());

  /** A title of a link that says whether peers are connected says that they are. */
  function isConnected(firewall: Firewall): boolean {
    return firewall.daemon.request('-s').includes(channel.title);
  }

  async function expectReplicated(count: number): Promise<void> {
    // The number first: right after a change the caches still agree, on what was before.
    const disagreement = (): string => {
      const internal = pair.a.internal();
      if (internal.length !== count) return `internal of A has ${internal.length} flows, not ${count}`;
      return difference(internal, pair.b.external(), 'internal of A', 'external of B');
    };
    expect(await settled(disagreement, CONVERGENCE_MS, 100)).toBe('');
  }

  /** What arrived is counted under the link's title and was all well-formed. */
  async function expectShown(firewall: Firewall): Promise<void> {
    const title = speaksWhenIdle ? channel.title : channel.title.replace(/ server=.*/, '');
    const shown = (): string => firewall.daemon.request('-s', 'network');
    expect(shown()).toContain(`\n${title}`);
    expect(statistic(shown(), 'network statistics:', 'Malformed messages')).toBe(0);
    const received = (): boolean => Number(/(\d+) Pckts recv/.exec(shown())?.[1]) > 0;
    await eventually(received, { withinMs: CONVERGENCE_MS, what: 'packets received' });
  }

  it('flows replicate, are committed, are destroyed', async () => {
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectReplicated(FLOWS);
    pair.b.daemon.request('-c');
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
    pair.a.conntrack('-D', '-p', 'udp');
    const left = pair.a.kernelCount();
    expect(left).toBeGreaterThan(FLOWS / 2);
    expect(left).toBeLessThan(FLOWS);
    await expectReplicated(left);
    pair.a.flushKernelTable();
    await expectReplicated(0);
    await expectShown(pair.b);
    if (speaksWhenIdle) await expectShown(pair.a);
  });
});

describe.each(['UDP', 'TCP'] as const)('FTFW over %s between link-local addresses', (transport) => {
  it('the scope is the interface', async () => {
    const pair = new FirewallPair();
    try {
      for (const firewall of [pair.a, pair.b]) {
        const [own, peer] = firewall.index === 0 ? ['fe80::16:1', 'fe80::16:2'] : ['fe80::16:2', 'fe80::16:1'];
        firewall.namespace.ip('addr', 'add', `${own}/64`, 'dev', 'sync0', 'nodad');
        const link = { ...firewall.link(transport, 'v6'), address: own, destination: peer };
        await firewall.startDaemon(tested, { mode: 'FTFW', link });
      }
      pair.a.loadFlows(mixedFlows(FLOWS));
      const disagreement = (): string => difference(pair.a.internal(), pair.b.external());
      expect(await settled(disagreement, CONVERGENCE_MS, 100)).toBe('');
      expect(pair.b.external()).toHaveLength(FLOWS);
    } finally {
      pair.remove();
    }
  });
});

it('a link without an address of its own listens on all', async () => {
  const pair = new FirewallPair();
  try {
    for (const firewall of [pair.a, pair.b]) {
      const daemon = firewall.prepareDaemon(tested, { mode: 'FTFW', link: firewall.link('UDP') });
      const text = readFileSync(daemon.paths.config, 'utf8').replace(/^ *IPv4_address .*\n/m, '');
      expect(text).not.toContain('IPv4_address');
      writeFileSync(daemon.paths.config, text);
      await daemon.start();
    }
    pair.a.loadFlows(mixedFlows(FLOWS));
    const disagreement = (): string => difference(pair.a.internal(), pair.b.external());
    expect(await settled(disagreement, CONVERGENCE_MS, 100)).toBe('');
    expect(pair.b.external()).toHaveLength(FLOWS);
  } finally {
    pair.remove();
  }
});
