import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { original, ours } from '../lab/implementation.js';
import { settled } from '../lab/waiting.js';

/** A commit on a real kernel table that has some of the flows already, and while other flows come and go. */
const CONVERGENCE_MS = 15_000;

/** A kernel's number of each flow, by its line without what changes. */
function ids(firewall: Firewall): Map<string, string> {
  const lines = firewall.conntrack('-L', '-o', 'id').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const id = / id=(\d+)/.exec(line);
      const tuple = /src=\S+ dst=\S+ sport=\d+ dport=\d+/.exec(line);
      return id === null || tuple === null ? [] : [[tuple[0], id[1]!] as const];
    }),
  );
}

/** `-I` lines for the sources 198.18.LAST.1, each with its own port, of the state and mark given. */
function lines(from: number, count: number, rest: string, zone = ''): string {
  return Array.from(
    { length: count },
    (_, index) => `-I -p tcp -s 198.18.250.1 -d 198.19.250.1 --sport ${from + index} --dport 80 ${rest}${zone}\n`,
  ).join('');
}
const ESTABLISHED = '--state ESTABLISHED -t 900 -u ASSURED,SEEN_REPLY';

let pair: FirewallPair;
beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

async function replicated(): Promise<void> {
  const missing = (): string => difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B');
  expect(await settled(missing, CONVERGENCE_MS)).toBe('');
}

async function cachedAsKernel(firewall: Firewall): Promise<void> {
  const differs = (): string =>
    difference(firewall.kernelTableAsCached(), firewall.internal(), 'kernel', 'internal cache');
  expect(await settled(differs, CONVERGENCE_MS)).toBe('');
}

describe('a commit into a table that has some of the flows', () => {
  it('leaves alone what is the same, updates what differs, recreates what cannot be updated', async () => {
    await pair.start({ a: original, b: ours }, { mode: 'FTFW' });
    pair.a.loadFlows(lines(1000, 50, `${ESTABLISHED} -m 1`));
    pair.a.loadFlows(lines(2000, 50, `${ESTABLISHED} -m 2`));
    pair.a.loadFlows(lines(3000, 50, `${ESTABLISHED} --src-nat 203.0.113.9`));
    pair.a.loadFlows(lines(4000, 50, ESTABLISHED));
    pair.a.loadFlows(lines(5000, 50, ESTABLISHED, ' -w 7'));
    pair.a.loadFlows(mixedFlows(300));
    await replicated();
    // First the same, then: another mark and state, no NAT, nearly run out, another zone's.
    pair.b.daemon.request('-c');
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
    const same = ids(pair.b);
    pair.b.conntrack('-D', '-p', 'tcp', '-m', '2');
    pair.b.loadFlows(lines(2000, 50, '--state FIN_WAIT -t 300 -u SEEN_REPLY -m 77'));
    const changed = ids(pair.b);
    for (let port = 3000; port < 3050; port++) pair.b.conntrack('-D', '-p', 'tcp', '--sport', String(port));
    pair.b.loadFlows(lines(3000, 50, ESTABLISHED));
    const withoutNat = ids(pair.b);
    for (let port = 4000; port < 4005; port++) {
      pair.b.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--sport', String(port), '-t', '40');
      pair.b.conntrack('-D', '-p', 'tcp', '--sport', String(port + 40));
    }
    await cachedAsKernel(pair.b);
    pair.b.daemon.request('-c');
    const after = ids(pair.b);
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
    const tuple = (port: number): string => `src=198.18.250.1 dst=198.19.250.1 sport=${port} dport=80`;
    for (const port of [1000, 1049, 4000, 4039]) expect(after.get(tuple(port))).toBe(same.get(tuple(port)));
    for (const port of [2000, 2049]) expect(after.get(tuple(port))).toBe(changed.get(tuple(port)));
    // The kernel may give the number again, so that the address is the proof: the tables are equal, see above.
    expect(withoutNat.has(tuple(3000))).toBe(true);
    const timeouts = pair.b.conntrack('-L', '-p', 'tcp', '--sport', '4001');
    expect(Number(/tcp +6 (\d+)/.exec(timeouts)![1])).toBeGreaterThan(800);
    expect(pair.b.daemon.log()).toContain('Committed 550 new entries');
    await cachedAsKernel(pair.b);
  }, 60_000);

  it('commits what the internal cache does not know to be there', async () => {
    await pair.start({ a: ours, b: ours }, { mode: 'FTFW' });
    pair.a.loadFlows(mixedFlows(1500));
    await replicated();
    pair.b.daemon.request('-c');
    await cachedAsKernel(pair.b);
    pair.b.daemon.request('-f', 'internal');
    pair.b.daemon.request('-c');
    expect(pair.b.daemon.log()).not.toContain("can't be committed");
    expect(pair.b.daemon.log().match(/Committed 1500 new entries/g)).toHaveLength(2);
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
  }, 60_000);
});

const peers = [original, ours];

describe.each(peers.map((peer) => [peer.name, peer] as const))('a large commit, peer %s', (_, peer) => {
  it('learns what it made, tells the peer what others made meanwhile, and all of it by a bulk', async () => {
    await pair.start({ a: peer, b: ours }, { mode: 'FTFW' });
    pair.a.loadFlows(tcpFlows(20_000));
    await replicated();
    // Traffic of its own while it commits: from now on flows come, until some time after the end.
    const file = join(pair.b.daemon.directory, 'traffic');
    writeFileSync(file, lines(10_000, 6000, ESTABLISHED));
    const traffic = pair.b.namespace.start(['conntrack', '-R', file], { stdio: 'ignore' });
    pair.b.daemon.request('-c');
    await new Promise((resolve) => (traffic.exitCode === null ? traffic.once('exit', resolve) : resolve(null)));
    expect(pair.b.kernelCount()).toBe(26_000);
    await cachedAsKernel(pair.b);
    const genuine = pair.b.internal().filter((line) => line.includes('198.18.250.1'));
    expect(genuine).toHaveLength(6000);
    const told = (): string => difference(genuine, pair.a.external(), 'of B', 'external of A');
    expect(await settled(told, CONVERGENCE_MS)).toBe('');
    // Right behind another large commit: the bulk has every flow, though the cache does not yet.
    pair.b.flushKernelTable();
    const emptied = (): string => (pair.b.internal().length === 0 ? '' : 'not empty');
    expect(await settled(emptied, CONVERGENCE_MS)).toBe('');
    pair.b.daemon.request('-c', '-B');
    const flows = pair.b.kernelTableAsCached();
    expect(flows).toHaveLength(20_000);
    const all = (): string => difference(flows, pair.a.external(), 'kernel of B', 'external of A');
    expect(await settled(all, CONVERGENCE_MS)).toBe('');
    // What ends after the commit ends for the peer, too.
    pair.b.flushKernelTable();
    const gone = (): string => (pair.a.external().length === 0 ? '' : 'not empty');
    expect(await settled(gone, CONVERGENCE_MS)).toBe('');
  }, 90_000);
});
