import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import type { Config } from '../config/model.js';
import type { ControlService } from '../control/service.js';
import type { PreparedChange } from '../log/targets.js';

/** What the composed daemon gets from its life cycle. */
export interface DaemonContext {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /**
   * Stops the daemon, as a signal does: what `ControlService.stop` calls. Resolves when socket and lock file are gone.
   */
  requestStop(): Promise<void>;
  /** Tells the service manager how the daemon is, in one line. */
  tellStatus(text: string): void;
}

/** Everything behind the control socket: kernel, caches, mode, channels. */
export interface Daemon {
  readonly service: ControlService;
  /**
   * Opens what it needs: channels, the dump that fills the cache, the event socket last (spec/daemon.md "Start
   * order"). Rejects with a ConntrackdError when the daemon cannot work; `stop` is called then, too.
   */
  start(): Promise<void>;
  /**
   * Opens its own log files anew, after a rotation. Throws a ConntrackdError when that fails; the old ones stay in use
   * then. Daemons without log files of their own lack it.
   */
  reopenLogs?(): void;
  /**
   * Reads the key files of the links again and says what there is. Throws a ConntrackdError when one cannot be used;
   * all keys stay as they are then. Daemons without links lack it.
   */
  reloadKeys?(): string[];
  /**
   * Gets ready to go on with another configuration, which differs only in clauses that can change while the daemon
   * runs (`configInForce`). Throws a ConntrackdError when what it names cannot be had; nothing changes then.
   */
  prepareReload(config: Config): PreparedChange;
  /** Closes everything. Must not take longer than a second or two: the process has five to end. */
  stop(): Promise<void>;
}

/** Puts the parts together; src/daemon/compose.ts is the one place that picks implementations. */
export type Compose = (config: Config, logger: Logger, context: DaemonContext) => Promise<Daemon>;
