import { Namespace } from '../../test/lab/namespace.js';
import { compiled } from '../../test/lab/project.js';
import type { Floors } from './measures.js';

/** Microseconds of CPU per flow, of the kernel and what is needed to call it (floor-process.ts). */
export interface KernelCosts {
  /** Inserting a flow, nobody listening. */
  readonly insert: number;
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

/** Measures in a namespace without a daemon. */
export function measureKernel(flows: number): KernelCosts {
  const namespace = new Namespace('floor');
  try {
    const words = [process.execPath, compiled('bench/end-to-end/floor-process'), String(flows)];
    return JSON.parse(namespace.run(words, { timeoutMs: 120_000 })) as KernelCosts;
  } finally {
    namespace.remove();
  }
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
    commitPresentCpu: Math.min(costs.exists, costs.dump),
    commitPresent: milliseconds(Math.min(costs.exists, costs.dump)),
    resync: milliseconds(costs.dump),
    startFull: milliseconds(costs.dump),
  };
}
