/**
 * `npm run fuzz -- TARGET|all [--seconds N] [--seed N] [--keep] [--replay FILE]`: fuzzes a target, guided by coverage.
 * `--keep` adds inputs that reach new code to the corpus. Exit code 1 when something does not hold.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/lab/project.js';
import { addToCorpus, readCorpus, writeFailure } from './corpus.js';
import { Coverage } from './coverage.js';
import { fuzz } from './engine.js';
import type { FuzzTarget } from './target.js';
import { TARGETS } from './targets/index.js';
import { Watchdog } from './watchdog.js';

/** What a run may leave behind in memory, the inputs it found aside. */
const MOST_GROWTH_BYTES = 64 << 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    keep: { type: 'boolean', default: false },
    replay: { type: 'string' },
  },
});

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + arrayBuffers + external;
}

async function fuzzOne(target: FuzzTarget): Promise<boolean> {
  const failures = join(projectRoot, 'fuzz/failures');
  mkdirSync(failures, { recursive: true });
  const coverage = new Coverage(`${pathToFileURL(join(projectRoot, 'dist')).href}/`, target.covers);
  const watchdog = new Watchdog(join(failures, `${target.name}-endless`), target.longestBytes);
  const endMs = performance.now() + Number(values.seconds) * 1000;
  const before = memory();
  coverage.start();
  const {
    runs,
    found,
    failures: failed,
  } = await fuzz(target, {
    seed: Number(values.seed),
    corpus: readCorpus(target.name),
    coverage,
    goesOn: () => performance.now() < endMs,
    trying: (input) => watchdog.trying(input),
  });
  const { size } = coverage;
  coverage.stop();
  await watchdog.stop();
  const growth = memory() - before;
  if (values.keep) for (const input of found) addToCorpus(target.name, input);
  console.log(
    `${target.name}: seed ${values.seed}, ${runs} inputs, ${found.length} reached new code, ` +
      `${size} characters of source reached, ${failed.length} failures, memory +${(growth / 2 ** 20).toFixed(1)} MiB`,
  );
  for (const { input, error } of failed) console.log(`${writeFailure(target.name, input)}: ${error}`);
  if (growth > MOST_GROWTH_BYTES) console.log(`${target.name}: memory grew by ${growth} bytes`);
  return failed.length === 0 && growth <= MOST_GROWTH_BYTES;
}

const [name = 'all'] = positionals;
const chosen = TARGETS.filter((target) => name === 'all' || target.name === name);
if (chosen.length === 0)
  throw new Error(`no target ${name}: one of ${TARGETS.map((target) => target.name).join(', ')}`);
for (const target of chosen) {
  if (values.replay !== undefined) await target.run(new Uint8Array(readFileSync(values.replay)));
  else if (!(await fuzzOne(target))) process.exitCode = 1;
}
