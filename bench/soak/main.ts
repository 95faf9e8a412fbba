/**
 * `npm run soak [-- OPTIONS]`: millions of flow lifetimes through a pair of daemons (doc/reliability.md). Ends with
 * status 1 when anything grew.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { sweep } from '../../test/lab/namespace.js';
import { withRoomFor } from '../end-to-end/host-limits.js';
import { complaintsOf, MOST_LIFETIMES, type SoakSample, soak } from './soak.js';
import type { Vitals } from './vitals.js';

const { values } = parseArgs({
  options: {
    lifetimes: { type: 'string', default: '10000000' },
    portion: { type: 'string', default: '20000' },
    background: { type: 'boolean', default: false },
    json: { type: 'string', default: '' },
  },
});

function usage(problem: string): never {
  console.error(`soak: ${problem}`);
  console.error('options: --lifetimes N --portion N (flows that live at a time) --background --json FILE');
  process.exit(2);
}

function positive(text: string, name: string, most: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > most) usage(`--${name} takes 1 to ${most}, not '${text}'`);
  return number;
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function vitalsText({ heap, buffers, resident, descriptors, threads }: Vitals): string {
  const memory = `heap ${mebibytes(heap)}, buffers ${mebibytes(buffers)}, resident ${mebibytes(resident)} MiB`;
  return `${memory}, ${descriptors} descriptors, ${threads} threads`;
}

function report({ lifetimes, seconds, a, b, internal, external }: SoakSample): void {
  console.log(`${lifetimes} lifetimes, ${seconds.toFixed(0)} s, ${internal} internal, ${external} external`);
  console.log(`  A: ${vitalsText(a)}\n  B: ${vitalsText(b)}`);
}

const lifetimes = positive(values.lifetimes, 'lifetimes', MOST_LIFETIMES);
const portion = positive(values.portion, 'portion', lifetimes);

sweep();
const result = await withRoomFor(portion, () => soak({ lifetimes, portion, background: values.background, report }));
if (values.json !== '') writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
console.log(`overruns ${result.overruns}; created, updated, destroyed: ${result.counted.join(', ')}`);
const complaints = complaintsOf(result);
for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length === 0 ? 0 : 1);
