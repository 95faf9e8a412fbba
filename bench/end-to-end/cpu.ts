import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { eventually, sleep } from '../../test/lab/waiting.js';

/** CPU time in nanoseconds. */
export interface CpuTime {
  readonly total: number;
  readonly user: number;
  readonly system: number;
}

/** Where CPU time is read from. */
interface CpuSource {
  readonly kind: string;
  read(): CpuTime;
  close(): Promise<void>;
}

const CGROUP_V1 = '/sys/fs/cgroup/cpuacct';
const CGROUP_V2 = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'];

let groups = 0;

/** A group of its own that holds the process; children it starts stay in it, as the original's forks for dumps. */
function makeGroup(parent: string, pid: number): string {
  groups += 1;
  const group = `${parent}/ctbench-${process.pid}-${groups}`;
  mkdirSync(group);
  writeFileSync(`${group}/cgroup.procs`, String(pid));
  return group;
}

/** A process stays in its group until its parent has seen its end. */
async function removeGroup(group: string): Promise<void> {
  await eventually(
    () => {
      rmdirSync(group);
      return true;
    },
    { withinMs: 10_000, what: `removal of ${group}` },
  );
}

/** Removes groups that runs which were killed left behind. */
export function sweepGroups(): void {
  for (const parent of [CGROUP_V1, ...CGROUP_V2].filter((path) => existsSync(path))) {
    for (const name of readdirSync(parent)) {
      const pid = /^ctbench-(\d+)-\d+$/.exec(name)?.[1];
      if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmdirSync(`${parent}/${name}`);
    }
  }
}

function numberIn(path: string): number {
  return Number(readFileSync(path, 'utf8'));
}

function groupV1(pid: number): CpuSource {
  const group = makeGroup(CGROUP_V1, pid);
  return {
    kind: 'cpuacct',
    read: () => ({
      total: numberIn(`${group}/cpuacct.usage`),
      user: numberIn(`${group}/cpuacct.usage_user`),
      system: numberIn(`${group}/cpuacct.usage_sys`),
    }),
    close: () => removeGroup(group),
  };
}

function groupV2(parent: string, pid: number): CpuSource {
  const group = makeGroup(parent, pid);
  const field = (text: string, name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0) * 1000;
  return {
    kind: 'cgroup2 cpu.stat',
    read: () => {
      const text = readFileSync(`${group}/cpu.stat`, 'utf8');
      return {
        total: field(text, 'usage_usec'),
        user: field(text, 'user_usec'),
        system: field(text, 'system_usec'),
      };
    },
    close: () => removeGroup(group),
  };
}

/** First field of proc(5) schedstat: nanoseconds on a CPU. Threads that have ended and children are not in it. */
function schedstat(pid: number): CpuSource {
  const threads = `/proc/${pid}/task`;
  return {
    kind: 'schedstat',
    read: () => {
      let total = 0;
      for (const thread of readdirSync(threads)) {
        total += Number(readFileSync(`${threads}/${thread}/schedstat`, 'utf8').split(' ')[0]);
      }
      return { total, user: 0, system: 0 };
    },
    close: async () => {},
  };
}

function openSource(pid: number): CpuSource {
  if (existsSync(`${CGROUP_V1}/cpuacct.usage`)) return groupV1(pid);
  const parent = CGROUP_V2.find((path) => existsSync(`${path}/cpu.stat`));
  return parent === undefined ? schedstat(pid) : groupV2(parent, pid);
}

/** How often, and how long in a row, a process must have done nothing to count as done. */
const LOOK_MS = 50;
const QUIET_LOOKS = 6;
/** CPU that timers of an idle daemon may take between two looks. */
const QUIET_NS = 500_000;

/** CPU time of one process and what it starts. */
export class CpuMeter {
  private readonly source: CpuSource;

  constructor(pid: number) {
    this.source = openSource(pid);
  }

  get kind(): string {
    return this.source.kind;
  }

  read(): CpuTime {
    return this.source.read();
  }

  /** What was used since `from`. */
  since(from: CpuTime): CpuTime {
    const now = this.read();
    return { total: now.total - from.total, user: now.user - from.user, system: now.system - from.system };
  }

  /** The process has ended. */
  close(): Promise<void> {
    return this.source.close();
  }
}

/** Waits until none of the processes does anything any more. @throws Error after `withinMs` */
export async function allQuiet(meters: readonly CpuMeter[], withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  let before = meters.map((meter) => meter.read().total);
  for (let quiet = 0; quiet < QUIET_LOOKS; ) {
    await sleep(LOOK_MS);
    const now = meters.map((meter) => meter.read().total);
    quiet = now.every((total, index) => total - before[index]! < QUIET_NS) ? quiet + 1 : 0;
    before = now;
    if (performance.now() > deadline) throw new Error(`the daemons still work after ${withinMs} ms`);
  }
}
