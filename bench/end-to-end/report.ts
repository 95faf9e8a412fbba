import { MEASURES, type Measure, type MeasureKey, type Sample } from './measures.js';

/** Medians of one measure, of both implementations. */
export interface Row {
  readonly key: MeasureKey;
  readonly name: string;
  readonly unit: string;
  readonly original: number | null;
  readonly ours: number | null;
  readonly originalUser: number | null;
  readonly oursUser: number | null;
  readonly ratio: number | null;
  /** Ratio of the least values: what else runs on the machine only ever adds. */
  readonly bestRatio: number | null;
  readonly must: number | null;
  readonly aim: number;
  /** 'met' when the ratio is at most `must`. */
  readonly verdict: 'aim met' | 'met' | 'NOT MET' | '';
}

export interface Samples {
  readonly ours: readonly Sample[];
  readonly original: readonly Sample[];
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function medianOf(samples: readonly Sample[], key: MeasureKey, part: 'value' | 'user'): number | null {
  return median(samples.map((sample) => sample[key]?.[part]).filter((value) => value !== undefined));
}

/** Ours to the original's, of the least value each. */
function bestRatioOf(samples: Samples, key: MeasureKey): number | null {
  const least = (of: readonly Sample[]): number =>
    Math.min(...of.map((sample) => sample[key]?.value ?? Number.POSITIVE_INFINITY));
  const ratio = least(samples.ours) / least(samples.original);
  return Number.isFinite(ratio) ? ratio : null;
}

function verdictOf(ratio: number | null, { must, aim }: Measure): Row['verdict'] {
  if (ratio === null || must === Number.POSITIVE_INFINITY) return '';
  if (ratio > must) return 'NOT MET';
  return ratio <= aim ? 'aim met' : 'met';
}

export function rowsOf(samples: Samples): Row[] {
  const rows: Row[] = [];
  for (const key of Object.keys(MEASURES) as MeasureKey[]) {
    const measure: Measure = MEASURES[key];
    const original = medianOf(samples.original, key, 'value');
    const ours = medianOf(samples.ours, key, 'value');
    if (original === null && ours === null) continue;
    const ratio = original === null || ours === null ? null : ours / original;
    rows.push({
      key,
      name: measure.name,
      unit: measure.unit,
      original,
      ours,
      originalUser: medianOf(samples.original, key, 'user'),
      oursUser: medianOf(samples.ours, key, 'user'),
      ratio,
      bestRatio: bestRatioOf(samples, key),
      must: measure.must === Number.POSITIVE_INFINITY ? null : measure.must,
      aim: measure.aim,
      verdict: verdictOf(ratio, measure),
    });
  }
  return rows;
}

function shown(value: number | null, user: number | null): string {
  if (value === null) return '-';
  const digits = value < 100 ? 2 : 0;
  return user === null ? value.toFixed(digits) : `${value.toFixed(digits)} (${user.toFixed(digits)})`;
}

/** The rows as a Markdown table. CPU times show their user part in brackets. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    row.unit,
    shown(row.original, row.originalUser),
    shown(row.ours, row.oursUser),
    row.ratio === null ? '-' : row.ratio.toFixed(2),
    row.bestRatio === null ? '-' : row.bestRatio.toFixed(2),
    row.must === null ? '-' : row.must.toFixed(2),
    row.verdict,
  ]);
  const head = ['scenario', 'unit', 'original', 'ours', 'ratio', 'of best', 'limit', 'verdict'];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((line) => line[column]!.length)));
  const line = (words: readonly string[]) => `| ${words.map((word, i) => word.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...cells.map(line)].join('\n');
}
