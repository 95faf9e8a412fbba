/**
 * Sees whether the machine stands still: `witness-process`. Every few milliseconds it touches memory of its own, which
 * takes some microseconds whatever the daemons do. `"start"` on standard input begins (answered with `{}`), `"stop"` ends
 * and is answered with the milliseconds that the slowest time took, its waiting for a processor not counted: time in which a
 * virtual machine's host kept it from its memory.
 */
import { createInterface } from 'node:readline';
import { SCHED_RR } from '../../src/native/constants.js';
import { setScheduler } from '../../src/native/index.js';
import { OBSERVER_PRIORITY } from './measures.js';
import { ProcessorWait } from './processor-wait.js';

const PAUSE_MS = 10;
const PAGES = 256;
const PAGE_BYTES = 4096;

setScheduler(SCHED_RR, OBSERVER_PRIORITY);

const memory = new Uint8Array(PAGES * PAGE_BYTES).fill(1);
const waited = new ProcessorWait('self');
let timer: NodeJS.Timeout | undefined;
let longest = 0;

function touch(): void {
  const waitedBefore = waited.read();
  const begin = performance.now();
  for (let at = 0; at < memory.length; at += PAGE_BYTES) memory[at]!++;
  const elapsed = performance.now() - begin;
  longest = Math.max(longest, elapsed - (waited.read() - waitedBefore));
}

for await (const line of createInterface({ input: process.stdin })) {
  clearInterval(timer);
  if (JSON.parse(line) === 'stop') console.log(JSON.stringify(longest));
  else {
    longest = 0;
    timer = setInterval(touch, PAUSE_MS);
    console.log('{}');
  }
}
