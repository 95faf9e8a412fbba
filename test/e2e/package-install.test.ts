import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { attempt, run } from '../lab/command.js';
import { projectRoot } from '../lab/project.js';
import { runTag } from '../lab/run-tag.js';

/** scripts/install.sh, into a folder in place of the machine's root. */
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), `${runTag}-install-`));
});
afterEach(() => rmSync(root, { recursive: true }));

const install = (...words: string[]): string =>
  run([join(projectRoot, 'scripts/install.sh'), '--destdir', root, ...words]);
const program = (): string => join(root, 'usr/local/sbin/conntrackd');
/** All files, without the folder before them. */
const files = (): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => !statSync(join(root, path)).isDirectory());

it('installs a program that runs from there, with nothing of tests and benchmarks', () => {
  install();
  expect(run([program(), '-v'])).toContain('TypeScript');
  expect(run([program(), '--check', '-C', join(root, 'etc/conntrackd/conntrackd.conf')])).toContain('no errors');
  expect(files().filter((path) => /test|bench\/|node_modules|\.map$|\.ts$/.test(path))).toEqual([]);
  const licences = readFileSync(join(root, 'usr/local/lib/conntrackd/LICENSES'), 'utf8');
  for (const name of ['chevrotain', 'commander', 'winston', 'lodash-es', 'prom-client', 'tdigest'])
    expect(licences).toContain(`\n${name} `);
  expect(licences).not.toMatch(/^(vitest|typescript|rolldown) /m);
  const unit = readFileSync(join(root, 'usr/local/lib/systemd/system/conntrackd.service'), 'utf8');
  expect(unit).toContain('ExecStart=/usr/local/sbin/conntrackd ');
  // Nothing that others may change.
  expect(files().filter((path) => (statSync(join(root, path)).mode & 0o022) !== 0)).toEqual([]);
});

it('is repeated without harm: the configuration stays, what was there of an older version goes', () => {
  install();
  const configuration = join(root, 'etc/conntrackd/conntrackd.conf');
  appendFileSync(configuration, '# mine\n');
  const old = join(root, 'usr/local/lib/conntrackd/dist/src/bundle/gone.js');
  appendFileSync(old, '');
  const first = files();
  expect(install()).toContain(`kept        ${configuration}`);
  expect(readFileSync(configuration, 'utf8')).toContain('# mine');
  expect(files().sort()).toEqual(first.filter((path) => !path.endsWith('gone.js')).sort());
});

it('removes all of it again, and keeps what somebody has changed', () => {
  install('--prefix', '/opt/conntrackd');
  expect(files()).toContain('opt/conntrackd/sbin/conntrackd');
  install('--uninstall', '--prefix', '/opt/conntrackd');
  expect(files()).toEqual([]);

  install();
  appendFileSync(join(root, 'etc/conntrackd/conntrackd.conf'), '# mine\n');
  install('--uninstall');
  expect(files()).toEqual(['etc/conntrackd/conntrackd.conf']);
});

it('says what is wrong with its options, and does nothing', () => {
  const wrong = attempt([join(projectRoot, 'scripts/install.sh'), '--destdir', 'relative']);
  expect(wrong.status).not.toBe(0);
  expect(wrong.stderr).toContain('absolute path');
  expect(existsSync(join(projectRoot, 'relative'))).toBe(false);
});
