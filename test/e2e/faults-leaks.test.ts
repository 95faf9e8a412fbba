import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complaintsOf, type SoakSample, soak } from '../../bench/soak/soak.js';
import { growthOf, type Vitals, vitalsOf, withProbe } from '../../bench/soak/vitals.js';
import type { Daemon } from '../lab/daemon.js';
import { FirewallPair, SYNC_DEVICE } from '../lab/firewall-pair.js';
import { mixedFlows } from '../lab/flows.js';
import { statistic } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';
import { CODE, equal, expectConverged, expectHeld, expectPrompt } from './faults-pair.js';

/** How much more often than usual things happen: `LEAKS=10 npx vitest ...`. */
const scale = Number(process.env.LEAKS ?? 1);
const FLOWS = 500;
/** Samples of which the first are warm-up: what was never run before is compiled, caches fill. */
const SAMPLES = 9;
const WARM_UP = 3;
/** What the samples after the warm-up may add: garbage of the measuring itself, code that is compiled late. */
const MOST_HEAP = 768 << 10;
const MOST_BUFFERS = 512 << 10;
const MOST_RESIDENT = 24 << 20;

it('lifetimes: flows that came and went leave nothing behind', async () => {
  const samples: SoakSample[] = [];
  const lifetimes = 100_000 * scale;
  const result = await soak({ lifetimes, portion: 5000, background: false, report: (sample) => samples.push(sample) });
  expect(complaintsOf(result)).toEqual([]);
  expect(samples.map(({ internal, external }) => [internal, external])).toEqual(samples.map(() => [5000, 5000]));
  if (result.overruns === 0) expect(result.counted).toEqual(Array(6).fill(lifetimes));
});

describe('repetition', () => {
  let pair: FirewallPair;

  beforeEach(async () => {
    pair = new FirewallPair();
    await withProbe(() => pair.start(equal, { mode: 'FTFW' }));
    pair.a.loadFlows(mixedFlows(FLOWS));
    await expectConverged(pair);
  });
  afterEach(() => pair.remove());

  /** Does it `times` in all, and looks at both daemons in between. */
  async function expectNoGrowth(times: number, once: (index: number) => Promise<unknown>): Promise<void> {
    const nodes = [pair.a.daemon, pair.b.daemon];
    const samples: Vitals[][] = nodes.map(() => []);
    for (let index = 0; index < times; index++) {
      await once(index);
      if (index + 1 < ((samples[0]!.length + 1) * times) / SAMPLES) continue;
      for (const [node, daemon] of nodes.entries()) {
        await expectPrompt(daemon);
        samples[node]!.push(await settledVitals(daemon));
      }
    }
    for (const of of samples) {
      const steady = of.slice(WARM_UP);
      const growth = (key: keyof Vitals) => growthOf(steady.map((vitals) => vitals[key]));
      expect(growth('heap')).toBeLessThan(MOST_HEAP);
      expect(growth('buffers')).toBeLessThan(MOST_BUFFERS);
      expect(growth('resident')).toBeLessThan(MOST_RESIDENT);
      expect(growth('threads')).toBeLessThan(0.5);
      expect(of.at(-1)!.descriptors - steady[0]!.descriptors).toBeLessThanOrEqual(1);
    }
    await expectConverged(pair);
  }

  /** Once the connections of clients before are closed. */
  async function settledVitals(daemon: Daemon): Promise<Vitals> {
    let last = await vitalsOf(daemon);
    await eventually(
      async () => {
        const before = last.descriptors;
        last = await vitalsOf(daemon);
        return last.descriptors === before;
      },
      { withinMs: 5000, everyMs: 20, what: 'the same number of descriptors twice' },
    );
    return last;
  }

  it('SIGHUP, in storms', async () => {
    await expectNoGrowth(1000 * scale, async (index) => {
      process.kill(pair.a.daemon.pid, 'SIGHUP');
      // Signals that come meanwhile may be taken together.
      if (index % 10 === 9) await pair.a.daemon.rawRequest(CODE.runtime);
    });
    expect(pair.a.daemon.log().match(/configuration unchanged/g)?.length).toBeGreaterThan(50);
    pair.a.daemon.configure({ ...pair.a.daemon.settings, hashLimit: 100_000 });
    process.kill(pair.a.daemon.pid, 'SIGHUP');
    const reloaded = () => pair.a.daemon.log().includes('configuration reloaded');
    await eventually(reloaded, { withinMs: 5000, what: 'a reload' });
  });

  it('clients that ask, and clients that go away', async () => {
    await expectNoGrowth(2000 * scale, async (index) => {
      const clients = [0, 1, 2].map(() => pair.a.daemon.rawRequest(CODE.stats));
      const gone = [connectSocket(pair.a.daemon.paths.socket), connectSocket(pair.a.daemon.paths.socket)];
      for (const socket of gone) {
        await once(socket, 'connect');
        if (index % 2 === 0) socket.write(new Uint8Array(Int32Array.of(CODE.internal).buffer));
        socket.destroy();
      }
      await Promise.all(clients);
    });
  });

  it('the link goes down and comes up', async () => {
    await expectNoGrowth(200 * scale, async () => {
      pair.b.namespace.ip('link', 'set', SYNC_DEVICE, 'down');
      pair.b.namespace.ip('link', 'set', SYNC_DEVICE, 'up');
    });
  });

  it('resync, bulks, commit and flush', async () => {
    await expectNoGrowth(50 * scale, async () => {
      await pair.a.daemon.rawRequest(CODE.resync);
      await pair.a.daemon.rawRequest(CODE.bulk);
      await pair.b.daemon.rawRequest(CODE.commit);
      pair.b.flushKernelTable();
      await expectHeld(pair.b.daemon, 'internal', 0);
      await pair.b.daemon.rawRequest(CODE.flush);
      await pair.b.daemon.rawRequest(CODE.requestBulk);
      await expectHeld(pair.b.daemon, 'external', FLOWS);
    });
    expect(statistic(await pair.b.daemon.rawRequest(CODE.runtime), 'netlink stats', 'netlink overrun')).toBe(0);
  });
});
