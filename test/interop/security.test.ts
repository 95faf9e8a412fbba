import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SEAL_OVERHEAD, Seal } from '../../src/channel/seal.js';
import {
  AF_INET,
  bind,
  closeSocket,
  connect as connectSocket,
  openSocket,
  SOCK_DGRAM,
  SOCK_STREAM,
  send,
} from '../../src/native/index.js';
import { inetAddress } from '../../src/native/sockaddr.js';
import type { LinkSettings } from '../lab/configuration.js';
import type { Daemon } from '../lab/daemon.js';
import { FirewallPair, SYNC_PORT } from '../lab/firewall-pair.js';
import { tcpFlows } from '../lab/flows.js';
import { original, ours } from '../lab/implementation.js';
import { inside } from '../lab/inside.js';
import { connect } from '../lab/namespace.js';
import { newFlow } from '../lab/scripted-peer.js';
import { statistic } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';

const KEY = 'a1'.repeat(32);
const OTHER_KEY = 'b2'.repeat(32);
const CONVERGENCE_MS = 20_000;

let pair: FirewallPair;
let descriptors: number[] = [];

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => {
  for (const fd of descriptors) closeSocket(fd);
  descriptors = [];
  pair.remove();
});

const endpoint = (address: string, port: number) => inetAddress(Uint8Array.from(address.split('.').map(Number)), port);

/** A datagram to the daemon of the first firewall, sent by the second one from one of its addresses. */
function say(bytes: Uint8Array, from = '172.30.16.2'): void {
  const fd = inside(pair.b.namespace, () => openSocket(AF_INET, SOCK_DGRAM, 0));
  descriptors.push(fd);
  bind(fd, endpoint(from, 0));
  connectSocket(fd, endpoint('172.30.16.1', SYNC_PORT));
  expect(send(fd, new Uint8Array(bytes).buffer, 0, bytes.length)).toBe(bytes.length);
}

function counter(daemon: Daemon, label: string): number {
  return statistic(daemon.request('-s', 'security'), 'link security', label);
}

async function counted(daemon: Daemon, label: string, least: number): Promise<void> {
  await eventually(() => counter(daemon, label) >= least, { withinMs: 5000, what: `${least} of '${label}'` });
}

/** The flow with that source port is in the external cache. */
function known(daemon: Daemon, port: number): boolean {
  return daemon.request('-e').includes(`sport=${port} `);
}

async function heard(daemon: Daemon, port: number): Promise<void> {
  await eventually(() => known(daemon, port), { withinMs: 5000, what: `the flow of port ${port}` });
}

const log = (daemon: Daemon): string => readFileSync(daemon.paths.log, 'utf8');

