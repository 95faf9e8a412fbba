import { expect, it } from 'vitest';
import { ExpectationCommit, type ExpectationKernel } from '../../../src/cache/expectation-commit.js';
import { makeEntry } from '../../../src/cache/expectation-entry.js';
import { type Expectation, expectationKey } from '../../../src/flow/expectation.js';
import { expectationOf } from '../../support/expectation.js';

const ENOENT = 2;
const EEXIST = 17;
const EINVAL = 22;

/** A kernel with batches of four that keeps expectations, and whether they came with their setup. */
class FakeKernel implements ExpectationKernel {
  readonly held = new Map<string, { timeout: number; setup: boolean }>();
  submits = 0;
  broken: Error | null = null;
  private batch: (() => void)[] = [];
  private failed: (tag: number, errno: number) => void = () => {};

  constructor(private readonly refusal: (expectation: Expectation, setup: boolean) => number = () => 0) {}

  get room(): number {
    return 4 - this.batch.length;
  }

  createExpectation(expectation: Expectation, timeout: number, setup: boolean, tag: number): void {
    const key = expectationKey(expectation);
    this.batch.push(() => {
      const errno = this.held.has(key) ? EEXIST : this.refusal(expectation, setup);
      if (errno !== 0) this.failed(tag, errno);
      else this.held.set(key, { timeout, setup });
    });
  }

  deleteExpectation(expectation: Expectation): void {
    this.batch.push(() => this.held.delete(expectationKey(expectation)));
  }

  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void {
    expect(this.batch.length).toBeLessThanOrEqual(4);
    this.submits++;
    this.failed = failed;
    const requests = this.batch.splice(0);
    if (this.broken === null) for (const request of requests) request();
    done(this.broken);
  }

  errorText(errno: number): string {
    return `error ${errno}`;
  }
}

/** Commits expectations that came `ageSeconds` ago. @returns the log */
async function commit(
  expectations: Expectation[],
  kernel: FakeKernel,
  { commitTimeout = null as number | null, ageSeconds = 0, sliceMs = 0 } = {},
): Promise<string[]> {
  const log: string[] = [];
  const write = (text: string) => log.push(text);
  let nowMs = 100_000;
  const commit = new ExpectationCommit(
    {
      entries: expectations.map((expectation) => makeEntry(expectationKey(expectation), expectation, 100 - ageSeconds)),
      kernel,
      clock: {
        monotonicMs: () => {
          nowMs += sliceMs;
          return nowMs;
        },
        wallSeconds: () => 0,
      },
      log: { info: write, notice: write, warning: write, error: write, raw: write },
      commitTimeout,
    },
    () => log.push('done'),
  );
  await commit.run();
  return log.map((line) => line.replace(/taken \d+\.\d{6} /, 'taken S '));
}

const done = ['commit has taken S seconds', 'done'];

it('gives each what is left of its time', async () => {
  const kernel = new FakeKernel();
  expect(
    await commit([expectationOf(1, 1), expectationOf(1, 2, { timeout: null })], kernel, { ageSeconds: 100 }),
  ).toEqual(['Committed 2 new expectations', ...done]);
  expect([...kernel.held.values()].map(({ timeout }) => timeout)).toEqual([200, 60]);
});

it('gives each CommitTimeout when there is one', async () => {
  const kernel = new FakeKernel();
  await commit([expectationOf(1, 1)], kernel, { commitTimeout: 180, ageSeconds: 1000 });
  expect([...kernel.held.values()]).toEqual([{ timeout: 180, setup: true }]);
});

it('recreates what exists, in batches that fit', async () => {
  const kernel = new FakeKernel();
  const expectations = Array.from({ length: 11 }, (_, port) => expectationOf(1, port));
  await commit(expectations, kernel, { ageSeconds: 0 });
  expect(await commit(expectations, kernel, { commitTimeout: 7, sliceMs: 5 })).toEqual([
    'Committed 11 new expectations',
    ...done,
  ]);
  expect([...kernel.held.values()].every(({ timeout }) => timeout === 7)).toBe(true);
});

it('leaves the setup out where the kernel does not know it, new or existing', async () => {
  const kernel = new FakeKernel((_, setup) => (setup ? EINVAL : 0));
  const expectations = [1, 2, 3, 4, 5].map((port) => expectationOf(1, port, { functionName: 'nat-follow-master' }));
  for (let round = 0; round < 2; round++) {
    expect(await commit(expectations, kernel)).toEqual(['Committed 5 new expectations', ...done]);
    expect([...kernel.held.values()].every(({ setup }) => !setup)).toBe(true);
  }
});

it('logs what the kernel refuses, like the original, and counts it', async () => {
  const kernel = new FakeKernel(({ master }) => (master.words[0] === 0x0a000001 ? ENOENT : 0));
  expect(await commit([expectationOf(1, 1), expectationOf(2, 1)], kernel)).toEqual([
    `commit-create: error ${ENOENT}`,
    expect.stringMatching(/^300 proto=6 src=1\.0\.0\.10 .* helper=ftp$/),
    'Committed 1 new expectations',
    "1 expectations can't be committed",
    ...done,
  ]);
});

it('does not fill the disk with refusals', async () => {
  const kernel = new FakeKernel(() => EINVAL);
  const log = await commit(
    Array.from({ length: 500 }, (_, port) => expectationOf(1, port)),
    kernel,
  );
  expect(log.length).toBeLessThan(50);
  expect(log).toContain("500 expectations can't be committed");
});
