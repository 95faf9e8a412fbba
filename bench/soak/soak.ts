import { spawnSync } from 'node:child_process';
import type { Daemon } from '../../test/lab/daemon.js';
import { FirewallPair } from '../../test/lab/firewall-pair.js';
import { ours } from '../../test/lab/implementation.js';
import { activeConnections, statistic } from '../../test/lab/statistics.js';
import { settled } from '../../test/lab/waiting.js';
import { LoadGenerator } from '../end-to-end/load.js';
import { STATS } from '../end-to-end/node.js';
import { growthOf, type Vitals, vitalsOf, withProbe } from './vitals.js';

/** Request codes (spec/control.md). */
const STATS_RUNTIME = 30;
const STATS_CACHE = 29;
/** Most flows that load-process.ts tells apart: 24 bits of the source address. */
export const MOST_LIFETIMES = 2 ** 24;
/** Longest wait for both caches after a portion; beyond it something was lost for good. */
const CONVERGENCE_MS = 120_000;
const LOOK_MS = 10;
/** So many samples are taken, evenly spread; the first fifth of them is warm-up. */
const SAMPLES = 20;
const WARM_UP = 4;

export interface SoakOptions {
  /** Flows that are created, updated and destroyed in all. */
  readonly lifetimes: number;
  /** Flows that live at a time. */
  readonly portion: number;
  /** Whether everything runs at the lowest priority, so that others have the machine first. */
  readonly background: boolean;
  /** Hears of each sample. */
  readonly report: (sample: SoakSample) => void;
}

/** Both nodes while a portion of flows lives. */
export interface SoakSample {
  readonly lifetimes: number;
  readonly seconds: number;
  /** The node whose kernel has the flows. */
  readonly a: Vitals;
  /** Its peer. */
  readonly b: Vitals;
  readonly internal: number;
  readonly external: number;
}

/** The end of a soak. */
export interface SoakResult {
  readonly samples: readonly SoakSample[];
  /** What A's kernel socket lost to overruns, in times. */
  readonly overruns: number;
  /** Created, updated and destroyed flows by `-s cache` of A's internal and B's external cache. */
  readonly counted: readonly number[];
  /** After all: flows left in A's internal and B's external cache, and in A's kernel table. */
  readonly left: readonly number[];
}

/** Runs flows through a pair of daemons: each portion is created, updated and destroyed, and both caches must follow. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const pair = new FirewallPair();
  const load = new LoadGenerator(pair.a.namespace);
  try {
    await withProbe(() =>
      pair.start({ a: ours, b: ours }, { mode: 'FTFW', hashSize: 65_536, hashLimit: 4 * options.portion }),
    );
    if (options.background) for (const { daemon } of [pair.a, pair.b]) yieldToOthers(daemon);
    return await run(pair, load, options);
  } finally {
    load.close();
    pair.remove();
  }
}

async function run(pair: FirewallPair, load: LoadGenerator, options: SoakOptions): Promise<SoakResult> {
  const { lifetimes, portion, report } = options;
  const begin = performance.now();
  const samples: SoakSample[] = [];
  for (let done = 0; done < lifetimes; done += portion) {
    const count = Math.min(portion, lifetimes - done);
    await load.run('create', count, { from: done });
    await load.run('update', count, { from: done });
    await reach(pair, count);
    if (count === portion && done + portion > (samples.length * lifetimes) / SAMPLES) {
      const sample = await sampleOf(pair, done + portion, (performance.now() - begin) / 1000);
      samples.push(sample);
      report(sample);
    }
    await load.run('destroy', count, { from: done });
    await reach(pair, 0);
  }
  return { samples, ...(await endOf(pair)) };
}

async function held(pair: FirewallPair): Promise<[internal: number, external: number]> {
  return [
    activeConnections(await pair.a.daemon.rawRequest(STATS), 'internal'),
    activeConnections(await pair.b.daemon.rawRequest(STATS), 'external'),
  ];
}

/** Waits until both caches hold so many. @throws Error when they do not */
async function reach(pair: FirewallPair, flows: number): Promise<void> {
  const complaint = async (): Promise<string> => {
    const [internal, external] = await held(pair);
    return internal === flows && external === flows ? '' : `${internal} internal, ${external} external`;
  };
  const problem = await settled(complaint, CONVERGENCE_MS, LOOK_MS);
  if (problem !== '') throw new Error(`the caches do not follow the kernel: ${problem} instead of ${flows}`);
}

async function sampleOf(pair: FirewallPair, lifetimes: number, seconds: number): Promise<SoakSample> {
  const [internal, external] = await held(pair);
  const a = await vitalsOf(pair.a.daemon);
  const b = await vitalsOf(pair.b.daemon);
  return { lifetimes, seconds, a, b, internal, external };
}

async function endOf(pair: FirewallPair): Promise<Omit<SoakResult, 'samples'>> {
  const internal = await pair.a.daemon.rawRequest(STATS_CACHE);
  const external = await pair.b.daemon.rawRequest(STATS_CACHE);
  const labels = ['creation OK', 'update OK', 'deletion created'];
  return {
    overruns: statistic(await pair.a.daemon.rawRequest(STATS_RUNTIME), 'netlink stats', 'netlink overrun'),
    counted: [
      ...labels.map((label) => statistic(internal, 'cache:internal', label)),
      ...labels.map((label) => statistic(external, 'cache:external', label)),
    ],
    left: [...(await held(pair)), pair.a.kernelCount()],
  };
}

/** Takes the real-time priority from all threads of a daemon and puts it behind everything else. */
function yieldToOthers(daemon: Daemon): void {
  for (const words of [
    ['chrt', '--all-tasks', '--other', '--pid', '0', String(daemon.pid)],
    ['renice', '-n', '19', '-p', String(daemon.pid)],
  ]) {
    const { status, stderr } = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  }
}

/** What a run may add to a daemon after its warm-up, by the line through the samples. Bytes. */
const MOST_HEAP_GROWTH = 1 << 20;
const MOST_BUFFER_GROWTH = 1 << 20;
const MOST_RESIDENT_GROWTH = 24 << 20;

/** What grew that must not, one line each; none: all is well. */
export function complaintsOf({ samples, left }: SoakResult): string[] {
  const steady = samples.slice(WARM_UP);
  const complaints: string[] = [];
  for (const node of ['a', 'b'] as const) {
    const limit = (key: keyof Vitals, most: number): void => {
      const growth = growthOf(steady.map((sample) => sample[node][key]));
      if (growth > most) complaints.push(`${key} of ${node} grew by ${Math.round(growth)}, at most ${most} is fine`);
    };
    limit('heap', MOST_HEAP_GROWTH);
    limit('buffers', MOST_BUFFER_GROWTH);
    limit('resident', MOST_RESIDENT_GROWTH);
    limit('descriptors', 0.5);
    limit('threads', 0.5);
  }
  if (left.some((flows) => flows !== 0)) complaints.push(`left over at the end: ${left.join(', ')} flows`);
  return complaints;
}
