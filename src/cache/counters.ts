import { DurationHistogram } from '../base/histogram.js';

/** What commits of flows have done since the start. */
export class CommitCounters {
  /** Flows that the kernel has taken, or had already. */
  committed = 0;
  failed = 0;
  /** Of whole commits. */
  readonly durations = new DurationHistogram();

  count(commit: { readonly committed: number; readonly failed: number; readonly milliseconds: number }): void {
    this.committed += commit.committed;
    this.failed += commit.failed;
    this.durations.record(commit.milliseconds);
  }
}

/** What one cache counts; the lines of `-s` and `-s cache` (spec/control.md) follow from it. */
export class CacheCounters {
  created = 0;
  createFailed = 0;
  /** Of createFailed: HashLimit was reached. */
  noSpace = 0;
  /** Of createFailed: memory could not be had. */
  noMemory = 0;
  updated = 0;
  updateFailed = 0;
  /** Of updateFailed: there was no such entry. */
  updateNotFound = 0;
  destroyed = 0;
  destroyFailed = 0;
  /** Of destroyFailed: there was no such entry. */
  destroyNotFound = 0;
}
