import type { Glyphs } from './glyphs.js';
import type { PageName } from './page-names.js';
import type { Answer, Source } from './source.js';

/** What the command line asks of the live view. */
export interface TopOptions {
  readonly source: Source;
  readonly page: PageName;
  readonly intervalSeconds: number;
  /** How many times to show something; null: until it is ended. */
  readonly count: number | null;
  readonly glyphs: Glyphs;
  /** Of this computer. */
  readonly host: string;
  /** Says in words why there is no answer. */
  explain(why: NoAnswer): string;
}

export type NoAnswer = Extract<Answer<unknown>, { reply: null }>['why'];

/** The intervals that the keys choose from, in seconds. */
export const INTERVALS = [0.2, 0.5, 1, 2, 5, 10, 30, 60] as const;

/** Talkers are some twenty milliseconds of the daemon's work, which nobody needs more often. */
export const TALKERS_SECONDS = 2;
