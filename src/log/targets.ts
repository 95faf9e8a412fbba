import type winston from 'winston';
import { FileTransport } from './file.js';
import type { LogRecord } from './record.js';
import { createSink } from './sink.js';
import { SYSLOG_FACILITIES, SyslogTransport } from './syslog.js';
import type { LogTransport } from './transport.js';

/** What a log's two clauses say. */
export interface LogTargetOptions {
  /** LogFile; null: no file. */
  readonly file: string | null;
  /** Syslog facility, `daemon` or `local0` to `local7`; null: no syslog. */
  readonly syslog: string | null;
}

/** A change for which everything that can fail has been done. One of the two is to be called, once. */
export interface PreparedChange {
  apply(): void;
  cancel(): void;
}

/** Where the lines of one log go: a file, the system's log, and what else the log has. All of it may change. */
export class LogTargets {
  private readonly sink: winston.Logger;
  private file: FileTransport | null;
  private syslog: SyslogTransport | null;

  /**
   * @param others targets that stay
   * @param syslogPath where the system's log listens, if not at its usual place
   * @throws ConntrackdError when the file cannot be opened
   */
  constructor(
    private options: LogTargetOptions,
    private readonly others: readonly LogTransport[] = [],
    private readonly syslogPath?: string,
  ) {
    this.file = openFile(options.file);
    this.syslog = this.openSyslog(options.syslog);
    this.sink = createSink(this.all());
  }

  send(record: LogRecord): void {
    this.sink.log({ ...record });
  }

  /** Opens the file anew, after a rotation. @throws ConntrackdError when that fails; the old one stays in use then */
  reopen(): void {
    this.file?.reopen();
  }

  /** Gets ready to write elsewhere. @throws ConntrackdError when the file cannot be opened; nothing changes then */
  prepare(options: LogTargetOptions): PreparedChange {
    const file = options.file === this.options.file ? this.file : openFile(options.file);
    const syslog = options.syslog === this.options.syslog ? this.syslog : this.openSyslog(options.syslog);
    const old = [this.file, this.syslog];
    return {
      apply: () => {
        this.file = file;
        this.syslog = syslog;
        this.options = options;
        this.replace(old, [file, syslog]);
      },
      cancel: () => {
        for (const target of [file, syslog]) if (!old.includes(target)) target?.close();
      },
    };
  }

  close(): void {
    this.sink.close();
  }

  private replace(old: readonly (LogTransport | null)[], fresh: readonly (LogTransport | null)[]): void {
    for (const target of fresh) if (target !== null && !old.includes(target)) this.sink.add(target);
    // One that is removed closes itself.
    for (const target of old) if (target !== null && !fresh.includes(target)) this.sink.remove(target);
    this.sink.silent = this.all().length === 0;
  }

  private all(): LogTransport[] {
    return [this.file, this.syslog, ...this.others].filter((target) => target !== null);
  }

  private openSyslog(name: string | null): SyslogTransport | null {
    const facility = name === null ? undefined : SYSLOG_FACILITIES[name];
    return facility === undefined ? null : new SyslogTransport(facility, this.syslogPath);
  }
}

function openFile(path: string | null): FileTransport | null {
  return path === null ? null : new FileTransport(path);
}
