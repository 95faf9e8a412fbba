import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../lab/daemon.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { comparableCacheLines, difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { original, ours, pairings, tested } from '../lab/implementation.js';
import { Observers } from '../lab/observers.js';
import { statistic } from '../lab/statistics.js';
import { eventually, settled } from '../lab/waiting.js';

const FLOWS = 340;
/** Milliseconds within which a handful of flows has to be where it belongs. */
const SOON_MS = 5000;

/** Clauses of a Filter block; the flows are those of test/lab/flows.ts. */
const FILTERS: readonly (readonly [name: string, clauses: readonly string[]])[] = [
  ['protocols accepted', ['Protocol Accept {', 'TCP', 'sctp', '}']],
  ['protocols ignored', ['Protocol Ignore {', 'UDP', 'ipv6-icmp', '}']],
  ['addresses accepted', ['Address Accept {', 'IPv4_address 198.18.0.7', 'IPv4_address 192.0.2.0/26', '}']],
  [
    'addresses ignored',
    [
      'Address Ignore {',
      'IPv4_address 198.19.0.0/20',
      'IPv6_address 2001:db8:1::10/124',
      'IPv6_address 2001:db8:2::c:1',
      '}',
    ],
  ],
  ['no address accepted', ['Address Accept {', '}']],
  ['the whole of IPv4 ignored', ['Address Ignore {', 'IPv4_address 0.0.0.0/0', '}']],
  ['states accepted', ['State Accept {', 'ESTABLISHED CLOSE_WAIT for TCP', '}']],
  ['states ignored', ['State Ignore {', 'SYN_SENT SYN_RECV for TCP', 'LISTEN CLOSED for TCP', '}']],
  [
    'all three',
    [
      'Protocol Accept {',
      'TCP UDP',
      '}',
      'Address Ignore {',
      'IPv4_address 198.18.0.0/25',
      'IPv6_address 2001:db8:1::/120',
      '}',
      'State Ignore {',
      'TIME_WAIT for TCP',
      '}',
    ],
  ],
];

/** A Filter block of addresses that no flow has, and two that some have. */
function manyAddresses(count: number): string[] {
  const strangers = Array.from({ length: count }, (_, n) => `IPv4_address 10.${n >> 8}.${n & 0xff}.1`);
  const known = ['IPv4_address 198.18.0.7', 'IPv6_address 2001:db8:1::7'];
  return ['Address Accept {', ...strangers, ...known, '}'];
}

function cached(daemon: Daemon): string[] {
  return comparableCacheLines(daemon.request('-i'));
}

/** Waits until an internal cache is what it should be; its flows. */
async function expectCached(daemon: Daemon, wanted: readonly string[]): Promise<void> {
  expect(await settled(() => difference(wanted, cached(daemon), 'wanted', 'internal cache'), SOON_MS)).toBe('');
}

/** What an internal cache holds once it no longer changes. */
async function settledCache(daemon: Daemon): Promise<string[]> {
  let before: string[] | null = null;
  return eventually(
    () => {
      const lines = cached(daemon);
      const same = before !== null && difference(before, lines) === '';
      before = lines;
      return same && lines;
    },
    { withinMs: SOON_MS, everyMs: 300, what: 'cache at rest' },
  );
}

describe('filters on one kernel', () => {
  let observers: Observers;

  afterEach(() => observers.remove());

  it.each(FILTERS)('%s: in user space, in the kernel and the original in user space agree', async (_, clauses) => {
    observers = new Observers();
    const there = await observers.start(original, 'Userspace', clauses);
    const here = await observers.start(ours, 'Userspace', clauses);
    const inKernel = await observers.start(ours, 'Kernelspace', clauses);
    observers.loadFlows(mixedFlows(FLOWS));
    const wanted = await settledCache(there);
    expect(wanted.length).toBeLessThan(FLOWS);
    await expectCached(here, wanted);
    await expectCached(inKernel, wanted);
    expect(statistic(here.request('-s', 'runtime'), 'netlink stats', 'events filtered')).toBe(FLOWS - wanted.length);
    expect(statistic(inKernel.request('-s', 'runtime'), 'netlink stats', 'events filtered')).toBe(0);
    expect(statistic(inKernel.request('-s', 'runtime'), 'netlink stats', 'events received')).toBe(wanted.length);
    expect(here.log()).toContain('[notice] using user-space event filtering');
    expect(inKernel.log()).toContain('[notice] using kernel-space event filtering');
    // A resync brings nothing that did not pass as an event.
    inKernel.request('-R');
    await expectCached(inKernel, wanted);
  });

  it.each(['Userspace', 'Kernelspace'] as const)('%s: the start reads only flows that pass', async (place) => {
    observers = new Observers();
    const clauses = FILTERS.at(-1)![1];
    const all = await observers.start(ours, null, []);
    observers.loadFlows(mixedFlows(FLOWS));
    await eventually(() => cached(all).length === FLOWS, { withinMs: SOON_MS, what: 'all flows' });
    const there = await observers.start(original, 'Userspace', clauses);
    const here = await observers.start(ours, place, clauses);
    const wanted = cached(there);
    expect(wanted.length).toBeGreaterThan(0);
    expect(wanted.length).toBeLessThan(FLOWS);
    expect(difference(wanted, cached(here))).toBe('');
  });

  it.each([
    ['-F', 'Userspace'],
    ['-F', 'Kernelspace'],
    ['-t', 'Userspace'],
  ] as const)('%s with a filter %s deletes only flows that pass, as the original does', async (request, place) => {
    observers = new Observers();
    const clauses = FILTERS.at(-1)![1];
    const left: string[][] = [];
    for (const implementation of [original, ours]) {
      const daemon = await observers.start(implementation, place, clauses);
      observers.loadFlows(mixedFlows(FLOWS));
      const before = observers.kernelTable();
      daemon.request(request);
      await eventually(() => observers.kernelTable().length < before.length, { withinMs: SOON_MS, what: 'a flush' });
      await settledCache(daemon);
      left.push(observers.kernelTable());
      observers.clear();
      await observers.start(implementation, null, []);
      observers.flushKernelTable();
      observers.clear();
    }
    expect(left[0]!.length).toBeGreaterThan(0);
    expect(difference(left[0]!, left[1]!, 'left by the original', 'left by ours')).toBe('');
  });

  it('the kernel takes the longest program that ours makes; beyond it user space filters', async () => {
    observers = new Observers();
    const inKernel = await observers.start(ours, 'Kernelspace', manyAddresses(1400));
    const tooMany = await observers.start(ours, 'Kernelspace', manyAddresses(3000));
    const few = await observers.start(ours, 'Userspace', manyAddresses(0));
    observers.loadFlows(mixedFlows(FLOWS));
    const wanted = await settledCache(few);
    expect(wanted.length).toBeGreaterThan(0);
    await expectCached(inKernel, wanted);
    await expectCached(tooMany, wanted);
    expect(inKernel.log()).toContain('using kernel-space event filtering');
    expect(inKernel.log()).not.toContain('warning');
    expect(tooMany.log()).toMatch(
      /\[warning\] the filter is too long for the kernel .*\n.*using user-space event filtering/,
    );
  });
});

describe.each(pairings.filter(({ a }) => a === tested).map((pairing) => [pairing.name, pairing] as const))(
  'filters on the wire, %s',
  (_, pairing) => {
    let pair: FirewallPair;

    afterEach(() => pair.remove());

    it.each(['Userspace', 'Kernelspace'] as const)('%s: only flows that pass reach the peer', async (place) => {
      pair = new FirewallPair();
      const generalClauses = [`Filter From ${place} {`, 'Protocol Accept {', 'UDP', '}', '}'];
      await pair.start(pairing, { mode: 'FTFW', generalClauses });
      pair.a.loadFlows(mixedFlows(FLOWS));
      const wanted = pair.a.kernelTableAsCached().filter((line) => line.startsWith('udp'));
      expect(wanted.length).toBeGreaterThan(0);
      expect(
        await settled(() => difference(wanted, pair.b.external(), 'UDP flows of A', 'external of B'), SOON_MS),
      ).toBe('');
    });

    it.each(['Userspace', 'Kernelspace'] as const)(
      '%s: a flow that ends in a state that does not pass ends at the peer, too',
      async (place) => {
        pair = new FirewallPair();
        const generalClauses = [`Filter From ${place} {`, 'State Accept {', 'ESTABLISHED for TCP', '}', '}'];
        await pair.start(pairing, { mode: 'FTFW', generalClauses });
        pair.a.loadFlows('-I -p tcp -s 198.18.0.1 -d 198.19.0.1 --sport 1 --dport 80 --state ESTABLISHED -t 300\n');
        await eventually(() => pair.b.external().length === 1, { withinMs: SOON_MS, what: 'the flow at B' });
        pair.a.conntrack('-U', '-p', 'tcp', '-s', '198.18.0.1', '--state', 'TIME_WAIT', '-t', '300');
        expect(pair.a.kernelTable()[0]).toContain('TIME_WAIT');
        // The change itself is not told: it does not pass.
        expect(pair.b.external()[0]).toContain('ESTABLISHED');
        pair.a.conntrack('-D', '-p', 'tcp', '-s', '198.18.0.1');
        await eventually(() => pair.b.external().length === 0, { withinMs: SOON_MS, what: 'its end at B' });
      },
    );
  },
);
