import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Daemon } from '../../test/lab/daemon.js';
import { compiled } from '../../test/lab/project.js';
import { rawExchange } from '../../test/lab/raw-request.js';
import { sleep } from '../../test/lab/waiting.js';

/** Name of the probe's socket in the directory of the daemon's configuration. */
export const PROBE_SOCKET = 'probe';

const DESCRIPTOR_LOOKS = 5;
const LOOK_MS = 20;

/** What a daemon holds at one moment, after a garbage collection. Bytes. */
export interface Vitals {
  /** Objects of JavaScript. */
  readonly heap: number;
  /** Memory of typed arrays: tables, buffers. */
  readonly buffers: number;
  readonly resident: number;
  readonly descriptors: number;
  readonly threads: number;
}

/** Makes daemons that `start` starts carry the probe; everything else stays without it. */
export async function withProbe<T>(start: () => Promise<T>): Promise<T> {
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--import ${pathToFileURL(compiled('bench/soak/probe')).href}`;
  try {
    return await start();
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
}

/** @param daemon started within `withProbe` */
export async function vitalsOf(daemon: Daemon): Promise<Vitals> {
  const answer = await rawExchange(`${daemon.directory}/${PROBE_SOCKET}`, new Uint8Array(0), 30_000);
  const { heapUsed, arrayBuffers } = JSON.parse(answer) as NodeJS.MemoryUsage;
  return {
    heap: heapUsed,
    buffers: arrayBuffers,
    resident: daemon.residentBytes(),
    descriptors: await descriptorsOf(daemon.pid),
    threads: readdirSync(`/proc/${daemon.pid}/task`).length,
  };
}

/** The least of some looks: a connection that has just ended, as the probe's own, is still there for a moment. */
async function descriptorsOf(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < DESCRIPTOR_LOOKS; look++) {
    if (look > 0) await sleep(LOOK_MS);
    least = Math.min(least, readdirSync(`/proc/${pid}/fd`).length);
  }
  return least;
}

/** How much each of the values grows from the first to the last of evenly spaced samples, by the line of least squares. */
export function growthOf(samples: readonly number[]): number {
  const last = samples.length - 1;
  const middle = last / 2;
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
  let above = 0;
  let below = 0;
  for (const [index, value] of samples.entries()) {
    above += (index - middle) * (value - mean);
    below += (index - middle) ** 2;
  }
  return (above / below) * last;
}
