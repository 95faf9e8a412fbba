import { FirewallPair } from '../../test/lab/firewall-pair.js';
import { type Implementation, original } from '../../test/lab/implementation.js';
import { activeConnections } from '../../test/lab/statistics.js';
import { sleep } from '../../test/lab/waiting.js';
import { allQuiet, type CpuTime } from './cpu.js';
import type { MeasureKey, Sample } from './measures.js';
import {
  BenchNode,
  BULK,
  COMMIT,
  DUMP_EXTERNAL,
  DUMP_EXTERNAL_XML,
  DUMP_INTERNAL,
  DUMP_INTERNAL_XML,
  RESYNC,
  STATS,
} from './node.js';

/** Longest wait until both daemons have digested a burst. */
const QUIET_MS = 120_000;
/** A dump, or a request of no work, is timed so often; the median counts. */
const REPEATS = 5;
/** Seconds and rate of the steady load. */
const STEADY_SECONDS = 4;
const STEADY_RATE = 5000;

export interface SessionContext {
  readonly flows: number;
  readonly tested: Implementation;
}

/** Two firewalls, of which one runs the implementation under test and the other the original. */
class Session {
  readonly sample: Sample = {};
  private readonly pair = new FirewallPair();
  readonly a = new BenchNode(this.pair.a);
  readonly b = new BenchNode(this.pair.b);

  constructor(readonly flows: number) {}

  async close(): Promise<void> {
    try {
      await this.a.close();
      await this.b.close();
    } finally {
      this.pair.remove();
    }
  }

  quiet(): Promise<void> {
    return allQuiet([this.a.meter, this.b.meter], QUIET_MS);
  }

  record(key: MeasureKey, value: number): void {
    this.sample[key] = { value };
  }

  /** Microseconds per flow. */
  recordCpu(key: MeasureKey, time: CpuTime): void {
    this.sample[key] = { value: time.total / 1000 / this.flows, user: time.user / 1000 / this.flows };
  }

  /** CPU time that `node` uses from now until both are quiet again, `work` included. */
  async cpuOf(node: BenchNode, work: () => Promise<unknown>): Promise<CpuTime> {
    const before = node.cpu();
    await work();
    await this.quiet();
    return node.meter.since(before);
  }

  async measureCpu(key: MeasureKey, node: BenchNode, work: () => Promise<unknown>): Promise<void> {
    this.recordCpu(key, await this.cpuOf(node, work));
  }

  async median(key: MeasureKey, once: () => Promise<number>): Promise<void> {
    const times: number[] = [];
    for (let repeat = 0; repeat < REPEATS; repeat++) times.push(await once());
    this.record(key, times.sort((x, y) => x - y)[REPEATS >> 1]!);
  }

  /** Numbers of a run in which something was lost say nothing. */
  async mustHold(node: BenchNode, cache: 'internal' | 'external', flows: number): Promise<void> {
    const held = activeConnections(await node.reply(STATS), cache);
    const { name } = node.daemon.implementation;
    if (held !== flows) throw new Error(`${name}: ${held} flows in the ${cache} cache, not ${flows}`);
  }

  memoryPerFlow(key: MeasureKey, node: BenchNode, before: number): void {
    this.record(key, (node.daemon.residentBytes() - before) / this.flows);
  }
}

/** The implementation under test sends, the original receives. */
export async function senderSession({ flows, tested }: SessionContext): Promise<Sample> {
  const session = new Session(flows);
  try {
    await measureSender(session, tested);
    return session.sample;
  } finally {
    await session.close();
  }
}

