import { Alarm } from '../../src/sync/alarm.js';
import { AgingExternalCache } from '../../src/sync/alarm-external.js';
import { Ftfw } from '../../src/sync/ftfw.js';
import { Notrack } from '../../src/sync/notrack.js';
import { type Cluster, differencesOf } from './cluster-state.js';
import { FAIR, Link, type Weather } from './link.js';
import { type NodeOptions, SimulatedNode } from './node.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

export const MACHINES = ['FTFW', 'NOTRACK', 'ALARM'] as const;
export type Machine = (typeof MACHINES)[number];

/** One thing that happens to a cluster. Any of them can be left out of a schedule, which is how a failure is shrunk. */
export type Happening = { readonly atMs: number } & (
  | { readonly what: 'changes'; readonly node: number; readonly count: number }
  | { readonly what: 'restart'; readonly node: number; readonly forMs: number }
  | { readonly what: 'island'; readonly nodes: readonly number[]; readonly forMs: number }
  | { readonly what: 'clock'; readonly node: number; readonly seconds: number }
  /** The node is heard under another address from now on; only on a shared link does it matter. */
  | { readonly what: 'address'; readonly node: number }
  | { readonly what: 'weather'; readonly weather: Weather }
  | { readonly what: 'bulk' | 'resync'; readonly node: number }
);

/** All that decides how a cluster fares. A schedule follows from its seed alone; shrinking makes others of it. */
export interface Schedule {
  readonly seed: number;
  readonly machine: Machine;
  readonly nodes: number;
  /** Flows a node's kernel may hold. */
  readonly flows: number;
  readonly resendQueueSize: number;
  readonly ackWindowSize: number;
  /** All ask for resyncs when they start for the first time. */
  readonly asks: boolean;
  /** A node looks for what arrived so often, and takes all of it at once: 0, each packet when it comes. */
  readonly readMs: number;
  /** When the network heals and nothing changes any more. */
  readonly endMs: number;
  readonly happenings: readonly Happening[];
}

export interface Played {
  /** Empty when all caches equal their owners' tables. */
  readonly faults: string[];
  readonly packets: number;
  /** What the nodes logged, by time. */
  readonly notes: string[];
}

const START_MS = 4000;
/** ALARM's clauses: short, so that a schedule is. */
const REFRESH_SECONDS = 2;
const CACHE_SECONDS = 8;
/**
 * Fair weather until all must be well. FTFW: two retry rounds (RETRY_MS) and slack, and the 16 s of a shared link's
 * nodes that part their numbers and find each other again. ALARM: a refresh, CacheTimeout and slack.
 */
const QUIET_MS: Readonly<Record<Machine, number>> = {
  FTFW: 25_000,
  NOTRACK: 2000,
  ALARM: (REFRESH_SECONDS + CACHE_SECONDS + 3) * 1000,
};
/**
 * A restart takes longer than the link holds packets back. FTFW needs that: a node may use numbers of its former life
 * again, and an ACK of those, still under way, would be taken for one of the new life's.
 */
const DOWN_MS = 500;
/** Of more than two FTFW nodes, one that is silent for ten seconds is no longer waited for (src/sync/peers.ts). */
const LONGEST_ISLAND_MS = 8000;

/** Pairs are what most people run. */
const NODES = [2, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8];

/** A schedule of a seed. @param machine absent: the seed decides */
export function scheduleOf(seed: number, machine?: Machine): Schedule {
  const random = new Random(seed);
  const drawn = random.pick(MACHINES);
  const chosen = machine ?? drawn;
  const nodes = random.pick(NODES);
  // Of a pair, nothing may be lost though it was said before the first hello was answered.
  const startMs = nodes === 2 && random.chance(0.5) ? 0 : START_MS;
  const endMs = startMs + random.between(1000, 12_000);
  const resendQueueSize = random.pick(nodes === 2 ? [16, 64, 1024] : [256, 1024]);
  const readMs = random.pick([0, 0, 1, 10, 50]);
  const made = happeningsOf(random, nodes, startMs, endMs).toSorted((a, b) => a.atMs - b.atMs);
  return {
    seed,
    machine: chosen,
    nodes,
    flows: random.pick([4, 12, 40]),
    resendQueueSize,
    // Wider than the queue, each queueful would wait for the one-second alarm. On a shared link narrow windows breed
    // ACKs of ACKs, which end with the bad weather only.
    ackWindowSize: random.pick(nodes === 2 ? [1, 3, 8] : [10, 50, 100]),
    // Who restarts has lost what it was told: it asks.
    asks: startMs > 0 || made.some(({ what }) => what === 'restart'),
    readMs,
    endMs,
    happenings: withoutMovedStarts(made),
  };
}

