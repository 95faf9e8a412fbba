import type winston from 'winston';
import type { Logger } from '../base/logger.js';
import { ConsoleTransport } from './console.js';
import { FileTransport } from './file.js';
import { formatFlowOfLine, formatLine, type Level } from './format.js';
import type { LogRecord } from './record.js';
import { createSink } from './sink.js';
import { SYSLOG_FACILITIES, SyslogTransport } from './syslog.js';
import type { LogTransport } from './transport.js';

export interface LogOptions {
  /** LogFile; null: no file. */
  readonly file: string | null;
  /** Syslog facility, `daemon` or `local0` to `local7`; null: no syslog. */
  readonly syslog: string | null;
  /** Console mode: the terminal as well. */
  readonly console: boolean;
  /** Where the system's log listens, if not at its usual place. */
  readonly syslogPath?: string;
}

/** The daemon's log: file, syslog and terminal, in the original's format (spec/daemon.md). */
export class DaemonLog implements Logger {
  private readonly files: FileTransport[] = [];
  private readonly sink: winston.Logger;
  /** Of the last line, for the flow that may follow it. */
  private lastLevel: Level = 'error';

  /** @throws ConntrackdError when the file cannot be opened */
  constructor(options: LogOptions) {
    const transports: LogTransport[] = [];
    if (options.file !== null) this.files.push(new FileTransport(options.file));
    transports.push(...this.files);
    const facility = options.syslog === null ? undefined : SYSLOG_FACILITIES[options.syslog];
    if (facility !== undefined) transports.push(new SyslogTransport(facility, options.syslogPath));
    if (options.console) transports.push(new ConsoleTransport());
    this.sink = createSink(transports);
  }

  info(text: string): void {
    this.write('info', text);
  }

  notice(text: string): void {
    this.write('notice', text);
  }

  warning(text: string): void {
    this.write('warning', text);
  }

  error(text: string): void {
    this.write('error', text);
  }

  raw(text: string): void {
    const date = new Date();
    this.send({ level: this.lastLevel, message: text, line: formatFlowOfLine(text, date), date });
  }

  /** Opens the file anew, after a rotation. @throws ConntrackdError when that fails; the old one stays in use then */
  reopen(): void {
    for (const file of this.files) file.reopen();
  }

  close(): void {
    this.sink.close();
  }

  private write(level: Level, text: string): void {
    this.lastLevel = level;
    const date = new Date();
    this.send({ level, message: text, line: formatLine(level, text, date, process.pid), date });
  }

  private send(record: LogRecord): void {
    this.sink.log({ ...record });
  }
}
