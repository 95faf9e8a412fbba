import { Announcement } from '../wire/announcement.js';
import { BulkAccount } from './bulk-account.js';
import type { SyncContext } from './mode.js';

/** A node tells of itself so often: 32 bytes, and soon enough for whoever asks whether all is in sync. */
const ANNOUNCE_MS = 10_000;
/** News are told several times, as nobody acknowledges an ALIVE so that it would be sent again. */
const NEWS_MS = 1000;
const NEWS_REPEATS = 3;

/** When a node tells of itself, and what. */
export class Announcer {
  readonly account = new BulkAccount();
  /** The next ALIVE is an announcement. */
  due = false;
  /** When `tick` is due. */
  nextMs: number;
  private news = 0;
  private readonly announcement = new Announcement();

  /** Of a node that starts now. One that does not count its entries tells nothing of itself, as the original. */
  constructor(context: SyncContext) {
    // Another life of this node is to have another number.
    this.announcement.life = Math.floor(context.random() * 2 ** 32);
    const silent = context.countEntries === undefined;
    this.nextMs = silent ? Number.POSITIVE_INFINITY : context.clock.monotonicMs() + ANNOUNCE_MS;
  }

  /** There is something new to tell. */
  hasNews(nowMs: number): void {
    if (this.nextMs === Number.POSITIVE_INFINITY) return;
    this.news = NEWS_REPEATS;
    this.nextMs = nowMs;
  }

  /** @returns true when an announcement is due: an ALIVE has to leave */
  tick(nowMs: number): boolean {
    if (nowMs < this.nextMs) return false;
    if (this.news > 0) this.news--;
    this.nextMs = nowMs + (this.news > 0 ? NEWS_MS : ANNOUNCE_MS);
    this.due = true;
    return true;
  }

  /** What to write now. @param entries live flows, or ENTRIES_UNKNOWN */
  take(entries: number): Announcement {
    const { announcement, account } = this;
    this.due = false;
    announcement.entries = entries;
    announcement.bulks = account.bulks;
    announcement.bulkFrom = account.from;
    return announcement;
  }
}
