import { existsSync, readFileSync } from 'node:fs';

/** The package's description: two folders up in the sources, three when compiled to `dist`. */
const MANIFEST = ['../../package.json', '../../../package.json']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(url))!;

export const { version: VERSION } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string };
