import type { Clock } from '../base/clock.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import { WARNINGS, type WarningFacts, type WarningRule } from '../config/warnings.js';
import type { WarningStatistics } from '../control/statistics.js';

/** The first look after a start or a reload: when what it did has been said. */
const FIRST_LOOK_MS = 500;
/** A look costs about a millisecond, most of it for files of /proc. */
const LOOK_MS = 5000;
/** A warning that was logged is logged anew after this time at the earliest, however often it comes and goes. */
const QUIET_MS = 600_000;

export interface WarningWatchContext {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** Asks what takes a while to be answered, then calls back. Absent: nothing does. */
  prepare?(ready: () => void): void;
  observe(): WarningFacts;
  /** The table; tests put another in its place. */
  readonly rules?: readonly WarningRule[];
}

/** How it stands with one warning. */
class WarningState {
  /** Empty: it is not raised. */
  text = '';
  sinceMs = 0;
  times = 0;
  private looks = 0;
  private foundMs = 0;
  private loggedMs = Number.NEGATIVE_INFINITY;
  private told = false;

  constructor(
    readonly rule: WarningRule,
    private readonly log: Logger,
  ) {}

  look(found: string | null | undefined, nowMs: number): void {
    // Nothing can be told now.
    if (found === undefined) return;
    if (found === null) {
      this.looks = 0;
      if (this.text !== '' && nowMs - this.foundMs >= this.rule.lastsMs) this.end();
      return;
    }
    this.looks++;
    this.foundMs = nowMs;
    if (this.text !== '') this.text = found;
    else if (this.looks >= this.rule.looks) this.begin(found, nowMs);
  }

  private begin(text: string, nowMs: number): void {
    const { name, severity, advice } = this.rule;
    this.text = text;
    this.sinceMs = nowMs;
    this.times++;
    this.told = nowMs - this.loggedMs >= QUIET_MS;
    if (!this.told) return;
    this.loggedMs = nowMs;
    this.log[severity](`${name}: ${text}. To do: ${advice}`);
  }

  private end(): void {
    this.text = '';
    if (this.told) this.log.notice(`${this.rule.name}: this is over`);
  }
}

/** Looks at the warnings on a slow clock, and says each once when it comes and once when it goes. */
export class WarningWatch {
  private readonly states: readonly WarningState[];
  private timer: Timer | null = null;
  private failed = false;
  /** A look is being prepared. */
  private prepares = false;

  constructor(private readonly context: WarningWatchContext) {
    this.states = (context.rules ?? WARNINGS).map((rule) => new WarningState(rule, context.log));
  }

  /** Looks soon: at start, and when the configuration has changed. */
  start(): void {
    this.lookAfter(FIRST_LOOK_MS);
  }

  close(): void {
    this.timer?.cancel();
  }

  /** All of the table, raised or not. */
  statistics(): WarningStatistics[] {
    const nowMs = this.context.clock.monotonicMs();
    return this.states.map(({ rule: { name, severity, advice }, text, sinceMs, times }) => ({
      name,
      severity,
      raised: text !== '',
      sinceSeconds: text === '' ? 0 : Math.floor((nowMs - sinceMs) / 1000),
      times,
      text,
      advice,
    }));
  }

  private lookAfter(delayMs: number): void {
    this.timer?.cancel();
    this.timer = this.context.scheduler.after(delayMs, () => this.prepare());
  }

  private prepare(): void {
    this.lookAfter(LOOK_MS);
    const { context } = this;
    if (context.prepare === undefined) this.look();
    else if (!this.prepares) {
      this.prepares = true;
      context.prepare(() => {
        this.prepares = false;
        this.look();
      });
    }
  }

  private look(): void {
    const facts = this.observe();
    if (facts === null) return;
    const nowMs = this.context.clock.monotonicMs();
    for (const state of this.states) state.look(state.rule.find(facts), nowMs);
  }

  /** Null when the kernel refused to answer: warnings are not worth an end of the daemon. */
  private observe(): WarningFacts | null {
    try {
      const facts = this.context.observe();
      this.failed = false;
      return facts;
    } catch (error) {
      if (!this.failed) this.context.log.error(`warnings: ${describe(error)}`);
      this.failed = true;
      return null;
    }
  }
}