function happeningsOf(random: Random, nodes: number, startMs: number, endMs: number): Happening[] {
  const sometime = () => random.between(startMs, endMs);
  const someone = () => random.between(0, nodes - 1);
  const times = (counts: readonly number[], make: () => Happening): Happening[] =>
    Array.from({ length: random.pick(counts) }, make);
  const burst = random.pick([1, 3, 10, 40]);
  return [
    ...times([5, 20, 60], () => ({
      atMs: sometime(),
      what: 'changes',
      node: someone(),
      count: random.between(1, burst),
    })),
    ...times([0, 0, 1, 3], () => ({ atMs: sometime(), what: 'restart', node: someone(), forMs: DOWN_MS })),
    ...times([0, 0, 1, 2], () => ({ atMs: sometime(), what: 'clock', node: someone(), seconds: step(random) })),
    ...times([0, 0, 1], () => ({ atMs: sometime(), what: random.pick(['bulk', 'resync']), node: someone() })),
    ...times([0, 0, 0, 1, 2], () => ({ atMs: sometime(), what: 'address', node: someone() })),
    ...times([1, 2, 4], () => ({
      atMs: sometime(),
      what: 'weather',
      weather: weatherOf(random),
    })),
    ...islands(random, nodes, startMs, endMs),
  ];
}

/**
 * Who starts anew at an address where it was never heard is a node like any that joins: what it no longer has is not
 * swept but ages. Such starts are left out.
 */
function withoutMovedStarts(happenings: readonly Happening[]): Happening[] {
  const restarted = new Set(happenings.map((happening) => (happening.what === 'restart' ? happening.node : -1)));
  return happenings.filter((happening) => happening.what !== 'address' || !restarted.has(happening.node));
}

/** A step of a wall clock: an administrator's, a summer time's, a dead battery's. */
function step(random: Random): number {
  return random.pick([-1, 1]) * random.pick([1, 5, 60, 3600, 1_000_000]);
}

const LOSSES = [0, 0.05, 0.2, 0.4];
function weatherOf(random: Random): Weather {
  return {
    loss: random.pick(LOSSES),
    repeat: random.pick([0, 0.02, 0.2]),
    reorder: random.pick([0, 0.02, 0.3]),
    longestMs: random.pick([3, 30, 300]),
    damage: random.pick([0, 0, 0.02]),
    stray: random.pick([0, 0, 0.02]),
  };
}

/** One after the other, so that no node is silent for longer than one of them lasts. */
function islands(random: Random, nodes: number, startMs: number, endMs: number): Happening[] {
  const made: Happening[] = [];
  let atMs = random.between(startMs, endMs);
  for (let left = random.pick([0, 0, 1, 2]); left > 0 && atMs < endMs; left--) {
    const size = random.between(1, Math.max(1, nodes - 1));
    const first = random.between(0, nodes - 1);
    const forMs = random.between(100, LONGEST_ISLAND_MS);
    made.push({ atMs, what: 'island', nodes: Array.from({ length: size }, (_, i) => (first + i) % nodes), forMs });
    atMs += forMs + 2000;
  }
  return made;
}

/**
 * Plays a schedule and says what is wrong at its end.
 *
 * @param options how nodes are made: another machine than the schedule's must show faults
 */
