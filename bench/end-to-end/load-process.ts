/**
 * Puts load on the kernel table of the namespace it runs in: `load-process`. Each line on its standard input is a
 * LoadCommand in JSON; it answers each with one line, a LoadReport. Ends with its input.
 */
import { createInterface } from 'node:readline';
import { BATCH, FlowBatch } from './flow-batch.js';
import type { LoadCommand, LoadReport } from './load.js';

/** Portions a second at a steady rate. */
const PORTIONS = 500;
/** Between the creation and the destruction of a flow, in portions: half a second. */
const LIFE = 250;

const batch = new FlowBatch();

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ticks of Date that are looked at. */
const TICKS = 10;

/**
 * What to add to performance.now() to get milliseconds since 1970, to some microseconds: seen at ticks of Date. One
 * that was seen late, because something else had the processor, gives too little.
 */
function wallOffset(): number {
  let offset = Number.NEGATIVE_INFINITY;
  for (let tick = 0; tick < TICKS; tick++) {
    const before = Date.now();
    let now = before;
    while (now === before) now = Date.now();
    offset = Math.max(offset, now - performance.now());
  }
  return offset;
}

/** All at once, or `perSecond` of them in small portions. */
async function carryOut({ what, from, count, perSecond, perCall }: LoadCommand): Promise<LoadReport> {
  if (what === 'churn') return churn(from, count, perSecond, perCall);
  const begin = performance.now();
  const end = from + count;
  const portion = perSecond === 0 ? perCall : Math.max(1, Math.min(perCall, Math.round(perSecond / PORTIONS)));
  let failed = 0;
  for (let n = from; n < end; n += portion) {
    failed += batch.run(what, n, Math.min(portion, end - n));
    if (perSecond > 0) await until(begin + ((n + portion - from) * 1000) / perSecond);
  }
  return { milliseconds: performance.now() - begin, failed, createdAt: [], destroyedAt: [] };
}

/** Half of the requests create, half destroy what was created half a second before. */
async function churn(from: number, count: number, perSecond: number, perCall: number): Promise<LoadReport> {
  const offset = wallOffset();
  const begin = performance.now();
  const portion = Math.max(1, Math.min(BATCH >> 1, Math.round(perSecond / PORTIONS / 2)));
  const portions = Math.ceil(count / portion);
  const createdAt: number[] = [];
  const destroyedAt: number[] = [];
  let failed = 0;
  const part = (operation: 'create' | 'destroy', index: number, times: number[]): void => {
    if (index < 0 || index >= portions) return;
    const size = Math.min(portion, count - index * portion);
    const now = performance.now() + offset;
    for (let n = 0; n < size; n++) times.push(now);
    for (let done = 0; done < size; done += perCall) {
      failed += batch.run(operation, from + index * portion + done, Math.min(perCall, size - done));
    }
  };
  for (let step = 0; step < portions + LIFE; step++) {
    part('create', step, createdAt);
    part('destroy', step - LIFE, destroyedAt);
    await until(begin + ((step + 1) * portion * 2000) / perSecond);
  }
  return { milliseconds: performance.now() - begin, failed, createdAt, destroyedAt };
}

/** Waits for a time of performance.now(). */
async function until(due: number): Promise<void> {
  const early = due - performance.now();
  if (early > 0) await sleep(early);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await carryOut(JSON.parse(line) as LoadCommand)));
}
