import { closeSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { describe } from '../base/errors.js';
import { type Health, statusOf } from '../base/health-states.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import type { HealthReport } from '../sync/health.js';

/** How often the verdict is looked at: as often as keepalived runs a check by default. */
const WATCH_MS = 1000;
/** Others may read the state; nobody but the daemon writes it. */
const FILE_MODE = 0o644;

export interface HealthWatchContext {
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** Messages of peers so far that made no sense. */
  malformed(): number;
  report(): HealthReport;
  /** Tells the service manager. */
  tell(text: string): void;
}

/** Says once each when the verdict changes: to the log, the service manager, and the state file (HealthFile). */
export class HealthWatch {
  private timer: Timer | null = null;
  private current: Health | null = null;
  private malformed = 0;
  private sense = true;
  private written = '';
  /** What was said of writing it, as long as that fails. */
  private complaint = '';

  /** @param file HealthFile, null: none */
  constructor(
    private file: string | null,
    private readonly context: HealthWatchContext,
  ) {}

  start(): void {
    this.look();
  }

  /** Another HealthFile. */
  setFile(file: string | null): void {
    if (file === this.file) return;
    this.removeFile();
    this.file = file;
    if (this.current !== null) this.write(this.current);
  }

  /** The daemon ends: a state that nobody keeps up to date would be a lie. */
  close(): void {
    this.timer?.cancel();
    this.removeFile();
  }

  private look(): void {
    this.timer = this.context.scheduler.after(WATCH_MS, () => this.look());
    this.lookForSense();
    const report = this.context.report();
    if (report.health !== this.current) this.change(report);
    // What could not be written is tried again: a disk that was full may have space now.
    else this.write(report.health);
  }

  private change({ health, reasons }: HealthReport): void {
    const { log, tell } = this.context;
    const first = this.current === null;
    this.current = health;
    this.write(health);
    const because = reasons.length === 0 ? '' : `: ${reasons[0]}`;
    tell(`${health}${because}`);
    // How it begins is no change.
    if (first) return;
    if (health === 'in sync') log.notice(`health: ${health}`);
    else log.warning(`health: ${health}${because}`);
  }

  /** Somebody speaks who makes no sense: said once, and again after it had stopped. */
  private lookForSense(): void {
    const malformed = this.context.malformed();
    if (malformed !== this.malformed && this.sense) {
      this.context.log.warning('messages arrive that make no sense, see conntrackd -s network');
    }
    this.sense = malformed === this.malformed;
    this.malformed = malformed;
  }

  /** In one step, so that a reader finds the old state or the new one. */
  private write(health: Health): void {
    const { file } = this;
    const text = `${statusOf(health)}\n`;
    if (file === null || text === this.written) return;
    try {
      const fresh = `${file}.new`;
      const fd = openSync(fresh, 'w', FILE_MODE);
      try {
        writeSync(fd, text);
      } finally {
        closeSync(fd);
      }
      renameSync(fresh, file);
      this.written = text;
      this.complaint = '';
    } catch (error) {
      this.complain(error);
    }
  }

  /** Once: it is tried every second. */
  private complain(error: unknown): void {
    const text = describe(error);
    if (text !== this.complaint) this.context.log.error(`HealthFile: ${text}`);
    this.complaint = text;
  }

  private removeFile(): void {
    if (this.file === null || this.written === '') return;
    this.written = '';
    try {
      unlinkSync(this.file);
    } catch (error) {
      this.complain(error);
    }
  }
}
