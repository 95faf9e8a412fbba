import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { attempt } from '../lab/command.js';
import { projectRoot } from '../lab/project.js';

/** Folders of the project in which a file may be a shell script. */
const FOLDERS = ['.ci', 'bench', 'bin', 'examples', 'native', 'packaging', 'scripts', 'test'];

const scripts = FOLDERS.flatMap((folder) =>
  readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
).filter((path) => {
  const file = join(projectRoot, path);
  return statSync(file).isFile() && /^#!.*\b(ba|da)?sh\b/.test(readFileSync(file, 'latin1').slice(0, 64));
});

it('finds the scripts', () => {
  expect(scripts).toEqual(
    expect.arrayContaining(['.ci/run', 'packaging/debian/postinst', 'scripts/install.sh', 'scripts/primary-backup.sh']),
  );
});

describe.each(scripts)('%s', (path) => {
  it('has nothing that shellcheck knows to be wrong', () => {
    expect(attempt(['shellcheck', join(projectRoot, path)])).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
