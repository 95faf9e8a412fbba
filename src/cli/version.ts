import { readFileSync } from 'node:fs';

/** Beside `dist`, which holds this file as `dist/src/cli/version.js`. */
const MANIFEST = new URL('../../../package.json', import.meta.url);

const { version } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string };

/** What `-v` prints. Scripts look for a `v` and digits, as the original's text has them. */
export const VERSION_TEXT = `Connection tracking userspace daemon v${version} (TypeScript). Licensed under MIT.`;
