import { type Bar, type BarChart, barChart } from './chart.js';
import { MEASURES } from './measures.js';
import type { Row } from './report.js';
import type { Results } from './run.js';
import type { ScaleRow } from './scale.js';

/** Files of a report: name and content. */
export function chartsOf(results: Results): { readonly file: string; readonly title: string; readonly svg: string }[] {
  const charts: { file: string; chart: BarChart }[] = [
    { file: 'performance-ratios.svg', chart: ratioChart(results.rows) },
    { file: 'performance-stalls.svg', chart: stallChart(results.rows) },
  ];
  if (results.scale.length > 0) charts.push({ file: 'performance-scale.svg', chart: scaleChart(results.scale) });
  return charts.map(({ file, chart }) => ({ file, title: chart.title, svg: barChart(chart) }));
}

function ticks(last: number, step: number, text: (at: number) => string): BarChart['ticks'] {
  return Array.from({ length: Math.round(last / step) + 1 }, (_, index) => ({
    at: index * step,
    text: text(index * step),
  }));
}

function ratioChart(rows: readonly Row[]): BarChart {
  const bars: Bar[] = rows
    .filter(({ of, must, ratio }) => of === 'ratio' && must !== null && ratio !== null)
    .map(({ name, ratio, must, aim }) => ({ label: name, value: ratio, text: ratio!.toFixed(2), must, aim }));
  const subtitle = "Cost of ours, the original's being 1.";
  return { title: 'Ours against the original', subtitle, bars, ticks: ticks(2, 0.25, (at) => at.toFixed(2)) };
}

function stallChart(rows: readonly Row[]): BarChart {
  const bars: Bar[] = rows
    .filter(({ key, of }) => MEASURES[key].group === 'stalls' && of === 'ours')
    .map(({ name, ours, must, aim }) => ({
      label: name,
      value: ours,
      text: `${ours?.toFixed(1) ?? '-'} ms`,
      must,
      aim,
    }));
  const subtitle = 'Milliseconds, ours.';
  return { title: 'How long others wait', subtitle, bars, ticks: ticks(30, 5, (at) => `${at} ms`) };
}

function scaleChart(rows: readonly ScaleRow[]): BarChart {
  const bars: Bar[] = rows
    .filter(({ growth }) => growth !== null)
    .map(({ name, growth, must }) => ({ label: name, value: growth, text: growth!.toFixed(2), must, aim: 1 }));
  const sizes = rows[0]?.values.slice(-2).map(({ flows }) => flows.toLocaleString('en')) ?? [];
  const subtitle = `Cost per flow at ${sizes[1]} flows, that at ${sizes[0]} being 1.`;
  return { title: 'How the cost of a flow grows', subtitle, bars, ticks: ticks(2, 0.25, (at) => at.toFixed(2)) };
}
