import { describe, expect, it } from 'vitest';
import { Commit, type CommitKernel, type CommitResult } from '../../../src/cache/commit.js';
import { ORIG_L4 } from '../../../src/flow/layout.js';
import type { FlowRef } from '../../../src/flow/ref.js';
import { FlowTable } from '../../../src/flow/table.js';
import { type TcpFlow, tcpFlow } from '../../support/tcp-flow.js';

const EEXIST = 17;
const EINVAL = 22;

/** A kernel that keeps flows by port, in batches of four; `refuse` says which ones it never takes. */
class RecordingKernel implements CommitKernel {
  readonly flows = new Map<number, number>();
  readonly batches: string[][] = [];
  private batch: { what: 'create' | 'change' | 'delete'; port: number; timeout: number; tag: number }[] = [];

  constructor(private readonly refuse: (port: number) => boolean = () => false) {}

  get room(): number {
    return 4 - this.batch.length;
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
    expect(this.batch.length).toBeLessThanOrEqual(4);
    const batch = this.batch;
    this.batch = [];
    this.batches.push(batch.map(({ what, port }) => `${what} ${port}`));
    for (const { what, port, timeout, tag } of batch) {
      if (what === 'delete') this.flows.delete(port);
      else if (this.refuse(port)) failed(tag, EINVAL);
      else if (this.flows.has(port)) failed(tag, EEXIST);
      else this.flows.set(port, timeout);
    }
  }

  errorText(errno: number): string {
    return `error ${errno}`;
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
function commit(flows: TcpFlow[], kernel: CommitKernel, commitTimeout: number | null = 180, ageSeconds = 0): Outcome {
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
    },
    (end) => {
      result = end;
    },
  ).run();
  for (let next = soon.shift(); next !== undefined; next = soon.shift()) next();
  expect(result).not.toBeNull();
  return { result: result!, log };
}

const numbered = (count: number): TcpFlow[] => Array.from({ length: count }, (_, number) => ({ number }));

describe('Commit', () => {
  it('gives every flow to an empty kernel, in batches and slices', () => {
    const kernel = new RecordingKernel();
    const { result, log } = commit(numbered(50), kernel);
    expect(kernel.flows.size).toBe(50);
    expect(result).toMatchObject({ committed: 50, failed: 0 });
    expect(kernel.batches).toHaveLength(13);
    expect(log[0]).toBe('Committed 50 new entries');
    expect(log[1]).toMatch(/^commit has taken \d+\.\d{6} seconds$/);
  });

  it('commits nothing of an empty cache', () => {
    const { result, log } = commit([], new RecordingKernel());
    expect(result).toMatchObject({ committed: 0, failed: 0 });
    expect(log[0]).toBe('Committed 0 new entries');
  });

  it('deletes and creates again what is there already', () => {
    const kernel = new RecordingKernel();
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
    const kernel = new RecordingKernel();
    commit([{ number: 1, related: true }, { number: 2 }, { number: 3, related: true }, { number: 4 }], kernel);
    expect(kernel.batches).toEqual([
      ['create 2', 'create 4'],
      ['create 1', 'create 3'],
    ]);
  });

  it('logs what the kernel refuses, with the flow, and goes on', () => {
    const kernel = new RecordingKernel((port) => port === 2);
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
    const { result, log } = commit(numbered(5000), new RecordingKernel(() => true));
    expect(result.failed).toBe(5000);
    expect(log.length).toBeLessThan(60);
    expect(log).toContain("5000 entries can't be committed");
    expect(log).toContain('commit-create: 4980 more entries could not be created, not listed');
  });

  it('gives the replicated timeout less its age without CommitTimeout, 60 seconds when that is negative', () => {
    const kernel = new RecordingKernel();
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
