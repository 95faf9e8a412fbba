import { type Diagnostic, formatDiagnostic } from './diagnostics.js';
import { parseConfig } from './parse.js';
import { printConfig } from './print.js';
import { type CheckEnvironment, remarksAtStart } from './remarks.js';

export interface CheckReport {
  readonly stdout: string;
  readonly stderr: string;
  /** 0: the daemon would start with it. 1: it would not. */
  readonly exitCode: 0 | 1;
}

/** What there is to say about a file, for programs. */
export interface CheckFindings {
  readonly file: string;
  /** Whether a daemon would start with it. */
  readonly valid: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

/** The same as `checkReport`, as data. */
export function checkJson(
  content: Uint8Array | string,
  fileName: string,
  environment: CheckEnvironment,
): CheckFindings {
  const { all, valid } = examine(content, fileName, environment);
  return { file: fileName, valid, diagnostics: all };
}

/**
 * What `conntrackd --check` says about a file: errors and warnings on stderr, and on stdout a verdict or, with `print`,
 * the effective configuration.
 */
export function checkReport(
  content: Uint8Array | string,
  fileName: string,
  options: { readonly print: boolean; readonly environment?: CheckEnvironment },
): CheckReport {
  const environment = options.environment ?? {};
  const { config, all, valid } = examine(content, fileName, environment);
  const stderr = all.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join('');
  if (!valid || config === null) return { stdout: '', stderr, exitCode: 1 };
  const verdict = `${fileName}: ${all.length === 0 ? 'no errors' : `no errors, ${counted(all.length, 'warning')}`}\n`;
  return { stdout: options.print ? printConfig(config) : verdict, stderr, exitCode: 0 };
}

function examine(content: Uint8Array | string, fileName: string, environment: CheckEnvironment) {
  const { config, diagnostics } = parseConfig(content, fileName, environment);
  const all = config === null ? diagnostics : [...diagnostics, ...remarksAtStart(config, environment)];
  return { config, all, valid: config !== null && all.every(({ severity }) => severity !== 'error') };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
