import type { Diagnostic } from './diagnostics.js';
import type { Config } from './model.js';
import type { Environment } from './reader.js';
import { clausesWithoutEffect, unsupportedClauses } from './support.js';

export interface CheckEnvironment extends Environment {
  /** net.netfilter.nf_conntrack_max: flows the kernel may hold. */
  readonly conntrackMax?: number;
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
