import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root directory, whether this file runs as TypeScript or compiled under dist. */
export const projectRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('no package.json above test/lab');
  return findRoot(parent);
}

/**
 * Path of a compiled module of the project, for child processes: `compiled('test/lab/byte-counter')`.
 * @throws Error when the project has not been built
 */
export function compiled(module: string): string {
  const path = join(projectRoot, 'dist', `${module}.js`);
  if (!existsSync(path)) throw new Error(`${path} does not exist: run \`npm run build\` first`);
  return path;
}

/** doc/manual.md. */
export function manual(): string {
  return readFileSync(join(projectRoot, 'doc', 'manual.md'), 'utf8');
}
