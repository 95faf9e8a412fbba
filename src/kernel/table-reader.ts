import type { Views } from '../base/views.js';
import type { FlowFilter } from '../flow/filter.js';
import { FlowScratch } from '../flow/scratch.js';
import { NFNL_SUBSYS_CTNETLINK } from '../netlink/constants.js';
import { decodeFlow } from '../netlink/decode.js';
import { subsystemOf, typeOf } from '../netlink/message.js';
import { TableDump } from './dump.js';
import type { KernelCounters } from './statistics.js';

/** Every flow was handed over. */
const NO_MORE_FLOWS = -1;

const nobody = (): void => {};

/**
 * The kernel's conntrack table for a reader that sets the pace, where TableDump pushes. The kernel is asked in another
 * thread, which may take seconds while somebody empties a large table: until something is there, nothing is read.
 */
export class TableReader {
  /** After the end: the table changed meanwhile and flows may have been passed over. */
  interrupted = false;
  private dump: TableDump | null = null;
  private failure: Error | null = null;
  private ended = true;
  private count = 0;
  private each: (flow: FlowScratch) => void = nobody;
  private readable: () => void = nobody;
  private readonly scratch = new FlowScratch();

  /**
   * @param counters where messages that are no flows are counted
   * @param filter gives the present one: flows that do not pass are as if the kernel had them not; null: all pass
   */
  constructor(
    private readonly counters: () => KernelCounters,
    private readonly filter: () => FlowFilter | null,
  ) {}

  /** Begins a dump, giving up one under way. @throws SystemError */
  open(): void {
    this.close();
    this.interrupted = false;
    this.failure = null;
    this.dump = new TableDump({
      onEntry: (views, at, end) => this.entry(views, at, end),
      onInterrupted: () => {
        this.interrupted = true;
        this.end();
      },
      onDone: () => this.end(),
      onError: (error) => {
        this.failure = error;
        this.end();
      },
      onWaiting: () => this.tell(),
    });
    this.ended = false;
    this.dump.hold();
    this.dump.start();
  }

  /**
   * Hands over the flows that are there, some thousand at most; each is valid until `each` returns.
   *
   * @returns how many, 0 when none are there yet, -1 at the end
   * @throws SystemError when the kernel refused
   */
  read(each: (flow: FlowScratch) => void): number {
    if (this.ended) return this.result(0);
    this.count = 0;
    this.each = each;
    this.dump!.handOver();
    // Nothing was there, or nothing that passes: what comes next is received meanwhile.
    if (this.count === 0) this.dump?.handOver();
    this.each = nobody;
    return this.result(this.count);
  }

  /** Calls back, once, when `read` has something to say that it had not. Not after `close`. */
  whenReadable(callback: () => void): void {
    this.readable = callback;
    if (this.ended || this.dump?.isWaiting) setImmediate(() => this.tell());
  }

  close(): void {
    this.dump?.close();
    this.dump = null;
    this.ended = true;
    this.readable = nobody;
  }

  private result(count: number): number {
    const { failure } = this;
    this.failure = null;
    if (failure !== null) throw failure;
    return count === 0 && this.ended ? NO_MORE_FLOWS : count;
  }

  private end(): void {
    this.dump = null;
    this.ended = true;
    this.tell();
  }

  private tell(): void {
    const { readable } = this;
    this.readable = nobody;
    readable();
  }

  private entry(views: Views, at: number, end: number): void {
    const { scratch } = this;
    const filter = this.filter();
    if (subsystemOf(typeOf(views, at)) !== NFNL_SUBSYS_CTNETLINK || !decodeFlow(views, at, end, scratch)) {
      this.counters().dumpUnknown++;
      return;
    }
    if (filter !== null && !filter.passes(scratch)) return;
    this.count++;
    this.each(scratch);
  }
}
