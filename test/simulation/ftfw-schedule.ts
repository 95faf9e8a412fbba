import { Ftfw } from '../../src/sync/ftfw.js';
import type { SyncContext } from '../../src/sync/mode.js';
import { FAIR, Link, type Weather } from './link.js';
import { SimulatedNode } from './node.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

/** Simulated milliseconds of fair weather and quiet after the trouble: two retry rounds of the mode, and slack. */
const QUIET_MS = 25_000;

/**
 * Where no node restarted and nothing was given up, what the trouble cost must be made good so soon: an ALIVE shows the
 * loss, a NACK asks, the answer comes. (A stream found to have jumped needs some datagrams, one a second, to be believed.)
 */
const SOON_MS = 6000;

/**
 * A restart takes longer than the link holds packets back. The protocol needs that: a node may use numbers of its former
 * life again, and an ACK of those, still under way, would be taken for one of the new life's.
 */
const DOWN_MS = 500;

export interface Outcome {
  readonly seed: number;
  readonly events: number;
  readonly packets: number;
  readonly overflows: number;
  readonly restarts: number;
  /** Empty when all is well. */
  readonly faults: string[];
  /** What was done, in order. */
  readonly trace: string[];
}

interface Plan {
  readonly nodes: number;
  readonly resendQueueSize: number;
  readonly ackWindowSize: number;
  readonly weather: Weather;
  readonly troubleMs: number;
  readonly restarts: number;
  readonly absences: number;
  readonly longestAbsenceMs: number;
  readonly bursts: number;
  readonly burst: number;
  /** Nodes from this number on announce nothing, like the original. */
  readonly silentFrom: number;
}

export type MakeMode = (context: SyncContext, options: { resendQueueSize: number; ackWindowSize: number }) => Ftfw;

/** A plan follows from its seed alone. */
function planOf(random: Random): Plan {
  const nodes = random.chance(0.7) ? 2 : random.between(3, 4);
  // On a shared link every question and every ACK of one node is a message that all others may miss, and ask for. Where
  // three others miss one in three, or each message gets three ACKs, that breeds more than it settles: bounded (missing.ts),
  // and it ends with the weather, but it takes long.
  const pair = nodes === 2;
  const resendQueueSize = random.pick(pair ? [16, 64, 256, 1024] : [64, 256, 1024]);
  return {
    nodes,
    resendQueueSize,
    // Wider than the queue, each queueful would wait for the one-second alarm: right, but long.
    ackWindowSize: random.pick(
      (pair ? [1, 3, 10, 50, 300] : [10, 50, 300]).filter((size) => 2 * size <= resendQueueSize),
    ),
    weather: {
      loss: random.pick(pair ? [0, 0.01, 0.05, 0.2, 0.4] : [0, 0.01, 0.05, 0.15]),
      repeat: random.pick([0, 0, 0.02, pair ? 0.2 : 0.05]),
      reorder: random.pick([0, 0, 0.02, pair ? 0.3 : 0.05]),
      longestMs: random.pick([3, 30, 300]),
      damage: random.pick([0, 0, 0.02]),
      stray: random.pick([0, 0, 0.02]),
    },
    troubleMs: random.between(2000, 15_000),
    restarts: random.pick([0, 0, 0, 1, 2]),
    absences: random.pick([0, 0, 1, 2]),
    // Of three nodes, one that is silent for 10 seconds is no longer waited for (see the promise in ftfw.ts).
    longestAbsenceMs: random.pick([500, 3000, nodes > 2 ? 8000 : 14_000]),
    bursts: random.between(10, 150),
    burst: random.pick([1, 1, 3, 10, 60]),
    silentFrom: random.pick([0, 1, nodes, nodes]),
  };
}

