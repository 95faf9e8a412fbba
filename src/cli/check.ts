import { writeSync } from 'node:fs';
import { checkReport, formatDiagnostic, unreadableConfig } from '../config/index.js';
import { checkEnvironment, readConfigFile } from '../daemon/config-file.js';

const STDOUT = 1;
const STDERR = 2;

/** `--check`: everything there is to say about a configuration. Status 1 when a daemon would refuse it. */
export function checkConfig(path: string, print: boolean): number {
  const content = readConfigFile(path);
  if ('reason' in content) {
    writeSync(STDERR, `${formatDiagnostic(unreadableConfig(path, content.reason))}\n`);
    return 1;
  }
  const { stdout, stderr, exitCode } = checkReport(content, path, { print, environment: checkEnvironment() });
  writeSync(STDERR, stderr);
  writeSync(STDOUT, stdout);
  return exitCode;
}
