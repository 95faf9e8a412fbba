import { MEASURES, type MeasureKey, type Sample } from './measures.js';
import { markdown, shown, type Verdict, verdictOf } from './report.js';

/** What may cost more per flow at the largest size than at the one before, and how much more (spec/performance.md). */
const SCALED_MEASURES: readonly MeasureKey[] = [
  'senderNew',
  'senderNewWarm',
  'senderUpdate',
  'senderDestroy',
  'senderBulk',
  'receiverNew',
  'receiverNewWarm',
  'receiverUpdate',
  'receiverDestroy',
  'commitEmpty',
  'commitPresent',
  'dumpInternal',
  'dumpExternal',
  'resync',
  'senderMemory',
  'receiverMemory',
];
const MUST = 1.3;
/** Rows that show how long others had to wait: they must not grow at all with the number of flows. */
const STALLS: readonly MeasureKey[] = [
  'stallSend',
  'stallReceive',
  'stallDump',
  'stallResync',
  'stallBulk',
  'stallCommit',
  'stallFlush',
  'duringDump',
  'duringResync',
  'duringBulk',
  'duringCommit',
  'machinePause',
];

/** One measure at several sizes. */
export interface ScaleRow {
  readonly key: MeasureKey;
  readonly name: string;
  readonly unit: string;
  /** By number of flows; times of whole requests as microseconds per flow. */
  readonly values: readonly { readonly flows: number; readonly value: number | null; readonly part: number | null }[];
  /** The last value as a multiple of the one before; null for stalls. */
  readonly growth: number | null;
  /** Null: no limit, for orientation. */
  readonly must: number | null;
  readonly verdict: Verdict;
}

export function scaleRowsOf(samples: ReadonlyMap<number, Sample>): ScaleRow[] {
  if (samples.size === 0) return [];
  return [...SCALED_MEASURES.map((key) => costRow(key, samples)), ...STALLS.map((key) => stallRow(key, samples))];
}

function costRow(key: MeasureKey, samples: ReadonlyMap<number, Sample>): ScaleRow {
  const { name, unit } = MEASURES[key];
  const values = [...samples].map(([flows, sample]) => {
    const value = sample[key]?.value ?? null;
    return { flows, value: value !== null && unit === 'ms' ? (value * 1000) / flows : value, part: null };
  });
  const [before, last] = values.slice(-2).map(({ value }) => value);
  const growth = before == null || last == null ? null : last / before;
  const perFlow = unit === 'ms' ? 'µs/flow' : unit;
  return { key, name, unit: perFlow, values, growth, must: MUST, verdict: verdictOf(growth, MUST, 1) };
}

function stallRow(key: MeasureKey, samples: ReadonlyMap<number, Sample>): ScaleRow {
  const { name, unit, must, aim } = MEASURES[key];
  const values = [...samples].map(([flows, sample]) => ({
    flows,
    value: sample[key]?.value ?? null,
    part: sample[key]?.part ?? null,
  }));
  const last = values.at(-1)?.value ?? null;
  return { key, name, unit, values, growth: null, must, verdict: verdictOf(last, must, aim) };
}

/** The rows as a Markdown table. */
export function scaleTableOf(rows: readonly ScaleRow[]): string {
  const sizes = rows[0]?.values.map(({ flows }) => flows.toLocaleString('en')) ?? [];
  const head = ['scenario (ours)', 'unit', ...sizes, 'growth', 'must', 'verdict'];
  const cells = rows.map((row) => [
    row.name,
    row.unit,
    ...row.values.map(({ value, part }) => shown(value, part)),
    row.growth === null ? '-' : row.growth.toFixed(2),
    limit(row),
    row.verdict,
  ]);
  return markdown(head, cells);
}

function limit({ growth, must, unit }: ScaleRow): string {
  if (must === null) return '-';
  return growth === null ? `${must} ${unit}` : must.toFixed(2);
}
