import { describe, expect, it } from 'vitest';
import { type Outcome, playSchedule } from './ftfw-schedule.js';

/** SIMULATION_SEED=n plays that schedule alone; SIMULATION_RUNS=n plays so many. */
const SEED = process.env.SIMULATION_SEED;
const RUNS = Number(process.env.SIMULATION_RUNS ?? 500);
const FIRST_SEED = 1;

function report(outcome: Outcome): string {
  return [`seed ${outcome.seed} (SIMULATION_SEED=${outcome.seed})`, ...outcome.faults, ...outcome.trace].join('\n  ');
}

describe('FTFW converges', () => {
  it('whatever the link does, once it is fair and nothing changes any more', () => {
    const seeds = SEED === undefined ? Array.from({ length: RUNS }, (_, run) => FIRST_SEED + run) : [Number(SEED)];
    const startMs = performance.now();
    const failed: Outcome[] = [];
    let packets = 0;
    let overflowing = 0;
    for (const seed of seeds) {
      const outcome = playSchedule(seed);
      packets += outcome.packets;
      if (outcome.overflows > 0) overflowing++;
      if (outcome.faults.length > 0) failed.push(outcome);
    }
    const seconds = (performance.now() - startMs) / 1000;
    console.log(
      `${seeds.length} schedules, ${overflowing} of them with overflows, ${packets} packets in ${seconds.toFixed(1)} s: ` +
        `${Math.round(seeds.length / seconds)} schedules/s`,
    );
    const shortest = failed.toSorted((a, b) => a.events - b.events)[0];
    expect(failed.length, shortest && `${failed.length} failed, e.g. ${report(shortest)}`).toBe(0);
  }, 300_000);
});
