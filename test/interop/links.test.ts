import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings, tested } from '../lab/implementation.js';
import { activeDevice, linkStatuses, RedundantLinks } from '../lab/redundant-links.js';
import { statistic } from '../lab/statistics.js';
import { eventually, settled, sleep } from '../lab/waiting.js';

const CONVERGENCE_MS = 15_000;
const FLOWS = 400;
const equal = { a: tested, b: tested };

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair(false);
});
afterEach(() => pair.remove());

/** Both directions agree. */
async function expectReplicated(withinMs = CONVERGENCE_MS): Promise<void> {
  const disagreement = (): string =>
    difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B') ||
    difference(pair.b.internal(), pair.a.external(), 'internal of B', 'external of A');
  expect(await settled(disagreement, withinMs, 100)).toBe('');
  expect(difference(pair.a.kernelTableAsCached(), pair.a.internal(), 'kernel of A', 'internal of A')).toBe('');
}

/** Flows come and go on both sides before, while and after `change` happens. */
async function underTraffic(from: number, change: () => void): Promise<void> {
  pair.a.loadFlows(mixedFlows(FLOWS, from));
  pair.b.loadFlows(mixedFlows(FLOWS, from + 30_000));
  change();
  pair.a.loadFlows(mixedFlows(FLOWS, from + FLOWS));
  pair.a.conntrack('-D', '-p', 'udp');
  pair.b.loadFlows(mixedFlows(FLOWS, from + 30_000 + FLOWS));
  await expectReplicated();
}

async function expectActive(device: string): Promise<void> {
  for (const { daemon } of [pair.a, pair.b]) {
    await eventually(() => activeDevice(daemon) === device, { withinMs: 5000, what: `${device} active` });
  }
}

/** The kernel tells of a lost carrier up to a second later. */
async function expectStatus({ daemon }: Firewall, device: string, status: string): Promise<void> {
  const current = (): string | undefined => linkStatuses(daemon).find((link) => link.device === device)?.status;
  await eventually(() => current() === status, { withinMs: 3000, what: `${device} ${status}` });
}

function dedicated(device: string): string {
  return `device \`${device}' becomes dedicated link`;
}

describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))('two links, %s', (_, pairing) => {
  it('the other link takes over, the peer follows, nothing is lost; the first does not take it back', async () => {
    const links = new RedundantLinks(pair, 2);
    await links.start(pairing, { mode: 'FTFW' });
    await sleep(2500);
    await expectActive('sync0');
    await underTraffic(0, () => links.set(pair.a, 'sync0', 'down'));
    await expectActive('sync0x');
    expect(pair.a.daemon.log()).toContain(dedicated('sync0x'));
    expect(linkStatuses(pair.a.daemon)).toEqual([
      { device: 'sync0', status: 'DOWN', role: 'BACKUP' },
      { device: 'sync0x', status: 'RUNNING', role: 'ACTIVE' },
    ]);
    await expectStatus(pair.b, 'sync0', 'NO-CARRIER');
    expect(pair.a.daemon.request('-s')).toContain('UDP traffic (active device=sync0x):');
    links.set(pair.a, 'sync0', 'up');
    await underTraffic(2000, () => undefined);
    await expectActive('sync0x');
    await underTraffic(4000, () => links.set(pair.b, 'sync0x', 'down'));
    await expectActive('sync0');
  });
});

