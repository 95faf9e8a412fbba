import { cpus, release } from 'node:os';
import { type Implementation, original, ours } from '../../test/lab/implementation.js';
import { sweep } from '../../test/lab/namespace.js';
import { BURST_FACTOR, burstSession } from './burst.js';
import { sweepGroups } from './cpu.js';
import { floorsOf, type KernelCosts, measureKernel } from './floors.js';
import { withRoomFor } from './host-limits.js';
import { injectionSession } from './injection.js';
import type { Floors, Sample } from './measures.js';
import { ratesSession } from './rates.js';
import { receiverSession } from './receiver.js';
import { mediansOf, type Row, rowsOf, type Samples } from './report.js';
import { type ScaleRow, type ScaleSamples, scaleRowsOf } from './scale.js';
import { senderSession } from './sender.js';
import type { SessionContext } from './session.js';
import { takeoverSession } from './takeover.js';

const SESSIONS: Readonly<Record<string, (context: SessionContext) => Promise<Sample>>> = {
  sender: senderSession,
  receiver: receiverSession,
  injection: injectionSession,
  rates: ratesSession,
  takeover: takeoverSession,
  burst: burstSession,
};

export const SESSION_NAMES: readonly string[] = Object.keys(SESSIONS);
/** The sessions whose cost per flow is compared at different sizes. */
const SCALED = ['sender', 'receiver'];

export interface BenchOptions {
  readonly sessions: readonly string[];
  /** Whether the kernel's own costs are measured. */
  readonly floors: boolean;
  readonly only: 'ours' | 'original' | 'both';
  readonly flows: number;
  readonly rounds: number;
  /** Sizes at which the cost per flow is compared, in turn, as many rounds; none: not compared. */
  readonly scale: readonly number[];
}

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly kernel: string;
  readonly node: string;
  readonly date: string;
}

/** All that one run found out. */
export interface Results {
  readonly options: BenchOptions;
  readonly machine: Machine;
  readonly kernelCosts: KernelCosts | null;
  /** By number of flows, as text; of the sizes of `scale`. */
  readonly kernelCostsBySize: Readonly<Record<string, KernelCosts>>;
  readonly rows: readonly Row[];
  readonly scale: readonly ScaleRow[];
  readonly samples: Samples;
}

/** Ours and the original in turn, so that what else the machine does hits both. */
export async function runEndToEnd(options: BenchOptions): Promise<Results> {
  sweep();
  sweepGroups();
  const bursts = options.sessions.includes('burst');
  const most = Math.max(bursts ? options.flows * BURST_FACTOR : options.flows, ...options.scale);
  return withRoomFor(most, async () => {
    const kernelCosts = options.floors ? await measureKernel(options.flows) : null;
    const floors: Floors = kernelCosts === null ? {} : floorsOf(kernelCosts, options.flows);
    const samples: Record<Implementation['name'], Sample[]> = { ours: [], original: [] };
    for (let round = 1; round <= options.rounds && options.sessions.length > 0; round++) {
      for (const implementation of implementations(options.only)) {
        const name = `round ${round}`;
        samples[implementation.name].push(await runSessions(options.sessions, implementation, options.flows, name));
      }
    }
    const kernelCostsBySize = await kernelAtSizes(options, kernelCosts);
    const scale = scaleRowsOf(await runScale(options), floorsBySize(kernelCostsBySize));
    const rows = rowsOf(samples, floors);
    return { options, machine: machine(), kernelCosts, kernelCostsBySize, rows, scale, samples };
  });
}

function implementations(only: BenchOptions['only']): Implementation[] {
  return [original, ours].filter(({ name }) => only === 'both' || name === only);
}

async function runSessions(
  names: readonly string[],
  tested: Implementation,
  flows: number,
  title: string,
): Promise<Sample> {
  const sample: Sample = {};
  for (const name of names) {
    const begin = performance.now();
    const part = await SESSIONS[name]!({ flows, tested });
    const seconds = ((performance.now() - begin) / 1000).toFixed(0);
    console.error(`${title}, ${tested.name}, ${name}, ${flows} flows, ${seconds} s: ${summary(part)}`);
    Object.assign(sample, part);
  }
  return sample;
}

/**
 * Ours alone at each size: how the cost of a flow grows is a matter of one implementation. The sizes take turns, so that
 * what else the machine does hits all of them.
 */
async function runScale({ scale, rounds }: BenchOptions): Promise<ScaleSamples[]> {
  const runs = scale.map((flows) => ({ flows, samples: [] as Sample[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { flows, samples } of runs) {
      samples.push(await runSessions(SCALED, ours, flows, `scale, round ${round}`));
    }
  }
  return runs.map(({ flows, samples }) => ({ flows, sample: mediansOf(samples) }));
}

/** What the kernel alone takes at each size; at that of the other rows it is known. */
async function kernelAtSizes(
  { scale, flows }: BenchOptions,
  known: KernelCosts | null,
): Promise<Record<string, KernelCosts>> {
  const costs: Record<string, KernelCosts> = {};
  for (const size of scale) costs[size] = size === flows && known !== null ? known : await measureKernel(size);
  return costs;
}

function floorsBySize(costs: Readonly<Record<string, KernelCosts>>): Map<number, Floors> {
  return new Map(Object.entries(costs).map(([size, each]) => [Number(size), floorsOf(each, Number(size))]));
}

function machine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? '',
    processors: cpus().length,
    kernel: release().split('-')[0]!,
    node: process.version.slice(1),
    date: new Date().toISOString().slice(0, 10),
  };
}

function summary(sample: Sample): string {
  return Object.entries(sample)
    .map(([key, { value }]) => `${key} ${value.toFixed(value < 100 ? 2 : 0)}`)
    .join(', ');
}
