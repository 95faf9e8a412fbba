/**
 * Reads OpenMetrics 1.0 text strictly, as a scraper would and more: what a scraper passes over in silence throws here.
 */

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_][a-zA-Z0-9_]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  gauge: [''],
  counter: ['_total'],
  histogram: ['_bucket', '_count', '_sum'],
};

/** @throws Error at the first thing that is not as the specification has it */
export function parseOpenMetrics(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n# EOF\n')) throw new Error('does not end with # EOF');
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  const seen = new Set<string>();
  let help: readonly [string, string] | null = null;
  let current = '';
  for (const line of text.split('\n').slice(0, -2)) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      help = [name!, rest!];
    } else if (keyword === 'TYPE') {
      if (help?.[0] !== name || families.has(name!)) throw new Error(`out of order: ${line}`);
      if (SUFFIXES[rest!] === undefined || /_total$/.test(name!)) throw new Error(`type: ${line}`);
      families.set(name!, { type: rest!, help: help![1], samples: [] });
      current = name!;
    } else {
      const sample = parseSample(line);
      const family = families.get(current);
      if (!SUFFIXES[family?.type ?? '']?.some((suffix) => sample.name === current + suffix)) {
        throw new Error(`a sample of no family: ${line}`);
      }
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      family!.samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function parseSample(line: string): Sample {
  const [, name, labelText = '', number] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, value] = LABEL.exec(labelText) ?? [];
    if (label === undefined || label in labels) throw new Error(`labels: ${line}`);
    labels[label] = value!;
  }
  const value = Number(number);
  if (!Number.isFinite(value)) throw new Error(`value: ${line}`);
  return { name, labels, value };
}

/** Buckets of each set of labels grow, the last is +Inf and is the count. */
function checkHistogram(name: string, { samples }: Family): void {
  const keyOf = ({ le: _, ...others }: Readonly<Record<string, string>>): string => JSON.stringify(others);
  for (const key of new Set(samples.map(({ labels }) => keyOf(labels)))) {
    const own = samples.filter(({ labels }) => keyOf(labels) === key);
    const buckets = own.filter((sample) => sample.name.endsWith('_bucket'));
    const bounds = buckets.map(({ labels }) => (labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)));
    const counts = buckets.map(({ value }) => value);
    const grows = (numbers: number[]): boolean => numbers.every((number, i) => i === 0 || number >= numbers[i - 1]!);
    const count = own.find((sample) => sample.name === `${name}_count`)?.value;
    const isSummed = own.some((sample) => sample.name === `${name}_sum`);
    if (!grows(bounds) || !grows(counts) || bounds.at(-1) !== Number.POSITIVE_INFINITY)
      throw new Error(`buckets of ${name}${key}`);
    if (count !== counts.at(-1) || !isSummed) throw new Error(`count or sum of ${name}${key}`);
  }
}
