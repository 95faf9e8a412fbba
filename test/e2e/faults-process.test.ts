import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { sleep } from '../lab/waiting.js';
import { Random } from '../simulation/random.js';
import { setClock, withSettableClock } from './faults-clock.js';
import { CODE, equal, expectConverged, expectHeld, expectPrompt } from './faults-pair.js';

/** Printed so that a run can be repeated: `SEED=... npx vitest ...`. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const FLOWS = 600;
const KILLS = 5;
const DAY_SECONDS = 86_400;
const MEBIBYTE = 1 << 20;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

/** Flows come and change; returns before they have all done so. */
function changes(firewall: Firewall, round: number): Promise<unknown> {
  const file = join(firewall.daemon.directory, `flows-${round}`);
  writeFileSync(file, mixedFlows(FLOWS, round * FLOWS + (firewall === pair.b ? 30_000 : 0)));
  const script = `conntrack -R ${file}; conntrack -U -p tcp --dport 80 -m ${round + 1}`;
  return firewall.namespace.attemptInBackground(['sh', '-c', script]);
}

describe('a daemon that is killed', () => {
  it(`at random moments comes back, and both nodes agree on all flows (seed ${seed})`, async () => {
    const random = new Random(seed);
    await pair.start(equal, { mode: 'FTFW', modeClauses: ['StartupResync on'] });
    for (let round = 0; round < KILLS; round++) {
      const victim = random.chance(0.5) ? pair.a : pair.b;
      const survivor = victim === pair.a ? pair.b : pair.a;
      const traffic = [changes(pair.a, round), changes(pair.b, round)];
      await sleep(random.between(0, 60));
      await victim.daemon.kill();
      await expectPrompt(survivor.daemon);
      await Promise.all(traffic);
      // Flows that end while nobody looks: the peer has them, and nobody will ever tell of their end.
      victim.conntrack('-D', '-p', 'udp', '--dport', '53');
      await victim.daemon.start();
      // What happened to its flows meanwhile it knows from the kernel; its peer has to be told, as the manual says.
      await victim.daemon.rawRequest(CODE.bulk);
      await expectConverged(pair);
      for (const firewall of [pair.a, pair.b]) firewall.conntrack('-D', '-p', 'udp', '--dport', '53');
      await expectConverged(pair);
    }
  });
});

describe('a daemon that stands still', () => {
  it('costs its peer neither memory nor time, and catches up', async () => {
    await pair.start(equal, { mode: 'FTFW', modeClauses: ['ResendQueueSize 4096'] });
    pair.b.loadFlows(mixedFlows(FLOWS, 50_000));
    await expectConverged(pair);
    const before = pair.a.daemon.residentBytes();
    process.kill(pair.b.daemon.pid, 'SIGSTOP');
    try {
      // More than the resend queue holds, and than the link's buffers do.
      for (let round = 0; round < 8; round++) {
        pair.a.loadFlows(tcpFlows(2000, round * 2000));
        await expectPrompt(pair.a.daemon);
      }
      await expectHeld(pair.a.daemon, 'internal', 16_000);
      expect(pair.a.daemon.residentBytes() - before).toBeLessThan(64 * MEBIBYTE);
    } finally {
      process.kill(pair.b.daemon.pid, 'SIGCONT');
    }
    await expectConverged(pair);
  });
});

describe('clocks', () => {
  it("a monotonic clock that is far ahead of the peer's, as on a machine that has run for longer", async () => {
    await pair.start(equal, { mode: 'FTFW' });
    await pair.a.daemon.stop();
    const { daemon, namespace } = pair.a;
    const ahead = ['unshare', '--time', '--fork', '--monotonic', String(400 * DAY_SECONDS)];
    const started = await namespace.attemptInBackground([
      ...ahead,
      daemon.implementation.program,
      '-C',
      daemon.paths.config,
      '-d',
    ]);
    expect(started.stderr).toBe('');
    await daemon.found();
    expect(readFileSync(`/proc/${daemon.pid}/timens_offsets`, 'utf8')).toContain(String(400 * DAY_SECONDS));
    await expectServesChanges();
  });

  it('wall clocks that are set by hours in either direction disturb nobody', async () => {
    await withSettableClock(() => pair.start(equal, { mode: 'FTFW', modeClauses: ['StartupResync on'] }));
    await expectServesChanges();
    for (const [index, hours] of [5, -9].entries()) {
      setClock(pair.a.daemon, hours);
      setClock(pair.b.daemon, -hours);
      await expectPrompt(pair.a.daemon);
      await expectPrompt(pair.b.daemon);
      await Promise.all([changes(pair.a, 2 + index), changes(pair.b, 2 + index)]);
      await expectConverged(pair);
    }
    // A life that begins, by its clock, a day before the one that the peer remembers.
    await pair.a.daemon.kill();
    setClock(pair.a.daemon, -24);
    await withSettableClock(() => pair.a.daemon.start());
    await Promise.all([changes(pair.a, 4), changes(pair.b, 4)]);
    await expectConverged(pair);
    expect(await pair.a.daemon.stop()).toBeLessThan(2000);
  });
});

/** New, changed and ended flows of both sides arrive. */
async function expectServesChanges(): Promise<void> {
  pair.a.loadFlows(mixedFlows(FLOWS));
  pair.b.loadFlows(mixedFlows(FLOWS, 40_000));
  await expectConverged(pair);
  pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', '7');
  pair.b.conntrack('-D', '-p', 'udp');
  await expectConverged(pair);
}
