import { type Floors, MEASURE_KEYS, MEASURES, type Measure, type MeasureKey, type Sample } from './measures.js';

/** Medians of one measure, of both implementations. */
export interface Row {
  readonly key: MeasureKey;
  readonly name: string;
  readonly unit: string;
  readonly original: number | null;
  readonly ours: number | null;
  readonly originalPart: number | null;
  readonly oursPart: number | null;
  readonly ratio: number | null;
  /** Ratio of the least values: what else runs on the machine only ever adds. */
  readonly bestRatio: number | null;
  readonly floor: number | null;
  readonly of: Measure['of'];
  readonly must: number | null;
  readonly aim: number | null;
  readonly verdict: Verdict;
}

export type Verdict = 'aim' | 'must' | 'NOT MET' | '';

export interface Samples {
  readonly ours: readonly Sample[];
  readonly original: readonly Sample[];
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function medianOf(
  samples: readonly Sample[],
  key: MeasureKey,
  which: 'value' | 'part' = 'value',
): number | null {
  return median(samples.map((sample) => sample[key]?.[which]).filter((value) => value !== undefined));
}

/** One sample that stands for many. */
export function mediansOf(samples: readonly Sample[]): Sample {
  const medians: Sample = {};
  for (const key of MEASURE_KEYS) {
    const value = medianOf(samples, key);
    const part = medianOf(samples, key, 'part');
    if (value !== null) medians[key] = part === null ? { value } : { value, part };
  }
  return medians;
}

/** Ours to the original's, of the least value each. */
function bestRatioOf(samples: Samples, key: MeasureKey): number | null {
  const least = (of: readonly Sample[]): number =>
    Math.min(...of.map((sample) => sample[key]?.value ?? Number.POSITIVE_INFINITY));
  const ratio = least(samples.ours) / least(samples.original);
  return ratio > 0 && Number.isFinite(ratio) ? ratio : null;
}

/** Limits are inclusive. */
export function verdictOf(limited: number | null, must: number | null, aim: number | null): Verdict {
  if (limited === null || must === null) return '';
  if (limited > must) return 'NOT MET';
  return aim !== null && limited <= aim ? 'aim' : 'must';
}

export function rowsOf(samples: Samples, floors: Floors = {}): Row[] {
  return MEASURE_KEYS.map((key) => rowOf(key, samples, floors)).filter(
    ({ original, ours }) => original !== null || ours !== null,
  );
}

function rowOf(key: MeasureKey, samples: Samples, floors: Floors): Row {
  const { name, unit, of, must, aim }: Measure = MEASURES[key];
  const original = medianOf(samples.original, key);
  const ours = medianOf(samples.ours, key);
  const ratio = original === null || ours === null || original === 0 ? null : ours / original;
  return {
    key,
    name,
    unit,
    original,
    ours,
    originalPart: medianOf(samples.original, key, 'part'),
    oursPart: medianOf(samples.ours, key, 'part'),
    ratio,
    bestRatio: bestRatioOf(samples, key),
    floor: floors[key] ?? null,
    of,
    must,
    aim,
    verdict: verdictOf(of === 'ours' ? ours : ratio, must, aim),
  };
}

export function shown(value: number | null, part: number | null = null): string {
  if (value === null) return '-';
  if (value === Number.POSITIVE_INFINITY) return 'never';
  const digits = value < 100 ? 2 : 0;
  return part === null ? value.toFixed(digits) : `${value.toFixed(digits)} (${part.toFixed(digits)})`;
}

function limit(value: number | null, { of, unit }: Row): string {
  if (value === null) return '-';
  return of === 'ours' ? `${value} ${unit}` : value.toFixed(2);
}

function shownRatio(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '-' : value.toFixed(2);
}

/** The rows as a Markdown table. In brackets the part of it: Value. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    row.unit,
    shown(row.original, row.originalPart),
    shown(row.ours, row.oursPart),
    shownRatio(row.ratio),
    shownRatio(row.bestRatio),
    shown(row.floor),
    limit(row.must, row),
    limit(row.aim, row),
    row.verdict,
  ]);
  const head = ['scenario', 'unit', 'original', 'ours', 'ratio', 'of best', 'floor', 'must', 'aim', 'verdict'];
  return markdown(head, cells);
}

export function markdown(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((line) => line[column]!.length)));
  const line = (words: readonly string[]) => `| ${words.map((word, i) => word.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...cells.map(line)].join('\n');
}
