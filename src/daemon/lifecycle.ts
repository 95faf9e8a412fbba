import { isatty } from 'node:tty';
import { describe } from '../base/errors.js';
import type { Config } from '../config/model.js';
import { ControlServer } from '../control/server.js';
import { isAnswered } from '../control/unix-socket.js';
import type { DaemonLog } from '../log/logger.js';
import { RepeatLimiter } from '../log/repeat.js';
import type { ParentLink } from './background.js';
import { loopScheduler, machineClock } from './clock.js';
import { loadConfig } from './config-file.js';
import type { Compose, Daemon } from './daemon.js';
import { LockFile } from './lock.js';
import { forgetStart, giveMemoryBack } from './memory.js';
import { applyScheduler } from './priority.js';
import { dropPrivileges } from './privileges.js';
import { otherConntrackds } from './processes.js';
import { Reload } from './reload.js';
import { ServiceManager } from './systemd.js';
import { VERSION } from './version.js';

/**
 * The life of a daemon, from a configuration to the end of the process.
 *
 * Start, in the order of spec/daemon.md: log, lock file, scheduler, control socket, then everything behind it (caches,
 * channels, the dump that fills the cache, the event socket last), signals, background, READY=1. Whatever of it was
 * done is undone at the end, in reverse, however the end comes: by signal, `-k`, failure or a bug.
 */

/** Scripts give a daemon five seconds to end (spec/beyond.md); what hangs is cut off before. */
const STOP_LIMIT_MS = 4000;
/** How long replies on their way may take at the end. */
const REPLY_GRACE_MS = 500;

export class Lifecycle {
  private server: ControlServer | null = null;
  private lock: LockFile | null = null;
  private daemon: Daemon | null = null;
  private closeMetrics: () => void = () => {};
  /** Null until the daemon serves. */
  private reload: Reload | null = null;
  /** SIGHUP came before: the file may have changed after it was read. */
  private reloadAtStart = false;
  private released: Promise<void> | null = null;
  private readonly manager: ServiceManager;
  /** What the parts of the daemon log to. */
  private readonly logger: RepeatLimiter;

  constructor(
    private readonly config: Config,
    private readonly log: DaemonLog,
    private readonly parent: ParentLink | null,
  ) {
    this.manager = new ServiceManager(config.general.systemd, process.env);
    this.logger = new RepeatLimiter(log, loopScheduler);
  }

  /** Rejects when the daemon cannot start; nothing is left behind then. */
  async start(compose: Compose): Promise<void> {
    this.watchSignals();
    this.watchBugs();
    try {
      await this.open(compose);
    } catch (error) {
      await this.release();
      throw error;
    }
    this.log.notice('initialization completed');
    this.log.notice(`-- starting in ${this.parent === null ? 'console' : 'daemon'} mode --`);
    this.parent?.ready();
    this.manager.ready();
    forgetStart(loopScheduler);
    const { log, manager, daemon } = this;
    if (daemon === null) return;
    this.reload = new Reload(this.config, { log, manager, daemon, load: () => loadConfig(this.config.fileName) });
    if (this.reloadAtStart) void this.reload.request();
  }

  /** Ends the daemon, then the process. Resolves when socket and lock file are gone. */
  stop(): Promise<void> {
    if (this.released === null) {
      this.log.notice('---- shutdown received ----');
      this.end(0);
    }
    return this.released ?? Promise.resolve();
  }

  private async open(compose: Compose): Promise<void> {
    const { general } = this.config;
    const anonymousHolderLives = async (): Promise<boolean> =>
      (general.unixPath !== null && (await isAnswered(general.unixPath))) || otherConntrackds().length > 0;
    this.lock = await LockFile.acquire({ path: general.lockFile, logger: this.log, anonymousHolderLives });
    applyScheduler(general.scheduler, this.log);
    if (general.unixPath !== null) {
      this.server = new ControlServer({ path: general.unixPath, logger: this.logger });
      await this.server.listen();
    }
    const tellStatus = (text: string) => this.manager.status(text);
    const context = { clock: machineClock, scheduler: loopScheduler, requestStop: () => this.stop(), tellStatus };
    giveMemoryBack(loopScheduler);
    this.daemon = await compose(this.config, this.logger, context);
    await this.daemon.start();
    dropPrivileges(this.config, this.log);
    this.server?.serve(this.daemon.service);
    await this.openMetrics(this.daemon);
  }

  /** HTTP and the library that writes metrics are loaded only where somebody wants to read them. */
  private async openMetrics({ service }: Daemon): Promise<void> {
    const { general } = this.config;
    if (general.metricsPath === null && general.metricsPort === null) return;
    const { startMetrics } = await import('../metrics/start.js');
    const control = this.server?.counters ?? { readFailed: 0, unknownRequest: 0 };
    try {
      this.closeMetrics = await startMetrics(general, this.logger, { version: VERSION, service, control });
    } catch (error) {
      // Flows matter more than numbers about them.
      this.log.error(`${describe(error)}; going on without metrics`);
    }
  }

  private end(status: number): void {
    const limit = setTimeout(() => {
      this.log.warning(`not everything could be closed within ${STOP_LIMIT_MS / 1000} seconds`);
      this.lock?.release();
      process.exit(status);
    }, STOP_LIMIT_MS);
    this.manager.stopping();
    this.released = this.release();
    void this.released.then(async () => {
      await this.server?.finish(REPLY_GRACE_MS);
      clearTimeout(limit);
      process.exit(status);
    });
  }

  /** Undoes what was done so far. Never rejects: the rest has to be undone as well. */
  private async release(): Promise<void> {
    this.closeMetrics();
    this.server?.stopListening();
    await this.attempt(() => this.daemon?.stop());
    await this.attempt(() => this.lock?.release());
    this.lock = null;
    this.logger.flush();
    this.manager.close();
  }

  private async attempt(step: () => unknown): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.log.error(`while stopping: ${describe(error)}`);
    }
  }

  private watchSignals(): void {
    process.on('SIGTERM', () => void this.stop());
    process.on('SIGINT', () => void this.stop());
    process.on('SIGHUP', () => this.hangUp());
    // Unhandled, Node opens its debugger to the network on this one.
    process.on('SIGUSR1', () => {});
  }

  /** A closed terminal ends a daemon that runs on it; otherwise somebody asks for attention to changed files. */
  private hangUp(): void {
    if (this.parent === null && isatty(STDIN)) {
      void this.stop();
      return;
    }
    if (this.reload === null) this.reloadAtStart = true;
    // What it rejects with is a bug, and ends up with the others.
    else if (this.released === null) void this.reload.request();
  }

  /** A bug ends the process: who knows what else it broke. Rejections nobody handles arrive here, too. */
  private watchBugs(): void {
    process.on('uncaughtException', (error) => {
      this.log.error(`this is a bug, stopping: ${describe(error)}`);
      for (const line of (error instanceof Error ? (error.stack ?? '') : '').split('\n').slice(1))
        this.log.raw(line.trim());
      if (this.released === null) this.end(1);
    });
  }
}

const STDIN = 0;
