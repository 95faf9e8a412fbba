import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compiled } from '../lab/project.js';
import { MACHINES, optionsOf, play, type Schedule, scheduleOf } from './cluster.js';
import { shrink } from './shrink.js';

/** SIMULATION_SEED=n plays that schedule alone; SIMULATION_RUNS=n plays so many. */
const { SIMULATION_SEED: SEED, SIMULATION_RUNS: RUNS = '600' } = process.env;

describe('two to eight nodes', () => {
  it('of every machine hold what the owners hold once the network heals', () => {
    // As `npm run simulate` does: compiled, a schedule takes a fifth of the time.
    const which = SEED === undefined ? ['--schedules', RUNS] : ['--seed', SEED];
    const { status, stdout, stderr } = spawnSync(process.execPath, [compiled('test/simulation/simulate'), ...which], {
      encoding: 'utf8',
    });
    expect({ status, told: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, told: '' });
  }, 300_000);

  it('of a machine that does not ask for what it missed are found out', () => {
    const found = Array.from({ length: 20 }, (_, run) => scheduleOf(1 + run, 'FTFW')).filter((schedule) => {
      // Nor does it hear of another life of its peers, after which it would ask for everything.
      const deaf = { ...optionsOf({ ...schedule, machine: 'NOTRACK' }), announces: false };
      return play(schedule, deaf).faults.length > 0;
    });
    expect(found.length).toBeGreaterThan(10);
  });

  it.each(MACHINES)('%s: a seed is played the same each time', (machine) => {
    const schedule = scheduleOf(7, machine);
    expect(scheduleOf(7, machine)).toEqual(schedule);
    expect(play(schedule)).toEqual(play(schedule));
  });
});

describe('shrinking', () => {
  it('leaves only what it takes to fail', () => {
    const restarts = ({ happenings }: Schedule) => happenings.filter(({ what }) => what === 'restart').length;
    const seed = Array.from({ length: 100 }, (_, run) => 1 + run).find((one) => restarts(scheduleOf(one)) >= 2);
    const smallest = shrink(scheduleOf(seed!), (candidate) => restarts(candidate) >= 2);
    expect(smallest.happenings.map(({ what }) => what)).toEqual(['restart', 'restart']);
  });
});
