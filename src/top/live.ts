import type { ReadStream, WriteStream } from 'node:tty';
import type { StatisticsReply } from '../control/json.js';
import { type Action, actionsOf } from './keys.js';
import { TALKERS_SECONDS, type TopOptions } from './options.js';
import { Painter } from './paint.js';
import { State } from './state.js';
import { Terminal } from './terminal.js';

/** Rows that are not the page: header, names of pages, blank line, footer. */
const OTHER_ROWS = 4;

/** The live view on a terminal. */
export class LiveView {
  private readonly state: State;
  private readonly painter: Painter;
  private readonly terminal: Terminal;
  private timer: NodeJS.Timeout | undefined;
  private asking = false;
  private shown = 0;
  private talkersMs = Number.NEGATIVE_INFINITY;
  private end: (status: number | NodeJS.Signals) => void = () => {};

  constructor(
    private readonly options: TopOptions,
    first: StatisticsReply,
    input: ReadStream,
    output: WriteStream,
    colours: boolean,
  ) {
    const { page, intervalSeconds, glyphs, host } = options;
    this.state = new State(first, performance.now(), page, intervalSeconds, glyphs, host);
    this.painter = new Painter(colours);
    this.terminal = new Terminal(input, output, {
      typed: (text) => {
        for (const action of actionsOf(text)) this.act(action);
      },
      resized: () => this.redraw(),
      continued: () => this.redraw(),
      ended: (signal) => this.end(signal),
      gone: () => this.end('SIGHUP'),
    });
  }

  /** Shows it until a key, the count or a signal ends it: the exit status, or the signal. */
  async run(): Promise<number | NodeJS.Signals> {
    const ended = new Promise<number | NodeJS.Signals>((resolve) => {
      this.end = resolve;
    });
    this.terminal.open();
    this.draw();
    this.askSoon(this.state.page === 'talkers' ? 0 : undefined);
    const status = await ended;
    clearTimeout(this.timer);
    this.terminal.close();
    return status;
  }

  private act(action: Action): void {
    if (action.kind === 'quit') this.end(0);
    else if (action.kind === 'suspend') this.terminal.suspend();
    else if (action.kind === 'redraw') this.redraw();
    else this.change(action);
  }

  /** A key that changes what is shown. */
  private change(action: Action): void {
    const { page, intervalSeconds, paused } = this.state;
    this.state.act(action, this.terminal.size.rows - OTHER_ROWS);
    this.draw();
    const opened = this.state.page !== page && this.state.page === 'talkers';
    if (opened && this.talkersDue()) this.askSoon(0);
    else if (this.state.intervalSeconds !== intervalSeconds || this.state.paused !== paused) this.askSoon();
  }

  private askSoon(afterMs = this.state.intervalSeconds * 1000): void {
    clearTimeout(this.timer);
    if (!this.state.paused) this.timer = setTimeout(() => void this.ask(), afterMs);
    // Timers are what keeps this process going.
    else this.timer = setTimeout(() => this.askSoon(), afterMs);
  }

  private async ask(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const from = performance.now();
    const answer = await this.options.source.statistics();
    if (answer.reply !== null) this.state.answered(answer.reply, performance.now());
    else this.state.unanswered(this.options.explain(answer.why), from);
    if (this.state.page === 'talkers' && this.state.isAnswered && this.talkersDue()) await this.askTalkers();
    this.asking = false;
    this.draw();
    this.shown++;
    if (this.shown === this.options.count) this.end(this.state.isAnswered ? 0 : 1);
    else this.askSoon(Math.max(0, this.state.intervalSeconds * 1000 - (performance.now() - from)));
  }

  private talkersDue(): boolean {
    return performance.now() - this.talkersMs >= TALKERS_SECONDS * 1000;
  }

  private async askTalkers(): Promise<void> {
    const { reply } = await this.options.source.talkers();
    this.talkersMs = performance.now();
    // One that does not answer now will answer the next question, or the statistics tell why not.
    if (reply !== null) this.state.talkers = reply;
  }

  private redraw(): void {
    this.painter.forget();
    this.draw();
  }

  private draw(): void {
    const { columns, rows } = this.terminal.size;
    const { lines } = this.state.screen(columns, rows, timeOfDay(), performance.now());
    this.terminal.write(this.painter.draw(lines, columns));
  }
}

function timeOfDay(): string {
  return new Date().toTimeString().slice(0, 8);
}
