import type { StatisticsReply } from '../control/json.js';

/** What the daemon said, and when, in milliseconds of a clock that never goes back. */
export interface Sample {
  readonly statistics: StatisticsReply;
  readonly atMs: number;
}

/** Finds one number; undefined where there is none: an interface that has gone, a section this daemon does not tell. */
export type Read = (statistics: StatisticsReply) => number | undefined;

/** Samples kept: a minute of seconds. */
export const KEPT = 60;

/** The last answers of the daemon. Rates are differences between two of them. */
export class Samples {
  private readonly kept: Sample[] = [];

  add(statistics: StatisticsReply, atMs: number): void {
    this.kept.push({ statistics, atMs });
    if (this.kept.length > KEPT) this.kept.shift();
  }

  get length(): number {
    return this.kept.length;
  }

  get latest(): Sample | undefined {
    return this.kept.at(-1);
  }

  /** Of a counter, per second between the last two answers. Null: not known, as before the second answer. */
  perSecond(read: Read): number | null {
    const [earlier, later] = this.kept.slice(-2);
    return earlier === undefined || later === undefined ? null : rateBetween(earlier, later, read);
  }

  /** The same between each two answers, the oldest first. */
  history(read: Read): (number | null)[] {
    return this.kept.slice(1).map((later, index) => rateBetween(this.kept[index]!, later, read));
  }

  /** Seconds since the last answer in which a counter was higher than in the one before; null: not as far as known. */
  sinceGrowth(read: Read): number | null {
    for (let index = this.kept.length - 1; index > 0; index--) {
      const grown = (rateBetween(this.kept[index - 1]!, this.kept[index]!, read) ?? 0) > 0;
      if (grown) return (this.latest!.atMs - this.kept[index]!.atMs) / 1000;
    }
    return null;
  }

  /** Seconds that all these answers span. */
  get spanSeconds(): number {
    const [first] = this.kept;
    return first === undefined ? 0 : (this.latest!.atMs - first.atMs) / 1000;
  }
}

/** Null where a difference means nothing: another daemon has begun to count anew, or a part of it has. */
function rateBetween(earlier: Sample, later: Sample, read: Read): number | null {
  if (later.statistics.uptimeSeconds < earlier.statistics.uptimeSeconds) return null;
  const before = read(earlier.statistics);
  const after = read(later.statistics);
  const seconds = (later.atMs - earlier.atMs) / 1000;
  if (before === undefined || after === undefined || after < before || seconds <= 0) return null;
  return (after - before) / seconds;
}
