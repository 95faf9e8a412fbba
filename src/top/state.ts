import type { StatisticsReply, TalkersReply } from '../control/json.js';
import type { Frame, Screen } from './frame.js';
import { screenOf } from './frame.js';
import type { Glyphs } from './glyphs.js';
import type { Action } from './keys.js';
import { duration } from './numbers.js';
import { INTERVALS } from './options.js';
import { PAGE_NAMES, type PageName } from './page-names.js';
import type { Shown } from './pages/index.js';
import { nextCache, nextKind } from './pages/talkers.js';
import { Samples } from './samples.js';
import type { TalkersChoice } from './view.js';

/** What is on the screen and why: the answers that came and the keys that were pressed. It knows neither time nor terminal. */
export class State {
  readonly samples = new Samples();
  talkers: TalkersReply | null = null;
  page: Shown;
  paused = false;
  private back: Shown = 'overview';
  private choice: TalkersChoice = { kind: 'sources', cache: 0 };
  private scrolled = 0;
  /** Since when there is no answer, and why. */
  private trouble: { readonly sinceMs: number; readonly text: string } | null = null;

  constructor(
    first: StatisticsReply,
    nowMs: number,
    page: PageName,
    public intervalSeconds: number,
    private readonly glyphs: Glyphs,
    private readonly host: string,
  ) {
    this.page = page;
    this.samples.add(first, nowMs);
  }

  answered(statistics: StatisticsReply, nowMs: number): void {
    this.trouble = null;
    this.samples.add(statistics, nowMs);
  }

  unanswered(text: string, nowMs: number): void {
    this.trouble = { sinceMs: this.trouble?.sinceMs ?? nowMs, text };
  }

  /** Whether the last question had an answer. */
  get isAnswered(): boolean {
    return this.trouble === null;
  }

  /** Does what a key means, as far as it is about what is shown. `bodyRows`: those of one page of the screen. */
  act(action: Action, bodyRows: number): void {
    if (action.kind === 'page') this.show(action.page);
    else if (action.kind === 'scroll') this.scroll(action.lines, bodyRows);
    else this.simpleActions[action.kind]?.();
  }

  private readonly simpleActions: Readonly<Partial<Record<Action['kind'], () => void>>> = {
    help: () => this.show(this.page === 'help' ? this.back : 'help'),
    'next page': () => this.show(this.neighbour(1)),
    'previous page': () => this.show(this.neighbour(-1)),
    pause: () => {
      this.paused = !this.paused;
    },
    faster: () => this.changeInterval(INTERVALS.findLast((seconds) => seconds < this.intervalSeconds)),
    slower: () => this.changeInterval(INTERVALS.find((seconds) => seconds > this.intervalSeconds)),
    list: () => {
      this.choice = nextKind(this.choice);
    },
    cache: () => {
      this.choice = nextCache(this.choice);
    },
  };

  /** @param time of day, `10:15:31` */
  screen(columns: number, rows: number, time: string, nowMs: number): Screen {
    const { page, intervalSeconds, paused, host } = this;
    const frame: Frame = {
      page,
      rows,
      scrolled: this.scrolled,
      host,
      time,
      intervalSeconds,
      paused,
      trouble: this.troubleText(nowMs),
    };
    const screen = screenOf(this.view(columns), frame);
    // Where a page or the screen has changed its size there may be less to go down to.
    this.scrolled = screen.scrolled;
    return screen;
  }

  view(width: number) {
    const { samples, talkers, choice, glyphs } = this;
    return { statistics: samples.latest!.statistics, samples, talkers, choice, width, glyphs };
  }

  /** What is wrong, for how long; null: nothing. */
  troubleText(nowMs: number): string | null {
    if (this.trouble === null) return null;
    const { sinceMs, text } = this.trouble;
    return `no answer for ${duration((nowMs - sinceMs) / 1000)}: ${text}`;
  }

  /** Where there is no shorter or longer one it stays. */
  private changeInterval(seconds: number | undefined): void {
    this.intervalSeconds = seconds ?? this.intervalSeconds;
  }

  private show(page: Shown): void {
    if (page === 'help') this.back = this.page;
    this.page = page;
    this.scrolled = 0;
  }

  private neighbour(step: number): Shown {
    const at = this.page === 'help' ? (step > 0 ? -1 : 0) : PAGE_NAMES.indexOf(this.page);
    return PAGE_NAMES[(at + step + PAGE_NAMES.length) % PAGE_NAMES.length]!;
  }

  private scroll(lines: number | 'page' | 'back page' | 'start', bodyRows: number): void {
    const step = lines === 'page' ? bodyRows : lines === 'back page' ? -bodyRows : lines;
    this.scrolled = step === 'start' ? 0 : Math.max(0, this.scrolled + step);
  }
}
