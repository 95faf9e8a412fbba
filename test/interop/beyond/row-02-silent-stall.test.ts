import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Firewall, FirewallPair } from '../../lab/firewall-pair.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { controlMessage, FLAG, newFlow, ScriptedPeer } from '../../lab/scripted-peer.js';
import { activeConnections } from '../../lab/statistics.js';
import { eventually, sleep } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 2: one datagram with a far sequence number, and the original drops the peer's genuine messages
 * without a word, for as long as they are behind it.
 */
const SOON_MS = 5000;
const FAR = 1_000_000;

let pair: FirewallPair;
let peer: ScriptedPeer;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => {
  peer.close();
  pair.remove();
});

async function start(implementation: Implementation): Promise<Firewall> {
  const firewall = pair.a;
  await firewall.startDaemon(implementation, { mode: 'FTFW', link: firewall.link('UDP') });
  peer = new ScriptedPeer(pair.b.namespace, '172.30.16.2', '172.30.16.1', 3780);
  peer.say(controlMessage(FLAG.alive | FLAG.hello | FLAG.helloBack, 1000));
  return firewall;
}

function external(): number {
  return activeConnections(pair.a.daemon.request('-s'), 'external');
}

/** Two flows, a stray far ahead, and ten more. */
async function stray(): Promise<void> {
  peer.say(newFlow(1001, 4001, 100));
  peer.say(newFlow(1002, 4002, 100));
  peer.say(controlMessage(FLAG.alive, 1000 + FAR));
  for (let number = 3; number <= 12; number++) peer.say(newFlow(1000 + number, 4000 + number, 100));
}

describe('row 2: a stray datagram with a far number', () => {
  it('costs ours none of the genuine messages, and is said in the log', async () => {
    const { daemon } = await start(ours);
    await stray();
    await eventually(() => external() === 12, { withinMs: SOON_MS, what: 'all flows' });
    expect(daemon.log()).toMatch(/message 1001000 where 1003 was due, ignored until others follow it/);
  });

  it('makes the original drop what follows, without a word', async () => {
    const { daemon } = await start(original);
    await stray();
    await sleep(3000);
    expect(external()).toBe(2);
    expect(daemon.log()).not.toMatch(/1001000|sequence|lost/i);
  });
});

describe('row 2: a stream that really goes on elsewhere', () => {
  it('is followed by ours, which asks for what it refused and for the rest', async () => {
    await start(ours);
    peer.say(newFlow(1001, 4001, 100));
    const far = 1000 + FAR;
    for (let number = 0; number < 4; number++) peer.say(newFlow(far + number, 4100 + number, 100));
    await eventually(() => peer.heardControls(FLAG.nack).length > 0, { withinMs: SOON_MS, what: 'a NACK' });
    await eventually(() => peer.heardControls(FLAG.resync).length > 0, { withinMs: SOON_MS, what: 'a RESYNC' });
  });
});

describe('row 2: a peer that makes no sense', () => {
  it('is said once in the log, and moves counters', async () => {
    const { daemon } = await start(ours);
    for (let times = 0; times < 30; times++) peer.say(Buffer.from('nothing that anybody would understand'));
    await eventually(() => /messages arrive that make no sense/.test(daemon.log()), {
      withinMs: SOON_MS,
      what: 'the warning',
    });
    expect(daemon.log().match(/make no sense/g)).toHaveLength(1);
    expect(daemon.request('-s', 'network')).toMatch(/Malformed messages:\s+30\n/);
  });
});
