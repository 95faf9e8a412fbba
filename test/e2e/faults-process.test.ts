import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { eventually, nowMs, sleep } from '../lab/waiting.js';
import { Random } from '../simulation/random.js';
import { equal, expectConverged, expectHeld, expectPrompt } from './faults-pair.js';

/** Printed so that a run can be repeated: `SEED=... npx vitest ...`. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const FLOWS = 600;
const MEBIBYTE = 1 << 20;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

/** Flows come, change and go; returns before they have all done so. */
function changes(firewall: Firewall, round: number): Promise<unknown> {
  const from = round * FLOWS + (firewall === pair.b ? 30_000 : 0);
  const file = join(firewall.daemon.directory, `flows-${round}`);
  writeFileSync(file, mixedFlows(FLOWS, from));
  const script = `conntrack -R ${file}; conntrack -U -p tcp --dport 80 -m ${round + 1}; conntrack -D -p udp --dport 53`;
  return firewall.namespace.attemptInBackground(['sh', '-c', script]);
}

describe('a daemon that is killed', () => {
  it(`at random moments comes back, and both nodes agree on all flows (seed ${seed})`, async () => {
    const random = new Random(seed);
    await pair.start(equal, { mode: 'FTFW', modeClauses: ['StartupResync on'] });
    for (let round = 0; round < 6; round++) {
      const victim = random.chance(0.5) ? pair.a : pair.b;
      const survivor = victim === pair.a ? pair.b : pair.a;
      const traffic = [changes(pair.a, round), changes(pair.b, round)];
      await sleep(random.between(0, 60));
      await victim.daemon.kill();
      await expectPrompt(survivor.daemon);
      await Promise.all(traffic);
      await victim.daemon.start();
      expect(victim.daemon.log()).toMatch(/lock/i);
      await expectConverged(pair);
    }
  });
});
