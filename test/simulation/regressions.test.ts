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
  /** Default true. */
  readonly asks?: boolean;
  readonly happenings: readonly Happening[];
}

const DOWN_MS = 500;

const REGRESSIONS: readonly Regression[] = [
  {
    name: '9330: HELLOs behind a wide gap were taken for another life, and what waited was given up',
    nodes: 2,
    resendQueueSize: 16,
    ackWindowSize: 3,
    asks: false,
    endMs: 3993,
    happenings: [
      ...changes('577 1 1;1990 0 17;3080 1 1;3576 0 10'),
      { atMs: 1485, what: 'island', nodes: [0], forMs: 7784 },
    ],
  },
  {
    name: '21535: a node that was cut off when others started and asked was not asked',
    nodes: 3,
    resendQueueSize: 1024,
    ackWindowSize: 10,
    endMs: 9033,
    happenings: [
      ...changes('4882 2 1;5201 0 1;5254 1 1;6147 2 1;6966 2 1;7194 2 1;7797 2 1;7805 2 1;8906 0 1'),
      { atMs: 7480, what: 'restart', node: 2, forMs: DOWN_MS },
      { atMs: 7499, what: 'island', nodes: [1], forMs: 3541 },
      { atMs: 7708, what: 'restart', node: 0, forMs: DOWN_MS },
    ],
  },
  {
    name: '24940: nor was one that was known to nobody, as the others had just started anew',
    nodes: 3,
    resendQueueSize: 1024,
    ackWindowSize: 100,
    endMs: 12_545,
    happenings: [
      ...changes('4578 0 3;4867 0 2;6698 1 2;8778 0 2;8954 2 2'),
      { atMs: 7190, what: 'island', nodes: [1, 2], forMs: 5300 },
      { atMs: 9054, what: 'restart', node: 1, forMs: DOWN_MS },
      { atMs: 9168, what: 'restart', node: 2, forMs: DOWN_MS },
      { atMs: 12_044, what: 'restart', node: 0, forMs: DOWN_MS },
    ],
  },
  {
    name: '210: what was said before the peer was heard for the first time was given up',
    nodes: 2,
    resendQueueSize: 1024,
    ackWindowSize: 3,
    asks: false,
    endMs: 6306,
    happenings: [
      { atMs: 373, what: 'island', nodes: [0], forMs: 5588 },
      { atMs: 1565, what: 'changes', node: 1, count: 1 },
    ],
  },
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
      ...changes(
        '4035 0 31;4222 1 4;4265 1 24;5072 0 32;5543 0 5;5788 1 22;6892 1 18;6898 1 32;7038 1 14;7081 1 14;7382 0 16;7386 1 26;7822 1 15;8183 1 24;8609 1 19;8799 0 25;8845 1 40;8952 1 3;9310 1 27;9358 1 17;9585 0 1;9770 1 23;9819 0 25;9822 1 20;10199 1 37;11094 1 19;11809 1 33;11939 0 1;12120 1 15;12315 1 36;12682 0 28;12888 1 6;13232 1 3;13706 0 1',
      ),
      { atMs: 8503, what: 'restart', node: 1, forMs: DOWN_MS },
      { atMs: 8996, what: 'weather', weather: { ...FAIR, reorder: 0.3, longestMs: 30, damage: 0.02 } },
      { atMs: 13_189, what: 'restart', node: 0, forMs: DOWN_MS },
      { atMs: 13_709, what: 'restart', node: 0, forMs: DOWN_MS },
    ],
  },
];

/** @param text time, node and count, of one after the other */
function changes(text: string): Happening[] {
  return text.split(';').map((one) => {
    const [atMs, node, count] = one.split(' ').map(Number);
    return { atMs: atMs!, what: 'changes', node: node!, count: count! };
  });
}

describe('what once failed', () => {
  it.each(REGRESSIONS)('seed $name', ({ name: _, ...what }) => {
    const faults = Array.from({ length: VARIANTS }, (__, seed) => {
      const schedule: Schedule = { seed, machine: 'FTFW', flows: 40, asks: true, readMs: 0, ...what };
      return play(schedule).faults.map((fault) => `seed ${seed}: ${fault}`);
    });
    expect(faults.flat()).toEqual([]);
  });
});
