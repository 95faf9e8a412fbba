import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Namespace } from '../../test/lab/namespace.js';
import { compiled } from '../../test/lab/project.js';
import { eventually } from '../../test/lab/waiting.js';
import { LoadGenerator } from './load.js';
import type { Floors } from './measures.js';

/** Microseconds of CPU per flow, of the kernel and what is needed to call it, in a namespace by itself (floor-process.ts). */
export interface LoneCosts {
  /** Trying to insert one that is there. */
  readonly exists: number;
  readonly remove: number;
  readonly dump: number;
  /** Receiving an event. */
  readonly event: number;
  /** Sending, and receiving, its share of a packet. */
  readonly send: number;
  readonly receive: number;
}

/**
 * What inserting a flow costs: alone, and beside another network namespace, which a second firewall on the same machine
 * is: the kernel builds an event as soon as anybody listens in any namespace (net/netlink/af_netlink.c,
 * netlink_has_listeners: one table for all), and keeps the flows of all in one hash table.
 */
export interface InsertCosts {
  /** Nobody listens. */
  readonly insert: number;
  /** Somebody listens there. */
  readonly insertHeard: number;
  /** As many flows are there. */
  readonly insertCrowded: number;
  /** Both. */
  readonly insertBeside: number;
}

export type KernelCosts = LoneCosts & InsertCosts;

/** What inserts cost is measured for so many flows in all, at least once and at most MOST_ROUNDS times. */
const INSERTED_FLOWS = 300_000;
const MOST_ROUNDS = 3;

/** Measures in a namespace without a daemon, and beside another one. */
export async function measureKernel(flows: number): Promise<KernelCosts> {
  const namespace = new Namespace('floor');
  try {
    const rounds: InsertCosts[] = [];
    const wanted = Math.min(MOST_ROUNDS, Math.max(1, Math.floor(INSERTED_FLOWS / flows)));
    while (rounds.length < wanted) rounds.push(await measureInserts(namespace, flows));
    return { ...ask<LoneCosts>(namespace, flows), ...leastOf(rounds) };
  } finally {
    namespace.remove();
  }
}

async function measureInserts(namespace: Namespace, flows: number): Promise<InsertCosts> {
  const insert = (): number => ask<number>(namespace, flows, 'insert');
  const other = new Namespace('other');
  try {
    const alone = insert();
    const listener = await listen(other);
    const insertHeard = insert();
    const load = new LoadGenerator(other);
    await load.run('create', flows);
    load.close();
    const insertBeside = insert();
    await endOf(listener);
    const insertCrowded = insert();
    other.run(['conntrack', '-F']);
    return { insert: alone, insertHeard, insertCrowded, insertBeside };
  } finally {
    other.remove();
  }
}

/** Whatever else the machine does only adds. */
function leastOf(rounds: readonly InsertCosts[]): InsertCosts {
  const least = (key: keyof InsertCosts): number => Math.min(...rounds.map((round) => round[key]));
  return {
    insert: least('insert'),
    insertHeard: least('insertHeard'),
    insertCrowded: least('insertCrowded'),
    insertBeside: least('insertBeside'),
  };
}

function ask<T>(namespace: Namespace, flows: number, ...what: string[]): T {
  const words = [process.execPath, compiled('bench/end-to-end/floor-process'), String(flows), ...what];
  return JSON.parse(namespace.run(words, { timeoutMs: 120_000 })) as T;
}

/** Subscribes to the events of flows in a namespace. Those of another one are never delivered there. */
async function listen(namespace: Namespace): Promise<ChildProcess> {
  const listener = namespace.start(['conntrack', '-E'], { stdio: 'ignore' });
  // Of each socket its protocol (NETLINK_NETFILTER, linux/netlink.h: 12), its port and the groups it is in.
  const subscribed = / 12 +-?\d+ +(?!0{8})[\da-f]{8} /;
  await eventually(() => subscribed.test(namespace.run(['cat', '/proc/net/netlink'])), {
    withinMs: 5000,
    what: 'listener for events',
  });
  return listener;
}

async function endOf(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** What no implementation can be cheaper than, by measure: the kernel's part of the work. */
export function floorsOf(costs: KernelCosts, flows: number): Floors {
  const sending = costs.event + costs.send;
  const milliseconds = (microseconds: number): number => (microseconds * flows) / 1000;
  return {
    senderNew: sending,
    senderNewWarm: sending,
    senderUpdate: sending,
    senderDestroy: sending,
    senderBulk: costs.send,
    senderRequested: costs.send,
    receiverNew: costs.receive,
    receiverNewWarm: costs.receive,
    receiverUpdate: costs.receive,
    receiverDestroy: costs.receive,
    receiverBulk: costs.receive,
    receiverRequested: costs.receive,
    commitEmptyCpu: costs.insert,
    commitEmpty: milliseconds(costs.insert),
    commitBeside: milliseconds(costs.insertBeside),
    takeover: milliseconds(costs.insert),
    takeoverBeside: milliseconds(costs.insertBeside),
    failover: milliseconds(costs.insert + costs.dump),
    failoverBeside: milliseconds(costs.insertBeside + costs.dump),
    commitPresentCpu: Math.min(costs.exists, costs.dump),
    commitPresent: milliseconds(Math.min(costs.exists, costs.dump)),
    resync: milliseconds(costs.dump),
    startFull: milliseconds(costs.dump),
  };
}
