import { FirewallPair } from '../../test/lab/firewall-pair.js';
import type { Implementation } from '../../test/lab/implementation.js';
import { activeConnections } from '../../test/lab/statistics.js';
import { sleep } from '../../test/lab/waiting.js';
import { allQuiet, type CpuTime } from './cpu.js';
import { LineProcess } from './load.js';
import type { MeasureKey, Sample, Value } from './measures.js';
import { BenchNode, STATS } from './node.js';

/** Longest wait until both daemons have digested a burst. */
const QUIET_MS = 120_000;
/** A request that works on all flows is repeated for so many flows in all, within these limits. */
const REPEATED_FLOWS = 500_000;
const LEAST_REPEATS = 3;
const MOST_REPEATS = 5;

export interface SessionContext {
  readonly flows: number;
  readonly tested: Implementation;
}

/** Two firewalls, of which one runs the implementation under test and the other its partner. */
export class Session {
  readonly sample: Sample = {};
  readonly pair = new FirewallPair();
  readonly a = new BenchNode(this.pair.a);
  readonly b = new BenchNode(this.pair.b);
  private witness: LineProcess<'start' | 'stop', unknown> | null = null;

  private constructor(readonly flows: number) {}

  /** Makes a session, gives it to `work`, and removes all of it again. */
  static async run(flows: number, work: (session: Session) => Promise<void>): Promise<Sample> {
    const session = new Session(flows);
    try {
      await work(session);
      return session.sample;
    } finally {
      await session.close();
    }
  }

  private async close(): Promise<void> {
    this.witness?.close();
    try {
      await this.a.close();
      await this.b.close();
    } finally {
      this.pair.remove();
    }
  }

  /** Resolves when the daemons of those nodes that run have nothing to do any more. */
  quiet(nodes: readonly BenchNode[] = [this.a, this.b]): Promise<void> {
    return allQuiet(
      nodes.filter(({ runs }) => runs).map(({ meter }) => meter),
      QUIET_MS,
    );
  }

  /** Nobody listens in another namespace of this machine any more, and its kernel has the flows of one firewall only. */
  async peerDies(): Promise<void> {
    await this.a.die();
    await this.quiet();
  }

  /** Lets the hellos of both be over. */
  async greet(): Promise<void> {
    await sleep(2500);
    await this.quiet();
  }

  record(key: MeasureKey, value: number): void {
    this.sample[key] = { value };
  }

  /** Keeps the greater of the two, part by part. */
  recordMost(key: MeasureKey, { value, part }: Value): void {
    const before = this.sample[key];
    const most = Math.max(value, before?.value ?? 0);
    this.sample[key] = part === undefined ? { value: most } : { value: most, part: Math.max(part, before?.part ?? 0) };
  }

  /** Microseconds per flow. */
  recordCpu(key: MeasureKey, time: CpuTime): void {
    this.sample[key] = { value: time.total / 1000 / this.flows, part: time.user / 1000 / this.flows };
  }

  /** Bytes per flow beyond those of the daemon that holds none. */
  recordMemory(key: MeasureKey, node: BenchNode, before: number): void {
    this.record(key, (node.daemon.residentBytes() - before) / this.flows);
  }

  /** CPU time that `node` uses from now until both are quiet again, `work` included. */
  async measureCpu(key: MeasureKey, node: BenchNode, work: () => Promise<unknown>): Promise<void> {
    const before = node.cpu();
    await work();
    await this.quiet();
    this.recordCpu(key, node.meter.since(before));
  }

  /** The longest turn of the node's event loop while `work` is done. */
  async measureTurns(key: MeasureKey, node: BenchNode, work: () => Promise<unknown>): Promise<void> {
    await node.longestTurn();
    await this.witnessed(work);
    const longest = await node.longestTurn();
    if (longest !== null) this.recordMost(key, longest);
  }

  /** Requests that work on all flows are repeated where that does not take too long. */
  async median(key: MeasureKey, once: () => Promise<number>): Promise<void> {
    const repeats = Math.min(MOST_REPEATS, Math.max(LEAST_REPEATS, Math.floor(REPEATED_FLOWS / this.flows)));
    const times: number[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) times.push(await once());
    this.record(key, times.sort((x, y) => x - y)[repeats >> 1]!);
  }

  /** How long `-s` takes while `work` is done. */
  async sampleDuring(
    keys: { readonly longest: MeasureKey; readonly median: MeasureKey },
    node: BenchNode,
    work: () => Promise<unknown>,
  ): Promise<void> {
    const { longest, longestWork, median } = await this.witnessed(() => node.during(work));
    this.sample[keys.longest] = { value: longest, part: longestWork };
    this.record(keys.median, median);
  }

  /** Does it, and records how long the machine itself stood still meanwhile. */
  private async witnessed<Result>(work: () => Promise<Result>): Promise<Result> {
    this.witness ??= new LineProcess(this.pair.a.namespace, 'bench/end-to-end/witness-process');
    await this.witness.ask('start');
    const result = await work();
    this.recordMost('machinePause', { value: (await this.witness.ask('stop')) as number });
    return result;
  }

  /** The share of a processor, in percent, that a steady load of so many milliseconds took. */
  recordShare(key: MeasureKey, { total }: CpuTime, milliseconds: number): void {
    this.record(key, total / 1e4 / milliseconds);
  }

  /** Numbers of a run in which something was lost say nothing. */
  async mustHold(node: BenchNode, cache: 'internal' | 'external', flows: number): Promise<void> {
    const held = activeConnections(await node.reply(STATS), cache);
    const { name } = node.daemon.implementation;
    if (held !== flows) throw new Error(`${name}: ${held} flows in the ${cache} cache, not ${flows}`);
  }

  /** The same for what is in the node's kernel, where others may have put more. */
  kernelMustHold({ firewall, daemon }: BenchNode, flows: number): void {
    const held = firewall.kernelCount();
    if (held < flows) throw new Error(`${daemon.implementation.name}: ${held} of ${flows} flows are in the kernel`);
  }
}

/** @returns milliseconds that took */
export function timeCommand(command: () => void): number {
  const begin = performance.now();
  command();
  return performance.now() - begin;
}