describe('who is heard', () => {
  const start = (acceptFrom: readonly string[], transport: LinkSettings['transport'] = 'UDP') =>
    pair.a.startDaemon(ours, { mode: 'NOTRACK', link: pair.a.link(transport, 'v4', acceptFrom) });

  beforeEach(() => {
    // Another address of the peer on the link, and one that no network of the link has.
    pair.b.namespace.ip('addr', 'add', '172.30.16.20/24', 'dev', 'sync0');
    pair.b.namespace.ip('addr', 'add', '10.99.0.1/32', 'dev', 'lo');
  });

  /** From here on what the second firewall sends to the link's address takes another way. */
  function detour(): void {
    connect(pair.a.namespace, 'other0', pair.b.namespace, 'other0');
    pair.a.namespace.ip('addr', 'add', '172.30.99.1/24', 'dev', 'other0');
    pair.b.namespace.ip('addr', 'add', '172.30.99.2/24', 'dev', 'other0');
    pair.b.namespace.ip('route', 'add', '172.30.16.1/32', 'via', '172.30.99.1');
  }

  it.each([
    ['Link', [], { own: true, second: true, offLink: false, detour: false }],
    ['Peer', ['AcceptFrom Peer'], { own: true, second: false, offLink: false, detour: false }],
    ['Any', ['AcceptFrom Any'], { own: true, second: true, offLink: true, detour: true }],
  ] as const)('AcceptFrom: Link hears the link, Peer the peer alone, Any everybody', async (_, clauses, expected) => {
    const daemon = await start(clauses);
    say(newFlow(1, 1001, 900), '172.30.16.20');
    say(newFlow(2, 1002, 900), '10.99.0.1');
    say(newFlow(3, 1003, 900));
    await heard(daemon, 1003);
    detour();
    say(newFlow(4, 1004, 900));
    const refused = [expected.second, expected.offLink].filter((each) => !each).length;
    if (expected.detour) await heard(daemon, 1004);
    else await counted(daemon, 'Other interface', 1);
    expect(counter(daemon, 'Not from the link')).toBe(refused);
    const found = { own: known(daemon, 1003), second: known(daemon, 1001), offLink: known(daemon, 1002) };
    expect({ ...found, detour: known(daemon, 1004) }).toEqual(expected);
    if (refused > 0)
      expect(log(daemon)).toMatch(/sync0: a message from 10\.99\.0\.1:\d+ is dropped|from 172\.30\.16\.20/);
  });

  it('hears the original on another address of the link than the configured one', async () => {
    const settings = (index: 'a' | 'b', change: Partial<LinkSettings>) => ({
      mode: 'FTFW' as const,
      link: { ...pair[index].link('UDP'), ...change },
    });
    // It sends from the interface's first address, whatever it listens on.
    const a = await pair.a.startDaemon(ours, settings('a', { destination: '172.30.16.20' }));
    await pair.b.startDaemon(original, settings('b', { address: '172.30.16.20' }));
    pair.b.loadFlows(tcpFlows(20));
    await eventually(() => pair.a.external().length === 20, {
      withinMs: CONVERGENCE_MS,
      what: 'flows of the original',
    });
    expect(counter(a, 'Not from the link')).toBe(0);
  });

  it('multicast: hears who sends over the link, whatever its network, and forgets no peer for a flood of senders', async () => {
    const daemon = await start([], 'Multicast');
    const group = endpoint('225.0.0.50', SYNC_PORT);
    const shout = (bytes: Buffer, from: string): void => {
      const fd = inside(pair.b.namespace, () => openSocket(AF_INET, SOCK_DGRAM, 0));
      descriptors.push(fd);
      bind(fd, endpoint(from, 0));
      connectSocket(fd, group);
      send(fd, new Uint8Array(bytes).buffer, 0, bytes.length);
    };
    pair.b.namespace.ip('route', 'add', '225.0.0.50/32', 'dev', 'sync0');
    pair.b.namespace.ip('addr', 'add', '10.99.9.1/24', 'dev', 'sync0');
    // The way back has to be there, or the kernel drops it as a martian.
    pair.a.namespace.ip('route', 'add', '10.99.9.0/24', 'dev', 'sync0');
    shout(newFlow(1, 1001, 900), '10.99.9.1');
    await heard(daemon, 1001);
    shout(newFlow(1, 1002, 900), '172.30.16.2');
    await heard(daemon, 1002);
    for (let last = 100; last < 180; last++) {
      pair.b.namespace.ip('addr', 'add', `172.30.16.${last}/24`, 'dev', 'sync0');
      shout(newFlow(1, 2000 + last, 900), `172.30.16.${last}`);
    }
    await counted(daemon, 'Too many senders', 1);
    shout(newFlow(2, 1003, 900), '172.30.16.2');
    await heard(daemon, 1003);
    expect(counter(daemon, 'Not from the link')).toBe(0);
  });

  it('TCP: another address of the link does not cut off the peer, and one off the link is refused', async () => {
    const daemon = await start([], 'TCP');
    const dial = (from: string): number => {
      const fd = inside(pair.b.namespace, () => openSocket(AF_INET, SOCK_STREAM, 0));
      descriptors.push(fd);
      bind(fd, endpoint(from, 0));
      connectSocket(fd, endpoint('172.30.16.1', SYNC_PORT));
      return fd;
    };
    const peer = dial('172.30.16.2');
    await eventually(() => daemon.request('-s').includes('server=connected'), {
      withinMs: 5000,
      what: 'the connection',
    });
    dial('172.30.16.20');
    await counted(daemon, 'Refused connections', 1);
    // The way back has to be there for a connection from there.
    pair.a.namespace.ip('route', 'add', '10.99.0.1/32', 'via', '172.30.16.2');
    dial('10.99.0.1');
    await counted(daemon, 'Not from the link', 1);
    const flow = newFlow(1, 1001, 900);
    send(peer, new Uint8Array(flow).buffer, 0, flow.length);
    await heard(daemon, 1001);
  });
});

