import type { Clock } from '../base/clock.js';
import type { DurationHistogram } from '../base/histogram.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import type { SyncConfig } from '../config/model.js';
import type { FifoStatistics, RoleStatistics } from '../control/statistics.js';
import { NotifyLines } from '../sync/notify-lines.js';
import { type Role, RoleControl, type RoleOutcome, type RoleWork } from '../sync/role.js';
import { ownAddresses, runNft, TakeoverHold } from './hold.js';
import { NotifyFifo } from './notify-fifo.js';

export interface RolesContext {
  readonly work: RoleWork;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  readonly takeovers: DurationHistogram;
}

/** The role of this node: who tells it, what is done about it, and what is shown of it. */
export class Roles {
  private readonly control: RoleControl;
  private readonly lines: NotifyLines;
  /** Null: nobody tells by a FIFO. */
  private readonly fifo: NotifyFifo | null;
  /** Null: nothing is held. */
  private readonly hold: TakeoverHold | null;

  constructor(
    config: Pick<SyncConfig, 'notifyFifo' | 'notifyInstance' | 'takeoverHold'>,
    private readonly context: RolesContext,
  ) {
    const { scheduler, log } = context;
    const { notifyFifo, notifyInstance, takeoverHold } = config;
    this.hold =
      takeoverHold === null
        ? null
        : new TakeoverHold({ seconds: takeoverHold, scheduler, log, run: runNft, addresses: ownAddresses });
    this.control = new RoleControl({ ...context, hold: this.hold });
    this.lines = new NotifyLines(notifyInstance);
    this.fifo =
      notifyFifo === null
        ? null
        : new NotifyFifo(notifyFifo, scheduler, log, {
            onText: (text) => this.told(text),
            onGone: () => this.gone(),
          });
  }

  start(): void {
    this.hold?.start();
    this.fifo?.start();
  }

  async close(): Promise<void> {
    this.fifo?.close();
    await this.hold?.close();
  }

  /** @param by who asked, for the log */
  change(role: Role, by: string): Promise<RoleOutcome> {
    return this.control.change(role, by);
  }

  private told(text: string): void {
    const role = this.lines.read(text);
    if (role !== null) void this.control.change(role, 'told by the notify FIFO');
  }

  private gone(): void {
    this.lines.restart();
    const { current } = this.control;
    this.context.log.warning(`notify FIFO: its writer is gone; the role stays ${current ?? 'untold'} until it is back`);
  }

  statistics(): RoleStatistics {
    const { current, sinceMs, changes, overtaken, failed, last } = this.control;
    const { clock, takeovers } = this.context;
    return {
      role: current,
      sinceSeconds: current === null ? 0 : Math.floor((clock.monotonicMs() - sinceMs) / 1000),
      changes,
      overtaken,
      failed,
      last,
      takeovers,
      fifo: this.fifo === null ? null : this.fifoStatistics(this.fifo),
      hold: this.hold?.statistics ?? null,
    };
  }

  private fifoStatistics({ isOpen }: NotifyFifo): FifoStatistics {
    const { heard, ignored, malformed } = this.lines;
    return { open: isOpen, heard, ignored, malformed };
  }
}
