import type winston from 'winston';
import { FileTransport } from './file.js';
import { formatFlowOfLine } from './format.js';
import type { LogRecord } from './record.js';
import { createSink } from './sink.js';
import { SYSLOG_FACILITIES, SyslogTransport } from './syslog.js';
import type { LogTransport } from './transport.js';

export interface ConnectionLogOptions {
  /** Stats LogFile; null: no file. */
  readonly file: string | null;
  /** Stats Syslog; null: no syslog. */
  readonly syslog: string | null;
  /** Where the system's log listens, if not at its usual place. */
  readonly syslogPath?: string;
}

/**
 * The log of ended flows of statistics mode: `Thu Sep 18 18:03:02 2008`, tab, flow line, in the file; the flow line in
 * the system's log, with level info (fixtures/logs/stats-mode.txt).
 *
 * Lines come many at a time and are written that way.
 */
export class ConnectionLog {
  private readonly file: FileTransport | null;
  private readonly sink: winston.Logger;

  /** @throws ConntrackdError when the file cannot be opened */
  constructor(options: ConnectionLogOptions) {
    this.file = options.file === null ? null : new FileTransport(options.file);
    const transports: LogTransport[] = this.file === null ? [] : [this.file];
    const facility = options.syslog === null ? undefined : SYSLOG_FACILITIES[options.syslog];
    if (facility !== undefined) transports.push(new SyslogTransport(facility, options.syslogPath));
    this.sink = createSink(transports);
  }

  /** Whole lines, each with its line feed, latin1 as `TextBuffer` writes them. */
  write(lines: Uint8Array): void {
    const date = new Date();
    const message = Buffer.from(lines.buffer, lines.byteOffset, lines.length - 1).toString('latin1');
    const line = formatFlowOfLine(message, date).replaceAll('\n', `\n${formatFlowOfLine('', date)}`);
    const record: LogRecord = { level: 'info', message, line, date };
    this.sink.log({ ...record });
  }

  /** Opens the file anew, after a rotation. @throws ConntrackdError when that fails; the old one stays in use then */
  reopen(): void {
    this.file?.reopen();
  }

  close(): void {
    this.sink.close();
  }
}
