import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/base/clock.js';
import { silentLogger } from '../../../src/base/logger.js';
import type { Scheduler } from '../../../src/base/scheduler.js';
import { rehearse, SCRIPT, SLICE_FLOWS, Stage } from '../../../src/daemon/rehearsal.js';

const CLOCK: Clock = { monotonicMs: () => 5000, wallSeconds: () => 1_700_000_000 };

describe('rehearsal', () => {
  it('plays the whole path: what is created, changed and ended arrives, and is acknowledged', () => {
    const stage = new Stage(CLOCK, { after: () => ({ cancel() {} }), soon: () => {} });
    for (let scene = 0; scene < 3; scene++) {
      stage.play('create', scene);
      expect([stage.internal.active, stage.external.active]).toEqual([SLICE_FLOWS, SLICE_FLOWS]);
      stage.play('update', scene);
      expect(stage.external.counters.updated).toBe((scene + 1) * SLICE_FLOWS);
      stage.play('renew', scene);
      expect(stage.external.counters.created).toBe((2 * scene + 2) * SLICE_FLOWS);
      stage.play('commit', scene);
      stage.play('destroy', scene);
      expect([stage.internal.active, stage.external.active]).toEqual([0, 0]);
      // Entries that ended stay until their end is acknowledged: at most a window of them.
      expect(stage.internal.table.size).toBeLessThanOrEqual(SLICE_FLOWS / 2);
    }
  });

  /** Runs what is scheduled until nothing is, or `most` times. @returns how often */
  function run(most: number, start: (scheduler: Scheduler) => void): number {
    const due: (() => void)[] = [];
    const schedule = (callback: () => void) => {
      due.push(callback);
      return { cancel: () => due.splice(due.indexOf(callback), 1) };
    };
    start({ after: (_, callback) => schedule(callback), soon: schedule });
    let turns = 0;
    for (; turns < most && due.length > 0; turns++) due.shift()!();
    return turns;
  }

  it('lets every flow end', () => {
    const flows = new Set<number>();
    for (const [act, scene] of SCRIPT) {
      if (act === 'create') flows.add(scene);
      else if (act === 'destroy') expect(flows.delete(scene)).toBe(true);
      else expect(flows).toContain(scene);
    }
    expect(flows).toEqual(new Set());
  });

  it('ends by itself', () => {
    const turns = run(10_000, (scheduler) => rehearse(CLOCK, scheduler, silentLogger));
    // Timers of what acts there have turns, too.
    expect(turns).toBeGreaterThan(SCRIPT.length);
    expect(turns).toBeLessThan(10_000);
  });

  it('ends when it is told to', () => {
    expect(run(10_000, (scheduler) => rehearse(CLOCK, scheduler, silentLogger)())).toBe(0);
  });
});
