import { type Daemon, START_MS } from '../../test/lab/daemon.js';
import { type Firewall, SYNC_DEVICE } from '../../test/lab/firewall-pair.js';
import type { Implementation } from '../../test/lab/implementation.js';
import { rawDiscard } from '../../test/lab/raw-request.js';
import { statistic } from '../../test/lab/statistics.js';
import { eventually } from '../../test/lab/waiting.js';
import { CpuMeter, type CpuTime } from './cpu.js';
import { LoadGenerator } from './load.js';
import type { Value } from './measures.js';
import { type Sampled, Sampler } from './sampler.js';

/** Longest wait for any reply of a daemon: the original's commit of a million flows takes half a minute. */
const REPLY_MS = 300_000;

interface NodeOptions {
  readonly buffers?: 'ample' | 'usual';
  readonly modeClauses?: readonly string[];
}

/** One firewall of a session: its daemon, the meter on it, and a generator in its namespace. */
export class BenchNode {
  readonly load: LoadGenerator;
  private currentMeter: CpuMeter | null = null;
  private sampler: Sampler | null = null;

  constructor(readonly firewall: Firewall) {
    this.load = new LoadGenerator(firewall.namespace);
  }

  get daemon(): Daemon {
    return this.firewall.daemon;
  }

  get runs(): boolean {
    return this.currentMeter !== null;
  }

  get meter(): CpuMeter {
    if (this.currentMeter === null) throw new Error('the daemon does not run');
    return this.currentMeter;
  }

  /**
   * Starts the daemon.
   * @param buffers how large the buffers of its sockets are: for work without loss, or as in the original's example
   * @param modeClauses of the `Mode` block
   * @returns milliseconds until it answered a request
   */
  async start(
    implementation: Implementation,
    flows: number,
    { buffers = 'ample', modeClauses = [] }: NodeOptions = {},
  ): Promise<number> {
    this.firewall.prepareDaemon(implementation, {
      mode: 'FTFW',
      modeClauses,
      link: this.firewall.link('UDP', 'v4', buffers === 'ample' ? LINK_CLAUSES : []),
      generalClauses: buffers === 'ample' ? generalClauses(flows) : USUAL_CLAUSES,
      hashSize: 65_536,
      hashLimit: Math.max(262_144, 2 * flows),
    });
    return this.startAgain();
  }

  async startAgain(): Promise<number> {
    const begin = performance.now();
    const { status, stderr } = await this.daemon.startAttempt();
    if (status !== 0) throw new Error(`the daemon did not start: ${stderr}`);
    await this.daemon.rawRequest(STATS);
    const elapsed = performance.now() - begin;
    this.daemon.pid = await eventually(() => this.daemon.processes()[0], {
      withinMs: START_MS,
      what: 'daemon process',
    });
    this.currentMeter = new CpuMeter(this.daemon.pid);
    return elapsed;
  }

  async stop(): Promise<void> {
    this.closeSampler();
    await this.daemon.stop();
    await this.currentMeter?.close();
    this.currentMeter = null;
  }

  /**
   * Sends a request code and reads its reply to the end, without keeping it: half a gigabyte more in this process had a
   * virtual machine's host reorganise its memory, for which everybody waited.
   * @returns milliseconds that took
   */
  async time(code: number): Promise<number> {
    const begin = performance.now();
    await rawDiscard(this.daemon.paths.socket, code, REPLY_MS);
    return performance.now() - begin;
  }

  reply(code: number): Promise<string> {
    return this.daemon.rawRequest(code, REPLY_MS);
  }

  cpu(): CpuTime {
    return this.meter.read();
  }

  /** How long `-s` takes while something else is done. */
  during(work: () => Promise<unknown>): Promise<Sampled> {
    this.sampler ??= new Sampler(this.firewall.namespace, this.daemon.paths.socket, this.daemon.pid);
    return this.sampler.during(work);
  }

  /** Bytes and packets sent to the peers so far. */
  async sent(): Promise<{ bytes: number; packets: number }> {
    const text = await this.reply(STATS);
    return {
      bytes: statistic(text, 'UDP traffic', 'Bytes sent'),
      packets: statistic(text, 'UDP traffic', 'Pckts sent'),
    };
  }

  /**
   * The event loop's longest turn since this was asked before, and the longest that it worked in one, in milliseconds; null: the
   * original has no such loop.
   */
  async longestTurn(): Promise<Required<Value> | null> {
    if (this.daemon.implementation.name !== 'ours') return null;
    const text = await this.reply(LATENCY);
    const latest = (name: string): number => Number(new RegExp(`^${name}:.* ([\\d.]+)$`, 'm').exec(text)?.[1]);
    return { value: latest('event loop turn'), part: latest('own work of turn') };
  }

  /** The machine is gone: its daemon, its flows, its addresses. Its end of the link is a switch that goes on working. */
  async die(): Promise<void> {
    await this.kill();
    this.firewall.flushKernelTable();
    this.firewall.namespace.ip('addr', 'flush', 'dev', SYNC_DEVICE);
  }

  /** Ends what still runs. */
  async close(): Promise<void> {
    this.load.close();
    await this.kill();
  }

  private async kill(): Promise<void> {
    this.closeSampler();
    if (this.currentMeter === null) return;
    await this.daemon.kill();
    await this.currentMeter.close();
    this.currentMeter = null;
  }

  private closeSampler(): void {
    this.sampler?.close();
    this.sampler = null;
  }
}

/** Request codes (spec/control.md; LATENCY is ours). */
export const STATS = 21;
export const COMMIT = 46;
export const FLUSH = 45;
export const BULK = 22;
export const REQUEST_BULK = 23;
export const LATENCY = 256;
export const RESYNC = 44;
export const DUMP_INTERNAL = 16;
export const DUMP_INTERNAL_XML = 24;
export const DUMP_EXTERNAL = 17;
export const DUMP_EXTERNAL_XML = 25;

/** So that no datagram of a burst is lost: what is measured is work, not recovery. Clauses further down win. */
const LINK_CLAUSES = ['SndSocketBuffer 67108864', 'RcvSocketBuffer 134217728'];

/** A netlink buffer of 2 MiB that does not grow; lost events are made up for five seconds later. */
const USUAL_CLAUSES = ['NetlinkBufferSize 2097152', 'NetlinkBufferSizeMaxGrowth 2097152', 'NetlinkOverrunResync 5'];

/** Some 1,300 bytes of the kernel's memory per event that waits; a whole burst may wait. */
function generalClauses(flows: number): string[] {
  const bytes = Math.min(2 ** 30, Math.max(2 ** 28, flows * 2048));
  return [`NetlinkBufferSize ${bytes}`, `NetlinkBufferSizeMaxGrowth ${bytes}`];
}
