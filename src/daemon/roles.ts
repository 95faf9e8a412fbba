import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { RoleStatistics } from '../control/statistics.js';
import type { SyncEngine } from '../sync/engine.js';
import { type Role, RoleControl, type RoleOutcome } from '../sync/role.js';
import type { Latency } from './latency.js';

export interface RolesContext {
  readonly engine: SyncEngine;
  readonly clock: Clock;
  readonly log: Logger;
  readonly latency: Latency;
}

/** The role of this node: who tells it, what is done about it, and what is shown of it. */
export class Roles {
  private readonly control: RoleControl;

  constructor(private readonly context: RolesContext) {
    const { engine, clock, log, latency } = context;
    this.control = new RoleControl({ work: engine, clock, log, hold: null, takeovers: latency.takeovers });
  }

  /** @param by who asked, for the log */
  change(role: Role, by: string): Promise<RoleOutcome> {
    return this.control.change(role, by);
  }

  statistics(): RoleStatistics {
    const { current, sinceMs, changes, overtaken, failed, last } = this.control;
    const { clock, latency } = this.context;
    return {
      role: current,
      sinceSeconds: current === null ? 0 : Math.floor((clock.monotonicMs() - sinceMs) / 1000),
      changes,
      overtaken,
      failed,
      last,
      takeovers: latency.takeovers,
      fifo: null,
      hold: null,
    };
  }
}
