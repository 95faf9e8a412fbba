import type { ReadStream, WriteStream } from 'node:tty';
import { ENTER, LEAVE } from './paint.js';

/** What the terminal tells. */
export interface TerminalEvents {
  typed(text: string): void;
  resized(): void;
  /** It was stopped and goes on: nothing is on the screen that was there before. */
  continued(): void;
  /** A signal asks this process to end. */
  ended(signal: NodeJS.Signals): void;
  /** The terminal has gone. */
  gone(): void;
}

/** What a terminal has that does not say. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * The terminal as the live view uses it: another screen, no cursor, keys one by one. Whatever ends or stops this process, a
 * fault of ours included, gives it back as it was; only SIGKILL leaves no time for it.
 */
export class Terminal {
  private entered = false;
  private readonly stopped = (): void => this.suspend();

  constructor(
    private readonly input: ReadStream,
    private readonly output: WriteStream,
    private readonly events: TerminalEvents,
  ) {}

  open(): void {
    const { input, output, events } = this;
    // A fault is reported after this, on the screen that was there before.
    process.once('exit', () => this.leave());
    for (const signal of ENDING) process.once(signal, () => events.ended(signal));
    process.on('SIGTSTP', this.stopped);
    process.on('SIGCONT', () => this.goOn());
    output.on('resize', () => events.resized());
    output.on('error', () => events.gone());
    if (input.isTTY) {
      input.setEncoding('utf8');
      input.on('data', (text) => events.typed(String(text)));
      input.on('end', () => events.gone());
      input.on('error', () => events.gone());
    }
    this.enter();
  }

  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = this.output;
    return { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows };
  }

  write(text: string): void {
    if (this.entered && text !== '') this.output.write(text);
  }

  /** Gives the terminal back and stops this process, as ctrl-z does where nobody took over the keys. */
  suspend(): void {
    this.leave();
    // Without a handler the signal does what it does: it stops this process, here.
    process.off('SIGTSTP', this.stopped);
    process.kill(process.pid, 'SIGTSTP');
    // Where nobody could continue it, it was not stopped.
    setImmediate(() => this.goOn());
    process.on('SIGTSTP', this.stopped);
  }

  /** Back to how it was before. */
  close(): void {
    this.leave();
    this.input.pause();
  }

  private goOn(): void {
    // After SIGSTOP there was no time to leave, and the shell has set the terminal for itself.
    this.leave();
    this.enter();
    this.events.continued();
  }

  private enter(): void {
    this.entered = true;
    if (this.input.isTTY) this.input.setRawMode(true).resume();
    this.output.write(ENTER);
  }

  private leave(): void {
    if (!this.entered) return;
    this.entered = false;
    this.output.write(LEAVE);
    if (this.input.isTTY) this.input.setRawMode(false);
  }
}
