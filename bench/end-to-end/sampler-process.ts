/**
 * Asks a daemon for its statistics again and again: `sampler-process SOCKET PID`. The word `"start"` on standard input
 * begins (answered with `{}`), `"stop"` ends and is answered with Sampled. It is a process of its own, of nearly the daemons' priority, so
 * that what is seen is the daemon's time and not that of the benchmark.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { SCHED_RR } from '../../src/native/constants.js';
import { setScheduler } from '../../src/native/index.js';
import { OBSERVER_PRIORITY } from './measures.js';
import { ProcessorWait } from './processor-wait.js';
import type { Sampled } from './sampler.js';

const [path, pid] = process.argv.slice(2);
/** Request code of `-s` (spec/control.md), and the pause between two. */
const REQUEST = new Uint8Array(Int32Array.of(21).buffer);
const PAUSE_MS = 2;

setScheduler(SCHED_RR, OBSERVER_PRIORITY);

interface Ask {
  readonly total: number;
  readonly work: number;
}

const waits = [new ProcessorWait('self'), new ProcessorWait(Number(pid))];
const waited = (): number => waits.reduce((sum, wait) => sum + wait.read(), 0);

let running: Promise<Ask[]> | null = null;
let wanted = false;

function ask(): Promise<Ask> {
  return new Promise((resolve, reject) => {
    const waitedBefore = waited();
    const begin = performance.now();
    const socket = connect(path!);
    socket.on('connect', () => socket.write(REQUEST));
    socket.on('data', () => {});
    socket.on('error', reject);
    socket.on('close', () => {
      const total = performance.now() - begin;
      resolve({ total, work: Math.max(0, total - (waited() - waitedBefore)) });
    });
  });
}

async function sample(): Promise<Ask[]> {
  const asks: Ask[] = [];
  while (wanted) {
    asks.push(await ask());
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return asks;
}

async function stop(): Promise<Sampled> {
  wanted = false;
  const asks = (await running) ?? [];
  const totals = asks.map(({ total }) => total).sort((a, b) => a - b);
  const longestWork = asks.reduce((most, { work }) => Math.max(most, work), 0);
  return { count: asks.length, median: totals[totals.length >> 1] ?? 0, longest: totals.at(-1) ?? 0, longestWork };
}

await ask();
for await (const line of createInterface({ input: process.stdin })) {
  if (JSON.parse(line) === 'stop') console.log(JSON.stringify(await stop()));
  else {
    wanted = true;
    running = sample();
    console.log('{}');
  }
}
