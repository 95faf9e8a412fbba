import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FlowBatch } from '../../bench/end-to-end/flow-batch.js';
import { KernelRequests } from '../../src/kernel/requests.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { tcpFlows } from '../lab/flows.js';
import { tested } from '../lab/implementation.js';
import { inside } from '../lab/inside.js';
import { Namespace } from '../lab/namespace.js';
import { controlMessage, FLAG, newFlow, ScriptedPeer } from '../lab/scripted-peer.js';
import { statistic } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';
import { tcpFlow } from '../support/tcp-flow.js';

/** So many that emptying them takes the kernel longer than all that is done meanwhile; below the kernel's usual limit. */
const EMPTIED = 200_000;
/** As many as the peer's socket keeps messages of while the test does something else. */
const HELD = 60;
const SOON_MS = 20_000;

/** Request codes (spec/control.md). */
const DUMP_INTERNAL = 16;
const STATS = 21;
const REQUEST_RESYNC = 23;

let pair: FirewallPair;
let peer: ScriptedPeer;
/**
 * Where a large table is emptied. Whoever does so holds the lock of all requests about flows to the end, and there is one for
 * all namespaces of a machine (net/netfilter/nfnetlink.c, nfnl_lock).
 */
let other: Namespace;

beforeEach(() => {
  pair = new FirewallPair();
  peer = new ScriptedPeer(pair.b.namespace, '172.30.16.2', '172.30.16.1', 3780);
  other = new Namespace('busy');
});
afterEach(() => {
  peer.close();
  pair.remove();
  other.remove();
});

function countOf(namespace: Namespace): number {
  return inside(namespace, () => Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_count', 'latin1')));
}

/** Does `work` while somebody empties a table; fails unless that was not over when `work` was. */
async function whileEmptied(work: () => Promise<void>): Promise<void> {
  const failed = inside(other, () => new FlowBatch()).runAll('create', EMPTIED);
  expect(failed).toBe(0);
  const flush = other.start(['conntrack', '-F']);
  const over = new Promise((resolve) => flush.once('exit', resolve));
  await eventually(() => countOf(other) < EMPTIED, { withinMs: SOON_MS, everyMs: 1, what: 'begin of the flush' });
  await work();
  expect(countOf(other), 'flows that were there still').toBeGreaterThan(0);
  await over;
}

async function start(mode: 'FTFW' | 'NOTRACK', ...modeClauses: string[]): Promise<void> {
  await pair.a.startDaemon(tested, { mode, link: pair.a.link('UDP'), modeClauses });
}

/** The daemon answers, and says what it is told to say. */
async function expectAlive(): Promise<void> {
  expect(await pair.a.daemon.rawRequest(STATS)).toContain('\n');
  const before = peer.heardControls(FLAG.resync).length;
  await pair.a.daemon.rawRequest(REQUEST_RESYNC);
  const asked = (): boolean => peer.heardControls(FLAG.resync).length > before;
  await eventually(asked, { withinMs: SOON_MS, everyMs: 5, what: 'the request to the peer' });
}

async function received(label: string, least: number): Promise<void> {
  const seen = async (): Promise<boolean> =>
    statistic(await pair.a.daemon.rawRequest(STATS), 'UDP traffic', label) >= least;
  await eventually(seen, { withinMs: SOON_MS, everyMs: 5, what: `${least} ${label}` });
}

describe('while somebody empties a large table', () => {
  it('a daemon without an external cache goes on, and injects what it was told behind that', async () => {
    await start('FTFW', 'DisableExternalCache on');
    await whileEmptied(async () => {
      peer.say(controlMessage(FLAG.alive | FLAG.hello | FLAG.helloBack, 1000));
      for (let number = 1; number <= 300; number++) peer.say(newFlow(1000 + number, 3000 + number, 100));
      await received('Pckts recv', 301);
      await expectAlive();
      expect(countOf(pair.a.namespace)).toBe(0);
    });
    await eventually(() => countOf(pair.a.namespace) === 300, { withinMs: SOON_MS, what: 'the flows' });
    expect(pair.a.daemon.request('-s')).toMatch(/connections created:\s+300\tfailed:\s+0\n/);
  });

  it('a daemon without an internal cache goes on, and sends and shows its flows behind that', async () => {
    await start('NOTRACK', 'DisableInternalCache on', 'DisableExternalCache on');
    pair.a.loadFlows(tcpFlows(HELD));
    const news = (): number =>
      new Set(peer.heardFlows().map(({ attributes }) => attributes.get(3)?.toString('hex'))).size;
    await eventually(() => news() === HELD, { withinMs: SOON_MS, what: 'messages about the flows' });
    const before = peer.heardFlows().length;
    let listing = Promise.resolve('');
    await whileEmptied(async () => {
      peer.say(controlMessage(FLAG.resync, 1, [0, 0]));
      listing = pair.a.daemon.rawRequest(DUMP_INTERNAL, SOON_MS);
      await received('Pckts recv', 1);
      await expectAlive();
      expect(peer.heardFlows()).toHaveLength(before);
    });
    expect((await listing).trimEnd().split('\n')).toHaveLength(HELD);
    await eventually(() => peer.heardFlows().length >= before + HELD, { withinMs: SOON_MS, what: 'the bulk' });
  });

  it('a daemon that is to empty its own goes on, and does it behind that', async () => {
    await start('FTFW', 'PurgeTimeout 1');
    pair.a.loadFlows(tcpFlows(HELD));
    await whileEmptied(async () => {
      pair.a.daemon.request('-F');
      await expectAlive();
      expect(countOf(pair.a.namespace)).toBe(HELD);
    });
    await eventually(() => countOf(pair.a.namespace) === 0, { withinMs: SOON_MS, what: 'an empty table' });
  });

  it('requests wait in another thread, and are carried out in their order', async () => {
    const kernel = inside(pair.a.namespace, () => new KernelRequests(false));
    const order: string[] = [];
    const flow = tcpFlow({ number: 1, timeout: 100 });
    let ended = Promise.resolve();
    await whileEmptied(async () => {
      const ask = (name: string): Promise<void> =>
        new Promise((resolve) =>
          kernel.submitAhead(
            (tag, errno) => order.push(`${name} ${tag} ${errno}`),
            (error) => {
              order.push(`${name} ${error}`);
              resolve();
            },
          ),
        );
      kernel.create(flow, 100, 1);
      void ask('first');
      kernel.create(flow, 100, 2);
      void ask('second');
      void ask('nothing');
      kernel.delete(flow, 100, 3);
      kernel.delete(flow, 100, 4);
      ended = ask('third');
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(order).toEqual([]);
    });
    await ended;
    kernel.close();
    const [EEXIST, ENOENT] = [17, 2];
    expect(order).toEqual([
      'first null',
      `second 2 ${EEXIST}`,
      'second null',
      'nothing null',
      `third 4 ${ENOENT}`,
      'third null',
    ]);
  });
});
