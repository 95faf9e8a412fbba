import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair, SYNC_DEVICE, SYNC_PORT } from '../lab/firewall-pair.js';
import { mixedFlows } from '../lab/flows.js';
import { tested } from '../lab/implementation.js';
import { connect } from '../lab/namespace.js';
import { controlMessage, FLAG, newFlow, ScriptedPeer } from '../lab/scripted-peer.js';
import { activeConnections, statistic } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';
import { CODE, equal, expectConverged, expectHeld, expectPrompt } from './faults-pair.js';

const FLOWS = 600;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

/** New, changed and ended flows on both sides. */
function change(round: number): void {
  pair.a.loadFlows(mixedFlows(FLOWS, round * FLOWS));
  pair.b.loadFlows(mixedFlows(FLOWS, 30_000 + round * FLOWS));
  pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', String(round + 1));
  pair.b.conntrack('-D', '-p', 'udp', '--dport', '53');
}

describe.each(['UDP', 'Multicast', 'TCP'] as const)('the only dedicated link, %s', (transport) => {
  it('is cut and comes back; is removed and made anew', async () => {
    await pair.start(equal, { mode: 'FTFW' }, { transport });
    if (transport === 'TCP') await expectConnected();
    change(0);
    await expectConverged(pair);
    pair.a.namespace.ip('link', 'set', SYNC_DEVICE, 'down');
    change(1);
    await expectPrompt(pair.a.daemon);
    await expectPrompt(pair.b.daemon);
    pair.a.namespace.ip('link', 'set', SYNC_DEVICE, 'up');
    pair.addSyncAddresses();
    change(2);
    await expectConverged(pair);
    pair.a.namespace.ip('link', 'delete', SYNC_DEVICE);
    change(3);
    await expectPrompt(pair.a.daemon);
    await expectPrompt(pair.b.daemon);
    await eventually(() => pair.a.daemon.log().includes(`interface ${SYNC_DEVICE} is gone`), {
      withinMs: 5000,
      what: 'line about the interface',
    });
    connect(pair.a.namespace, SYNC_DEVICE, pair.b.namespace, SYNC_DEVICE);
    pair.addSyncAddresses();
    change(4);
    await expectConverged(pair);
  });
});

/**
 * Over TCP, what is said before there is a connection waits in the error queue, whose oldest packets give way beyond
 * ErrorQueueLength, and a peer that was never heard cannot know what it missed.
 */
async function expectConnected(): Promise<void> {
  for (const { daemon } of [pair.a, pair.b]) {
    await eventually(async () => (await expectPrompt(daemon)).includes('server=connected client=connected'), {
      withinMs: 10_000,
      what: 'both TCP connections',
    });
  }
}

describe('a peer that does not fit', () => {
  it.each(['NOTRACK', 'ALARM'] as const)(
    'of mode %s harms nobody; one of the right mode is understood',
    async (mode) => {
      await pair.a.startDaemon(tested, { mode: 'FTFW', link: pair.a.link('UDP') });
      await pair.b.startDaemon(tested, { mode, link: pair.b.link('UDP') });
      const before = pair.a.daemon.residentBytes();
      for (let round = 0; round < 3; round++) {
        change(round);
        await pair.b.daemon.rawRequest(CODE.bulk);
        await expectPrompt(pair.a.daemon);
        await expectPrompt(pair.b.daemon);
      }
      expect(pair.a.daemon.residentBytes() - before).toBeLessThan(64 << 20);
      await pair.b.daemon.stop();
      await pair.b.startDaemon(tested, { mode: 'FTFW', link: pair.b.link('UDP') });
      await pair.a.daemon.rawRequest(CODE.requestBulk);
      await pair.b.daemon.rawRequest(CODE.requestBulk);
      await expectConverged(pair);
    },
  );

  it('of another protocol version is counted and not believed; one of ours is', async () => {
    const daemon = await pair.a.startDaemon(tested, { mode: 'FTFW', link: pair.a.link('UDP') });
    const { address, destination } = pair.a.link('UDP');
    const peer = new ScriptedPeer(pair.b.namespace, destination, address, SYNC_PORT);
    try {
      peer.say(controlMessage(FLAG.hello | FLAG.alive, 1));
      for (let sequence = 2; sequence < 102; sequence++)
        peer.say(ofVersion(2, newFlow(sequence, 1000 + sequence, 600)));
      const malformed = async () =>
        statistic(await daemon.rawRequest(CODE.network), 'network statistics', 'Malformed messages');
      await eventually(async () => (await malformed()) === 100, { withinMs: 5000, what: 'hundred malformed messages' });
      expect(statistic(await daemon.rawRequest(CODE.network), 'network statistics', 'Wrong protocol version')).toBe(
        100,
      );
      expect(activeConnections(await expectPrompt(daemon), 'external')).toBe(0);
    } finally {
      peer.close();
    }
    await pair.b.startDaemon(tested, { mode: 'FTFW', link: pair.b.link('UDP') });
    change(0);
    await expectConverged(pair);
    await expectHeld(daemon, 'external', pair.b.kernelCount());
  });
});

/** The version is the high half of a message's first byte (spec/wire.md). */
function ofVersion(version: number, message: Buffer): Buffer {
  const changed = Buffer.from(message);
  changed[0] = (version << 4) | (message[0]! & 0x0f);
  return changed;
}
