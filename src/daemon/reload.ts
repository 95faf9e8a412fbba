import { describe } from '../base/errors.js';
import { type ClauseChange, changedClauses, configInForce } from '../config/changes.js';
import { type Diagnostic, diagnosticDetail } from '../config/diagnostics.js';
import type { Config } from '../config/model.js';
import type { ParseResult } from '../config/parse-tree.js';
import type { DaemonLog } from '../log/logger.js';
import type { PreparedChange } from '../log/targets.js';
import type { Daemon } from './daemon.js';
import { applyScheduler } from './priority.js';
import type { ServiceManager } from './systemd.js';

export interface ReloadContext {
  readonly log: DaemonLog;
  readonly manager: ServiceManager;
  readonly daemon: Daemon;
  /** Reads and checks the file, as for a start. */
  load(): Promise<ParseResult>;
}

/**
 * SIGHUP: the log files are opened anew at once, then the configuration is read again.
 *
 * Which clauses take effect is a property of the clause table (`reload` in grammar/clauses.ts). Others are named in the
 * log and keep their value until the next start. A file with a mistake, or one that names what cannot be had, changes
 * nothing. Caches, peers and sequence numbers stay as they are whatever the file says.
 */
export class Reload {
  private running = false;
  /** Another SIGHUP came meanwhile: the file may have changed since it was read. */
  private again = false;

  /** @param config what is in force */
  constructor(
    private config: Config,
    private readonly context: ReloadContext,
  ) {}

  /** Resolves when the file has been read and what it says is in force; at once when a reload is under way. */
  async request(): Promise<void> {
    this.reopenLogs();
    this.reloadKeys();
    this.again = true;
    if (this.running) return;
    this.running = true;
    while (this.again) {
      this.again = false;
      // Once for each signal: systemd compares the time of its own with that of the message.
      this.context.manager.reloading();
      await this.pass();
    }
    this.running = false;
    this.context.manager.ready();
  }

  private reopenLogs(): void {
    const { log, daemon } = this.context;
    try {
      log.reopen();
      daemon.reopenLogs?.();
    } catch (error) {
      log.error(describe(error));
    }
    log.notice('SIGHUP received: log files opened again');
  }

  private reloadKeys(): void {
    const { log, daemon } = this.context;
    try {
      for (const line of daemon.reloadKeys?.() ?? []) log.notice(line);
    } catch (error) {
      log.error(describe(error));
      log.error('the keys stay as they are');
    }
  }

  private async pass(): Promise<void> {
    const { config, diagnostics } = await this.context.load();
    if (config === null) this.refuse(diagnostics);
    else this.take(config, diagnostics);
  }

  private refuse(diagnostics: readonly Diagnostic[]): void {
    this.report(diagnostics);
    this.context.log.error('the old configuration stays in force');
  }

  private take(wanted: Config, diagnostics: readonly Diagnostic[]): void {
    const { log } = this.context;
    const inForce = configInForce(this.config, wanted);
    const changed = changedClauses(this.config, inForce);
    const waiting = changedClauses(inForce, wanted);
    if (changed.length + waiting.length === 0) {
      log.notice('configuration unchanged');
      return;
    }
    this.report(diagnostics);
    if (changed.length > 0 && !this.change(inForce)) return;
    for (const change of changed) log.notice(liveText(change));
    for (const change of waiting) log.warning(restartText(change));
    log.notice('configuration reloaded');
  }

  /** @returns false when something could not be had, and all is as before */
  private change(config: Config): boolean {
    const { log, daemon } = this.context;
    const { logFile, syslog, scheduler } = config.general;
    const prepared: PreparedChange[] = [];
    try {
      prepared.push(log.prepare({ file: logFile, syslog }));
      prepared.push(daemon.prepareReload(config));
    } catch (error) {
      for (const change of prepared) change.cancel();
      log.error(describe(error));
      log.error('the old configuration stays in force');
      return false;
    }
    for (const change of prepared) change.apply();
    const old = this.config.general.scheduler;
    if (scheduler.policy !== old.policy || scheduler.priority !== old.priority) applyScheduler(scheduler, log);
    this.config = config;
    return true;
  }

  /** What a start would say on the terminal. */
  private report(diagnostics: readonly Diagnostic[]): void {
    for (const diagnostic of diagnostics) {
      const text = [diagnostic.message, ...diagnosticDetail(diagnostic)].join('\n');
      if (diagnostic.severity === 'error') this.context.log.error(text);
      else this.context.log.warning(text);
    }
  }
}

/** `HashLimit in General: 2000, was 1000`. */
function liveText({ clause, place, before, after }: ClauseChange): string {
  if (before === after) return `${clause.name} in ${place}: changed`;
  return `${clause.name} in ${place}: ${shown(after)}, was ${shown(before)}`;
}

/** `LockFile in General needs a restart: /run/a stays in force, /run/b is for the next start`. */
function restartText({ clause, place, before, after }: ClauseChange): string {
  const start = `${clause.name} in ${place} needs a restart`;
  if (before === after) return `${start}: it stays as it was until then`;
  return `${start}: ${shown(before)} stays in force, ${shown(after)} is for the next start`;
}

function shown(value: string): string {
  return value === '' ? 'unset' : value;
}
