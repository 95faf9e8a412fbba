import { bar, type Column, table } from '../draw.js';
import { EMPTY, type Line, line, span } from '../line.js';
import { milliseconds, rate, short } from '../numbers.js';
import type { View } from '../view.js';

type Measured = View['statistics']['latency'][number];

const WIDEST_BAR = 50;

const MEANINGS: Readonly<Record<string, string>> = {
  'event loop turn': 'others waited so long',
  'own work of turn': 'of that, not waiting for a CPU',
  'event to wire': 'from event to packet',
  'commit slice': 'part of a commit',
  'reply piece': 'part of an answer',
};

/** How long things take, since the daemon started: a summary, then each measure by powers of two. */
export function latencyPage(view: View): Line[] {
  const { statistics } = view;
  return [...summaryLines(view), ...statistics.latency.flatMap((measured) => histogramLines(view, measured))];
}

function summaryLines({ statistics, samples, width, glyphs }: View): Line[] {
  const perSecond = ({ name }: Measured): string =>
    rate(samples.perSecond(({ latency }) => latency.find((other) => other.name === name)?.count));
  const columns: Column<Measured>[] = [
    { title: 'milliseconds', rank: 9, least: 16, show: ({ name }) => name },
    { title: 'a second', rank: 4, right: true, show: perSecond },
    { title: 'median', rank: 5, right: true, least: 7, show: (measured) => milliseconds(measured.medianMilliseconds) },
    { title: '99 %', rank: 6, right: true, least: 7, show: (measured) => milliseconds(measured.p99Milliseconds) },
    { title: 'longest', rank: 7, right: true, show: (measured) => milliseconds(measured.longestMilliseconds) },
    { title: 'meaning', rank: 1, show: ({ name }) => span(MEANINGS[name] ?? '', 'dim') },
  ];
  return table(columns, statistics.latency, width, glyphs);
}

type Octave = Measured['octaves'][number];

function histogramLines({ width, glyphs, samples }: View, { name, octaves }: Measured): Line[] {
  if (octaves.length === 0) return [];
  const most = Math.max(...octaves.map(({ count }) => count));
  const barWidth = Math.max(1, Math.min(WIDEST_BAR, width - 38));
  const perSecond = ({ upToMilliseconds }: Octave): string =>
    rate(
      samples.perSecond(({ latency }) => {
        const found = latency.find((other) => other.name === name);
        return found && (found.octaves.find((other) => other.upToMilliseconds === upToMilliseconds)?.count ?? 0);
      }),
    );
  const columns: Column<Octave>[] = [
    {
      title: 'up to',
      rank: 9,
      right: true,
      least: 10,
      show: ({ upToMilliseconds }) => `${milliseconds(upToMilliseconds)} ms`,
    },
    { title: 'count', rank: 8, right: true, least: 8, show: ({ count }) => short(count) },
    { title: 'a second', rank: 7, right: true, show: perSecond },
    { title: ' ', rank: 1, show: ({ count }) => bar(count, most, barWidth, glyphs) },
  ];
  return [EMPTY, line(name, 'strong'), ...table(columns, octaves, width, glyphs)];
}
