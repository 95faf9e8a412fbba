import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { Commit, type CommitKernel, type CommitResult, type CommitSurroundings } from '../../../src/cache/commit.js';
import {
  K_REPLY,
  K_REPLY_L4,
  KNOWN,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
} from '../../../src/flow/layout.js';
import type { FlowRef } from '../../../src/flow/ref.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import { FlowTable } from '../../../src/flow/table.js';
import type { DumpEvents } from '../../../src/kernel/dump.js';
import { KernelCounters } from '../../../src/kernel/statistics.js';
import { kernelMessage } from '../../support/netlink-tree.js';
import { type TcpFlow, tcpFlow } from '../../support/tcp-flow.js';

const ENOENT = 2;
const ENOMEM = 12;
const EBUSY = 16;
const EEXIST = 17;
const EINVAL = 22;

interface Request {
  readonly what: 'create' | 'change' | 'delete';
  readonly port: number;
  readonly timeout: number;
  readonly tag: number;
}

/** A kernel that keeps flows by port, in batches of four; `refuse` says which ones it never takes. */
class RecordingKernel implements CommitKernel {
  readonly flows = new Map<number, number>();
  readonly batches: string[][] = [];
  /** What the kernel answers to a change, by port; absent: it takes it, if it has the flow. */
  readonly changeErrors = new Map<number, number>();
  /** Flows that traffic makes anew between a delete and a create, so many times. */
  readonly reborn = new Map<number, number>();
  broken = false;
  private batch: Request[] = [];

  constructor(
    private readonly refuse: (port: number) => boolean = () => false,
    private readonly refusal = EINVAL,
  ) {}

  private endFlow(port: number): void {
    const times = this.reborn.get(port) ?? 0;
    if (times > 0) this.reborn.set(port, times - 1);
    else this.flows.delete(port);
  }

  private changeFlow(port: number, timeout: number, tag: number, failed: (tag: number, errno: number) => void): void {
    const error = this.changeErrors.get(port) ?? (this.flows.has(port) ? 0 : ENOENT);
    if (error === 0) this.flows.set(port, timeout);
    else failed(tag, error);
  }

  batchSize = 4;

  get room(): number {
    return this.batchSize - this.batch.length;
  }

  create(flow: FlowRef, timeout: number, tag: number): void {
    this.batch.push({ what: 'create', port: portOf(flow), timeout, tag });
  }

  change(flow: FlowRef, timeout: number, tag: number): void {
    this.batch.push({ what: 'change', port: portOf(flow), timeout, tag });
  }

  delete(flow: FlowRef, timeout: number): void {
    this.batch.push({ what: 'delete', port: portOf(flow), timeout, tag: -1 });
  }

  submit(failed: (tag: number, errno: number) => void): void {
    this.carryOut(this.takeBatch(), failed);
  }

  protected takeBatch(): Request[] {
    expect(this.batch.length).toBeLessThanOrEqual(this.batchSize);
    const batch = this.batch;
    this.batch = [];
    return batch;
  }

  protected carryOut(batch: readonly Request[], failed: (tag: number, errno: number) => void): void {
    if (this.broken) throw new Error('send: ENOBUFS');
    this.batches.push(batch.map(({ what, port }) => `${what} ${port}`));
    for (const { what, port, timeout, tag } of batch) {
      if (what === 'delete') this.endFlow(port);
      else if (what === 'change') this.changeFlow(port, timeout, tag, failed);
      else if (this.refuse(port)) failed(tag, this.refusal);
      else if (this.flows.has(port)) failed(tag, EEXIST);
      else this.flows.set(port, timeout);
    }
  }

  errorText(errno: number): string {
    return `error ${errno}`;
  }
}

/** The same with another thread: a batch is carried out later, while the commit makes the next. */
class DistantKernel extends RecordingKernel {
  /** What the other thread is about to do. */
  pending: (() => void) | null = null;
  /** It does so before the commit's next slice, instead of when nothing else is to be done. */
  isPrompt = false;

  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void {
    expect(this.pending).toBeNull();
    const batch = this.takeBatch();
    this.pending = () => {
      this.pending = null;
      let error: Error | null = null;
      try {
        this.carryOut(batch, failed);
      } catch (thrown) {
        error = thrown as Error;
      }
      done(error);
    };
  }
}

