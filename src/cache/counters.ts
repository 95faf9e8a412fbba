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
