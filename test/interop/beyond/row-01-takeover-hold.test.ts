import { afterEach, describe, expect, it } from 'vitest';
import type { ByteCounter } from '../../lab/byte-counter.js';
import { FailoverLab } from '../../lab/failover-lab.js';
import type { Firewall } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { resetsOf, watchResets } from '../../lab/reset-watch.js';
import { eventually, sleep } from '../../lab/waiting.js';

/** So many that the commit takes its time; none of them is the one that is watched. */
const FLOWS = 30_000;
/** From the addresses' coming to the news of it: keepalived's script, and a busy machine (keepalived#2254). */
const NEWS_MS = 300;
const HOLD_SECONDS = 20;
const TABLE = 'conntrackd_hold';

/** A ruleset as many have it: what does not belong to a known connection is answered with a reset. */
const REJECTING = `
table inet rejecting {
  chain forward {
    type filter hook forward priority -10;
    tcp flags & (fin | syn | rst | ack) != syn ct state { invalid, new } reject with tcp reset
  }
  chain input {
    type filter hook input priority -10;
    tcp flags & (fin | syn | rst | ack) != syn ct state { invalid, new } reject with tcp reset
  }
}
`;

const holds = (firewall: Firewall): boolean =>
  firewall.namespace.attempt(['nft', 'list', 'set', 'inet', TABLE, 'held']).stdout.includes('tcp timeout');

/** spec/beyond.md row 1: the virtual address moves before the commit ends. */
describe('a connection by source NAT to the virtual address, while roles change', () => {
  let lab: FailoverLab;
  let connection: ByteCounter;
  afterEach(() => lab.remove());

  async function pairWithTraffic(implementation: Implementation, syncClauses: readonly string[]): Promise<void> {
    lab = await FailoverLab.build({
      pairing: { a: implementation, b: implementation },
      settings: { mode: 'FTFW', syncClauses },
      sourceNat: true,
    });
    for (const firewall of lab.firewalls) firewall.namespace.nft(REJECTING);
    lab.active.loadFlows(tcpFlows(FLOWS));
    for (const host of [lab.client, lab.server]) watchResets(host);
    connection = await lab.openConnection();
    const held = (): number =>
      Number(/cache external:\ncurrent active connections:\s+(\d+)/.exec(lab.standby.daemon.request('-s'))?.[1]);
    await eventually(() => held() === lab.active.kernelCount(), { withinMs: 30_000, what: 'replication' });
  }

  /** The active firewall is unplugged, its addresses come to the standby, and some time later the news of it. */
  async function takeOver(primary: (standby: Firewall) => string): Promise<string> {
    await lab.crashActive();
    lab.takeAddresses(lab.standby);
    await sleep(NEWS_MS);
    return primary(lab.standby);
  }

  const byRole = ({ daemon }: Firewall): string => daemon.request('--role', 'primary');
  const reset = (): Promise<boolean> =>
    eventually(() => connection.latest.state === 'broken', { withinMs: 10_000, what: 'end of the connection' });

  const resets = (): number => resetsOf([lab.client, lab.server]);

  it('the original: a reset', async () => {
    await pairWithTraffic(original, []);
    await takeOver(({ daemon }) => ['-c', '-f', '-R', '-B'].map((word) => daemon.request(word)).join(''));
    await reset();
    expect(connection.latest.reason).toMatch(/reset/i);
    expect(resets()).toBeGreaterThan(0);
  });

  it('without TakeoverHold: a reset', async () => {
    await pairWithTraffic(ours, []);
    lab.standby.daemon.request('--role', 'backup');
    await takeOver(byRole);
    await reset();
    expect(connection.latest.reason).toMatch(/reset/i);
    expect(resets()).toBeGreaterThan(0);
  });

  it('with TakeoverHold: none; the connection goes on, and nothing is held any more', async () => {
    await pairWithTraffic(ours, [`TakeoverHold ${HOLD_SECONDS}`]);
    const { standby } = lab;
    expect(holds(standby)).toBe(false);
    standby.daemon.request('--role', 'backup');
    await eventually(() => holds(standby), { withinMs: 5_000, what: 'the hold' });
    expect(standby.daemon.request('-s', 'role')).toContain('packets of unknown TCP connections are held\n');

    expect(await takeOver(byRole)).toMatch(/^role primary: 30001 flows committed in \d+ ms/);
    const { sent, received } = connection.latest;
    await connection.progress(sent - received + 20_000, 20_000);
    expect(connection.latest.state).toBe('running');
    expect(resets()).toBe(0);
    await eventually(() => !standby.namespace.run(['nft', 'list', 'tables']).includes(TABLE), {
      withinMs: 5_000,
      what: 'end of the hold',
    });
    expect(standby.daemon.request('-s', 'role')).toContain('nothing is held\n\tfailed calls of nft: 0');
  });
});

describe('the hold', () => {
  let lab: FailoverLab;
  afterEach(() => lab.remove());

  it('ends by itself when the daemon dies, and with a daemon that stops', async () => {
    const seconds = 2;
    const settings = { mode: 'FTFW', syncClauses: [`TakeoverHold ${seconds}`] } as const;
    lab = await FailoverLab.build({ pairing: { a: ours, b: ours }, settings });
    for (const { daemon } of lab.firewalls) daemon.request('--role', 'backup');
    for (const firewall of lab.firewalls) {
      await eventually(() => holds(firewall), { withinMs: 5_000, what: 'the hold' });
    }
    // Longer than it lasts without the daemon: it is renewed.
    await sleep(seconds * 1000 + 500);
    expect(lab.firewalls.map(holds)).toEqual([true, true]);
    const [dies, stops] = lab.firewalls;
    await stops!.daemon.stop();
    expect(stops!.namespace.run(['nft', 'list', 'tables'])).not.toContain(TABLE);
    await dies!.daemon.kill();
    await eventually(() => !holds(dies!), { withinMs: seconds * 1000 + 1_000, what: 'end of the hold' });
    // What it left goes with the next daemon.
    await dies!.daemon.start();
    await eventually(() => !dies!.namespace.run(['nft', 'list', 'tables']).includes(TABLE), {
      withinMs: 5_000,
      what: 'end of the table',
    });
  });
});
