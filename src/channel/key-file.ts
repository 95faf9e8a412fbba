import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ConntrackdError, reasonOf } from '../base/errors.js';
import { Seal, type SealClock } from './seal.js';

/** 256 bits in hexadecimal digits. */
const KEY = /^[0-9a-f]{64}$/i;
/** Far more than two keys and remarks need. */
const MOST_BYTES = 16 * 1024;
/** Nobody but the owner may read or write it. */
const OTHERS = 0o077;
const HOW = 'make one with: (umask 077; openssl rand -hex 32 >FILE)';

/**
 * The keys in a file: a line of 64 hexadecimal digits each, the first seals, all open. Empty lines and those that begin
 * with `#` do not count.
 * @throws ConntrackdError KEY_FILE when it cannot be read, others may read it, or it holds no keys
 */
export function readKeyFile(path: string): Buffer[] {
  const lines = contentOf(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) throw keyError(path, 'holds no key', HOW);
  return lines.map((line, index) => {
    // The line is not shown: it may be a key with a slip in it.
    if (!KEY.test(line)) throw keyError(path, `key ${index + 1} is not 64 hexadecimal digits`, HOW);
    return Buffer.from(line, 'hex');
  });
}

function contentOf(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw keyError(path, `cannot be read: ${reasonOf(error)}`, HOW);
  }
  try {
    checkOwner(path, fd);
    const bytes = Buffer.alloc(MOST_BYTES);
    const length = readSync(fd, bytes);
    if (length === MOST_BYTES) throw keyError(path, `is longer than ${MOST_BYTES} bytes`, HOW);
    return bytes.toString('latin1', 0, length);
  } finally {
    closeSync(fd);
  }
}

function checkOwner(path: string, fd: number): void {
  const { mode, uid } = fstatSync(fd);
  if ((mode & 0o170000) !== 0o100000) throw keyError(path, 'is no file', HOW);
  if (uid !== 0 && uid !== process.geteuid?.()) throw keyError(path, `belongs to user ${uid}`, `chown root ${path}`);
  if ((mode & OTHERS) !== 0) {
    throw keyError(path, `others than its owner may use it (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${path}`);
  }
}

function keyError(path: string, what: string, advice: string): ConntrackdError {
  return new ConntrackdError('KEY_FILE', `KeyFile ${path}: ${what}`, advice);
}

/** The seals of the links: links with the same file share one, so that a packet heard on one is known on all. */
export class Seals {
  private readonly byPath = new Map<string, Seal>();

  constructor(private readonly clock: SealClock) {}

  /** @param path null: plain text. @throws ConntrackdError KEY_FILE */
  of(path: string | null): Seal | null {
    if (path === null) return null;
    const known = this.byPath.get(path);
    if (known !== undefined) return known;
    const seal = new Seal(readKeyFile(path), this.clock);
    this.byPath.set(path, seal);
    return seal;
  }

  /**
   * Reads the files again; those of one that fails stay as they are.
   * @returns what was done, a line for each file. @throws ConntrackdError KEY_FILE
   */
  reload(): string[] {
    const read = [...this.byPath].map(([path, seal]) => ({ path, seal, keys: readKeyFile(path) }));
    return read.map(({ path, seal, keys }) => {
      seal.setKeys(keys);
      return `KeyFile ${path}: ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`;
    });
  }
}