export function play(schedule: Schedule, options: NodeOptions = optionsOf(schedule)): Played {
  const random = new Random(schedule.seed ^ 0x5eed);
  const timeline = new Timeline(1_700_000_000);
  const link = new Link(timeline, random);
  const nodes = Array.from(
    { length: schedule.nodes },
    (_, index) => new SimulatedNode(index, timeline, link, random, options),
  );
  const cluster: Cluster = { nodes, overflowed: new Set(), downUntilMs: new Map() };
  if (schedule.asks) for (const node of nodes) node.askForResync();
  for (const happening of schedule.happenings) {
    timeline.at(happening.atMs, () => happen(happening, cluster, link, timeline));
  }
  const faults: string[] = [];
  try {
    timeline.runUntil(schedule.endMs);
    heal(schedule, cluster, link, timeline);
    faults.push(...differencesOf(cluster));
  } catch (error) {
    faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const notes = nodes.flatMap((node) => node.notes.map((note) => `node ${node.index}: ${note}`));
  return { faults, packets: link.packets, notes };
}

export function optionsOf({ machine, nodes, flows, resendQueueSize, ackWindowSize, readMs }: Schedule): NodeOptions {
  const shared = nodes > 2;
  if (machine === 'FTFW') {
    return { shared, flows, readMs, makeMode: (context) => new Ftfw(context, { resendQueueSize, ackWindowSize }) };
  }
  if (machine === 'NOTRACK') {
    return { shared, flows, readMs, makeMode: (context) => new Notrack(context, { kernelFlows: null }) };
  }
  return {
    shared,
    flows,
    readMs,
    makeExternal: (limit, clock) => new AgingExternalCache(limit, clock, CACHE_SECONDS),
    makeMode: (context, external) =>
      new Alarm(context, {
        refreshTime: REFRESH_SECONDS,
        expireExternal: (budget) => (external as AgingExternalCache).expire(budget),
      }),
  };
}

function happen(happening: Happening, cluster: Cluster, link: Link, timeline: Timeline): void {
  if (happening.what === 'weather') {
    link.weather = happening.weather;
    return;
  }
  if (happening.what === 'island') {
    link.islands.add(happening.nodes);
    timeline.at(happening.atMs + happening.forMs, () => link.islands.delete(happening.nodes));
    return;
  }
  const node = cluster.nodes[happening.node]!;
  switch (happening.what) {
    case 'changes':
      node.changes(happening.count);
      break;
    case 'address':
      link.move(node.index);
      break;
    case 'clock':
      node.clockStep += happening.seconds;
      break;
    case 'restart':
      noteOverflow(cluster, node);
      node.stop();
      cluster.downUntilMs.set(node.index, happening.atMs + happening.forMs);
      timeline.at(happening.atMs + happening.forMs, () => {
        // Not when it died once more in the meantime.
        if (timeline.nowMs >= cluster.downUntilMs.get(node.index)!) node.start();
      });
      break;
    default:
      if (happening.what === 'bulk') node.bulk();
      else node.askForResync();
  }
}

/** The network heals, nothing changes any more, and the machine gets the time and the means that it promises to need. */
function heal({ machine }: Schedule, cluster: Cluster, link: Link, timeline: Timeline): void {
  link.weather = FAIR;
  link.islands.clear();
  // A node that is down is started when it is due, not at once: see DOWN_MS.
  timeline.runUntil(timeline.nowMs + DOWN_MS + QUIET_MS[machine]);
  for (const node of cluster.nodes) noteOverflow(cluster, node);
  if (machine !== 'NOTRACK') return;
  // What NOTRACK lost stays lost until somebody asks: `conntrackd -f external -n`.
  for (const node of cluster.nodes) node.external.flush();
  for (const node of cluster.nodes) node.askForResync();
  timeline.runUntil(timeline.nowMs + 200);
}

function noteOverflow(cluster: Cluster, node: SimulatedNode): void {
  if (node.mode.queues().some(({ overflows }) => overflows > 0)) cluster.overflowed.add(node.index);
}
