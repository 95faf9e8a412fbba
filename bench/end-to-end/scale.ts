import { type Floors, MEASURES, type MeasureKey, type Sample } from './measures.js';
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

/** Medians of ours at one size. */
export interface ScaleSamples {
  readonly flows: number;
  readonly sample: Sample;
}

/** What one size has to say of a measure; times of whole requests as microseconds per flow. */
interface ScaleValue {
  readonly flows: number;
  readonly value: number | null;
  /** Of the value: what the kernel alone takes, or of a stall what was the daemon's own work. */
  readonly part: number | null;
}

/** One measure at several sizes. */
export interface ScaleRow {
  readonly key: MeasureKey;
  readonly name: string;
  readonly unit: string;
  readonly values: readonly ScaleValue[];
  /** The last value as a multiple of the one before; null for stalls. */
  readonly growth: number | null;
  /** Of what the kernel alone takes. */
  readonly growthOfKernel: number | null;
  /** Null: no limit, for orientation. */
  readonly must: number | null;
  readonly verdict: Verdict;
}

export function scaleRowsOf(samples: readonly ScaleSamples[], floors: ReadonlyMap<number, Floors>): ScaleRow[] {
  if (samples.length === 0) return [];
  return [
    ...SCALED_MEASURES.map((key) => costRow(key, samples, floors)),
    ...STALLS.map((key) => stallRow(key, samples)),
  ];
}

function costRow(key: MeasureKey, samples: readonly ScaleSamples[], floors: ReadonlyMap<number, Floors>): ScaleRow {
  const { name, unit } = MEASURES[key];
  const values = samples.map(({ flows, sample }) => {
    const perFlow = (value: number | undefined): number | null => {
      if (value === undefined) return null;
      return unit === 'ms' ? (value * 1000) / flows : value;
    };
    const part = perFlow(floors.get(flows)?.[key]);
    return { flows, value: perFlow(sample[key]?.value), part };
  });
  const growth = growthOf(values.map(({ value }) => value));
  return {
    key,
    name,
    unit: unit === 'ms' ? 'µs/flow' : unit,
    values,
    growth,
    growthOfKernel: growthOf(values.map(({ part }) => part)),
    must: MUST,
    verdict: verdictOf(growth, MUST, 1),
  };
}

/** The last as a multiple of the one before. */
function growthOf(values: readonly (number | null)[]): number | null {
  const [before, last] = values.slice(-2);
  return before == null || last == null ? null : last / before;
}

function stallRow(key: MeasureKey, samples: readonly ScaleSamples[]): ScaleRow {
  const { name, unit, must, aim } = MEASURES[key];
  const values = samples.map(({ flows, sample }) => ({
    flows,
    value: sample[key]?.value ?? null,
    part: sample[key]?.part ?? null,
  }));
  const last = values.at(-1)?.value ?? null;
  const none = { growth: null, growthOfKernel: null };
  return { key, name, unit, values, ...none, must, verdict: verdictOf(last, must, aim) };
}

/** The rows as a Markdown table. */
export function scaleTableOf(rows: readonly ScaleRow[]): string {
  const sizes = rows[0]?.values.map(({ flows }) => flows.toLocaleString('en')) ?? [];
  const head = ['scenario (ours)', 'unit', ...sizes, 'growth', 'of the kernel alone', 'must', 'verdict'];
  const cells = rows.map((row) => [
    row.name,
    row.unit,
    ...row.values.map(({ value, part }) => shown(value, part)),
    ...[row.growth, row.growthOfKernel].map(shownGrowth),
    limit(row),
    row.verdict,
  ]);
  return markdown(head, cells);
}

function shownGrowth(growth: number | null): string {
  return growth === null ? '-' : growth.toFixed(2);
}

function limit({ growth, must, unit }: ScaleRow): string {
  if (must === null) return '-';
  return growth === null ? `${must} ${unit}` : must.toFixed(2);
}
