/**
 * Sees when a kernel table has so many flows. The number on standard input begins (answered with `{}`); `"when"` is
 * answered with Arrival, once they are there. A process of its own, of the daemons' priority and in the namespace of the
 * table: whoever changes the roles waits for a program meanwhile.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { SCHED_RR } from '../../src/native/constants.js';
import { setScheduler } from '../../src/native/index.js';
import type { Arrival } from './arrival.js';

const COUNT = '/proc/sys/net/netfilter/nf_conntrack_count';
const PAUSE_MS = 1;

setScheduler(SCHED_RR, 1);

let arrived: Promise<Arrival> = Promise.reject(new Error('nothing is awaited'));
arrived.catch(() => {});

async function watch(flows: number): Promise<Arrival> {
  while (Number(readFileSync(COUNT, 'latin1')) < flows) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return { atNs: String(process.hrtime.bigint()) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as number | 'when';
  if (command === 'when') console.log(JSON.stringify(await arrived));
  else {
    arrived = watch(command);
    console.log('{}');
  }
}