/** Plays one schedule and says what is wrong at its end. */
export function playSchedule(
  seed: number,
  makeMode: MakeMode = (context, options) => new Ftfw(context, options),
): Outcome {
  const random = new Random(seed);
  const plan = planOf(random);
  const timeline = new Timeline(1_700_000_000);
  const link = new Link(timeline, random);
  const trace: string[] = [`plan ${JSON.stringify(plan)}`];
  const nodes = Array.from(
    { length: plan.nodes },
    (_, index) =>
      new SimulatedNode(index, timeline, link, random, {
        shared: plan.nodes > 2,
        announces: index < plan.silentFrom,
        makeMode: (context) => makeMode(context, plan),
      }),
  );
  const overflowed = new Set<number>();
  let overflows = 0;
  const collect = (node: SimulatedNode) => {
    const count = node.mode.queues().reduce((sum, queue) => sum + queue.overflows, 0);
    overflows += count;
    if (count > 0) overflowed.add(node.index);
  };
  const say = (text: string) => trace.push(`${timeline.nowMs} ms: ${text}`);

  // A greeting in fair weather: a node that starts together with its peer has promised nothing yet.
  for (const node of nodes) node.askForResync();
  timeline.runUntil(4000);
  link.weather = plan.weather;
  const endMs = 4000 + plan.troubleMs;
  const sometime = () => random.between(4000, endMs);
  for (let left = plan.bursts; left > 0; left--) {
    const node = random.pick(nodes);
    timeline.at(sometime(), () => node.changes(random.between(1, plan.burst)));
  }
  for (let left = plan.restarts; left > 0; left--) {
    const node = random.pick(nodes);
    const startMs = sometime();
    timeline.at(startMs, () => {
      say(`node ${node.index} restarts`);
      collect(node);
      node.stop();
    });
    timeline.at(startMs + DOWN_MS, () => node.start());
  }
  for (let left = plan.absences; left > 0; left--) {
    const node = random.pick(nodes);
    const startMs = sometime();
    timeline.at(startMs, () => {
      say(`node ${node.index} is away`);
      link.away.add(node.index);
    });
    timeline.at(startMs + random.between(100, plan.longestAbsenceMs), () => {
      say(`node ${node.index} is there again`);
      link.away.delete(node.index);
    });
  }
  timeline.runUntil(endMs);
  say('fair weather');
  link.weather = FAIR;
  link.away.clear();
  timeline.runUntil(endMs + SOON_MS);
  const late = plan.restarts > 0 ? [] : nodes.filter(neverOverflowed).flatMap((owner) => apart(owner, nodes));
  timeline.runUntil(endMs + QUIET_MS);
  for (const node of nodes) collect(node);

  const faults = late.map((fault) => `${fault}, ${SOON_MS} ms after the trouble`);
  for (const node of nodes)
    faults.push(
      ...unfinished(node),
      ...apart(node, nodes, overflowed.has(node.index) && node.index >= plan.silentFrom),
    );
  for (const node of nodes) for (const note of node.notes) trace.push(`node ${node.index}: ${note}`);
  return { seed, events: plan.bursts, packets: link.packets, overflows, restarts: plan.restarts, faults, trace };
}

function neverOverflowed(node: SimulatedNode): boolean {
  return node.mode.queues().every(({ overflows }) => overflows === 0);
}

/** Where the other nodes differ from a node's flows. */
function apart(owner: SimulatedNode, nodes: readonly SimulatedNode[], overflowed = false): string[] {
  return nodes.filter((other) => other !== owner).flatMap((other) => differences(owner, other, overflowed));
}

/** What a node still owes in its own books. */
function unfinished(node: SimulatedNode): string[] {
  const faults: string[] = [];
  let objects = 0;
  node.mode.visitUnacknowledged({ object: () => objects++, control: () => {} });
  if (objects > 0) faults.push(`node ${node.index} waits for the acknowledgement of ${objects} entries`);
  const { size } = node.internal.table;
  if (size !== node.kernel.size) faults.push(`node ${node.index} holds ${size} entries for ${node.kernel.size} flows`);
  if (node.mode.health() !== 'in sync') faults.push(`node ${node.index} is ${node.mode.health()}`);
  return faults;
}

/**
 * What `other` lacks or has too much of `owner`'s flows. After an overflow of the resend queue of an owner that announces
 * nothing only nothing may be lacking: messages of destroyed flows were given up, and no sweep takes these.
 */
function differences(owner: SimulatedNode, other: SimulatedNode, overflowed: boolean): string[] {
  const has = owner.entries(owner.internal.table, owner.index);
  const told = other.entries(other.external.table, owner.index);
  const lacking = [...has].filter((entry) => !told.has(entry)).length;
  const surplus = [...told].filter((entry) => !has.has(entry)).length;
  const faults: string[] = [];
  if (lacking > 0) faults.push(`node ${other.index} lacks ${lacking} of ${has.size} flows of node ${owner.index}`);
  if (surplus > 0 && !overflowed) faults.push(`node ${other.index} has ${surplus} dead flows of node ${owner.index}`);
  return faults;
}
