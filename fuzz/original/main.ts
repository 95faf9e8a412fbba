/**
 * `npm run fuzz:original -- [--runs N] [--seed N]`: the same configuration files through conntrackd 1.4.7 and through this
 * parser. A client request reads the file before it looks for the daemon, so that its message tells whether the file was
 * refused; nothing of the system is touched. Exit code 1 when one accepts what the other refuses.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseConfig } from '../../src/config/index.js';
import { readCorpus, writeFailure } from '../corpus.js';
import { fuzz } from '../engine.js';
import { config } from '../targets/config.js';

const ORIGINAL = '/usr/sbin/conntrackd';
/** Some milliseconds each. */
const TIMEOUT_MS = 10_000;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});

const directory = mkdtempSync(join(tmpdir(), 'conntrackd-original-'));
const file = join(directory, 'conf');
const protocols = readFileSync('/etc/protocols', 'utf8');

/** @returns its first error about the file, null when it accepts it */
function refusalThere(text: Uint8Array): string | null {
  writeFileSync(file, text);
  const { stderr, signal } = spawnSync(ORIGINAL, ['-C', file, '-s'], { encoding: 'latin1', timeout: TIMEOUT_MS });
  if (signal !== null) return `died of ${signal}`;
  const errors = [...stderr.matchAll(/^\[[^\]]*\] \(pid=\d+\) \[ERROR\] (.*)$/gm)].map(([, message]) => message!);
  return errors.find((message) => !message.startsWith("can't connect")) ?? null;
}

/**
 * Files that are meant to be read differently (doc/compatibility.md, "Configuration"; spec/config.md, "Fine print"):
 * bytes beyond ASCII and NUL, numbers beyond 32 bits, `|`, interfaces named in hexadecimal digits, PERSISTENT, paths before a tab.
 */
const MEANT = /\/\S*[\t\r]|[^\t\n\x20-\x7e]|\d{10}|\||\bInterface\s+(#.*\n\s*)*([^A-Za-z]|[0-9a-f]{1,4}\b)|PERSISTENT/i;

let compared = 0;
const differences: string[] = [];

function compare(text: Uint8Array): void {
  if (MEANT.test(Buffer.from(text).toString('latin1'))) return;
  const interfaceExists = (name: string) => name === 'lo';
  const { config: read, diagnostics } = parseConfig(text, 'conf', { protocols, interfaceExists });
  const there = refusalThere(text);
  compared++;
  if ((there === null) === (read !== null)) return;
  const here = diagnostics.find(({ severity }) => severity === 'error')?.message ?? 'accepted';
  differences.push(`${writeFailure('config-original', text)}: there ${there ?? 'accepted'}, here ${here}`);
}

const inputs: Uint8Array[] = [];
await fuzz(
  { ...config, run: (input) => void inputs.push(input) },
  {
    seed: Number(values.seed),
    corpus: readCorpus('config'),
    goesOn: (runs) => runs < Number(values.runs),
  },
);
// A last line without its end is read differently on purpose.
for (const input of inputs) compare(Buffer.concat([input, Buffer.from('\n')]));
rmSync(directory, { recursive: true });
console.log(`seed ${values.seed}: ${inputs.length} files, ${compared} compared, ${differences.length} differ`);
for (const difference of differences.slice(0, 20)) console.log(difference);
if (differences.length > 0) process.exitCode = 1;
