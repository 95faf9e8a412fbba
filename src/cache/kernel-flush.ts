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
  /**
   * Carries out the batch without waiting for it, behind those handed over before. `done` gets the error when the kernel
   * took nothing of it; of an empty batch it is called when all before it is done.
   */
  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void;
}

/** A dump that can be made to wait. */
export interface HeldDump extends Dump {
  /** Nothing is handed over any more, but for the rest of what is just being handed over. */
  hold(): void;
  release(): void;
}

export interface KernelFlushContext {
  readonly kernel: FlushKernel;
  readonly counters: KernelCounters;
  readonly log: Logger;
  /** Only flows that pass are deleted; null: all. */
  readonly filter: FlowFilter | null;
  openDump(events: DumpEvents): HeldDump;
}

/** Interrupted dumps in a row before the flush is taken as done: new flows may come in for ever. */
const MOST_RESTARTS = 10;

/**
 * `-F` and the end of PurgeTimeout: deletes the kernel's flows, dump and deletes going side by side. Deletions wait for
 * whoever else holds the kernel's table; the dump waits for them, and so no more of them are kept than it hands over at once.
 */
export class KernelFlush {
  private readonly scratch = new FlowScratch();
  private running = false;
  private dump: HeldDump | null = null;
  /** Batches handed over of which nothing was heard yet. */
  private submitted = 0;
  private restarts = 0;
  private ended: () => void = () => {};
  private whenIdle: (() => void)[] = [];
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
    if (this.running) return;
    this.running = true;
    this.ended = ended;
    this.context.counters.flushes++;
    this.restarts = 0;
    this.open();
  }

  get underWay(): boolean {
    return this.running;
  }

  /** Ends it; what was handed over to the kernel is carried out, and over when the promise resolves. */
  close(): Promise<void> {
    this.stop();
    if (this.submitted === 0) return Promise.resolve();
    return new Promise((resolve) => this.whenIdle.push(resolve));
  }

  private stop(): void {
    if (!this.running) return;
    this.running = false;
    this.dump?.close();
    this.dump = null;
    // What is in the batch already would go with somebody else's requests.
    this.submit(() => {});
  }

  private open(): void {
    this.dump = this.context.openDump({
      onEntry: (views, at, end) => this.entry(views, at, end),
      onInterrupted: () => this.atEnd(() => this.interrupted()),
      onDone: () => this.atEnd(() => this.end()),
      onError: (error) => {
        this.context.log.error(`flush of the kernel conntrack table: ${describe(error)}`);
        this.ended = () => {};
        this.atEnd(() => this.end());
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
    if (kernel.room > 0) return;
    this.dump?.hold();
    this.submit(() => this.goOn());
  }

  /** The dump is over: what is left of the last batch, and `next` when the kernel has done all of them. */
  private atEnd(next: () => void): void {
    this.dump = null;
    this.submit(() => {
      if (this.running) next();
    });
  }

  private interrupted(): void {
    if (++this.restarts > MOST_RESTARTS) this.end();
    else this.open();
  }

  private end(): void {
    this.running = false;
    this.ended();
  }

  private submit(next: () => void): void {
    this.submitted++;
    this.context.kernel.submitAhead(this.refused, (error) => {
      this.submitted--;
      if (error === null) next();
      else this.fail(error);
      if (this.submitted === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
    });
  }

  private goOn(): void {
    if (this.submitted === 0) this.dump?.release();
  }

  private readonly refused = (_tag: number, errno: number): void => {
    this.context.log.error(`flush of the kernel conntrack table: errno ${errno}`);
  };

  /** The kernel took nothing of it: no use to read on. */
  private fail(error: Error): void {
    this.context.log.error(`flush of the kernel conntrack table: ${describe(error)}`);
    this.stop();
  }
}
