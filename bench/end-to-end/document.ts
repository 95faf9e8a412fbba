import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chartsOf } from './charts.js';
import type { KernelCosts } from './floors.js';
import { markdown, tableOf } from './report.js';
import type { Results } from './run.js';
import { scaleTableOf } from './scale.js';

const BEGIN = '<!-- what follows is written by: npm run bench -- report -->';
const END = '<!-- end of what is written by the benchmark -->';

const FLOOR_NAMES: Readonly<Record<keyof KernelCosts, string>> = {
  insert: 'insert a flow, nobody listening',
  insertHeard: 'the same, somebody listening in another network namespace',
  insertCrowded: 'the same, as many flows in another namespace',
  insertBeside: 'the same, both of these',
  exists: 'try to insert one that is there',
  remove: 'delete a flow',
  dump: 'dump a flow',
  event: 'receive an event',
  send: "send a flow's share of a packet",
  receive: "receive a flow's share of a packet",
};

const SCALE_TITLE =
  'Ours at several sizes, in turn, as many rounds. In brackets what the kernel alone takes of it; of stalls, what was work:';

/** Writes tables and charts between the marks of the document, the charts beside it. */
export function writeDocument(path: string, results: Results): void {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : `${BEGIN}\n${END}\n`;
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${path} lacks the marks between which the results go`);
  const charts = chartsOf(results);
  for (const { file, svg } of charts) writeFileSync(join(dirname(path), file), svg);
  const images = charts.map(({ file, title }) => `![${title}](${file})`).join('\n\n');
  const body = [BEGIN, '', textOf(results), '', images, '', ''].join('\n');
  writeFileSync(path, text.slice(0, begin) + body + text.slice(end));
}

/** What the terminal shows, and the document. */
export function textOf({ options, machine, kernelCosts, kernelCostsBySize, rows, scale }: Results): string {
  const flows = options.flows.toLocaleString('en');
  const parts = [
    `${machine.processors} processors (${machine.processor}), Linux ${machine.kernel}, node ${machine.node}, ${machine.date}; ` +
      `${flows} flows, medians of ${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'}. ` +
      'CPU times: total (user). Turns and -s: longest (longest without waiting for a processor).',
    tableOf(rows),
  ];
  const costs: Record<string, KernelCosts> = { ...kernelCostsBySize };
  if (kernelCosts !== null) costs[options.flows] = kernelCosts;
  const bySize = Object.entries(costs);
  if (bySize.length > 0) parts.push('The kernel alone, µs of CPU per flow, by number of flows:', floorTable(bySize));
  if (scale.length > 0) parts.push(SCALE_TITLE, scaleTableOf(scale));
  return parts.join('\n\n');
}

function floorTable(bySize: readonly (readonly [size: string, costs: KernelCosts])[]): string {
  const keys = Object.keys(FLOOR_NAMES) as (keyof KernelCosts)[];
  return markdown(
    ['work', ...bySize.map(([size]) => Number(size).toLocaleString('en'))],
    keys.map((key) => [FLOOR_NAMES[key], ...bySize.map(([, costs]) => costs[key].toFixed(2))]),
  );
}
