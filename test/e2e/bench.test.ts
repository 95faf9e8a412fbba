import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MEASURE_KEYS, MEASURES } from '../../bench/end-to-end/measures.js';
import type { Results } from '../../bench/end-to-end/run.js';
import { attemptInBackground } from '../lab/command.js';
import { projectRoot } from '../lab/project.js';

/** So few that numbers mean nothing: what is tested is that everything runs and every row is there. */
const FLOWS = 500;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bench-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function bench(...words: string[]): Promise<Results> {
  const json = join(directory, 'results.json');
  const options = ['--flows', String(FLOWS), '--rounds', '1', '--json', json];
  const command = [process.execPath, join(projectRoot, 'bench', 'run.mjs'), ...words, ...options];
  const { status, stderr } = await attemptInBackground(command, { timeoutMs: 170_000 });
  expect(status, stderr).toBe(0);
  return JSON.parse(readFileSync(json, 'utf8')) as Results;
}

it('the benchmark measures every row, and writes table and charts into the document', async () => {
  const document = join(directory, 'performance.md');
  const results = await bench('report', '--only', 'ours', '--sizes', String(FLOWS), '--document', document);
  expect(results.rows.map(({ key }) => key)).toEqual(MEASURE_KEYS);
  for (const { key, ours, floor } of results.rows) {
    // Memory may shrink by more than so few flows take.
    expect(ours, key).toSatisfy((value: number) => Number.isFinite(value) && (value >= 0 || key.endsWith('Memory')));
    if (key === 'senderNew') expect(floor).toBeGreaterThan(0);
  }
  expect(results.scale.map(({ values }) => values.length)).toEqual(results.scale.map(() => 1));
  const [senderNew] = results.scale;
  expect(senderNew?.values).toEqual([{ flows: FLOWS, value: expect.any(Number), part: expect.any(Number) }]);
  expect(Object.keys(results.kernelCostsBySize)).toEqual([String(FLOWS)]);
  const text = readFileSync(document, 'utf8');
  for (const key of MEASURE_KEYS) expect(text).toContain(`| ${MEASURES[key].name} `);
  const charts = readdirSync(directory).filter((name) => name.endsWith('.svg'));
  expect(charts).toHaveLength(3);
  for (const chart of charts) expect(text).toContain(`](${chart})`);
});

it('the original is measured by the same sessions, with its own script', async () => {
  const { rows } = await bench('takeover', '--only', 'original');
  expect(rows.map(({ key }) => key)).toEqual([
    'takeover',
    'takeoverBeside',
    'failover',
    'failoverBeside',
    'failoverScript',
  ]);
  for (const row of rows) {
    expect(row.original).toBeGreaterThan(0);
    expect(row.ours).toBeNull();
  }
});
