import { describe, expect, it } from 'vitest';
import { DurationHistogram } from '../../../src/base/histogram.js';

function histogramOf(...milliseconds: number[]): DurationHistogram {
  const histogram = new DurationHistogram();
  for (const value of milliseconds) histogram.record(value);
  return histogram;
}

describe('durations, counted', () => {
  it('tells quantiles at most a quarter too high', () => {
    const values = Array.from({ length: 1000 }, (_, index) => (index + 1) / 10);
    const histogram = histogramOf(...values);
    for (const part of [0.01, 0.1, 0.5, 0.9, 0.99, 1]) {
      const exact = values[Math.ceil(part * 1000) - 1]!;
      expect(histogram.quantile(part), `${part}`).toBeGreaterThanOrEqual(exact);
      expect(histogram.quantile(part), `${part}`).toBeLessThanOrEqual(exact * 1.25 + 0.0001);
    }
    expect(histogram.total).toBe(1000);
  });

  it('keeps the longest ever, and the longest since it was asked', () => {
    const histogram = histogramOf(3, 7, 5);
    expect(histogram.takeLatest()).toBe(7);
    histogram.record(2);
    expect(histogram.takeLatest()).toBe(2);
    expect(histogram.takeLatest()).toBe(0);
    expect(histogram.longestMs).toBe(7);
    expect(histogram.quantile(1)).toBe(7);
  });

  it('is zero without any', () => {
    const empty = new DurationHistogram();
    expect([empty.total, empty.quantile(0.5), empty.longestMs, empty.takeLatest()]).toEqual([0, 0, 0, 0]);
    expect(empty.octaves()).toEqual([]);
  });

  it('takes durations of any length', () => {
    const histogram = histogramOf(0, -1, 0.00001, 1e9);
    expect(histogram.total).toBe(4);
    expect(histogram.longestMs).toBe(1e9);
    expect(histogram.octaves().reduce((sum, { count }) => sum + count, 0)).toBe(4);
  });

  it('shows each power of two that holds any', () => {
    const octaves = histogramOf(1, 1.1, 30).octaves();
    expect(octaves.map(({ count }) => count)).toEqual([2, 1]);
    for (const { upToMs } of octaves) expect(Math.log2(upToMs * 10_000) % 1).toBe(0);
    expect(octaves[0]!.upToMs).toBeGreaterThanOrEqual(1.1);
    expect(octaves[1]!.upToMs).toBeGreaterThanOrEqual(30);
  });
});
