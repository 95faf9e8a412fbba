import { describe, expect, it } from 'vitest';
import { MACHINES, optionsOf, play, type Schedule, scheduleOf } from './cluster.js';
import { shrink, traceOf } from './shrink.js';

/** SIMULATION_SEED=n plays that schedule alone; SIMULATION_RUNS=n plays so many. `npm run simulate` plays more. */
const SEED = process.env.SIMULATION_SEED;
const RUNS = Number(process.env.SIMULATION_RUNS ?? 250);
const SEEDS = SEED === undefined ? Array.from({ length: RUNS }, (_, run) => 1 + run) : [Number(SEED)];

describe('two to eight nodes', () => {
  it('of every machine hold what the owners hold once the network heals', () => {
    for (const seed of SEEDS) {
      const schedule = scheduleOf(seed);
      if (play(schedule).faults.length > 0) expect.fail(traceOf(shrink(schedule)));
    }
  }, 300_000);

  it('of a machine that does not ask for what it missed are found out', () => {
    const found = Array.from({ length: 20 }, (_, run) => scheduleOf(1 + run, 'FTFW')).filter((schedule) => {
      const deaf = optionsOf({ ...schedule, machine: 'NOTRACK' });
      return play(schedule, deaf).faults.length > 0;
    });
    expect(found.length).toBeGreaterThan(10);
  });

  it('fare the same each time a seed is played', () => {
    for (const machine of MACHINES) {
      const schedule = scheduleOf(7, machine);
      expect(scheduleOf(7, machine)).toEqual(schedule);
      expect(play(schedule)).toEqual(play(schedule));
    }
  });
});

describe('shrinking', () => {
  it('leaves only what it takes to fail', () => {
    const restarts = ({ happenings }: Schedule) => happenings.filter(({ what }) => what === 'restart').length;
    const seed = SEEDS.find((one) => restarts(scheduleOf(one)) === 3) ?? 1;
    const smallest = shrink(scheduleOf(seed), (candidate) => restarts(candidate) >= 2);
    expect(smallest.happenings.map(({ what }) => what)).toEqual(['restart', 'restart']);
  });
});
