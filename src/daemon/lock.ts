import {
  closeSync,
  constants,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { ConntrackdError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { isConntrackd, startOfProcess } from './processes.js';

const MODE = 0o600;

/** What a lock file says about its holder. */
export interface LockHolder {
  readonly pid: number;
  /** Clock ticks from boot to the holder's start (proc(5) stat, field 22); tells it from a later owner of its pid. */
  readonly started: string;
}

export interface LockOptions {
  /** LockFile of the configuration. */
  readonly path: string;
  readonly logger: Logger;
  /**
   * Whether a daemon that does not name itself in its lock file may be alive. The original leaves the file empty.
   */
  readonly anonymousHolderLives: () => Promise<boolean>;
}

/**
 * The lock file: one daemon per configuration (spec/daemon.md).
 *
 * The original refuses to start whenever the file exists, so that a crash needs an administrator. This one records
 * who holds it, and takes over what a dead process left.
 */
export class LockFile {
  private constructor(private readonly path: string) {}

  /** @throws ConntrackdError when another daemon holds the lock or the file cannot be made */
  static async acquire(options: LockOptions): Promise<LockFile> {
    const { path, logger } = options;
    if (create(path)) return new LockFile(path);
    const inode = inodeOf(path);
    const holder = readHolder(path);
    if (holder === null ? await options.anonymousHolderLives() : isAlive(holder)) throw held(path);
    const who = holder === null ? 'no conntrackd of this configuration runs' : `process ${holder.pid} is gone`;
    logger.warning(`lockfile \`${path}' was left behind, ${who}: taking it over`);
    discard(path, inode);
    if (!create(path)) throw held(path);
    return new LockFile(path);
  }

  /** Removes the file, unless somebody else took it over. */
  release(): void {
    if (readHolder(this.path)?.pid === process.pid) unlinkSync(this.path);
  }
}

function held(path: string): ConntrackdError {
  return new ConntrackdError('LOCK_HELD', `lockfile \`${path}' exists, perhaps conntrackd already running?`);
}

/** False when the file exists. */
function create(path: string): boolean {
  const own: LockHolder = { pid: process.pid, started: startOfProcess(process.pid) ?? '' };
  try {
    const fd = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, MODE);
    writeSync(fd, `${own.pid}\n${own.started}\n`);
    closeSync(fd);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new ConntrackdError('LOCK_FILE', `can't create lockfile \`${path}': ${message}`, 'check the LockFile clause');
  }
}

/** Null: the file is empty, gone, or not of this program's making. */
function readHolder(path: string): LockHolder | null {
  try {
    const [pid = '', started = ''] = readFileSync(path, 'latin1').split('\n');
    return /^[1-9]\d*$/.test(pid) ? { pid: Number(pid), started } : null;
  } catch {
    return null;
  }
}

function isAlive(holder: LockHolder): boolean {
  const started = startOfProcess(holder.pid);
  if (started === null) return false;
  return holder.started === '' ? isConntrackd(holder.pid) : holder.started === started;
}

function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

/**
 * Removes a stale lock file that had this inode. Of two daemons that start at the same moment, one may already have
 * put its own file in place: that one is put back, and the start fails.
 */
function discard(path: string, inode: number): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    // Gone: creating it anew decides.
    return;
  }
  const foreign = inodeOf(aside) !== inode;
  if (foreign) linkSync(aside, path);
  unlinkSync(aside);
  if (foreign) throw held(path);
}