function portOf(flow: FlowRef): number {
  return flow.words[flow.at + ORIG_L4]! & 0xffff;
}

interface Outcome {
  result: CommitResult;
  log: string[];
}

/** Runs a commit to its end, slice by slice. */
function commit(
  flows: TcpFlow[],
  kernel: CommitKernel,
  commitTimeout: number | null = 180,
  ageSeconds = 0,
  surroundings?: CommitSurroundings,
): Outcome {
  let nowMs = 1000;
  const table = new FlowTable({ limit: 100_000 });
  for (const flow of flows) table.insert(tcpFlow(flow), 1);
  nowMs += ageSeconds * 1000;
  const log: string[] = [];
  const soon: Array<() => void> = [];
  let result: CommitResult | null = null;
  const write = (text: string): void => void log.push(text);
  new Commit(
    {
      table,
      kernel,
      clock: { monotonicMs: () => (nowMs += 0.5), wallSeconds: () => 0 },
      scheduler: { after: () => ({ cancel: () => {} }), soon: (callback) => void soon.push(callback) },
      log: { info: write, notice: write, warning: write, error: write, raw: write },
      commitTimeout,
      describe: (flow) => `flow ${portOf(flow)}`,
      ...(surroundings && { surroundings }),
    },
    (end) => {
      result = end;
    },
  ).run();
  const nextStep = (): (() => void) | null => {
    if (!(kernel instanceof DistantKernel)) return soon.shift() ?? null;
    return kernel.isPrompt ? (kernel.pending ?? soon.shift() ?? null) : (soon.shift() ?? kernel.pending);
  };
  for (let next = nextStep(); next !== null; next = nextStep()) next();
  expect(result).not.toBeNull();
  return { result: result!, log };
}

/** A firewall that has these flows: as the commit would leave them, but for `differing`. */
function having(
  ports: readonly number[],
  known = ports,
  differing: (message: FlowScratch, port: number) => void = () => {},
): CommitSurroundings & { dumps: number; many: number } {
  const surroundings = {
    dumps: 0,
    many: 0,
    held: known.length,
    holds: (flow: FlowRef) => known.includes(portOf(flow)),
    counters: new KernelCounters(),
    windowTracking: true,
    createsMany: () => void surroundings.many++,
    openDump: (events: DumpEvents) => ({
      close: () => {},
      start: () => {
        surroundings.dumps++;
        for (const number of ports) {
          const flow = asDumped(number);
          differing(flow, number);
          const message = kernelMessage(flow);
          events.onEntry(Views.of(message), 0, message.length);
        }
        events.onDone();
      },
    }),
  };
  return surroundings;
}

/** Flow `number` as the kernel dumps it after a commit. */
function asDumped(number: number): FlowScratch {
  const flow = tcpFlow({ number, timeout: 180 });
  const { words } = flow;
  words[KNOWN]! |= K_REPLY | K_REPLY_L4;
  words[REPLY_SRC] = words[ORIG_DST]!;
  words[REPLY_DST] = words[ORIG_SRC]!;
  words[REPLY_L4] = ((words[ORIG_L4]! >>> 16) | (words[ORIG_L4]! << 16)) >>> 0;
  return flow;
}

const numbered = (count: number): TcpFlow[] => Array.from({ length: count }, (_, number) => ({ number }));

