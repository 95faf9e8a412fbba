import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ENTRIES_UNKNOWN } from '../../../src/wire/announcement.js';
import { type Firewall, FirewallPair } from '../../lab/firewall-pair.js';
import { mixedFlows } from '../../lab/flows.js';
import { ours } from '../../lab/implementation.js';
import { controlMessage, FLAG, ScriptedPeer } from '../../lab/scripted-peer.js';
import { activeConnections } from '../../lab/statistics.js';
import { eventually, nowMs, sleep } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 4: who takes `--health` for keepalived must not hear of a fault because roles were changed. The old
 * primary has its flows until PurgeTimeout is over; the new one has taken them out of its external cache.
 */
const FLOWS = 200;
const PURGE_SECONDS = 5;
/** A bulk is asked for, comes, and is told of within a second or two. */
const FEW_SECONDS_MS = 4000;
/** How often keepalived might ask. */
const EVERY_MS = 200;
const SOON_MS = 10_000;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

/** Asks a node for its health all the time and keeps what it said. */
class Watch {
  readonly faults: string[] = [];
  private behindSinceMs: number | null = null;

  constructor(private readonly firewall: Firewall) {}

  look(): number | null {
    const { status, stdout } = this.firewall.daemon.requestAttempt(ours, '--health');
    const said = `${this.firewall.namespace.role}: status ${status}, ${stdout.split('\n').slice(0, 2).join(' ')}`;
    if (status === 0 && stdout.startsWith('health: in sync\n')) this.behindSinceMs = null;
    else if (status !== 2 || !stdout.startsWith('health: behind\n')) this.faults.push(said);
    else {
      this.behindSinceMs ??= nowMs();
      if (nowMs() - this.behindSinceMs > FEW_SECONDS_MS) this.faults.push(said);
    }
    return status;
  }
}

describe('row 4: a planned change of roles is no fault', () => {
  it('failover and failback: behind for seconds only, on both nodes, all the way', async () => {
    await pair.start({ a: ours, b: ours }, { mode: 'FTFW', modeClauses: [`PurgeTimeout ${PURGE_SECONDS}`] });
    const { a, b } = pair;
    const watches = [new Watch(a), new Watch(b)];
    const bothInSync = (): boolean => watches.map((watch) => watch.look()).every((status) => status === 0);
    await eventually(() => [a, b].every(({ daemon }) => daemon.requestAttempt(ours, '--health').status === 0), {
      withinMs: SOON_MS,
      what: 'the first verdict',
    });
    const watchFor = async (ms: number): Promise<void> => {
      for (const end = nowMs() + ms; nowMs() < end; await sleep(EVERY_MS)) bothInSync();
      await eventually(bothInSync, { withinMs: FEW_SECONDS_MS, everyMs: EVERY_MS, what: 'both in sync' });
      expect(watches.flatMap(({ faults }) => faults)).toEqual([]);
    };
    a.loadFlows(mixedFlows(FLOWS));
    a.daemon.request('--role', 'primary');
    b.daemon.request('--role', 'backup');
    // So soon that the news of the bulk which b asked for come when b is primary.
    await sleep(300);
    b.daemon.request('--role', 'primary');
    a.daemon.request('--role', 'backup');
    await watchFor(PURGE_SECONDS * 1000 + 500);
    expect(a.kernelCount()).toBe(0);
    // The standby has nothing left, and can say that this is all.
    b.daemon.request('-n');
    await watchFor(1000);
    a.daemon.request('--role', 'primary');
    b.daemon.request('--role', 'backup');
    await watchFor(2000);
    expect(activeConnections(b.daemon.request('-s'), 'external')).toBe(FLOWS);
    expect(a.kernelCount()).toBe(FLOWS);
  });

  it('a node whose flows are about to go does not tell how many it has', async () => {
    const { a, b } = pair;
    const { daemon } = await a.startDaemon(ours, { mode: 'NOTRACK', link: a.link('UDP') }).then(() => a);
    const peer = new ScriptedPeer(b.namespace, '172.30.16.2', '172.30.16.1', 3780);
    try {
      a.loadFlows(mixedFlows(FLOWS));
      let sequence = 1000;
      const told = async (entries: number): Promise<void> => {
        const before = peer.heard().length;
        // Who asks for all flows is told of it.
        peer.say(controlMessage(FLAG.resync, sequence++, [0, 0]));
        const announced = (): boolean =>
          peer
            .heard()
            .slice(before)
            .some((message) => message.announced === entries);
        await eventually(announced, { withinMs: SOON_MS, what: `the announcement of ${entries} flows` });
      };
      await told(FLOWS);
      daemon.request('--role', 'backup');
      await told(ENTRIES_UNKNOWN);
    } finally {
      peer.close();
    }
  });
});
