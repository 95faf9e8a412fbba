import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Views } from '../base/views.js';
import type { FlowFilter } from '../flow/filter.js';
import { TIMEOUT } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { NFNL_SUBSYS_CTNETLINK } from '../netlink/constants.js';
import { decodeFlow } from '../netlink/decode.js';
import { subsystemOf, typeOf } from '../netlink/message.js';
import type { Dump } from './resync.js';

/** Deletes flows in batches. */
export interface FlushKernel {
  readonly room: number;
  delete(flow: FlowRef, timeoutSeconds: number): void;
  submit(failed: (tag: number, errno: number) => void): void;
}

export interface KernelFlushContext {
  readonly kernel: FlushKernel;
  readonly counters: KernelCounters;
  readonly log: Logger;
  /** Only flows that pass are deleted; null: all. */
  readonly filter: FlowFilter | null;
  openDump(events: DumpEvents): Dump;
}

/** Interrupted dumps in a row before the flush is taken as done: new flows may come in for ever. */
const MOST_RESTARTS = 10;

/** `-F` and the end of PurgeTimeout: deletes the kernel's flows, dump and deletes going side by side in slices. */
export class KernelFlush {
  private readonly scratch = new FlowScratch();
  private dump: Dump | null = null;
  private restarts = 0;
  private ended: () => void = () => {};
  private filter: FlowFilter | null;

  constructor(private readonly context: KernelFlushContext) {
    this.filter = context.filter;
  }

  /** Another filter; null: none. */
  filterBy(filter: FlowFilter | null): void {
    this.filter = filter;
  }

  /**
   * Begins unless one is under way already.
   *
   * @param ended called when the table has been gone through; not when it could not be read, and not after `close`
   */
  run(ended: () => void = () => {}): void {
    if (this.dump !== null) return;
    this.ended = ended;
    this.context.counters.flushes++;
    this.restarts = 0;
    this.open();
  }

  get underWay(): boolean {
    return this.dump !== null;
  }

  close(): void {
    this.dump?.close();
    this.dump = null;
  }

  private open(): void {
    this.dump = this.context.openDump({
      onEntry: (views, at, end) => this.entry(views, at, end),
      onInterrupted: () => this.interrupted(),
      onDone: () => this.end(),
      onError: (error) => {
        this.context.log.error(`flush of the kernel conntrack table: ${error.message}`);
        this.ended = () => {};
        this.end();
      },
    });
    this.dump.start();
  }

  private entry(views: Views, at: number, end: number): void {
    const { kernel, counters } = this.context;
    const { filter } = this;
    if (subsystemOf(typeOf(views, at)) !== NFNL_SUBSYS_CTNETLINK || !decodeFlow(views, at, end, this.scratch)) {
      counters.dumpUnknown++;
      return;
    }
    if (filter !== null && !filter.passes(this.scratch)) return;
    kernel.delete(this.scratch, this.scratch.words[TIMEOUT]!);
    if (kernel.room === 0) this.submit();
  }

  private interrupted(): void {
    this.submit();
    if (++this.restarts > MOST_RESTARTS) this.end();
    else this.open();
  }

  private end(): void {
    this.submit();
    if (this.dump === null) return;
    this.dump = null;
    this.ended();
  }

  private submit(): void {
    const { kernel, log } = this.context;
    try {
      kernel.submit((_tag, errno) => log.error(`flush of the kernel conntrack table: errno ${errno}`));
    } catch (error) {
      // The kernel took nothing of it: no use to read on.
      log.error(`flush of the kernel conntrack table: ${describe(error)}`);
      this.close();
    }
  }
}
