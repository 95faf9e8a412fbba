import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Firewall } from '../lab/firewall-pair.js';
import { comparableCacheLines, difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { original, ours } from '../lab/implementation.js';
import { connect } from '../lab/namespace.js';
import { Segment } from '../lab/segment.js';
import { eventually, settled, sleep } from '../lab/waiting.js';

const FLOWS = 300;
const CONVERGENCE_MS = 30_000;
/** Until everybody has said hello to everybody. */
const HELLO_MS = 4000;

let segment: Segment;

beforeEach(() => {
  segment = new Segment();
});
afterEach(() => segment.remove());

function internalOf(number: number): string[] {
  return segment.firewalls[number]!.internal();
}

/** What `receiver` holds of the others, compared with what those have. */
function complaint(receiver: number, senders: readonly number[]): string {
  const expected = senders.flatMap(internalOf).sort();
  return difference(
    expected,
    segment.firewalls[receiver]!.external(),
    `internal of ${senders}`,
    `external of ${receiver}`,
  );
}

function complaints(): string {
  return [complaint(0, [1, 2]), complaint(1, [0, 2]), complaint(2, [0, 1])].filter((text) => text !== '').join('\n');
}

function load(round: number): void {
  segment.firewalls.forEach((firewall, number) => {
    firewall.loadFlows(mixedFlows(FLOWS, number * 20_000 + round * FLOWS));
  });
}

describe('three nodes on one multicast group', () => {
  it('ours: every node converges with 5% of what arrives lost', async () => {
    segment.lose(5);
    for (let number = 0; number < 3; number++) await segment.start(number, ours);
    await sleep(HELLO_MS);
    load(0);
    load(1);
    segment.firewalls[0]!.conntrack('-D', '-p', 'udp');
    segment.firewalls[1]!.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', '4711');
    load(2);
    expect(await settled(complaints, CONVERGENCE_MS, 300)).toBe('');
    expect(internalOf(1)).toHaveLength(3 * FLOWS);
  });

  it('ours: one that dies and comes back is brought up to date, the others are not disturbed', async () => {
    for (let number = 0; number < 3; number++) await segment.start(number, ours);
    await sleep(HELLO_MS);
    load(0);
    expect(await settled(complaints, CONVERGENCE_MS, 300)).toBe('');
    await segment.firewalls[2]!.daemon.kill();
    segment.firewalls[0]!.loadFlows(mixedFlows(FLOWS, 5000));
    expect(await settled(() => difference(internalOf(0), ownOf(1, 0)), CONVERGENCE_MS, 300)).toBe('');
    await segment.firewalls[2]!.daemon.start();
    segment.firewalls[2]!.daemon.request('-n');
    expect(await settled(complaints, CONVERGENCE_MS, 300)).toBe('');
  });

  it('one original among ours: ours have everything; the original hears one of them, as among its own', async () => {
    await segment.start(0, ours);
    await segment.start(1, ours);
    await segment.start(2, original);
    await sleep(HELLO_MS);
    load(0);
    const ofOurs = (): string => complaint(0, [1, 2]) || complaint(1, [0, 2]);
    expect(await settled(ofOurs, CONVERGENCE_MS, 300)).toBe('');
    // Three originals end the same way: one sequence tracker for all senders takes the other's messages for old ones.
    const heard = (): number => Math.max(ownOf(2, 0).length, ownOf(2, 1).length);
    await eventually(() => heard() === FLOWS, { withinMs: 5000, what: 'one node in the cache of the original' });
  });
});

/** Of the flows that `receiver` holds, those that `sender` has. */
function ownOf(receiver: number, sender: number): string[] {
  const own = new Set(internalOf(sender));
  return segment.firewalls[receiver]!.external().filter((line) => own.has(line));
}

describe('a multicast group that two segments use', () => {
  it('what arrives on another interface than the link is dropped', async () => {
    const [a, b, c] = segment.firewalls as [Firewall, Firewall, Firewall];
    await segment.start(0, ours);
    await segment.start(1, ours);
    // A stands on a second segment, where another cluster uses the same group and port, and somebody joins it there.
    connect(a.namespace, 'other0', c.namespace, 'other0');
    a.namespace.ip('addr', 'add', '172.30.99.1/24', 'dev', 'other0');
    c.namespace.ip('addr', 'add', '172.30.99.2/24', 'dev', 'other0');
    a.namespace.ip('addr', 'add', '225.0.0.50/32', 'dev', 'other0', 'autojoin');
    await c.startDaemon(original, {
      mode: 'FTFW',
      link: { transport: 'Multicast', device: 'other0', address: '172.30.99.2', destination: '225.0.0.50', port: 3780 },
    });
    await sleep(1500);
    c.loadFlows(mixedFlows(50, 50_000));
    b.loadFlows(mixedFlows(50));
    expect(await settled(() => difference(b.internal(), a.external()), CONVERGENCE_MS, 200)).toBe('');
    await sleep(1500);
    expect(comparableCacheLines(a.daemon.request('-e'))).toHaveLength(50);
  });
});