describe.each([
  ['in this thread', RecordingKernel],
  ['in another thread', DistantKernel],
])('Commit, requests carried out %s', (_, Kernel) => {
  it('gives every flow to an empty kernel, in batches and slices', () => {
    const kernel = new Kernel();
    const { result, log } = commit(numbered(50), kernel);
    expect(kernel.flows.size).toBe(50);
    expect(result).toMatchObject({ committed: 50, failed: 0 });
    expect(kernel.batches).toHaveLength(13);
    expect(log[0]).toBe('Committed 50 new entries');
    expect(log[1]).toMatch(/^commit has taken \d+\.\d{6} seconds$/);
  });

  it('commits nothing of an empty cache', () => {
    const { result, log } = commit([], new Kernel());
    expect(result).toMatchObject({ committed: 0, failed: 0 });
    expect(log[0]).toBe('Committed 0 new entries');
  });

  it('deletes and creates again what is there already', () => {
    const kernel = new Kernel();
    for (const number of [1, 3, 4, 7]) kernel.flows.set(number, 5);
    const { result } = commit(numbered(8), kernel);
    expect(result).toMatchObject({ committed: 8, failed: 0 });
    expect([...kernel.flows.values()].every((timeout) => timeout === 180)).toBe(true);
    expect(kernel.batches.flat().filter((text) => text.startsWith('delete'))).toEqual([
      'delete 1',
      'delete 3',
      'delete 4',
      'delete 7',
    ]);
  });

  it('takes related flows after all others', () => {
    const kernel = new Kernel();
    commit([{ number: 1, related: true }, { number: 2 }, { number: 3, related: true }, { number: 4 }], kernel);
    expect(kernel.batches).toEqual([
      ['create 2', 'create 4'],
      ['create 1', 'create 3'],
    ]);
  });

  it('logs what the kernel refuses, with the flow, and goes on', () => {
    const kernel = new Kernel((port) => port === 2);
    const { result, log } = commit(numbered(4), kernel);
    expect(result).toMatchObject({ committed: 3, failed: 1 });
    expect(log.slice(0, 4)).toEqual([
      'commit-create: error 22',
      'flow 2',
      'Committed 3 new entries',
      "1 entries can't be committed",
    ]);
  });

  it('does not fill the log when everything is refused', () => {
    const { result, log } = commit(numbered(5000), new Kernel(() => true));
    expect(result.failed).toBe(5000);
    expect(log.length).toBeLessThan(60);
    expect(log).toContain("5000 entries can't be committed");
    expect(log).toContain('commit-create: 4980 more entries could not be created, not listed');
  });

  it('gives the replicated timeout less its age without CommitTimeout, 60 seconds when that is negative', () => {
    const kernel = new Kernel();
    commit([{ number: 1, timeout: 300 }, { number: 2, timeout: 30 }, { number: 3 }], kernel, null, 100);
    expect(kernel.flows).toEqual(
      new Map([
        [1, 200],
        [2, 60],
        [3, 60],
      ]),
    );
  });
});

describe.each([
  ['in this thread', RecordingKernel],
  ['in another thread', DistantKernel],
])('Commit beside flows that are there, requests carried out %s', (_, Kernel) => {
  it('asks nothing about what is the same, and counts it', () => {
    const kernel = new Kernel();
    for (const number of [1, 2]) kernel.flows.set(number, 180);
    const { result } = commit(numbered(4), kernel, 180, 0, having([1, 2]));
    expect(result).toMatchObject({ committed: 4, failed: 0 });
    expect(kernel.batches).toEqual([['create 0', 'create 3']]);
  });

  it('changes what differs in place, and recreates it when the kernel will not', () => {
    const kernel = new Kernel();
    for (const number of [0, 1, 2]) kernel.flows.set(number, 180);
    kernel.changeErrors.set(1, EBUSY);
    kernel.flows.delete(2);
    const unanswered = having([0, 1, 2], [0, 1, 2], ({ words }) => {
      words[STATUS] = 8;
    });
    const { result } = commit(numbered(3), kernel, 180, 0, unanswered);
    expect(result).toMatchObject({ committed: 3, failed: 0 });
    // Flow 2 ended between the dump and the change: it is created.
    expect(kernel.batches).toEqual([
      ['change 0', 'change 1', 'change 2'],
      ['delete 1', 'create 1', 'create 2'],
    ]);
  });

  it('recreates what cannot be changed', () => {
    const kernel = new Kernel();
    kernel.flows.set(0, 180);
    const translated = having([0], [0], ({ words }) => {
      words[REPLY_DST] = 77;
    });
    commit(numbered(1), kernel, 180, 0, translated);
    expect(kernel.batches).toEqual([['delete 0', 'create 0']]);
  });

  it('tries again, not for ever, when traffic makes the flow between delete and create', () => {
    for (const [times, committed] of [
      [2, 1],
      [3, 0],
    ] as const) {
      const kernel = new Kernel();
      kernel.flows.set(0, 5);
      kernel.reborn.set(0, times);
      expect(commit(numbered(1), kernel).result).toMatchObject({ committed, failed: 1 - committed });
    }
  });

  it('reads the table when more is there than it knew, and leaves it alone', () => {
    const kernel = new Kernel();
    const all = numbered(200).map(({ number }) => number);
    for (const number of all) kernel.flows.set(number, 180);
    kernel.batchSize = 64;
    const surroundings = having(all, []);
    const { result } = commit(numbered(200), kernel, 180, 0, surroundings);
    expect(result).toMatchObject({ committed: 200, failed: 0 });
    expect(surroundings.dumps).toBe(1);
    expect(kernel.batches.flat().filter((text) => text.startsWith('delete'))).toEqual([]);
  });

  it('tells in time that it will create many, and not when it will not', () => {
    const empty = having([]);
    commit(numbered(2500), new Kernel(), 180, 0, empty);
    expect([empty.many, empty.dumps]).toEqual([1, 0]);
    const few = having([]);
    commit(numbered(100), new Kernel(), 180, 0, few);
    expect(few.many).toBe(0);
  });

  it('says in one line that the kernel table is full', () => {
    const { result, log } = commit(numbered(100), new Kernel((port) => port >= 40, ENOMEM));
    expect(result).toMatchObject({ committed: 40, failed: 60 });
    expect(log.filter((line) => line.startsWith('commit-create'))).toEqual([
      'commit-create: 60 entries found no room in the kernel conntrack table: net.netfilter.nf_conntrack_max, or memory, is too small',
    ]);
  });

  it('ends when the kernel takes no requests any more', () => {
    const kernel = new Kernel();
    // Three batches; a fourth is made before the third comes back.
    kernel.broken = true;
    const { result, log } = commit(numbered(100), kernel);
    expect(result).toMatchObject({ committed: 0, failed: Kernel === DistantKernel ? 16 : 12 });
    expect(log).toContain('commit given up: the kernel takes no requests');
  });
});

