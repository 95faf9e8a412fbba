import { TalkerSurvey } from '../src/control/talkers.js';
import {
  AF_INET,
  IPPROTO_TCP,
  K_ORIG,
  K_ORIG_L4,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
} from '../src/flow/layout.js';
import { FlowScratch } from '../src/flow/scratch.js';
import { FlowTable } from '../src/flow/table.js';

/**
 * What one `-s talkers` costs the daemon: in all, and the slice that takes longest. Every flow has a source and a service of
 * its own, which is the worst there is: nothing is met twice, and no place in a list is settled early.
 */
const SIZES = [10_000, 100_000, 1_000_000];
const ROUNDS = 10;

function tableOf(flows: number): FlowTable {
  const table = new FlowTable({ limit: flows });
  const flow = new FlowScratch();
  const { words } = flow;
  words[KNOWN] = K_ORIG | K_ORIG_L4;
  words[KIND] = kindOf(AF_INET, IPPROTO_TCP, 3);
  for (let n = 0; n < flows; n++) {
    // An odd factor: all different, in no order.
    words[ORIG_SRC] = Math.imul(n, 0x9e3779b1);
    words[ORIG_DST] = n % 5000;
    words[ORIG_L4] = Math.imul(n, 0x85ebca77);
    table.insert(flow, 0);
  }
  return table;
}

for (const size of SIZES) {
  const table = tableOf(size);
  const clock = { monotonicMs: () => 1e6, wallSeconds: () => 0 };
  const totals: number[] = [];
  const longest: number[] = [];
  let slices = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const survey = new TalkerSurvey([{ name: 'internal', table, active: size }], clock, JSON.stringify);
    const durations: number[] = [];
    for (let more = true; more; ) {
      const from = performance.now();
      more = survey.next() !== null;
      durations.push(performance.now() - from);
    }
    slices = durations.length;
    totals.push(durations.reduce((sum, duration) => sum + duration, 0));
    longest.push(Math.max(...durations));
  }
  const median = (values: number[]): string => values.sort((a, b) => a - b)[ROUNDS / 2]!.toFixed(1);
  console.log(`talkers: ${size} flows ${median(totals)} ms in ${slices} slices, the longest ${median(longest)} ms`);
}
