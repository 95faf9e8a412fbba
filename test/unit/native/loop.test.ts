import { expect, it } from 'vitest';
import { DurationHistogram } from '../../../src/base/histogram.js';
import { POLL_READABLE } from '../../../src/native/constants.js';
import { closeSocket, meterLoop, Poll, sendBatch } from '../../../src/native/index.js';
import { openOwnSocket } from '../../../src/native/own-socket.js';

const turns = new DurationHistogram();
const work = new DurationHistogram();
meterLoop(turns, work);

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** Keeps the event loop. */
function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

it('the event loop is metered: work counts, waiting does not', async () => {
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

it('what a turn waited is not its own work', async () => {
  await turn();
  turns.takeLatest();
  work.takeLatest();
  // Off the processor, as when something else had it, for longer than it works.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  busy(30);
  await turn();
  const worked = work.takeLatest();
  expect(turns.takeLatest()).toBeGreaterThanOrEqual(230);
  expect(worked).toBeLessThan(150);
  // busy() counts what it waited for a processor, too.
  expect(worked).toBeGreaterThan(3);
  expect(work.total, 'each turn is counted in both').toBe(turns.total);
});

it('while a descriptor is always ready, everything else has its turn', async () => {
  const before = turns.total;
  const { fd, address } = openOwnSocket();
  const send = (): number => sendBatch(fd, new ArrayBuffer(4), Uint32Array.of(0), Uint32Array.of(4), 0, 1, address);
  const seen: string[] = [];
  let served = 0;
  const ended = new Promise<void>((resolve) => {
    const poll = new Poll(fd, () => {
      served++;
      if (served === 1) {
        setImmediate(() => seen.push(`immediate after ${served}`));
        setTimeout(() => seen.push('timer'), 5);
        process.nextTick(() => seen.push(`tick after ${served}`));
        queueMicrotask(() => seen.push(`microtask after ${served}`));
      }
      if (seen.length < 4) send();
      else poll.close();
      if (seen.length === 4) resolve();
    });
    poll.receiveInto(new ArrayBuffer(4), 4, new Int32Array(1), null);
    poll.start(POLL_READABLE);
  });
  send();
  await ended;
  closeSocket(fd);
  expect(seen).toEqual(['tick after 1', 'microtask after 1', 'immediate after 1', 'timer']);
  // In 5 ms the descriptor was ready hundreds of times, and each was counted as a turn.
  expect(served).toBeGreaterThan(20);
  expect(turns.total - before).toBeGreaterThanOrEqual(served - 1);
});
