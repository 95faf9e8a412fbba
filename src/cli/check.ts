import { writeSync } from 'node:fs';
import { checkJson, checkReport, formatDiagnostic, unreadableConfig } from '../config/index.js';
import { checkEnvironment, readConfigFile } from '../daemon/config-file.js';

const STDOUT = 1;
const STDERR = 2;

/**
 * `--check`: everything there is to say about a configuration. Status 1 when a daemon would refuse it. As JSON it is one
 * object on the standard output: doc/schema/check.schema.json.
 */
export function checkConfig(
  path: string,
  { print, json }: { readonly print: boolean; readonly json: boolean },
): number {
  const content = readConfigFile(path);
  if (json) return reportJson(path, content);
  if ('reason' in content) {
    writeSync(STDERR, `${formatDiagnostic(unreadableConfig(path, content.reason))}\n`);
    return 1;
  }
  const { stdout, stderr, exitCode } = checkReport(content, path, { print, environment: checkEnvironment() });
  writeSync(STDERR, stderr);
  writeSync(STDOUT, stdout);
  return exitCode;
}

function reportJson(path: string, content: ReturnType<typeof readConfigFile>): number {
  const report =
    'reason' in content
      ? { file: path, valid: false, diagnostics: [unreadableConfig(path, content.reason)] }
      : checkJson(content, path, checkEnvironment());
  writeSync(STDOUT, `${JSON.stringify({ format: 1, ...report })}\n`);
  return report.valid ? 0 : 1;
}
