import { parseText } from '../../grammar/parser.js';
import type { SyntaxProblem } from '../../grammar/tree.js';
import { Diagnostics, UNPRINTABLE } from './diagnostics.js';
import { hintFor } from './hints.js';
import { type ParseResult, parseTree } from './parse-tree.js';
import type { Environment } from './reader.js';
import { Source } from './source.js';

/**
 * Reads a configuration. Total: any bytes give a result, and every mistake of the file is reported in one run.
 *
 * @param content the file; a string is taken as UTF-8
 * @param fileName for the diagnostics
 */
export function parseConfig(
  content: Uint8Array | string,
  fileName: string,
  environment: Environment = {},
): ParseResult {
  const source = new Source(content);
  const diagnostics = new Diagnostics(fileName, source);
  const { tree, problems } = parseText(source.text);
  for (const problem of problems) addProblem(diagnostics, problem);
  return parseTree(tree, diagnostics, environment, new Set(problems.map(({ block }) => block)));
}

/** The original's line names the exact word, which is empty at the end of the file. */
function addProblem(diagnostics: Diagnostics, problem: SyntaxProblem): void {
  const { found, expected } = problem;
  const { source } = diagnostics;
  const text = source.decode(found.offset, found.offset + found.text.length);
  const symbol = found.kind === 'bad byte' || UNPRINTABLE.test(text) ? escaped(found.text) : text;
  diagnostics.add(
    'error',
    `parsing config file in line (${source.lineOf(found.offset)}), symbol '${symbol}': syntax error`,
    found,
    { expected, hint: hintFor(problem, source.text) },
  );
}

/** No file may send its control characters to a terminal or log through a message. */
function escaped(bytes: string): string {
  return bytes.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
