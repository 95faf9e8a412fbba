import { describe, expect, it } from 'vitest';
import { readCorpus } from '../../fuzz/corpus.js';
import { fuzz } from '../../fuzz/engine.js';
import type { FuzzTarget } from '../../fuzz/target.js';
import { TARGETS } from '../../fuzz/targets/index.js';

/** Inputs made from each target's corpus, some seconds in all. `npm run fuzz` tries more, guided by coverage. */
const RUNS: Readonly<Record<string, number>> = {
  wire: 3000,
  receiver: 1500,
  netlink: 1500,
  config: 600,
  control: 128,
  stream: 3000,
};
const SEED = Number(process.env.FUZZ_SEED ?? 1);

describe('whatever the bytes are', () => {
  it.each(TARGETS)('$name: the corpus, and inputs made from it', async (target) => {
    const runs = RUNS[target.name]!;
    const corpus = readCorpus(target.name);
    let tried = 0;
    const { failures } = await fuzz(target, {
      seed: SEED,
      corpus,
      goesOn: (count) => {
        tried = count;
        return count < runs + corpus.length;
      },
    });
    const told = failures.map(({ input, error }) => `${Buffer.from(input).toString('hex')}: ${error}`);
    expect(told, `FUZZ_SEED=${SEED}`).toEqual([]);
    expect(tried).toBeGreaterThanOrEqual(runs);
  });
});

describe('the engine', () => {
  /** Fails on two letters in order, wherever they stand. */
  const picky: FuzzTarget = {
    name: 'picky',
    covers: [],
    longestBytes: 200,
    seeds: () => [Buffer.from('what is said here does not matter, z')],
    mutate: (input, other) => Buffer.concat([input, other.subarray(3, 9)]),
    run(input) {
      const text = Buffer.from(input).toString('latin1');
      if (/x.*h/s.test(text)) throw new Error('x before h');
    },
  };

  it('finds what fails, once, and makes it small', async () => {
    const { failures } = await fuzz(picky, { seed: 3, corpus: [], goesOn: (runs) => runs < 30_000 });
    expect(failures.map(({ input }) => Buffer.from(input).toString('latin1'))).toEqual(['xh']);
  });

  it('does the same each time it is given the same seed', async () => {
    const tries = async () => {
      const tried: string[] = [];
      const trying = (input: Uint8Array) => tried.push(Buffer.from(input).toString('hex'));
      await fuzz(picky, { seed: 5, corpus: [], trying, goesOn: (runs) => runs < 500 });
      return tried;
    };
    const first = await tries();
    expect(first.length).toBeGreaterThan(500);
    expect(await tries()).toEqual(first);
  });
});
