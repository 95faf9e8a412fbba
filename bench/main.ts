/**
 * `npm run bench [-- NAME...] [-- OPTIONS]`; doc/performance.md says what is measured and how.
 *
 * Names: `micro` (codecs, table and format), `e2e` (all end-to-end sessions), those of single sessions, `scale` (ours at
 * several sizes) and `report`: all of the end-to-end sessions and `scale`, written into doc/performance.md.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/lab/project.js';
import { textOf, writeDocument } from './end-to-end/document.js';
import { type BenchOptions, type Results, runEndToEnd, SESSION_NAMES } from './end-to-end/run.js';

const MICRO = [
  'micro-event',
  'micro-receive',
  'micro-netlink',
  'micro-wire',
  'micro-table',
  'micro-format',
  'micro-seal',
  'micro-talkers',
] as const;
/** What stands for several. */
const GROUPS = ['micro', 'e2e', 'scale', 'report'] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    flows: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '100000,1000000' },
    only: { type: 'string', default: 'both' },
    json: { type: 'string', default: '' },
    from: { type: 'string', default: '' },
    document: { type: 'string', default: join(projectRoot, 'doc', 'performance.md') },
  },
});

function usage(problem: string): never {
  console.error(`bench: ${problem}`);
  console.error(`names: ${[...GROUPS, ...SESSION_NAMES, 'floor', ...MICRO].join(' ')}`);
  console.error('options: --flows N --rounds R --sizes N,N,... --only ours|original|both --json FILE');
  console.error('of report: --document FILE, --from FILE (results that --json wrote, instead of measuring)');
  process.exit(2);
}

function positive(text: string, name: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) usage(`--${name} takes a positive number, not '${text}'`);
  return number;
}

function runMicro(name: string): void {
  const script = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--expose-gc', script], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function endToEndOptions(names: readonly string[]): BenchOptions {
  const { only } = values;
  if (only !== 'ours' && only !== 'original' && only !== 'both') usage(`--only knows no '${only}'`);
  const all = names.includes('e2e') || names.includes('report');
  const scale = names.includes('scale') || names.includes('report');
  return {
    sessions: SESSION_NAMES.filter((name) => all || names.includes(name)),
    floors: all || names.includes('floor'),
    only,
    flows: positive(values.flows, 'flows'),
    rounds: positive(values.rounds, 'rounds'),
    scale: scale ? values.sizes.split(',').map((size) => positive(size, 'sizes')) : [],
  };
}

async function results(names: readonly string[]): Promise<Results> {
  if (values.from !== '') return JSON.parse(readFileSync(values.from, 'utf8')) as Results;
  return runEndToEnd(endToEndOptions(names));
}

const names = positionals.length === 0 ? ['micro', 'e2e'] : positionals;
const known = [...GROUPS, ...SESSION_NAMES, 'floor', ...MICRO] as readonly string[];
for (const name of names) if (!known.includes(name)) usage(`there is no benchmark '${name}'`);

for (const name of MICRO) if (names.includes('micro') || names.includes(name)) runMicro(name);

if (names.some((name) => !name.startsWith('micro'))) {
  const found = await results(names);
  console.log(`\n${textOf(found)}`);
  if (values.json !== '') writeFileSync(values.json, `${JSON.stringify(found, null, 2)}\n`);
  if (names.includes('report')) writeDocument(values.document, found);
}
