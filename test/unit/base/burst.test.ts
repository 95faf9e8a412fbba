import { describe, expect, it } from 'vitest';
import { BurstPace } from '../../../src/base/burst.js';

/** Reports `count` messages at each of `times` and returns what the last one led to. */
function outcome(pace: BurstPace, turns: readonly [nowMs: number, count: number][]): boolean {
  return turns.reduce((_, [nowMs, count]) => pace.rest(count, nowMs), false);
}

describe('pace of a reader', () => {
  it('does not rest while messages come one by one', () => {
    const pace = new BurstPace(64, 1000);
    for (let ms = 1; ms < 100; ms++) expect(pace.rest(20, ms)).toBe(false);
  });

  it('does not rest for a single handful, however fast it came', () => {
    expect(
      outcome(new BurstPace(64, 1000), [
        [5000, 50],
        [5000.2, 50],
      ]),
    ).toBe(false);
  });

  it('rests in a burst, and not after it', () => {
    const pace = new BurstPace(64, 1000);
    expect(
      outcome(pace, [
        [5000, 10],
        [5000.5, 60],
        [5001, 60],
      ]),
    ).toBe(true);
    expect(pace.rest(0, 5001.5)).toBe(true);
    expect(pace.rest(3, 5003)).toBe(false);
    expect(pace.busy).toBe(false);
  });

  it('goes on resting while a burst is no slower than half of what began it', () => {
    const pace = new BurstPace(64, 1000);
    outcome(pace, [
      [5000, 0],
      [5001, 64],
    ]);
    expect(pace.rest(64, 5003)).toBe(true);
    expect(pace.rest(62, 5005)).toBe(false);
    expect(pace.rest(64, 5007)).toBe(false);
  });

  it('does not rest when the buffer would overflow meanwhile', () => {
    const turns: [number, number][] = [
      [5000, 10],
      [5001, 200],
    ];
    expect(outcome(new BurstPace(64, 401), turns)).toBe(true);
    expect(outcome(new BurstPace(64, 399), turns)).toBe(false);
  });
});