describe('a commit of many flows', () => {
  const FLOWS = 10_000;

  /** A kernel that notes how many entries were ranked when it got its first batch; `held` is what the firewall has. */
  function rankedAtFirst(held: number): { ranked: number; result: CommitResult; many: number } {
    let ranked = 0;
    let atFirst = -1;
    const kernel = new (class extends DistantKernel {
      override submitAhead(...words: Parameters<DistantKernel['submitAhead']>): void {
        if (atFirst < 0) atFirst = ranked;
        super.submitAhead(...words);
      }
    })();
    kernel.isPrompt = true;
    kernel.batchSize = 512;
    const surroundings = having([]);
    const counting = {
      ...surroundings,
      held,
      createsMany: surroundings.createsMany,
      holds: () => {
        ranked++;
        return false;
      },
    };
    const { result } = commit(numbered(FLOWS), kernel, 180, 0, counting);
    expect(kernel.flows.size).toBe(FLOWS);
    expect(kernel.batches.flat()).toHaveLength(FLOWS);
    return { ranked: atFirst, result, many: surroundings.many };
  }

  it('gives the kernel the first of them while the rest are ranked, each once', () => {
    const { ranked, result, many } = rankedAtFirst(1);
    expect(ranked).toBeGreaterThanOrEqual(2000);
    expect(ranked).toBeLessThan(FLOWS / 2);
    expect(result).toMatchObject({ committed: FLOWS, failed: 0 });
    expect(many).toBe(1);
  });

  it('ranks all of them first as long as the firewall may have most of what there is', () => {
    const { ranked, result, many } = rankedAtFirst(10 * FLOWS);
    expect(ranked).toBe(FLOWS);
    expect(result).toMatchObject({ committed: FLOWS, failed: 0 });
    expect(many).toBe(0);
  });

  it('reads the table when the first of them are there already', () => {
    const kernel = new DistantKernel();
    kernel.isPrompt = true;
    kernel.batchSize = 512;
    const there = numbered(FLOWS).map(({ number }) => number);
    for (const number of there) kernel.flows.set(number, 180);
    const firewall = having(there, []);
    const { result } = commit(numbered(FLOWS), kernel, 180, 0, firewall);
    expect(result).toMatchObject({ committed: FLOWS, failed: 0 });
    expect(firewall.dumps).toBe(1);
    expect(kernel.batches.flat().filter((text) => text.startsWith('delete'))).toEqual([]);
    expect(kernel.batches.flat().length).toBeLessThan(FLOWS / 2);
  });
});
