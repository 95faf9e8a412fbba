/**
 * `npm run simulate -- [--schedules N] [--first SEED] [--seed SEED] [--machine FTFW|NOTRACK|ALARM]`: plays schedules of
 * consecutive seeds and prints the smallest form of each that fails. Exit code 1 when one did.
 */
import { parseArgs } from 'node:util';
import { MACHINES, type Machine, play, scheduleOf } from './cluster.js';
import { shrink, traceOf } from './shrink.js';

/** Failures beyond this many are only counted: they mostly have one cause. */
const MOST_SHRUNK = 5;
const PROGRESS_EVERY = 5000;

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    machine: { type: 'string' },
  },
});

function machineOf(name: string | undefined): Machine | undefined {
  const machine = MACHINES.find((one) => one === name?.toUpperCase());
  if (name !== undefined && machine === undefined) throw new Error(`no machine ${name}: one of ${MACHINES.join(', ')}`);
  return machine;
}

const machine = machineOf(values.machine);
const first = Number(values.seed ?? values.first);
const count = values.seed === undefined ? Number(values.schedules) : 1;
const startMs = performance.now();
const played = new Map<Machine, number>(MACHINES.map((name) => [name, 0]));
const failed: number[] = [];
let packets = 0;

function summary(): string {
  const seconds = (performance.now() - startMs) / 1000;
  const each = [...played].map(([name, plays]) => `${plays} ${name}`).join(', ');
  return `${each}; ${packets} packets, ${failed.length} failed, ${seconds.toFixed(0)} s`;
}

for (let seed = first; seed < first + count; seed++) {
  const schedule = scheduleOf(seed, machine);
  const outcome = play(schedule);
  played.set(schedule.machine, played.get(schedule.machine)! + 1);
  packets += outcome.packets;
  if (outcome.faults.length > 0) {
    failed.push(seed);
    if (failed.length <= MOST_SHRUNK) console.log(traceOf(shrink(schedule)));
  }
  if ((seed - first + 1) % PROGRESS_EVERY === 0) console.log(`seeds ${first} to ${seed}: ${summary()}`);
}
console.log(`seeds ${first} to ${first + count - 1}: ${summary()}`);
if (failed.length > 0) {
  console.log(`failed: ${failed.join(' ')}`);
  process.exitCode = 1;
}
