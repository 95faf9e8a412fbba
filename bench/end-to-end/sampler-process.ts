/**
 * Asks a daemon for its statistics again and again: `sampler-process SOCKET`. The word `"start"` on standard input
 * begins (answered with `{}`), `"stop"` ends and is answered with Sampled. It is a process of its own, of the daemons' priority, so that what
 * is seen is the daemon's time and not that of the benchmark.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { SCHED_RR } from '../../src/native/constants.js';
import { setScheduler } from '../../src/native/index.js';
import type { Sampled } from './sampler.js';

const [path] = process.argv.slice(2);
/** Request code of `-s` (spec/control.md), and the pause between two. */
const REQUEST = new Uint8Array(Int32Array.of(21).buffer);
const PAUSE_MS = 2;

setScheduler(SCHED_RR, 1);

let running: Promise<number[]> | null = null;
let wanted = false;

function ask(): Promise<number> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const socket = connect(path!);
    socket.on('connect', () => socket.write(REQUEST));
    socket.on('data', () => {});
    socket.on('error', reject);
    socket.on('close', () => resolve(performance.now() - begin));
  });
}

async function sample(): Promise<number[]> {
  const times: number[] = [];
  while (wanted) {
    times.push(await ask());
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return times;
}

async function stop(): Promise<Sampled> {
  wanted = false;
  const times = ((await running) ?? []).sort((a, b) => a - b);
  return { count: times.length, median: times[times.length >> 1] ?? 0, longest: times.at(-1) ?? 0 };
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
