import { formatFlowOfLine } from './format.js';
import { type LogTargetOptions, LogTargets, type PreparedChange } from './targets.js';

export interface ConnectionLogOptions extends LogTargetOptions {
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
  private readonly targets: LogTargets;

  /** @throws ConntrackdError when the file cannot be opened */
  constructor(options: ConnectionLogOptions) {
    this.targets = new LogTargets(options, [], options.syslogPath);
  }

  /** Whole lines, each with its line feed, latin1 as `TextBuffer` writes them. */
  write(lines: Uint8Array): void {
    const date = new Date();
    const message = Buffer.from(lines.buffer, lines.byteOffset, lines.length - 1).toString('latin1');
    const line = formatFlowOfLine(message, date).replaceAll('\n', `\n${formatFlowOfLine('', date)}`);
    this.targets.send({ level: 'info', message, line, date });
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
}
