import { describe, expect, it } from 'vitest';
import { Ftfw } from '../../src/sync/ftfw.js';
import { FAIR, Link, type Weather } from './link.js';
import { SimulatedNode } from './node.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

/*
 * decisions/0006-sweep.md: entries that their owner no longer has go, and no others, ever. The link loses, repeats and
 * reorders; bulks are cut off; nodes crash and forget; some announce nothing, like the original.
 */

/** SIMULATION_SEED=n plays that schedule alone; SIMULATION_RUNS=n plays so many. */
const SEED = process.env.SIMULATION_SEED;
const RUNS = Number(process.env.SIMULATION_RUNS ?? 80);
/** Flows that stay for the whole schedule: they must never be missing at a node that had them. */
const STABLE = 150;
const LOOK_MS = 100;
const TROUBLE_MS = 40_000;
/** A last question after ten seconds, its answer, and the silence behind it. */
const QUIET_MS = 40_000;
const DOWN_MS = 500;

interface Outcome {
  readonly seed: number;
  readonly swept: number;
  readonly faults: string[];
}

function weatherOf(random: Random): Weather {
  return {
    loss: random.pick([0, 0.02, 0.1, 0.3]),
    repeat: random.pick([0, 0, 0.1]),
    reorder: random.pick([0, 0, 0.1]),
    longestMs: random.pick([3, 30, 300]),
    damage: random.pick([0, 0, 0.02]),
    stray: random.pick([0, 0, 0.02]),
  };
}

/** Crashes of node 0, bulks and absences at any time; node 1 must keep node 0's stable flows and lose the others. */
function play(seed: number): Outcome {
  const random = new Random(seed);
  const timeline = new Timeline(1_700_000_000);
  const link = new Link(timeline, random);
  const announces = random.chance(0.6);
  // Bulks in several slices, with pauses for acknowledgements, or at once.
  const resendQueueSize = random.pick([64, 1024]);
  const nodes = [0, 1].map(
    (index) =>
      new SimulatedNode(index, timeline, link, random, {
        shared: false,
        // Who announces nothing sends its bulks at once, as the original does.
        announces: index === 1 || announces,
        makeMode: (context) =>
          new Ftfw(context, { resendQueueSize: announces ? resendQueueSize : 4096, ackWindowSize: 20 }),
      }),
  );
  const [owner, other] = nodes as [SimulatedNode, SimulatedNode];
  const faults: string[] = [];
  const missing = () => STABLE - countStable(other);
  timeline.runUntil(2000);
  owner.open(0, STABLE);
  timeline.runUntil(6000);
  if (missing() > 0) faults.push(`the schedule begins with ${missing()} flows missing`);
  link.weather = weatherOf(random);
  const sometime = () => timeline.nowMs + random.between(0, TROUBLE_MS);
  for (let crashes = random.between(1, 3); crashes > 0; crashes--) {
    const atMs = sometime();
    timeline.at(atMs, () => {
      owner.open(1000 * crashes, 100);
      timeline.at(timeline.nowMs + random.between(0, 3000), () => owner.crash(STABLE));
      timeline.at(timeline.nowMs + 3000 + DOWN_MS, () => owner.start(random.chance(0.5)));
    });
  }
  for (let bulks = random.between(0, 4); bulks > 0; bulks--) {
    const ask = random.chance(0.5) ? () => owner.bulk() : () => other.askForResync();
    timeline.at(sometime(), ask);
  }
  for (let absences = random.between(0, 3); absences > 0; absences--) {
    const startMs = sometime();
    timeline.at(startMs, () => link.away.add(0));
    timeline.at(startMs + random.between(50, 14_000), () => link.away.delete(0));
  }
  const endMs = timeline.nowMs + TROUBLE_MS + 4000;
  for (let atMs = timeline.nowMs; atMs < endMs; atMs += LOOK_MS) {
    timeline.runUntil(atMs);
    if (missing() > 0 && faults.length === 0) faults.push(`${missing()} flows are missing at ${atMs} ms`);
  }
  link.weather = FAIR;
  link.away.clear();
  timeline.runUntil(endMs + QUIET_MS);
  if (missing() > 0) faults.push(`${missing()} flows are missing at the end`);
  const dead = other.external.active - owner.kernel.size;
  if (dead !== 0) faults.push(`${other.external.active} entries for ${owner.kernel.size} flows at the end`);
  if (faults.length > 0) faults.push(...owner.notes, ...other.notes);
  return { seed, swept: other.swept, faults };
}

function countStable(node: SimulatedNode): number {
  return node.externalFlows().filter((flow) => flow < STABLE).length;
}

describe('The sweep', () => {
  it('takes what crashed nodes no longer have, and never a flow that lives', () => {
    const seeds = SEED === undefined ? Array.from({ length: RUNS }, (_, run) => run + 1) : [Number(SEED)];
    const outcomes = seeds.map(play);
    const failed = outcomes.filter(({ faults }) => faults.length > 0);
    const swept = outcomes.filter((outcome) => outcome.swept > 0).length;
    console.log(`${seeds.length} schedules, entries swept in ${swept}`);
    const [first] = failed;
    const report = first && [`SIMULATION_SEED=${first.seed}`, ...first.faults].join('\n  ');
    expect(failed.length, `${failed.length} failed, e.g. ${report}`).toBe(0);
    expect(swept).toBeGreaterThan(seeds.length / 2);
  });
});