async function measureSender(session: Session, tested: Implementation): Promise<void> {
  const { a, b, flows } = session;
  await b.start(original, flows);
  session.record('startEmpty', await a.start(tested, flows));
  await greet(session);
  const before = a.daemon.residentBytes();
  session.record('emptyMemory', before / 1e6);
  await session.measureCpu('senderNew', a, () => a.load.run('create', flows));
  session.memoryPerFlow('senderMemory', a, before);
  await session.mustHold(a, 'internal', flows);
  await session.mustHold(b, 'external', flows);
  await session.median('dumpInternal', () => a.time(DUMP_INTERNAL));
  await session.median('dumpInternalXml', () => a.time(DUMP_INTERNAL_XML));
  await session.median('resync', () => a.time(RESYNC));
  await session.median('statistics', () => a.time(STATS));
  await session.median('cliStatistics', async () => timeCommand(() => a.daemon.request('-s')));
  await session.measureCpu('senderBulk', a, () => a.time(BULK));
  await session.measureCpu('senderUpdate', a, () => a.load.run('update', flows));
  await session.measureCpu('senderDestroy', a, () => a.load.run('destroy', flows));
  await session.mustHold(b, 'external', 0);
  await session.measureCpu('senderNewWarm', a, () => a.load.run('create', flows));
  await session.mustHold(b, 'external', flows);
  await a.stop();
  session.record('startFull', await a.startAgain());
  await session.mustHold(a, 'internal', flows);
  await a.load.run('destroy', flows);
  await session.quiet();
  await measureSteady(session);
}

/** Share of one CPU, in percent, at a steady rate of new flows. */
async function measureSteady(session: Session): Promise<void> {
  const { a } = session;
  const count = Math.min(session.flows, STEADY_RATE * STEADY_SECONDS);
  const before = a.cpu();
  const { milliseconds } = await a.load.run('create', count, STEADY_RATE);
  const used = a.meter.since(before);
  session.record('senderSteady', used.total / 1e4 / milliseconds);
}

/** The original sends, the implementation under test receives and takes over. */
export async function receiverSession({ flows, tested }: SessionContext): Promise<Sample> {
  const session = new Session(flows);
  try {
    await measureReceiver(session, tested);
    return session.sample;
  } finally {
    await session.close();
  }
}

async function measureReceiver(session: Session, tested: Implementation): Promise<void> {
  const { a, b, flows } = session;
  await b.start(tested, flows);
  await a.start(original, flows);
  await greet(session);
  const before = b.daemon.residentBytes();
  await session.measureCpu('receiverNew', b, () => a.load.run('create', flows));
  session.memoryPerFlow('receiverMemory', b, before);
  await session.mustHold(b, 'external', flows);
  await session.median('dumpExternal', () => b.time(DUMP_EXTERNAL));
  await session.median('dumpExternalXml', () => b.time(DUMP_EXTERNAL_XML));
  await measureCommits(session);
  await session.measureCpu('receiverBulk', b, () => a.time(BULK));
  await session.measureCpu('receiverUpdate', b, () => a.load.run('update', flows));
  await session.measureCpu('receiverDestroy', b, () => a.load.run('destroy', flows));
  await session.mustHold(b, 'external', 0);
  await session.measureCpu('receiverNewWarm', b, () => a.load.run('create', flows));
  await session.mustHold(b, 'external', flows);
  await measureFailover(session);
}

async function measureCommits(session: Session): Promise<void> {
  const { b, flows } = session;
  for (const [wall, cpu] of [
    ['commitEmpty', 'commitEmptyCpu'],
    ['commitPresent', 'commitPresentCpu'],
  ] as const) {
    await session.measureCpu(cpu, b, async () => session.record(wall, await b.time(COMMIT)));
    const held = b.firewall.kernelCount();
    if (held < flows) throw new Error(`${b.daemon.implementation.name}: ${held} of ${flows} flows were committed`);
  }
  b.firewall.flushKernelTable();
  await session.quiet();
}

/** The requests of the original's failover script, each by the implementation's own client. */
async function measureFailover(session: Session): Promise<void> {
  const { b } = session;
  session.record(
    'failover',
    timeCommand(() => {
      for (const option of ['-c', '-f', '-R', '-B']) b.daemon.request(option);
    }),
  );
  await session.quiet();
}

/** Lets the hellos of both be over. */
async function greet(session: Session): Promise<void> {
  await sleep(2500);
  await session.quiet();
}

function timeCommand(command: () => void): number {
  const begin = performance.now();
  command();
  return performance.now() - begin;
}
