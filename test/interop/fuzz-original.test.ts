import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wireMessages } from '../../fuzz/fixtures.js';
import { comparableMutation } from '../../fuzz/original/messages.js';
import type { Daemon } from '../lab/daemon.js';
import { FirewallPair, SYNC_PORT } from '../lab/firewall-pair.js';
import { cacheLines } from '../lab/flow-lines.js';
import { type Implementation, original, ours } from '../lab/implementation.js';
import { compiled } from '../lab/project.js';
import { ScriptedPeer } from '../lab/scripted-peer.js';
import { statistic } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';
import { Random } from '../simulation/random.js';

/** FUZZ_SEED and FUZZ_BATCHES: other messages, and more of them. */
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const BATCHES = Number(process.env.FUZZ_BATCHES ?? 4);
/** Datagrams between two looks: they fit into a socket buffer. */
const BATCH = 100;

const COUNTERS = [
  'Malformed messages',
  'Wrong protocol version',
  'Malformed header',
  'Malformed payload',
  'Bad message type',
  'Truncated message',
  'Bad message size',
];

/** What became of some messages: the flows of the external cache, and by how much which counters moved. */
class Heard {
  constructor(
    readonly flows: readonly string[],
    private readonly counted: readonly number[],
  ) {}

  toString(): string {
    return JSON.stringify([this.flows, COUNTERS.map((label, index) => `${label} +${this.counted[index]}`)]);
  }
}

/** A daemon and the peer that talks to it, in namespaces of their own. */
class Listener {
  private readonly pair = new FirewallPair();
  private daemon!: Daemon;
  private peer!: ScriptedPeer;
  private before: number[] = [];

  async start(implementation: Implementation): Promise<void> {
    const { a, b } = this.pair;
    this.daemon = await a.startDaemon(implementation, { mode: 'NOTRACK', link: a.link('UDP') });
    this.peer = new ScriptedPeer(b.namespace, b.link('UDP').address, a.link('UDP').address, SYNC_PORT);
    this.before = this.counters();
  }

  /** What the daemon makes of the messages, a datagram each. */
  async hear(messages: readonly Uint8Array[]): Promise<Heard> {
    const received = () => statistic(this.daemon.request('-s', 'network'), 'UDP traffic', 'Pckts recv');
    this.daemon.request('-f', 'external');
    const due = received() + messages.length;
    for (const message of messages) this.peer.say(Buffer.from(message));
    await eventually(() => received() >= due, { withinMs: 20_000, what: `${messages.length} datagrams to arrive` });
    const flows = cacheLines(this.daemon.request('-e'));
    const after = this.counters();
    const counted = after.map((count, index) => count - this.before[index]!);
    this.before = after;
    return new Heard(flows, counted);
  }

  private counters(): number[] {
    const text = this.daemon.request('-s', 'network');
    return COUNTERS.map((label) => statistic(text, 'network statistics', label));
  }

  remove(): void {
    this.peer?.close();
    this.pair.remove();
  }
}

describe.skipIf(!existsSync(original.program))('the original makes the same', () => {
  const there = new Listener();
  const here = new Listener();

  beforeAll(async () => {
    await there.start(original);
    await here.start(ours);
  });
  afterAll(() => {
    there.remove();
    here.remove();
  });

  it(`of mutated messages (FUZZ_SEED=${SEED})`, async () => {
    const random = new Random(SEED);
    const messages = wireMessages().filter((message) => (message[0]! & 0x0f) <= 2);
    let flows = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      const mutated = Array.from({ length: BATCH }, () => comparableMutation(random.pick(messages), random));
      const mine = await here.hear(mutated);
      const theirs = await there.hear(mutated);
      flows += mine.flows.length;
      if (String(mine) !== String(theirs)) expect.fail(await difference(mutated));
    }
    expect(flows).toBeGreaterThan(BATCHES * 10);
  });

  /** As few of the messages as it takes, left out in halves, quarters and so on, and what became of them. */
  async function difference(messages: readonly Uint8Array[]): Promise<string> {
    let least = [...messages];
    const takenBy = async (some: readonly Uint8Array[]) => [await here.hear(some), await there.hear(some)].map(String);
    for (let part = least.length >> 1; part >= 1; part >>= 1) {
      for (let at = 0; at < least.length; ) {
        const rest = [...least.slice(0, at), ...least.slice(at + part)];
        const [mine, theirs] = rest.length === 0 ? ['', ''] : await takenBy(rest);
        if (mine !== theirs) least = rest;
        else at += part;
      }
    }
    return [...least.map((message) => Buffer.from(message).toString('hex')), ...(await takenBy(least))].join('\n');
  }

  it('of mutated configurations', () => {
    const args = [compiled('fuzz/original/main'), '--runs', '500', '--seed', String(SEED)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
    expect(Number(/(\d+) compared/.exec(stdout)![1])).toBeGreaterThan(100);
  });
});
