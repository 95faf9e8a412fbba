import { expect, it } from 'vitest';
import { DurationHistogram } from '../../../src/base/histogram.js';
import { meterLoop } from '../../../src/native/index.js';

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** Keeps the event loop. */
function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

it('the event loop is metered: work counts, waiting does not', async () => {
  const turns = new DurationHistogram();
  meterLoop(turns.counts, turns.longest);
  await turn();
  turns.takeLatest();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await turn();
  // Nothing was done in these 300 ms; something else may have kept the processor a while.
  expect(turns.takeLatest()).toBeLessThan(200);
  busy(250);
  await turn();
  expect(turns.takeLatest()).toBeGreaterThanOrEqual(250);
  const counted = new DurationHistogram();
  counted.record(turns.longestMs);
  const bucket = counted.counts.indexOf(1);
  expect(turns.counts[bucket], 'the same bucket as in histogram.ts').toBeGreaterThanOrEqual(1);
  expect(turns.total).toBeGreaterThan(3);
});
