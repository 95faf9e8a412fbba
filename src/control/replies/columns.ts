/**
 * How the statistics replies are laid out: a label with its tabs, then numbers right-aligned in a column. Monitoring
 * parses these lines, so every tab counts (spec/beyond.md "What the world relies on").
 */

/** The usual column. */
export const NARROW = 12;
/** The column of traffic and of message counters. */
export const WIDE = 20;

/** A right-aligned number; a longer one is printed whole. */
export function column(value: number, width: number): string {
  return String(value).padStart(width);
}

/** A line of one number: the text before it, the width of its column, where it comes from. */
export type Line<Statistics> = readonly [label: string, width: number, read: (statistics: Statistics) => number];

export function formatLines<Statistics>(lines: readonly Line<Statistics>[], statistics: Statistics): string {
  return lines.map(([label, width, read]) => `${label}${column(read(statistics), width)}\n`).join('');
}
