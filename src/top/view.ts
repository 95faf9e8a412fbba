import type { StatisticsReply, TalkersReply } from '../control/json.js';
import type { TalkerKind } from '../control/statistics.js';
import type { Glyphs } from './glyphs.js';
import type { Line } from './line.js';
import type { Samples } from './samples.js';

/** What the keys of the talkers' page choose. */
export interface TalkersChoice {
  readonly kind: TalkerKind;
  /** Number of the cache among those that the daemon has; counted round. */
  readonly cache: number;
}

/** What a page is drawn from. */
export interface View {
  readonly statistics: StatisticsReply;
  readonly samples: Samples;
  /** Null: not asked for yet. */
  readonly talkers: TalkersReply | null;
  readonly choice: TalkersChoice;
  readonly width: number;
  readonly glyphs: Glyphs;
}

export type Page = (view: View) => Line[];
