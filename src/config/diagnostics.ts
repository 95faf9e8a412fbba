import { MOST_PROBLEMS } from '../../grammar/tree.js';
import type { Position, Source } from './source.js';

/** One thing to say about a configuration file. */
export interface Diagnostic extends Position {
  readonly severity: 'error' | 'warning';
  /** The first line: the original's words wherever it has some, because scripts and people look for them. */
  readonly message: string;
  readonly file: string;
  /** The line of the file; empty when the diagnostic is about the file as a whole. */
  readonly source: string;
  /** What could have stood there; empty when that says nothing new. */
  readonly expected: string;
  /** What to do; empty when there is nothing to add. */
  readonly hint: string;
}

/** Errors, and warnings, beyond this many are not kept: see MOST_PROBLEMS. */
const MOST_OF_A_KIND = MOST_PROBLEMS;

/** Gathers what there is to say about one file. */
export class Diagnostics {
  private readonly found: { readonly offset: number; readonly diagnostic: Diagnostic }[] = [];
  private readonly counts = { error: 0, warning: 0 };

  constructor(
    readonly file: string,
    readonly source: Source,
  ) {}

  /** @param place the word at fault; `text` has one character per byte */
  add(
    severity: Diagnostic['severity'],
    message: string,
    place: { readonly offset: number; readonly text: string },
    more: { readonly expected?: string; readonly hint?: string } = {},
  ): void {
    if (++this.counts[severity] > MOST_OF_A_KIND) return;
    this.found.push({ offset: place.offset, diagnostic: this.at(severity, message, place, more) });
  }

  get hasErrors(): boolean {
    return this.counts.error > 0;
  }

  /** In the order of the file; at the end it says when there are more. */
  list(): Diagnostic[] {
    const inOrder = this.found.sort((a, b) => a.offset - b.offset).map(({ diagnostic }) => diagnostic);
    return [...inOrder, ...(['error', 'warning'] as const).flatMap((severity) => this.more(severity))];
  }

  private more(severity: Diagnostic['severity']): Diagnostic[] {
    if (this.counts[severity] <= MOST_OF_A_KIND) return [];
    const message = `there are more ${severity}s: only the first ${MOST_OF_A_KIND} are shown`;
    const { file } = this;
    return [{ severity, message, file, line: 0, column: 0, length: 0, source: '', expected: '', hint: '' }];
  }

  private at(
    severity: Diagnostic['severity'],
    message: string,
    place: { readonly offset: number; readonly text: string },
    more: { readonly expected?: string; readonly hint?: string },
  ): Diagnostic {
    const position = this.source.position(place.offset, place.text.length);
    return {
      severity,
      message,
      file: this.file,
      ...position,
      source: this.source.line(position.line),
      expected: more.expected ?? '',
      hint: more.hint ?? '',
    };
  }
}

/** The lines after the message: place, the line with a caret, what was expected, what to do. */
export function diagnosticDetail(diagnostic: Diagnostic): string[] {
  const lines = diagnostic.line === 0 ? [`  in ${diagnostic.file}`] : quote(diagnostic);
  if (diagnostic.expected !== '') lines.push(`  expected: ${diagnostic.expected}`);
  if (diagnostic.hint !== '') lines.push(`  hint: ${diagnostic.hint}`);
  return lines;
}

/** A diagnostic as people read it: the message, then its detail, without a newline at the end. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const level = diagnostic.severity === 'error' ? 'ERROR' : 'warning';
  return [`[${level}] ${diagnostic.message}`, ...diagnosticDetail(diagnostic)].join('\n');
}

/** Longer lines are cut around the column: a minified or binary file must not flood the log. */
const WIDEST_QUOTE = 160;

function quote({ file, line, column, length, source }: Diagnostic): string[] {
  const from = Math.max(0, column - 1 - WIDEST_QUOTE / 2);
  const shown = source.slice(from, from + WIDEST_QUOTE).replaceAll(new RegExp(UNPRINTABLE, 'g'), '?');
  const before = shown.slice(0, column - 1 - from).replace(/[^\t]/g, ' ');
  const carets = '^'.repeat(Math.max(1, Math.min(length, shown.length - before.length)));
  const gutter = String(line);
  return [
    `  at ${file}:${line}:${column}`,
    `  ${gutter} | ${shown}`.trimEnd(),
    `  ${' '.repeat(gutter.length)} | ${before}${carets}`,
  ];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must not reach a terminal
export const UNPRINTABLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
