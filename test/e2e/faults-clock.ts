import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Daemon } from '../lab/daemon.js';
import { runTag } from '../lab/run-tag.js';

/** In the directory of a daemon's configuration: by how many hours its wall clock is wrong. */
const CLOCK_FILE = 'clock';

/**
 * Replaces what JavaScript reads of the wall clock. There is one clock for the whole machine, which is not a test's to
 * set, and time namespaces have none of their own (time_namespaces(7)).
 */
const SHIM = `
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
const file = join(dirname(process.argv[process.argv.indexOf('-C') + 1] ?? '/'), '${CLOCK_FILE}');
const RealDate = Date;
const wrongBy = () => {
  try {
    return Number(readFileSync(file, 'utf8')) * 3_600_000;
  } catch {
    return 0;
  }
};
globalThis.Date = class extends RealDate {
  constructor(...words) {
    super(...(words.length === 0 ? [RealDate.now() + wrongBy()] : words));
  }
  static now() {
    return RealDate.now() + wrongBy();
  }
};
`;

/** Daemons that `start` starts have a wall clock that setClock sets. */
export async function withSettableClock<T>(start: () => Promise<T>): Promise<T> {
  const shim = join(tmpdir(), `${runTag}-clock.mjs`);
  writeFileSync(shim, SHIM);
  process.env.NODE_OPTIONS = `--import ${pathToFileURL(shim).href}`;
  try {
    return await start();
  } finally {
    delete process.env.NODE_OPTIONS;
  }
}

/** Sets the wall clock of a daemon to the right time and so many hours. */
export function setClock({ directory }: Daemon, hours: number): void {
  writeFileSync(join(directory, CLOCK_FILE), String(hours));
}
