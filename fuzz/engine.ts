import { Random } from '../test/simulation/random.js';
import type { Coverage } from './coverage.js';
import { minimise } from './minimise.js';
import { spoil } from './spoil.js';
import type { FuzzTarget } from './target.js';

export interface FuzzOptions {
  readonly seed: number;
  /** Inputs known to be worth changing. */
  readonly corpus: readonly Uint8Array[];
  /** Absent: nothing is kept, the run is the same each time. */
  readonly coverage?: Coverage;
  /** Asked after each batch with the number of inputs so far. */
  readonly goesOn: (runs: number) => boolean;
  /** An input about to be tried; a watchdog keeps it. */
  readonly trying?: (input: Uint8Array) => void;
}

export interface FuzzFailure {
  readonly input: Uint8Array;
  readonly error: string;
}

export interface FuzzResult {
  readonly runs: number;
  /** Inputs that reached new code. */
  readonly found: readonly Uint8Array[];
  /** One per place of failure, made as small as possible. */
  readonly failures: readonly FuzzFailure[];
}

/** V8 takes milliseconds to tell the coverage, so it is asked once for so many inputs. */
const BATCH = 64;
const MOST_CHANGES = 5;
/** How often an input's structure is kept in mind when it is changed. */
const STRUCTURED = 0.6;

/** Changes inputs, tries them, and keeps those that reach code no other reached. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const random = new Random(options.seed);
  const pool = [...options.corpus, ...target.seeds()];
  const found: Uint8Array[] = [];
  const failures = new Map<string, FuzzFailure>();
  const attempt = (input: Uint8Array) => {
    options.trying?.(input);
    return tryOne(target, input, failures);
  };
  // What the known inputs reach is nothing new. A known failure shows at once.
  for (const input of pool) await attempt(input);
  options.coverage?.take(true);
  let runs = pool.length;
  while (options.goesOn(runs)) {
    const batch = Array.from({ length: BATCH }, () => changed(target, pool, random));
    for (const input of batch) await attempt(input);
    runs += batch.length;
    if (!options.coverage?.take(false)) continue;
    for (const input of await newOnes(batch, attempt, options.coverage)) {
      pool.push(input);
      found.push(input);
    }
  }
  return { runs, found, failures: [...failures.values()] };
}

function changed(target: FuzzTarget, pool: readonly Uint8Array[], random: Random): Uint8Array {
  // The latest finds are the least explored.
  const recent = pool.length > 20 && random.chance(0.3) ? pool.slice(-10) : pool;
  let input = random.pick(recent);
  for (let changes = random.between(1, MOST_CHANGES); changes > 0; changes--) {
    input = random.chance(STRUCTURED) ? target.mutate(input, random.pick(pool), random) : spoil(input, random);
  }
  return Uint8Array.from(input.subarray(0, target.longestBytes));
}

/** Which inputs of a batch reach what was never reached: halves are run again until single ones are left. */
async function newOnes(
  batch: readonly Uint8Array[],
  attempt: (input: Uint8Array) => Promise<boolean>,
  coverage: Coverage,
): Promise<Uint8Array[]> {
  coverage.take(false);
  for (const input of batch) await attempt(input);
  if (batch.length === 1) return coverage.take(true) ? [...batch] : [];
  if (!coverage.take(false)) return [];
  const half = batch.length >> 1;
  const first = await newOnes(batch.slice(0, half), attempt, coverage);
  return [...first, ...(await newOnes(batch.slice(half), attempt, coverage))];
}

/** @returns whether all held */
async function tryOne(target: FuzzTarget, input: Uint8Array, failures: Map<string, FuzzFailure>): Promise<boolean> {
  const error = await errorOf(target, input);
  if (error === null) return true;
  const place = placeOf(error);
  if (failures.has(place)) return false;
  failures.set(place, { input, error });
  const same = async (candidate: Uint8Array) => {
    const other = await errorOf(target, candidate);
    return other !== null && placeOf(other) === place;
  };
  failures.set(place, { input: await minimise(input, same), error });
  return false;
}

async function errorOf(target: FuzzTarget, input: Uint8Array): Promise<string | null> {
  try {
    const running = target.run(input);
    if (running !== undefined) await running;
    return null;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** Where it failed: failures at the same line are the same. */
function placeOf(error: string): string {
  return error.split('\n').find((line) => /^\s+at .*(src|fuzz)\//.test(line)) ?? error;
}
