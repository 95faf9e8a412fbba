/**
 * `npm run bench [-- NAME...] [-- --flows N --rounds R]`; doc/performance.md says what is measured and how.
 *
 * Names: `micro` (codecs, table and format), `e2e` (all end-to-end sessions), or those of single sessions.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BenchOptions, runEndToEnd, SESSION_NAMES } from './end-to-end/run.js';

const MICRO = ['micro-event', 'micro-netlink', 'micro-wire', 'micro-table', 'micro-format'] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    flows: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: 'both' },
    json: { type: 'string', default: '' },
  },
});

function usage(problem: string): never {
  console.error(`bench: ${problem}`);
  console.error(`names: micro e2e ${SESSION_NAMES.join(' ')} ${MICRO.join(' ')}`);
  console.error('options: --flows N --rounds R --only ours|original|both --json FILE');
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

function endToEndOptions(sessions: readonly string[]): BenchOptions {
  const { only } = values;
  if (only !== 'ours' && only !== 'original' && only !== 'both') usage(`--only knows no '${only}'`);
  return {
    sessions,
    only,
    flows: positive(values.flows, 'flows'),
    rounds: positive(values.rounds, 'rounds'),
    json: values.json,
  };
}

const names = positionals.length === 0 ? ['micro', 'e2e'] : positionals;
const known = ['micro', 'e2e', ...SESSION_NAMES, ...MICRO];
for (const name of names) if (!known.includes(name)) usage(`there is no benchmark '${name}'`);

for (const name of MICRO) if (names.includes('micro') || names.includes(name)) runMicro(name);

const sessions = SESSION_NAMES.filter((name) => names.includes('e2e') || names.includes(name));
if (sessions.length > 0) await runEndToEnd(endToEndOptions(sessions));
