import { type Diagnostic, formatDiagnostic } from './diagnostics.js';
import type { Config } from './model.js';
import { parseConfig } from './parse.js';
import { printConfig } from './print.js';
import type { Environment } from './reader.js';
import { clausesWithoutEffect, unsupportedClauses } from './support.js';

export interface CheckReport {
  readonly stdout: string;
  readonly stderr: string;
  /** 0: the daemon would start with it. 1: it would not. */
  readonly exitCode: 0 | 1;
}

export interface CheckEnvironment extends Environment {
  /** net.netfilter.nf_conntrack_max: flows the kernel may hold. */
  readonly conntrackMax?: number;
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

/**
 * What there is to say about a configuration that is right as a text: what is assumed, what does nothing, what this
 * version cannot do. Errors among them keep the daemon from starting.
 */
export function remarksAtStart(config: Config, environment: CheckEnvironment = {}): Diagnostic[] {
  return [...assumptions(config, environment), ...clausesWithoutEffect(config), ...unsupportedClauses(config)];
}

function assumptions(config: Config, { conntrackMax }: CheckEnvironment): Diagnostic[] {
  const { general, sync, stats } = config;
  const found: Diagnostic[] = [];
  const add = (severity: Diagnostic['severity'], message: string, hint = '') =>
    found.push({
      severity,
      message,
      file: config.fileName,
      line: 0,
      column: 0,
      length: 0,
      source: '',
      expected: '',
      hint,
    });
  if (sync?.modeGiven === false) add('warning', 'No synchronization mode specified. Defaulting to FT-FW mode.');
  if (stats?.given === false) add('warning', "Neither `Sync' nor `Stats' is given: running in statistics mode");
  if (sync?.channels.length === 0)
    add('error', "`Sync' names no dedicated link", "add a `UDP', `TCP' or `Multicast' block");
  if (general.unixPath === null)
    add('error', 'no path for the control socket', "add `UNIX { Path /var/run/conntrackd.ctl }' to `General'");
  if (conntrackMax !== undefined && general.hashLimit < conntrackMax) {
    add(
      'warning',
      `HashLimit ${general.hashLimit} is less than the kernel's nf_conntrack_max ${conntrackMax}: flows beyond it are not replicated`,
    );
  }
  return found;
}

/** The report for a file that cannot be read. The first line is the original's. */
export function unreadableConfig(fileName: string, reason: string): Diagnostic {
  return {
    severity: 'error',
    message: `can't open config file \`${fileName}'`,
    file: fileName,
    line: 0,
    column: 0,
    length: 0,
    source: '',
    expected: '',
    hint: reason,
  };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
