import type { LatencyStatistics } from '../statistics.js';
import { column, NARROW } from './columns.js';

/** Width of a name, its colon included. */
const NAME = 18;

const milliseconds = (value: number): string => value.toFixed(3).padStart(NARROW);

const titles = (...words: string[]): string => words.map((word) => word.padStart(NARROW)).join('');

function formatSummary({ name, durations }: LatencyStatistics): string {
  const { total, longestMs } = durations;
  const numbers = [durations.quantile(0.5), durations.quantile(0.99), longestMs, durations.takeLatest()];
  return `${`${name}:`.padEnd(NAME)}${column(total, NARROW)}${numbers.map(milliseconds).join('')}\n`;
}

function formatHistogram({ name, durations }: LatencyStatistics): string {
  const lines = durations
    .octaves()
    .map(({ upToMs, count }) => `\tup to${milliseconds(upToMs)} ms:${column(count, NARROW)}\n`);
  return lines.length === 0 ? '' : `${name}:\n${lines.join('')}\n`;
}

/** `-s latency`. Asking begins the time anew that the last column is about. */
export function formatLatency(latencies: readonly LatencyStatistics[]): string {
  const head = `latency (ms):     ${titles('count', 'p50', 'p99', 'longest', 'since asked')}\n`;
  return `${head}${latencies.map(formatSummary).join('')}\n${latencies.map(formatHistogram).join('')}`;
}
