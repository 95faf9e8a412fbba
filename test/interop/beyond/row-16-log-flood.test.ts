import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { controlMessage, FLAG, newFlow, orphanFlow, ScriptedPeer } from '../../lab/scripted-peer.js';
import { statistic } from '../../lab/statistics.js';
import { eventually } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 16: a flow that the kernel refuses costs the original a line and its flow in the log, however many
 * there are. Ours tells of the first ones, and how many more there were.
 */
const REFUSED = 500;
const SOON_MS = 10_000;
/** Ten with their flows, and the line that no more follow (src/cache/failure-log.ts). */
const TOLD = 10;

let pair: FirewallPair;
let peer: ScriptedPeer;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => {
  peer.close();
  pair.remove();
});

/** The peer tells of 500 flows that the kernel refuses, and of one that it takes. */
async function flood(implementation: Implementation, modeClauses: readonly string[]): Promise<void> {
  const { a, b } = pair;
  await a.startDaemon(implementation, { mode: 'FTFW', link: a.link('UDP'), modeClauses });
  peer = new ScriptedPeer(b.namespace, '172.30.16.2', '172.30.16.1', 3780);
  peer.say(controlMessage(FLAG.alive | FLAG.hello | FLAG.helloBack, 1000));
  for (let number = 1; number <= REFUSED; number++) peer.say(orphanFlow(1000 + number, 3000 + number, 100));
  peer.say(newFlow(1001 + REFUSED, 80, 100));
}

/** Lines about refused flows, and lines that show a flow. */
function logged(): { readonly complaints: number; readonly flows: number; readonly text: string } {
  const text = pair.a.daemon.log();
  return {
    complaints: text.match(/could not add new ct entry|commit-create: /g)?.length ?? 0,
    flows: text.match(/src=192\.0\.2\.1/g)?.length ?? 0,
    text,
  };
}

/** Waits for the flow that the kernel takes, which came last. */
async function injected(): Promise<void> {
  await eventually(() => pair.a.kernelCount() === 1, { withinMs: SOON_MS, what: 'the flow that is right' });
}

describe('row 16: flows that the kernel refuses, injected as they come', () => {
  const DIRECT = ['DisableExternalCache on'];

  it('are told by ours ten times a minute, and all counted', async () => {
    await flood(ours, DIRECT);
    await injected();
    const { complaints, flows, text } = logged();
    expect(complaints).toBe(TOLD);
    expect(flows).toBe(TOLD);
    expect(text.match(/further failures of this minute are only counted/g)).toHaveLength(1);
    const created = /connections created:\s+1\tfailed:\s+500\n/;
    expect(pair.a.daemon.request('-s')).toMatch(created);
  });

  it('cost the original a line and a flow each', async () => {
    await flood(original, DIRECT);
    await injected();
    const { complaints, flows } = logged();
    expect(complaints).toBeGreaterThanOrEqual(REFUSED * 0.9);
    expect(flows).toBeGreaterThanOrEqual(REFUSED * 0.9);
  });
});

describe('row 16: flows that the kernel refuses, committed', () => {
  async function commit(implementation: Implementation): Promise<void> {
    await flood(implementation, []);
    const cached = (): number => statistic(pair.a.daemon.request('-s'), 'cache external', 'current active connections');
    await eventually(() => cached() === REFUSED + 1, { withinMs: SOON_MS, what: 'all flows cached' });
    pair.a.daemon.request('-c');
    await eventually(() => pair.a.daemon.log().includes("can't be committed"), { withinMs: SOON_MS, what: 'the end' });
  }

  it('are told by ours for the first of them, and how many more there were', async () => {
    await commit(ours);
    const { flows, text } = logged();
    expect(flows).toBe(TOLD);
    expect(text).toMatch(/commit-create: 480 more entries could not be created, not listed\n/);
    expect(text).toContain("500 entries can't be committed");
    expect(text.split('\n').length).toBeLessThan(60);
  });

  it('cost the original a line and a flow each', async () => {
    await commit(original);
    expect(logged().flows).toBe(REFUSED);
  });
});
