import { formatDiagnostic } from './diagnostics.js';
import { parseConfig } from './parse.js';
import { printConfig } from './print.js';
import { type CheckEnvironment, remarksAtStart } from './remarks.js';

export interface CheckReport {
  readonly stdout: string;
  readonly stderr: string;
  /** 0: the daemon would start with it. 1: it would not. */
  readonly exitCode: 0 | 1;
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
  const { config, diagnostics } = parseConfig(content, fileName, environment);
  const all = config === null ? diagnostics : [...diagnostics, ...remarksAtStart(config, environment)];
  const errors = all.filter(({ severity }) => severity === 'error').length;
  const stderr = all.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join('');
  if (errors > 0 || config === null) return { stdout: '', stderr, exitCode: 1 };
  const verdict = `${fileName}: ${all.length === 0 ? 'no errors' : `no errors, ${counted(all.length, 'warning')}`}\n`;
  return { stdout: options.print ? printConfig(config) : verdict, stderr, exitCode: 0 };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
