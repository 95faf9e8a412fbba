import { readFileSync } from 'node:fs';
import { parseQuickly } from '../../grammar/quick-parser.js';
import { reasonOf } from '../base/errors.js';
import { type Diagnostic, Diagnostics } from '../config/diagnostics.js';
import { type ParseResult, parseTree } from '../config/parse-tree.js';
import type { Environment } from '../config/reader.js';
import { type CheckEnvironment, remarksAtStart, unreadableConfig } from '../config/remarks.js';
import { Source } from '../config/source.js';
import { readKernelSettings } from '../kernel/proc.js';
import { interfaceIndex } from '../native/index.js';

/** What a configuration is checked against on this host, before a start and by `--check`. */
function hostEnvironment(): Environment {
  const protocols = readIfThere('/etc/protocols');
  return protocols === undefined ? { interfaceExists } : { interfaceExists, protocols };
}

/** The same with advice that only `--check` gives. */
export function checkEnvironment(): CheckEnvironment {
  return { ...hostEnvironment(), kernel: readKernelSettings() };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function interfaceExists(name: string): boolean {
  try {
    return interfaceIndex(name) > 0;
  } catch {
    return false;
  }
}

/** Reads a file; a reason instead of bytes when that fails. */
export function readConfigFile(path: string): Uint8Array | { readonly reason: string } {
  try {
    return readFileSync(path);
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

/**
 * Reads the configuration a daemon is to run with, and gathers what is to be said about it. The configuration is null
 * when the daemon must not start.
 */
export async function loadConfig(path: string): Promise<ParseResult> {
  const content = readConfigFile(path);
  if ('reason' in content) return { config: null, diagnostics: [unreadableConfig(path, content.reason)] };
  const environment = hostEnvironment();
  const { config, diagnostics } = await parse(content, path, environment);
  const all = config === null ? diagnostics : [...diagnostics, ...remarksAtStart(config, environment)];
  return { config: all.some(isError) ? null : config, diagnostics: all };
}

function isError({ severity }: Diagnostic): boolean {
  return severity === 'error';
}

/** A file without a mistake does not need the parser generator, whose load would take most of the daemon's start. */
async function parse(content: Uint8Array, path: string, environment: Environment): Promise<ParseResult> {
  const source = new Source(content);
  const tree = parseQuickly(source.text);
  if (tree !== null) return parseTree(tree, new Diagnostics(path, source), environment);
  const parser = await import('../config/parse.js').catch(() => null);
  return parser === null ? unexplained(path, source) : parser.parseConfig(content, path, environment);
}

/** An upgrade took the file of the parser away from a daemon that runs: no reason to end it at a SIGHUP. */
function unexplained(path: string, source: Source): ParseResult {
  const diagnostics = new Diagnostics(path, source);
  const message = 'the configuration has a mistake; the program was replaced since this process started';
  diagnostics.add('error', message, { offset: 0, text: '' }, { hint: '`conntrackd --check` tells which' });
  return { config: null, diagnostics: diagnostics.list() };
}
