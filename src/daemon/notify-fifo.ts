import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';

export interface NotifyFifoEvents {
  /** The next bytes that somebody wrote, each a character. */
  onText(text: string): void;
  /** All writers are gone, or the FIFO is. */
  onGone(): void;
}

/** How often to look for a FIFO that is not there, or on which nobody has written yet: it may be replaced. */
const LOOK_MS = 500;

/**
 * The FIFO that keepalived makes and writes to (its `vrrp_notify_fifo`). It comes when keepalived starts and goes when it
 * ends, and may be another one under the same name the next time. What was written before it was opened is read, too.
 */
export class NotifyFifo {
  private socket: Socket | null = null;
  private inode = 0;
  private device = 0;
  private written = false;
  private timer: Timer | null = null;
  private closed = false;
  /** What is wrong with the path, said once. */
  private complaint = '';

  constructor(
    private readonly path: string,
    private readonly scheduler: Scheduler,
    private readonly log: Logger,
    private readonly events: NotifyFifoEvents,
  ) {}

  get isOpen(): boolean {
    return this.socket !== null;
  }

  start(): void {
    this.look();
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.socket?.destroy();
    this.socket = null;
  }

  /** Opens what is there now, unless it is open already; comes back until somebody has written. */
  private look(): void {
    this.timer = null;
    if (this.closed) return;
    const found = statSync(this.path, { throwIfNoEntry: false });
    if (this.socket !== null && (found?.ino !== this.inode || found.dev !== this.device)) this.lose();
    if (this.socket === null && found !== undefined) this.open(found);
    if (!this.written) this.lookLater();
  }

  private lookLater(): void {
    this.timer ??= this.scheduler.after(LOOK_MS, () => this.look());
  }

  private open(found: Stats): void {
    if (!found.isFIFO()) {
      this.complain('it is no FIFO');
      return;
    }
    try {
      // Without O_NONBLOCK it would wait for a writer.
      const fd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
      this.read(fd);
    } catch (error) {
      this.complain(describe(error));
    }
  }

  private read(fd: number): void {
    const { ino, dev, isFIFO } = statOf(fd);
    if (!isFIFO) {
      closeSync(fd);
      return;
    }
    this.inode = ino;
    this.device = dev;
    this.written = false;
    this.complaint = '';
    const socket = new Socket({ fd, readable: true, writable: false }).setEncoding('latin1');
    socket.on('data', (text: string) => {
      if (this.socket !== socket) return;
      this.written = true;
      this.events.onText(text);
    });
    socket.on('error', (error) => this.complain(error.message));
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.lose();
      this.look();
    });
    this.socket = socket;
  }

  private lose(): void {
    const { socket, written } = this;
    this.socket = null;
    this.written = false;
    socket?.destroy();
    if (written) this.events.onGone();
  }

  private complain(reason: string): void {
    if (reason === this.complaint) return;
    this.complaint = reason;
    this.log.error(`notify FIFO ${this.path}: ${reason}`);
  }
}

/** What was opened may be another file than the one that was looked at. */
function statOf(fd: number): { readonly ino: number; readonly dev: number; readonly isFIFO: boolean } {
  const stats = fstatSync(fd);
  return { ino: stats.ino, dev: stats.dev, isFIFO: stats.isFIFO() };
}
