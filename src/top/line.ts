import { ASCII, type Glyphs, UNICODE } from './glyphs.js';

/** How a piece of text looks. What it means is in the text as well: not every terminal has colours. */
export type Style = 'plain' | 'strong' | 'dim' | 'good' | 'warning' | 'bad' | 'chosen';

export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One row of the screen. */
export type Line = readonly Span[];

export const EMPTY: Line = [];

export function span(text: string, style: Style = 'plain'): Span {
  return { text, style };
}

/** A line of one piece. */
export function line(text: string, style: Style = 'plain'): Line {
  return [span(text, style)];
}

const OURS = new Set([...ASCII.heights, ...Object.values(UNICODE).join('')]);

/**
 * Printable ASCII and the characters we draw with; all else is `?`. Names of interfaces and texts of the daemon come from
 * outside, and a terminal carries out what is in them.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^ -~]/gu, (character) => (OURS.has(character) ? character : '?'));
}

/** Columns of a line. All characters are one wide, as `printable` leaves no others. */
export function widthOf(spans: Line): number {
  return spans.reduce((sum, { text }) => sum + text.length, 0);
}

/** The line without what does not fit. */
export function clipped(spans: Line, width: number): Line {
  let room = width;
  const kept: Span[] = [];
  for (const { text, style } of spans) {
    if (room <= 0) break;
    const part = printable(text).slice(0, room);
    room -= part.length;
    kept.push({ text: part, style });
  }
  return kept;
}

/** The text of a line, as a file or a pipe gets it. */
export function textOf(spans: Line): string {
  return spans
    .map(({ text }) => printable(text))
    .join('')
    .trimEnd();
}

/** A text that fits, cut in the middle: addresses differ at both ends. */
export function shortened(text: string, width: number, { cut }: Glyphs): string {
  if (text.length <= width) return text;
  if (width <= 1) return text.slice(0, Math.max(0, width));
  const head = Math.ceil((width - 1) / 2);
  return `${text.slice(0, head)}${cut}${text.slice(text.length - (width - 1 - head))}`;
}

/** A text in indented lines of at most `width`, broken at blanks. */
export function wrapped(text: string, width: number, indent = 0): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    const joined = current === '' ? word : `${current} ${word}`;
    if (current !== '' && joined.length + indent > width) lines.push(current);
    current = current !== '' && joined.length + indent > width ? word : joined;
  }
  return [...lines, current].map((one) => `${' '.repeat(indent)}${one}`);
}
