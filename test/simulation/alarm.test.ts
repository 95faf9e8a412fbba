import { describe, expect, it } from 'vitest';
import { Alarm } from '../../src/sync/alarm.js';
import { AgingExternalCache } from '../../src/sync/alarm-external.js';
import { Link } from './link.js';
import { SimulatedNode } from './node.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

/** Another seed to start from, or a single one to look at: SIMULATION_SEED. */
const SEED = process.env.SIMULATION_SEED;
const SEEDS = SEED === undefined ? Array.from({ length: 100 }, (_, run) => 9_000 + run) : [Number(SEED)];

const REFRESH_SECONDS = 2;
/** Twenty refreshes: that all of them get lost at one in four happens once in 10^12. */
const CACHE_SECONDS = 40;
/** Entries are kept to the second, and messages may come late. */
const SLACK_SECONDS = 3;

/** Two nodes and a link that stays bad; changes, then RefreshTime and CacheTimeout of quiet. */
function play(seed: number): { faults: string[]; packets: number } {
  const random = new Random(seed);
  const timeline = new Timeline(1_700_000_000);
  const link = new Link(timeline, random);
  const nodes = [0, 1].map(
    (index) =>
      new SimulatedNode(index, timeline, link, random, {
        shared: false,
        makeExternal: (limit, clock) => new AgingExternalCache(limit, clock, CACHE_SECONDS),
        makeMode: (context, external) =>
          new Alarm(context, {
            refreshTime: REFRESH_SECONDS,
            expireExternal: (budget) => (external as AgingExternalCache).expire(budget),
          }),
      }),
  );
  link.weather = {
    loss: random.pick([0, 0.05, 0.25]),
    repeat: random.pick([0, 0.2]),
    reorder: random.pick([0, 0.3]),
    longestMs: random.pick([3, 300]),
    damage: random.pick([0, 0.02]),
    stray: random.pick([0, 0.05]),
  };
  for (let burst = 0; burst < 60; burst++) {
    timeline.runUntil(timeline.nowMs + random.between(0, 200));
    const node = random.pick(nodes);
    if (random.chance(0.02)) node.stop();
    else if (random.chance(0.2)) node.start();
    else node.changes(random.between(1, 20));
  }
  for (const node of nodes) node.start();
  timeline.runUntil(timeline.nowMs + (REFRESH_SECONDS + CACHE_SECONDS + SLACK_SECONDS) * 1000);
  return { faults: nodes.flatMap((node, index) => faults(node, nodes[1 - index]!)), packets: link.packets };
}

function faults(node: SimulatedNode, peer: SimulatedNode): string[] {
  const own = node.entries(node.internal.table, node.index);
  const told = peer.entries(peer.external.table, node.index);
  const found: string[] = [];
  if (own.size !== node.kernel.size) found.push(`node ${node.index} caches ${own.size} of ${node.kernel.size} flows`);
  for (const entry of own) if (!told.has(entry)) found.push(`node ${peer.index} lacks ${entry}`);
  for (const entry of told) if (!own.has(entry)) found.push(`node ${peer.index} still has ${entry}`);
  if (node.internal.table.size !== own.size) found.push(`node ${node.index} keeps dead entries`);
  return found;
}

describe('ALARM', () => {
  it('converges within RefreshTime and CacheTimeout on a link that goes on losing', () => {
    for (const seed of SEEDS) expect(play(seed).faults, `SIMULATION_SEED=${seed}`).toEqual([]);
  });
});
