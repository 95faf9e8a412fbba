import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';

/**
 * How often the same text may be logged within WINDOW_MS before the rest is only counted. A commit that fails for a
 * thousand flows with one reason is one fact with a number, not a thousand lines (spec/beyond.md row 16); the first
 * ones, with their flows, tell what it is about.
 */
const BURST = 10;
const WINDOW_MS = 10_000;
/** Different texts watched at a time; beyond that the oldest is summed up early, so that memory stays bounded. */
const TEXTS = 64;

interface Repeats {
  seen: number;
  readonly report: (text: string) => void;
  readonly timer: Timer;
}

/** Limits repeated warnings and errors of another logger, and sums up what it held back. */
export class RepeatLimiter implements Logger {
  private readonly watched = new Map<string, Repeats>();
  /** The line before was held back, so the flow that belongs to it is too. */
  private holding = false;

  constructor(
    private readonly target: Logger,
    private readonly scheduler: Scheduler,
  ) {}

  info(text: string): void {
    this.holding = false;
    this.target.info(text);
  }

  notice(text: string): void {
    this.holding = false;
    this.target.notice(text);
  }

  warning(text: string): void {
    this.limit(text, (line) => this.target.warning(line));
  }

  error(text: string): void {
    this.limit(text, (line) => this.target.error(line));
  }

  raw(text: string): void {
    if (!this.holding) this.target.raw(text);
  }

  /** Sums up everything that is held back; before the end. */
  flush(): void {
    for (const text of [...this.watched.keys()]) this.settle(text);
  }

  private limit(text: string, report: (line: string) => void): void {
    const repeats = this.watched.get(text) ?? this.watch(text, report);
    repeats.seen++;
    this.holding = repeats.seen > BURST;
    if (!this.holding) report(text);
  }

  private watch(text: string, report: (line: string) => void): Repeats {
    const [oldest] = this.watched.keys();
    if (this.watched.size >= TEXTS && oldest !== undefined) this.settle(oldest);
    const repeats = { seen: 0, report, timer: this.scheduler.after(WINDOW_MS, () => this.settle(text)) };
    this.watched.set(text, repeats);
    return repeats;
  }

  private settle(text: string): void {
    const repeats = this.watched.get(text);
    if (repeats === undefined) return;
    repeats.timer.cancel();
    this.watched.delete(text);
    const held = repeats.seen - BURST;
    if (held > 0) repeats.report(`${text} (and ${held} more like this within ${WINDOW_MS / 1000} seconds)`);
  }
}
