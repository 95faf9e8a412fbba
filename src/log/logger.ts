import type { Logger } from '../base/logger.js';
import { ConsoleTransport } from './console.js';
import { formatFlowOfLine, formatLine, type Level } from './format.js';
import type { LogRecord } from './record.js';
import { type LogTargetOptions, LogTargets, type PreparedChange } from './targets.js';

export interface LogOptions extends LogTargetOptions {
  /** Console mode: the terminal as well. */
  readonly console: boolean;
  /** Where the system's log listens, if not at its usual place. */
  readonly syslogPath?: string;
}

/** The daemon's log: file, syslog and terminal, in the original's format (spec/daemon.md). */
export class DaemonLog implements Logger {
  private readonly targets: LogTargets;
  /** Of the last line, for the flow that may follow it. */
  private lastLevel: Level = 'error';

  /** @throws ConntrackdError when the file cannot be opened */
  constructor(options: LogOptions) {
    this.targets = new LogTargets(options, options.console ? [new ConsoleTransport()] : [], options.syslogPath);
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
    this.targets.reopen();
  }

  /** See LogTargets. */
  prepare(options: LogTargetOptions): PreparedChange {
    return this.targets.prepare(options);
  }

  close(): void {
    this.targets.close();
  }

  private write(level: Level, text: string): void {
    this.lastLevel = level;
    const date = new Date();
    this.send({ level, message: text, line: formatLine(level, text, date, process.pid), date });
  }

  private send(record: LogRecord): void {
    this.targets.send(record);
  }
}
