import { existsSync, readFileSync } from 'node:fs';

/** The package's description: two folders up in the sources, three when compiled to `dist`. */
const MANIFEST = ['../../package.json', '../../../package.json']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(url))!;

const { version } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string };

/** What `-v` prints; the first words are the original's. */
export const VERSION_TEXT = `Connection tracking userspace daemon v${version} (TypeScript). Licensed under MIT.`;
