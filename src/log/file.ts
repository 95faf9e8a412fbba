import { closeSync, openSync, writeSync } from 'node:fs';
import { ConntrackdError, reasonOf } from '../base/errors.js';
import { formatLine } from './format.js';
import type { LogRecord } from './record.js';
import { Transport } from './transport.js';

/** Logs may hold addresses of users: for the owner only (spec/findings.md 40). */
const MODE = 0o600;

/**
 * A log file. Lines are written synchronously, as the original does: a line that was logged is in the file even when
 * the next thing that happens is a crash, and lines are too rare (and too limited, see repeat.ts) to matter to the
 * event loop.
 */
export class FileTransport extends Transport {
  private fd: number;
  /** Lines lost since the file could last be written. */
  private lost = 0;

  /** @throws ConntrackdError when the file cannot be opened */
  constructor(private readonly path: string) {
    super();
    this.fd = open(path);
  }

  override log(record: LogRecord, next: () => void): void {
    this.append(record.line, record.date);
    next();
  }

  /** Closes and opens the file again: after it was renamed, the next line begins a new one. */
  reopen(): void {
    const fresh = open(this.path);
    closeSync(this.fd);
    this.fd = fresh;
  }

  override close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private append(line: string, date: Date): void {
    if (this.fd < 0) return;
    const missing = `${this.lost} lines could not be written here`;
    const before = this.lost === 0 ? '' : `${formatLine('warning', missing, date, process.pid)}\n`;
    try {
      writeSync(this.fd, `${before}${line}\n`);
      this.lost = 0;
    } catch {
      // A full disk must not stop the daemon, and there is nowhere to tell it but here, once there is room again.
      this.lost += line.split('\n').length;
    }
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'a', MODE);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const reason = OPEN_REASONS[code] ?? reasonOf(error);
    // The original's words, blank missing as there.
    throw new ConntrackdError('LOG_FILE', `can't open logfile \`${path}'.Reason: ${reason}`);
  }
}

/** strerror(3) texts of what open(2) meets in practice; Node's own messages are worded differently. */
const OPEN_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  EROFS: 'Read-only file system',
  ENOSPC: 'No space left on device',
};
