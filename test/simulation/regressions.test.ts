import { describe, expect, it } from 'vitest';
import { type Happening, play, type Schedule } from './cluster.js';
import { FAIR } from './link.js';

/** Each is played with so many orders of chance. */
const VARIANTS = 20;

interface Regression {
  /** The seed that showed it, and what it was. */
  readonly name: string;
  readonly nodes: number;
  readonly resendQueueSize: number;
  readonly ackWindowSize: number;
  readonly endMs: number;
  readonly happenings: readonly Happening[];
}

const DOWN_MS = 500;

const REGRESSIONS: readonly Regression[] = [
  {
    name: '1179: nodes that restart in a part of the network that is cut off, and meet as strangers',
    nodes: 8,
    resendQueueSize: 256,
    ackWindowSize: 10,
    endMs: 11_868,
    happenings: [
      { atMs: 6428, what: 'restart', node: 2, forMs: DOWN_MS },
      { atMs: 7094, what: 'island', nodes: [6, 7, 0, 1], forMs: 4613 },
      { atMs: 7270, what: 'changes', node: 2, count: 1 },
      { atMs: 7824, what: 'changes', node: 7, count: 1 },
      { atMs: 7985, what: 'restart', node: 7, forMs: DOWN_MS },
      { atMs: 8489, what: 'changes', node: 0, count: 1 },
      { atMs: 8607, what: 'restart', node: 0, forMs: DOWN_MS },
    ],
  },
  {
    name: '4049: a stranger with numbers near those of a known node was taken for it',
    nodes: 8,
    resendQueueSize: 1024,
    ackWindowSize: 100,
    endMs: 15_196,
    happenings: [
      { atMs: 8989, what: 'restart', node: 5, forMs: DOWN_MS },
      { atMs: 9024, what: 'island', nodes: [5, 6], forMs: 7716 },
      { atMs: 11_018, what: 'restart', node: 6, forMs: DOWN_MS },
      { atMs: 11_380, what: 'changes', node: 5, count: 36 },
      { atMs: 13_802, what: 'restart', node: 2, forMs: DOWN_MS },
    ],
  },
  {
    name: '24055: a node that dies right after its start took the numbers of that life once more',
    nodes: 2,
    resendQueueSize: 64,
    ackWindowSize: 8,
    endMs: 15_376,
    happenings: [
      ...steadyChanges(4000, 15_300),
      { atMs: 8996, what: 'weather', weather: { ...FAIR, reorder: 0.3, longestMs: 30, damage: 0.02 } },
      { atMs: 13_189, what: 'restart', node: 0, forMs: DOWN_MS },
      { atMs: 13_706, what: 'changes', node: 0, count: 1 },
      { atMs: 13_709, what: 'restart', node: 0, forMs: DOWN_MS },
    ],
  },
];

/** Both nodes of a pair are busy. */
function steadyChanges(fromMs: number, untilMs: number): Happening[] {
  return Array.from({ length: (untilMs - fromMs) / 100 }, (_, step) => {
    return { atMs: fromMs + 100 * step, what: 'changes', node: step % 2, count: 20 };
  });
}

describe('what once failed', () => {
  it.each(REGRESSIONS)('seed $name', ({ name: _, ...what }) => {
    const faults = Array.from({ length: VARIANTS }, (__, seed) => {
      const schedule: Schedule = { seed, machine: 'FTFW', flows: 40, ...what };
      return play(schedule).faults.map((fault) => `seed ${seed}: ${fault}`);
    });
    expect(faults.flat()).toEqual([]);
  });
});
