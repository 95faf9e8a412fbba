import { beforeEach, describe, expect, it } from 'vitest';
import { FlowTable } from '../../../src/flow/table.js';
import { type ControlMessage, ResendQueue } from '../../../src/sync/resend.js';
import { FLAG_ACK, FLAG_NACK, FLAG_RESYNC } from '../../../src/wire/tables.js';

const PEER = 1;
const OTHER = 2;
const BOTH = PEER | OTHER;
const EVERYBODY = -1;
/** Numbers wrap among them. */
const FIRST = 2 ** 32 - 5;

let queue: ResendQueue;
let again: ControlMessage[];

beforeEach(() => {
  again = [];
  queue = new ResendQueue(new FlowTable({ limit: 10 }), 64, {
    settled: () => undefined,
    again: () => undefined,
    controlAgain: (message) => again.push(message),
    overflowed: () => undefined,
  });
});

function add(step: number, flags: number, concerns: number): void {
  queue.addControl({ sequence: (FIRST + step) >>> 0, flags, from: 0, to: 0, acknowledged: 0, concerns });
}

/** Those that wait, by their distance from the first. */
function waiting(): number[] {
  const steps: number[] = [];
  queue.visit({ object: () => undefined, control: (sequence) => steps.push((sequence - FIRST) | 0) });
  return steps;
}

function acknowledge(from: number, to: number, peer: number): void {
  queue.acknowledge((FIRST + from) >>> 0, (FIRST + to) >>> 0, peer, BOTH);
}

describe('control messages', () => {
  it('leave when all peers whom they concern have received them', () => {
    for (let step = 0; step < 10; step++) add(step, FLAG_ACK, PEER);
    acknowledge(3, 6, OTHER);
    expect(waiting()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    acknowledge(3, 6, PEER);
    expect(waiting()).toEqual([0, 1, 2, 7, 8, 9]);
    acknowledge(-100, 0, PEER);
    expect(waiting()).toEqual([1, 2, 7, 8, 9]);
    acknowledge(8, 100, PEER);
    expect(waiting()).toEqual([1, 2, 7]);
  });

  it('that concern all wait for all', () => {
    add(0, FLAG_RESYNC, EVERYBODY);
    acknowledge(0, 0, PEER);
    expect(waiting()).toEqual([0]);
    acknowledge(0, 0, OTHER);
    expect(waiting()).toEqual([]);
  });

  it('are sent again for a peer whom they concern, and for no other', () => {
    add(0, FLAG_NACK, PEER);
    add(1, FLAG_NACK, OTHER);
    queue.missed(FIRST, (FIRST + 1) >>> 0, PEER);
    expect(again.map(({ concerns }) => concerns)).toEqual([PEER]);
    expect(waiting()).toEqual([1]);
  });
});
