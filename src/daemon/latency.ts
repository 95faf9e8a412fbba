import { performance } from 'node:perf_hooks';
import { DurationHistogram } from '../base/histogram.js';
import type { Scheduler } from '../base/scheduler.js';
import type { ChunkSource } from '../control/service.js';
import type { LatencyStatistics } from '../control/statistics.js';
import { meterLoop } from '../native/index.js';

/**
 * How long things take and keep others waiting: what `-s latency` shows. Nothing here has a timer; an idle daemon
 * sleeps as before.
 */
export class Latency {
  /** From the moment an event could be read to the moment when all that waited with it had been sent. */
  readonly eventToWire = new DurationHistogram();
  /** From the call for the role of primary to the last flow's being in the kernel. */
  readonly takeovers = new DurationHistogram();
  private readonly turns = new DurationHistogram();
  /** Of each turn: the rest it waited for a processor. */
  private readonly work = new DurationHistogram();
  private readonly commitSlices = new DurationHistogram();
  private readonly replyPieces = new DurationHistogram();

  constructor() {
    meterLoop(this.turns, this.work);
  }

  /** A scheduler for a commit: what it calls back is measured. */
  ofCommit(scheduler: Scheduler): Scheduler {
    return {
      after: (delayMs, callback) => scheduler.after(delayMs, callback),
      soon: (callback) =>
        scheduler.soon(() => {
          const from = performance.now();
          callback();
          this.commitSlices.record(performance.now() - from);
        }),
    };
  }

  /** The same reply, its pieces measured. */
  ofReply(source: ChunkSource): ChunkSource {
    return {
      next: () => {
        const from = performance.now();
        const bytes = source.next();
        this.replyPieces.record(performance.now() - from);
        return bytes;
      },
      ...(source.whenReady && { whenReady: (callback: () => void) => source.whenReady?.(callback) }),
      cancel: () => source.cancel?.(),
    };
  }

  statistics(): LatencyStatistics[] {
    return [
      { name: 'event loop turn', durations: this.turns },
      { name: 'own work of turn', durations: this.work },
      { name: 'event to wire', durations: this.eventToWire },
      { name: 'commit slice', durations: this.commitSlices },
      { name: 'reply piece', durations: this.replyPieces },
    ];
  }
}
