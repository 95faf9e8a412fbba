import { parseQuickly } from '../../grammar/quick-parser.js';
import { Diagnostics } from './diagnostics.js';
import { type ParseResult, parseTree } from './parse-tree.js';
import { Source } from './source.js';

/**
 * Reads a configuration for a client request, which wants the socket's path and must say the same about the file as
 * the daemon (but does not ask the system about interfaces and protocols).
 *
 * A file without a mistake is read without the parser generator, whose load takes some 200 ms: a failover is a chain of
 * requests, and traffic waits for it. A file with one takes the long way, which explains.
 */
export async function parseConfigForClient(content: Uint8Array | string, fileName: string): Promise<ParseResult> {
  const quick = parseConfigQuickly(content, fileName);
  if (quick !== null) return quick;
  const { parseConfig } = await import('./parse.js');
  return parseConfig(content, fileName);
}

/** Null when the file has a syntax error. */
export function parseConfigQuickly(content: Uint8Array | string, fileName: string): ParseResult | null {
  const source = new Source(content);
  const tree = parseQuickly(source.text);
  return tree === null ? null : parseTree(tree, new Diagnostics(fileName, source), {});
}

/** The path of the control socket, or null when the file names none, or cannot be read without its mistakes explained. */
export function scanSocketPath(content: Uint8Array | string): string | null {
  return parseConfigQuickly(content, '')?.config?.general.unixPath ?? null;
}