describe('the sealed link', () => {
  const keyFiles: string[] = [];

  /** A daemon with a key file of its own; '' for none. */
  async function startSealed(
    which: 'a' | 'b',
    keys: string,
    transport: LinkSettings['transport'] = 'UDP',
  ): Promise<Daemon> {
    const firewall = pair[which];
    const path = `/tmp/${firewall.namespace.name}.key`;
    if (keys !== '') writeKeys(path, keys);
    const clauses = keys === '' ? [] : [`KeyFile ${path}`];
    return firewall.startDaemon(ours, { mode: 'FTFW', link: firewall.link(transport, 'v4', clauses) });
  }

  function writeKeys(path: string, keys: string): void {
    writeFileSync(path, `${keys}\n`);
    chmodSync(path, 0o600);
    keyFiles.push(path);
  }

  afterEach(() => {
    for (const path of keyFiles.splice(0)) rmSync(path, { force: true });
  });

  const converged = (count: number): Promise<unknown> =>
    eventually(() => pair.b.external().length === count, { withinMs: CONVERGENCE_MS, what: `${count} flows on b` });

  it.each(['UDP', 'Multicast', 'TCP'] as const)(
    'KeyFile: an encrypted pair converges and fails over',
    async (transport) => {
      const a = await startSealed('a', KEY, transport);
      const b = await startSealed('b', KEY, transport);
      pair.a.loadFlows(tcpFlows(2000));
      await converged(2000);
      b.request('-c');
      expect(pair.b.kernelCount()).toBe(2000);
      for (const daemon of [a, b]) {
        expect(counter(daemon, 'Sealed, sent')).toBeGreaterThan(0);
        expect(counter(daemon, 'Sealed, opened')).toBeGreaterThan(0);
        for (const label of ['Plain text refused', 'Wrong key or altered', 'Replayed', 'Out of time']) {
          expect(counter(daemon, label), label).toBe(0);
        }
      }
      expect(a.request('-s', 'security')).toContain('encryption=on');
    },
  );

  it('what is in plain text, changed, replayed, of another key or of another time is dropped and counted', async () => {
    const a = await startSealed('a', KEY);
    const clock = { wallMs: Date.now, monotonicMs: () => performance.now() };
    const seal = new Seal([Buffer.from(KEY, 'hex')], clock);
    const envelope = (by: Seal, port: number): Uint8Array => {
      const message = newFlow(1, port, 900);
      const bytes = new Uint8Array(message.length + SEAL_OVERHEAD);
      by.seal(message, 0, message.length, bytes, 0);
      return bytes;
    };
    const altered = envelope(seal, 1002);
    altered[40]! ^= 1;
    say(newFlow(1, 1001, 900));
    say(altered);
    say(envelope(new Seal([Buffer.from(OTHER_KEY, 'hex')], clock), 1003));
    say(envelope(new Seal([Buffer.from(KEY, 'hex')], { ...clock, wallMs: () => Date.now() - 60_000 }), 1004));
    const genuine = envelope(seal, 1005);
    say(genuine);
    say(genuine);
    await heard(a, 1005);
    await counted(a, 'Replayed', 1);
    expect(counter(a, 'Plain text refused')).toBe(1);
    expect(counter(a, 'Wrong key or altered')).toBe(2);
    expect(counter(a, 'Out of time')).toBe(1);
    expect(counter(a, 'Sealed, opened')).toBe(1);
    expect(a.request('-e').trim().split('\n')).toHaveLength(1);
    expect(a.request('-s', 'network')).toMatch(/Malformed messages:\s+0\n/);
  });

  it('with a key on one side only, both say what is wrong', async () => {
    const a = await startSealed('a', KEY);
    const b = await startSealed('b', '');
    pair.a.loadFlows(tcpFlows(5));
    await counted(a, 'Plain text refused', 1);
    await counted(b, 'Sealed, no key here', 1);
    expect(log(a)).toMatch(
      /172\.30\.16\.2:\d+ sends in plain text, which is dropped: it needs the KeyFile of this node/,
    );
    expect(log(b)).toMatch(/172\.30\.16\.1:\d+ encrypts, and there is no KeyFile here/);
    expect(pair.b.external()).toEqual([]);
  });

  it('the key is changed node by node without a flow lost; a bad file changes nothing', async () => {
    await startSealed('a', KEY);
    await startSealed('b', KEY);
    let flows = 0;
    const more = async (): Promise<void> => {
      pair.a.loadFlows(tcpFlows(300, flows));
      flows += 300;
      await converged(flows);
    };
    await more();
    const rotate = async (which: 'a' | 'b', keys: readonly string[], says: string): Promise<void> => {
      const { daemon, namespace } = pair[which];
      writeKeys(`/tmp/${namespace.name}.key`, keys.join('\n'));
      const before = log(daemon).length;
      process.kill(daemon.pid, 'SIGHUP');
      await eventually(() => log(daemon).slice(before).includes(says), { withinMs: 5000, what: says });
      await more();
    };
    for (const keys of [[KEY, OTHER_KEY], [OTHER_KEY, KEY], [OTHER_KEY]]) {
      for (const which of ['a', 'b'] as const) await rotate(which, keys, `${keys.length} key`);
    }
    await rotate('a', ['no key'], 'the keys stay as they are');
    for (const { daemon } of [pair.a, pair.b]) expect(counter(daemon, 'Wrong key or altered')).toBe(0);
  });

  it('a daemon does not start with a key that others may read', async () => {
    const path = join('/tmp', `${pair.a.namespace.name}.key`);
    writeKeys(path, KEY);
    chmodSync(path, 0o644);
    const settings = { mode: 'FTFW' as const, link: pair.a.link('UDP', 'v4', [`KeyFile ${path}`]) };
    const result = await pair.a.prepareDaemon(ours, settings).startAttempt();
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('others than its owner may use it (mode 644)');
  });
});
