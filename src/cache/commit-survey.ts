import type { Logger } from '../base/logger.js';
import type { Views } from '../base/views.js';
import { FlowPointer, type FlowRef } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';
import type { DumpEvents } from '../kernel/dump.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { NFNL_SUBSYS_CTNETLINK } from '../netlink/constants.js';
import { decodeFlow } from '../netlink/decode.js';
import { subsystemOf, typeOf } from '../netlink/message.js';
import { compareWithKernel } from './commit-comparison.js';
import type { Dump } from './resync.js';

export interface KernelSurveyContext {
  /** The external cache. */
  readonly table: FlowTable;
  readonly counters: KernelCounters;
  readonly log: Logger;
  readonly windowTracking: boolean;
  openDump(events: DumpEvents): Dump;
  /** Seconds that a commit gives the entry. */
  timeoutOf(peer: FlowRef): number;
  /** Whether the commit still has to do with the entry. */
  concerns(row: FlowRow): boolean;
  /** @param verdict SAME, REFRESH, CHANGE or RECREATE */
  found(row: FlowRow, verdict: number): void;
}

/**
 * Reading a flow that is not ours costs a quarter of what deleting and creating one does: a table so many times as
 * large as the external cache is not read to its end.
 */
const MOST_OTHERS = 4;
/** A table that is read in some twenty milliseconds is worth it in any case. */
const ALWAYS_READ = 10_000;

/** Looks through the kernel's table for the flows of the external cache, in slices. */
export class KernelSurvey {
  private readonly kernelFlow = new FlowScratch();
  private readonly pointer = new FlowPointer();
  private dump: Dump | null = null;
  private left: number;

  /** @param done called once at the end, whatever was read */
  constructor(
    private readonly context: KernelSurveyContext,
    private readonly done: () => void,
  ) {
    this.left = ALWAYS_READ + MOST_OTHERS * context.table.size;
  }

  start(): void {
    this.dump = this.context.openDump({
      onEntry: (views, at, end) => this.entry(views, at, end),
      // What it lacks is created; if it is there after all, the kernel says so.
      onInterrupted: () => this.done(),
      onDone: () => this.done(),
      onError: (error) => {
        this.context.log.warning(`commit: the kernel conntrack table cannot be read: ${error.message}`);
        this.done();
      },
    });
    this.dump.start();
  }

  /** Gives up; nobody is called any more. */
  close(): void {
    this.dump?.close();
  }

  private entry(views: Views, at: number, end: number): void {
    const { context, kernelFlow, pointer } = this;
    if (subsystemOf(typeOf(views, at)) !== NFNL_SUBSYS_CTNETLINK || !decodeFlow(views, at, end, kernelFlow)) {
      context.counters.dumpUnknown++;
      return;
    }
    const row = context.table.find(kernelFlow);
    if (row !== NO_ROW && context.concerns(row)) {
      context.table.point(row, pointer);
      const timeout = context.timeoutOf(pointer);
      context.found(row, compareWithKernel(kernelFlow, pointer, timeout, context.windowTracking));
    }
    if (--this.left > 0) return;
    this.close();
    this.done();
  }
}
