import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { type Implementation, original, ours } from '../../test/lab/implementation.js';
import { sweep } from '../../test/lab/namespace.js';
import { sweepGroups } from './cpu.js';
import type { Sample } from './measures.js';
import { rowsOf, tableOf } from './report.js';
import { receiverSession, type SessionContext, senderSession } from './session.js';

const SESSIONS: Readonly<Record<string, (context: SessionContext) => Promise<Sample>>> = {
  sender: senderSession,
  receiver: receiverSession,
};

export const SESSION_NAMES: readonly string[] = Object.keys(SESSIONS);

export interface BenchOptions {
  readonly sessions: readonly string[];
  readonly only: 'ours' | 'original' | 'both';
  readonly flows: number;
  readonly rounds: number;
  /** File for the results in JSON, '' for none. */
  readonly json: string;
}

function implementations(only: BenchOptions['only']): Implementation[] {
  return [original, ours].filter(({ name }) => only === 'both' || name === only);
}

/** Ours and the original in turn, so that what else the machine does hits both. */
export async function runEndToEnd(options: BenchOptions): Promise<void> {
  sweep();
  sweepGroups();
  const samples: Record<Implementation['name'], Sample[]> = { ours: [], original: [] };
  for (let round = 1; round <= options.rounds; round++) {
    for (const implementation of implementations(options.only)) {
      samples[implementation.name].push(await oneRound(options, implementation, round));
    }
  }
  const rows = rowsOf(samples);
  console.log(`\n${options.flows} flows, ${options.rounds} rounds, medians; CPU times: total (user)`);
  console.log(tableOf(rows));
  if (options.json === '') return;
  const host = { cpu: cpus()[0]?.model ?? '', cpus: cpus().length, load: loadavg() };
  writeFileSync(options.json, `${JSON.stringify({ ...options, host, rows, samples }, null, 2)}\n`);
}

async function oneRound(options: BenchOptions, tested: Implementation, round: number): Promise<Sample> {
  const sample: Sample = {};
  for (const name of options.sessions) {
    const part = await SESSIONS[name]!({ flows: options.flows, tested });
    console.log(`round ${round}, ${tested.name}, ${name}: ${summary(part)}`);
    Object.assign(sample, part);
  }
  return sample;
}

function summary(sample: Sample): string {
  return Object.entries(sample)
    .map(([key, { value }]) => `${key} ${value.toFixed(value < 100 ? 2 : 0)}`)
    .join(', ');
}
