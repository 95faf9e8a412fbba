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
import { type ScaleRow, scaleRowsOf } from './scale.js';
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
  /** Sizes at which the cost per flow is compared, one round each; none: not compared. */
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
    const scale = await runScale(options, samples.ours);
    return { options, machine: machine(), kernelCosts, rows: rowsOf(samples, floors), scale, samples };
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
 * Ours alone at each size: how the cost of a flow grows is a matter of one implementation. A size that was measured
 * already is not measured again.
 */
async function runScale({ scale, flows, sessions }: BenchOptions, rounds: readonly Sample[]): Promise<ScaleRow[]> {
  const measured = rounds.length > 0 && SCALED.every((name) => sessions.includes(name));
  const bySize = new Map<number, Sample>();
  for (const size of scale) {
    const known = measured && size === flows;
    bySize.set(size, known ? mediansOf(rounds) : await runSessions(SCALED, ours, size, 'scale'));
  }
  return scaleRowsOf(bySize);
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
