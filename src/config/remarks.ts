import type { Diagnostic } from './diagnostics.js';
import type { Config } from './model.js';
import type { Environment } from './reader.js';
import { clausesWithoutEffect, unsupportedClauses } from './support.js';
import { type KernelSettings, WARNINGS } from './warnings.js';

export interface CheckEnvironment extends Environment {
  /** What the kernel is set to; without it nothing is said about that. */
  readonly kernel?: KernelSettings;
}

/**
 * What there is to say about a configuration that is right as a text: what is assumed, what does nothing, what this
 * version cannot do. Errors among them keep the daemon from starting.
 */
export function remarksAtStart(config: Config, environment: CheckEnvironment = {}): Diagnostic[] {
  return [
    ...assumptions(config),
    ...besideTheKernel(config, environment),
    ...clausesWithoutEffect(config),
    ...unsupportedClauses(config),
  ];
}

function assumptions(config: Config): Diagnostic[] {
  const { general, sync, stats } = config;
  const found: Diagnostic[] = [];
  const add = (severity: Diagnostic['severity'], message: string, hint = '') =>
    found.push(ofTheWhole(config, severity, message, hint));
  if (sync?.modeGiven === false) add('warning', 'No synchronization mode specified. Defaulting to FT-FW mode.');
  if (stats?.given === false) add('warning', "Neither `Sync' nor `Stats' is given: running in statistics mode");
  if (sync?.channels.length === 0)
    add('error', "`Sync' names no dedicated link", "add a `UDP', `TCP' or `Multicast' block");
  if (general.unixPath === null)
    add('error', 'no path for the control socket', "add `UNIX { Path /var/run/conntrackd.ctl }' to `General'");
  return found;
}

/** The warnings that can be seen without a daemon. Notices are for who runs one: the file may be right all the same. */
function besideTheKernel(config: Config, { kernel }: CheckEnvironment): Diagnostic[] {
  if (kernel === undefined) return [];
  return WARNINGS.filter(({ severity }) => severity === 'warning').flatMap(({ find, advice }) => {
    const text = find({ config, kernel, running: null }) ?? null;
    return text === null ? [] : [ofTheWhole(config, 'warning', text, advice)];
  });
}

/** About the file, and no line of it. */
function ofTheWhole({ fileName }: Config, severity: Diagnostic['severity'], message: string, hint: string): Diagnostic {
  return { severity, message, file: fileName, line: 0, column: 0, length: 0, source: '', expected: '', hint };
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
