import { resolve } from 'node:path';
import { describe } from '../base/errors.js';
import { type Diagnostic, diagnosticDetail } from '../config/diagnostics.js';
import type { Config } from '../config/model.js';
import { printError } from '../log/console.js';
import { formatLine } from '../log/format.js';
import { DaemonLog } from '../log/logger.js';
import { setProcessTitle } from '../native/index.js';
import { ParentLink } from './background.js';
import { loadConfig } from './config-file.js';
import type { Compose } from './daemon.js';
import { Lifecycle } from './lifecycle.js';
import { THREAD_NAME } from './processes.js';

export interface DaemonOptions {
  /** As given with `-C`; may be relative. */
  readonly configPath: string;
  /** process.argv without the interpreter: the script, then its options as typed. */
  readonly argv: readonly string[];
}

/**
 * Runs the daemon in this process: in the foreground, or in the background when `startInBackground` started the
 * process. Resolves when it serves; ends the process with status 1 when it cannot.
 */
export async function runDaemon(options: DaemonOptions, compose: Compose): Promise<void> {
  const parent = ParentLink.take(process.env);
  setProcessTitle(THREAD_NAME, [THREAD_NAME, ...options.argv.slice(1)].join(' '));
  const { config, diagnostics } = await loadConfig(resolve(options.configPath));
  for (const diagnostic of diagnostics) printDiagnostic(diagnostic);
  if (config === null) process.exit(1);
  const log = openLog(config, parent === null);
  try {
    await new Lifecycle(config, log, parent).start(compose);
  } catch (error) {
    report(error, log, parent !== null);
    process.exit(1);
  }
}

function printDiagnostic(diagnostic: Diagnostic): void {
  printError(formatLine(diagnostic.severity, diagnostic.message, new Date(), process.pid));
  for (const line of diagnosticDetail(diagnostic)) printError(line);
}

function openLog(config: Config, console: boolean): DaemonLog {
  const { logFile, syslog } = config.general;
  try {
    return new DaemonLog({ file: logFile, syslog, console });
  } catch (error) {
    // The original does not start without its log, and says why in these words (without a time).
    printError(`ERROR: ${describe(error)}`);
    process.exit(1);
  }
}

/** Says why the daemon cannot start: to the log, and to whoever waits for it in front of a terminal. */
function report(error: unknown, log: DaemonLog, background: boolean): void {
  const held = error instanceof Error && 'code' in error && error.code === 'LOCK_HELD';
  const texts = held
    ? [describe(error)]
    : [describe(error), 'conntrackd cannot start, please review your configuration'];
  for (const text of texts) {
    log.error(text);
    if (background) printError(formatLine('error', text, new Date(), process.pid));
  }
}
