/** A horizontal bar, with marks where it must and where it should end. */
export interface Bar {
  readonly label: string;
  /** Null: nothing was measured. */
  readonly value: number | null;
  /** What stands behind the bar. */
  readonly text: string;
  readonly must: number | null;
  readonly aim: number | null;
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly bars: readonly Bar[];
  /** Lines through all bars, at round values. */
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
}

const WIDTH = 860;
const LABELS = 310;
const VALUES = 90;
const HEAD = 82;
const STEP = 22;
const BAR = 13;
const FOOT = 34;
const PLOT = WIDTH - LABELS - VALUES;

const COLORS = { good: '#2e7d32', fair: '#1565c0', bad: '#c62828', must: '#b71c1c', aim: '#555555', grid: '#dddddd' };

const LEGEND = 'Green: aim reached; blue: limit kept; red: limit not kept. Thick mark: limit; dashed mark: aim.';

const STYLE = 'font-family="DejaVu Sans, Verdana, sans-serif"';

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function label(
  x: number,
  y: number,
  content: string,
  anchor: 'start' | 'middle' | 'end',
  size = 12,
  color = '#222',
): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}" fill="${color}">${escaped(content)}</text>`;
}

function rule(x: number, from: number, to: number, color: string, dashes = ''): string {
  const at = x.toFixed(1);
  return `<line x1="${at}" y1="${from}" x2="${at}" y2="${to}" stroke="${color}"${dashes}/>`;
}

function colorOf({ value, must, aim }: Bar): string {
  if (value === null || must === null) return COLORS.aim;
  if (value > must) return COLORS.bad;
  return aim !== null && value <= aim ? COLORS.good : COLORS.fair;
}

/** The chart as SVG, on a light ground. */
export function barChart(chart: BarChart): string {
  const highest = Math.max(...chart.ticks.map(({ at }) => at));
  const x = (value: number): number => LABELS + (Math.min(value, highest) / highest) * PLOT;
  const bottom = HEAD + chart.bars.length * STEP;
  const height = bottom + FOOT;
  const grid = chart.ticks.map(
    ({ at, text }) =>
      rule(x(at), HEAD - 4, bottom, COLORS.grid) + label(x(at), bottom + 16, text, 'middle', 11, '#555'),
  );
  const bars = chart.bars.map((bar, index) => drawn(bar, HEAD + index * STEP, x));
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" ${STYLE}>`,
    `<title>${escaped(chart.title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    label(16, 26, chart.title, 'start', 16),
    label(16, 46, chart.subtitle, 'start', 12, '#555'),
    label(16, 64, LEGEND, 'start', 12, '#555'),
    ...grid,
    ...bars,
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function drawn(bar: Bar, top: number, x: (value: number) => number): string {
  const baseline = top + BAR - 2;
  const width = bar.value === null ? 0 : Math.max(1, x(bar.value) - LABELS);
  const parts = [
    label(LABELS - 8, baseline, bar.label, 'end'),
    `<rect x="${LABELS}" y="${top}" width="${width.toFixed(1)}" height="${BAR}" fill="${colorOf(bar)}"/>`,
    label(WIDTH - VALUES + 8, baseline, bar.text, 'start'),
  ];
  if (bar.aim !== null) parts.push(rule(x(bar.aim), top - 3, top + BAR + 3, COLORS.aim, ' stroke-dasharray="2 2"'));
  if (bar.must !== null) parts.push(rule(x(bar.must), top - 3, top + BAR + 3, COLORS.must, ' stroke-width="2"'));
  return parts.join('\n');
}
