/**
 * What the flow table costs: `npx tsc -p tsconfig.build.json && node --expose-gc dist/bench/micro-table.js [rows...]`.
 *
 * Flows are TCP over IPv4 (every fourth over IPv6 with `ipv6` as argument), met in random order so that caches cannot
 * help: real events hit neighbours more often. The flow handed over is one FlowScratch whose words are rewritten; that
 * costs a few nanoseconds, which are included.
 */
import {
  AF_INET,
  AF_INET6,
  ID,
  IPPROTO_TCP,
  K_ID,
  K_ORIG,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
  K_STATE,
  K_STATUS,
  K_TIMEOUT,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  QUEUE_TRANSMIT,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TIMEOUT,
} from '../src/flow/layout.js';
import { FlowQueue } from '../src/flow/queue.js';
import { FlowScratch } from '../src/flow/scratch.js';
import { FlowTable, NO_ROW } from '../src/flow/table.js';
import { TimerWheel } from '../src/flow/wheel.js';

const KNOWN_OF_EVENT = K_ORIG | K_ORIG_L4 | K_REPLY | K_REPLY_L4 | K_STATUS | K_TIMEOUT | K_STATE | K_ID;

const withIpv6 = process.argv.includes('ipv6');

function write(scratch: FlowScratch, number: number): FlowScratch {
  const words = scratch.words;
  const six = withIpv6 && (number & 3) === 0;
  words[KNOWN] = KNOWN_OF_EVENT;
  words[KIND] = kindOf(six ? AF_INET6 : AF_INET, IPPROTO_TCP, 3);
  words[STATUS] = 0x0e;
  words[TIMEOUT] = 432_000;
  words[ID] = number;
  words[ORIG_SRC] = 0x0a000000 + (number >>> 8);
  words[ORIG_DST] = 0x01020304;
  words[ORIG_L4] = (number & 0xff) | 0x500000;
  words[REPLY_SRC] = 0x01020304;
  words[REPLY_DST] = 0x0a000000 + (number >>> 8);
  words[REPLY_L4] = ((number & 0xff) << 16) | 0x5000;
  words[ORIG_SRC + 1] = six ? 0x20010db8 : 0;
  words[ORIG_DST + 1] = six ? 0x20010db8 : 0;
  return scratch;
}

/** The numbers below `count` in an order that is random but the same every time (Fisher-Yates, xorshift32). */
function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  let random = 2463534242;
  for (let index = count - 1; index > 0; index--) {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    const other = (random >>> 0) % (index + 1);
    const swapped = order[index]!;
    order[index] = order[other]!;
    order[other] = swapped;
  }
  return order;
}

/** CPU time per operation: what else runs on the machine at the same time does not count. */
function nanoseconds(operations: number, run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / operations;
}

interface Round {
  [measurement: string]: number;
}

/**
 * One table for all rounds, as in a daemon. Fresh tables would measure V8 instead: it compiles their identity into the
 * code and throws the code away with the table.
 */
const table = new FlowTable({ limit: 2 ** 24, seed: 12345 });
const queue = new FlowQueue(table, QUEUE_TRANSMIT);
const wheel = new TimerWheel(table, 60, 0);
let now = 0;

function measure(rows: number): Round {
  const order = shuffled(rows);
  const scratch = new FlowScratch();
  const insert = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) table.insert(write(scratch, order[index]!), 1);
  });
  const accounted = table.bytesUsed;
  const again = shuffled(rows).reverse();
  let wrong = 0;
  const hit = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) if (table.find(write(scratch, again[index]!)) === NO_ROW) wrong++;
  });
  const miss = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) if (table.find(write(scratch, again[index]! + rows)) !== NO_ROW) wrong++;
  });
  const findMerge = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) {
      const flow = write(scratch, again[index]!);
      table.merge(table.find(flow), flow, 2);
    }
  });
  const pushShift = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) queue.push(table.next(again[index]!));
    while (queue.shift() !== NO_ROW);
  });
  const armExpire = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) wheel.arm(table.next(again[index]!), now + 1 + (index % 60));
    now += 60;
    wheel.advance(now, () => {});
  });
  const iterate = nanoseconds(rows, () => {
    for (let row = table.next(0); row !== NO_ROW; row = table.next(row + 1)) if (row < 0) wrong++;
  });
  const churn = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) {
      table.remove(table.find(write(scratch, again[index]!)));
      table.insert(write(scratch, again[index]! + rows), 3);
    }
  });
  const remove = nanoseconds(rows, () => {
    for (let index = 0; index < rows; index++) table.remove(table.find(write(scratch, order[index]! + rows)));
  });
  if (wrong !== 0 || table.size !== 0) throw new Error(`${wrong} wrong answers, ${table.size} rows left`);
  const left = table.bytesUsed;
  table.clear();
  return {
    'insert, empty to full (ns)': insert,
    'find, hit (ns)': hit,
    'find, miss (ns)': miss,
    'find + merge (ns)': findMerge,
    'queue push + shift (ns)': pushShift,
    'timer arm + expire (ns)': armExpire,
    'iterate (ns)': iterate,
    'find + remove + insert of another (ns)': churn,
    'find + remove (ns)': remove,
    'bytes a flow, accounted': accounted / rows,
    'bytes left when emptied by removing, accounted': left,
  };
}

/** Single insertions in microseconds: splits, new pages, page faults, garbage collection and whatever else ran. */
function stalls(rows: number): Round {
  const scratch = new FlowScratch();
  const order = shuffled(rows);
  const took = new Float64Array(rows);
  for (let index = 0; index < rows; index++) {
    const flow = write(scratch, order[index]!);
    const start = performance.now();
    table.insert(flow, 1);
    took[index] = (performance.now() - start) * 1000;
  }
  table.clear();
  took.sort();
  return {
    'longest single insert (us)': took[rows - 1]!,
    'tenth longest (us)': took[rows - 10]!,
    'insert p99.9 (us)': took[Math.floor(rows * 0.999)]!,
  };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

/**
 * Medians of three rounds; rounds before them warm the compiler up. Of the stalls the least: a stall that not every
 * round has is not the table's.
 */
function report(rows: number): void {
  for (let round = 0; round < 4; round++) measure(Math.min(rows, 50_000));
  const rounds = [0, 1, 2].map(() => measure(rows));
  const stallRounds = [0, 1, 2].map(() => stalls(rows));
  console.log(`${rows} flows${withIpv6 ? ', a quarter of them IPv6' : ''}`);
  for (const name of Object.keys(rounds[0]!)) print(name, median(rounds.map((round) => round[name]!)));
  for (const name of Object.keys(stallRounds[0]!)) print(name, Math.min(...stallRounds.map((round) => round[name]!)));
}

function print(name: string, value: number): void {
  console.log(`  ${name.padEnd(48)} ${value.toFixed(1).padStart(12)}`);
}

const sizes = process.argv.slice(2).map(Number).filter(Number.isInteger);
for (const rows of sizes.length > 0 ? sizes : [100_000, 1_000_000]) report(rows);
