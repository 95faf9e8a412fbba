import { describe, expect, it } from 'vitest';
import { Notrack } from '../../src/sync/notrack.js';
import { FAIR, Link } from './link.js';
import { SimulatedNode } from './node.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

/** Another seed to start from, or a single one to look at: SIMULATION_SEED. */
const SEED = process.env.SIMULATION_SEED;
const SEEDS = SEED === undefined ? Array.from({ length: 200 }, (_, run) => 5_000 + run) : [Number(SEED)];

/** Two nodes, a bad link, changes and restarts; then a fair link and a resync. @returns what is wrong at the end */
function play(seed: number): string[] {
  const random = new Random(seed);
  const timeline = new Timeline(1_700_000_000);
  const link = new Link(timeline, random);
  const nodes = [0, 1].map(
    (index) =>
      new SimulatedNode(index, timeline, link, random, {
        shared: random.chance(0.3),
        makeMode: (context) => new Notrack(context, { kernelFlows: null }),
      }),
  );
  link.weather = {
    loss: random.pick([0, 0.05, 0.3, 0.6]),
    repeat: random.pick([0, 0.2]),
    reorder: random.pick([0, 0.3]),
    longestMs: random.pick([3, 300]),
    damage: random.pick([0, 0.05]),
    stray: random.pick([0, 0.05]),
  };
  for (let burst = 0; burst < 60; burst++) {
    timeline.runUntil(timeline.nowMs + random.between(0, 200));
    const node = random.pick(nodes);
    if (random.chance(0.02)) node.stop();
    else if (random.chance(0.2)) node.start();
    else if (random.chance(0.05)) node.bulk();
    else node.changes(random.between(1, 20));
  }
  link.weather = FAIR;
  for (const node of nodes) node.start();
  timeline.runUntil(timeline.nowMs + 2000);
  // Flows whose end was lost stay until the cache is emptied: `conntrackd -f external -n`.
  for (const node of nodes) node.external.flush();
  for (const node of nodes) node.askForResync();
  // The request, the bulk at its pace, and slack.
  timeline.runUntil(timeline.nowMs + 100);
  // What follows the resync arrives as well: nothing is left waiting.
  for (const node of nodes) node.changes(5);
  timeline.runUntil(timeline.nowMs + 10);
  return nodes.flatMap((node, index) => faults(node, nodes[1 - index]!));
}

function faults(node: SimulatedNode, peer: SimulatedNode): string[] {
  const own = node.entries(node.internal.table, node.index);
  const told = peer.entries(peer.external.table, node.index);
  const found: string[] = [];
  if (own.size !== node.kernel.size) found.push(`node ${node.index} caches ${own.size} of ${node.kernel.size} flows`);
  for (const entry of own) if (!told.has(entry)) found.push(`node ${peer.index} lacks ${entry}`);
  for (const entry of told) if (!own.has(entry)) found.push(`node ${peer.index} still has ${entry}`);
  if (node.internal.table.size !== own.size) found.push(`node ${node.index} keeps dead entries`);
  if (node.mode.health() !== 'in sync') found.push(`node ${node.index} says ${node.mode.health()}`);
  return found;
}

describe('NOTRACK', () => {
  it('converges by a resync once the link is fair, whatever was lost before', () => {
    for (const seed of SEEDS) expect(play(seed), `SIMULATION_SEED=${seed}`).toEqual([]);
  });
});
