import type { Glyphs } from './glyphs.js';
import { type Line, line, type Span, type Style, shortened, span, widthOf } from './line.js';

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly show: (row: Row) => string | Span;
  /** Numbers stand on the right. */
  readonly right?: boolean;
  /** Columns it takes at least, so that it does not move as numbers grow. */
  readonly least?: number;
  /** Where room is short the column with the lowest rank goes first; the first column always stays. */
  readonly rank: number;
}

const GAP = 2;
/** What is left of a first column before others go. */
const LEAST_NAME = 15;

interface Measured {
  readonly title: string;
  readonly right: boolean;
  readonly rank: number;
  readonly cells: readonly Span[];
  readonly width: number;
}

/** Rows under their titles, as wide as there is room. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  glyphs: Glyphs,
): Line[] {
  const fitting = chosen(
    columns.map((column) => measure(column, rows)),
    width,
  );
  const [name, ...others] = fitting;
  const taken = others.reduce((sum, column) => sum + column.width + GAP, 0);
  const nameWidth = Math.max(1, Math.min(name!.width, width - taken));
  const shown = [{ ...name!, width: nameWidth }, ...others];
  const title = joined(shown.map((column) => padded(span(column.title, 'dim'), column, glyphs)));
  return [title, ...rows.map((_, row) => joined(shown.map((column) => padded(column.cells[row]!, column, glyphs))))];
}

function measure<Row>(column: Column<Row>, rows: readonly Row[]): Measured {
  const { title, show, right = false, least = 0, rank } = column;
  const cells = rows.map((row) => {
    const cell = show(row);
    return typeof cell === 'string' ? span(cell) : cell;
  });
  const width = Math.max(title.length, least, ...cells.map(({ text }) => text.length));
  return { title, right, rank, cells, width };
}

/** Leaves out columns until the rest fits beside a shortened first one. */
function chosen(columns: readonly Measured[], width: number): readonly Measured[] {
  const [name, ...others] = columns;
  const needed = others.reduce((sum, column) => sum + column.width + GAP, Math.min(name!.width, LEAST_NAME));
  if (needed <= width || others.length === 0) return columns;
  const lowest = Math.min(...others.map(({ rank }) => rank));
  const goes = others.findLastIndex(({ rank }) => rank === lowest);
  return chosen([name!, ...others.filter((_, index) => index !== goes)], width);
}

function padded({ text, style }: Span, { width, right }: Measured, glyphs: Glyphs): Span {
  const cut = shortened(text, width, glyphs);
  return { text: right ? cut.padStart(width) : cut.padEnd(width), style };
}

function joined(cells: readonly Span[]): Line {
  return cells.flatMap((cell, index) => (index === 0 ? [cell] : [span(' '.repeat(GAP)), cell]));
}

/** A bar of `width` columns of which a share is filled. */
export function bar(part: number, whole: number, width: number, glyphs: Glyphs): string {
  const share = whole <= 0 ? 0 : Math.min(1, Math.max(0, part / whole));
  const parts = Math.round(share * width * glyphs.bar.length);
  const full = Math.floor(parts / glyphs.bar.length);
  const rest = parts % glyphs.bar.length;
  const filled = glyphs.bar.at(-1)!.repeat(full) + (rest === 0 ? '' : glyphs.bar[rest - 1]!);
  return filled.padEnd(width, glyphs.emptyBar);
}

/** The last `width` values, each one column high as its share of the greatest; blank where none is known. */
export function chart(values: readonly (number | null)[], width: number, glyphs: Glyphs): string {
  const shown = width <= 0 ? [] : values.slice(-width);
  const greatest = Math.max(0, ...shown.map((value) => value ?? 0));
  const columns = shown.map((value) => {
    if (value === null) return ' ';
    const height = greatest === 0 ? 0 : Math.ceil((value / greatest) * (glyphs.heights.length - 1));
    return glyphs.heights[height]!;
  });
  return columns.join('').padStart(Math.max(0, width));
}

/** Lines under a heading. */
export function section(title: string, lines: readonly Line[]): Line[] {
  return [line(title, 'strong'), ...lines];
}

/** Pieces left and right, at least a blank between; what does not fit on the right goes. */
export function sides(left: Line, right: Line, width: number): Line {
  const room = width - widthOf(left) - widthOf(right);
  return room < 1 ? left : [...left, span(' '.repeat(room)), ...right];
}

/** `name value` pairs on one line, as many as fit; the first always. */
export function facts(pairs: readonly (readonly [name: string, value: string, style?: Style])[], width: number): Line {
  const spans: Span[] = [];
  for (const [name, value, style = 'plain'] of pairs) {
    const gap = spans.length === 0 ? '' : '   ';
    const more = [span(`${gap}${name} `, 'dim'), span(value, style)];
    if (spans.length > 0 && widthOf([...spans, ...more]) > width) break;
    spans.push(...more);
  }
  return spans;
}
