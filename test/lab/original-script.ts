import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './command.js';
import { runTag } from './run-tag.js';

const INSTALLED = '/usr/share/doc/conntrackd/examples/sync/primary-backup.sh';

/**
 * Path of the role script that Debian's package conntrackd ships as an example. It is run, never read. Systems that
 * install no documentation get it from the package, unpacked into a directory that the lab's sweep removes.
 */
export function originalScript(): string {
  if (existsSync(INSTALLED)) return INSTALLED;
  const directory = mkdtempSync(join(tmpdir(), `${runTag}-`));
  run(['sh', '-c', `cd ${directory} && apt-get download -qq conntrackd`]);
  const archive = readdirSync(directory).find((name) => name.endsWith('.deb')) ?? '';
  run(['dpkg-deb', '--extract', join(directory, archive), directory]);
  if (existsSync(join(directory, `${INSTALLED}.gz`))) run(['gunzip', join(directory, `${INSTALLED}.gz`)]);
  return join(directory, INSTALLED);
}