describe.each([
  ['UDP', 'v4'],
  ['UDP', 'v6'],
  ['Multicast', 'v4'],
  ['Multicast', 'v6'],
  ['TCP', 'v4'],
] as const)('four links, %s %s', (transport, family) => {
  it('each takes over in turn; deleted and made anew they carry messages again', async () => {
    const links = new RedundantLinks(pair, 4, transport, family);
    await links.start(equal, { mode: 'FTFW' });
    await expectActive('sync0');
    await underTraffic(0, () => links.set(pair.a, 'sync0', 'down'));
    await underTraffic(1000, () => links.set(pair.b, 'sync0x', 'down'));
    await expectActive('sync0y');
    await underTraffic(2000, () => links.delete('sync0y'));
    await expectActive('sync0z');
    expect(linkStatuses(pair.a.daemon).map(({ status }) => status)).toEqual(['DOWN', 'NO-CARRIER', 'DOWN', 'RUNNING']);
    links.create('sync0y');
    await underTraffic(3000, () => links.set(pair.a, 'sync0z', 'down'));
    await expectActive('sync0y');
    expect(pair.a.daemon.log()).toMatch(/interface sync0y is gone; waiting for it/);
    expect(pair.a.daemon.log()).toMatch(/sync0y: the link is there, messages flow/);
    expect(pair.a.daemon.log()).not.toMatch(/\[ERROR\]/);
  });
});

describe('one link', () => {
  it.each([
    ['UDP', 'v4'],
    ['UDP', 'v6'],
    ['Multicast', 'v4'],
    ['Multicast', 'v6'],
    ['TCP', 'v6'],
  ] as const)(
    '%s %s: goes down, goes away and comes back; what happened meanwhile arrives',
    async (transport, family) => {
      const links = new RedundantLinks(pair, 1, transport, family);
      await links.start(equal, { mode: 'FTFW' });
      await underTraffic(0, () => undefined);
      links.set(pair.a, 'sync0', 'down');
      await eventually(() => /no dedicated links available!/.test(pair.a.daemon.log()), {
        withinMs: 3000,
        what: 'the error',
      });
      pair.a.loadFlows(mixedFlows(FLOWS, 5000));
      links.set(pair.a, 'sync0', 'up');
      await underTraffic(1000, () => undefined);
      expect(pair.a.daemon.log()).toContain(dedicated('sync0'));
      links.delete('sync0');
      pair.a.loadFlows(mixedFlows(FLOWS, 6000));
      pair.a.conntrack('-D', '-p', 'icmp');
      await sleep(300);
      expect(linkStatuses(pair.a.daemon)).toEqual([{ device: 'sync0', status: 'DOWN', role: 'ACTIVE' }]);
      links.create('sync0');
      await underTraffic(2000, () => undefined);
    },
  );

  it('is waited for at start: first for the interface, then for its address', async () => {
    const links = new RedundantLinks(pair, 1);
    links.delete('sync0');
    await links.start(equal, { mode: 'FTFW' });
    expect(pair.a.daemon.log()).toMatch(/\[warning\] UDP channel on interface sync0: .*No such device.*waiting for it/);
    pair.a.loadFlows(mixedFlows(FLOWS));
    links.create('sync0');
    await underTraffic(2000, () => undefined);
    expect(pair.a.daemon.log()).toMatch(/sync0: the link is there, messages flow/);
  });

  it('packets follow the MTU of the interface', async () => {
    const links = new RedundantLinks(pair, 1);
    await links.start(equal, { mode: 'FTFW' });
    await underTraffic(0, () => undefined);
    const sent = (): number => statistic(pair.a.daemon.request('-s'), 'UDP traffic', 'Bytes sent');
    const packets = (): number => statistic(pair.a.daemon.request('-s'), 'UDP traffic', 'Pckts sent');
    const perPacket = async (mtu: number): Promise<number> => {
      for (const { namespace } of [pair.a, pair.b]) namespace.ip('link', 'set', 'sync0', 'mtu', String(mtu));
      await sleep(200);
      const [bytesBefore, packetsBefore] = [sent(), packets()];
      pair.a.daemon.request('-B');
      await expectReplicated();
      await eventually(() => packets() > packetsBefore, { withinMs: 2000, what: 'packets' });
      await sleep(300);
      return (sent() - bytesBefore) / (packets() - packetsBefore);
    };
    expect(await perPacket(9000)).toBeGreaterThan(1500);
    expect(await perPacket(600)).toBeLessThan(572);
    expect(statistic(pair.a.daemon.request('-s'), 'UDP traffic', 'Error send')).toBe(0);
    expect(statistic(pair.b.daemon.request('-s'), 'UDP traffic', 'Error recv')).toBe(0);
  });
});
