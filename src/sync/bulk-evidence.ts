import { type Announcement, ENTRIES_UNKNOWN } from '../wire/announcement.js';
import { sequenceAfter } from './sequence.js';

/** A peer that announces nothing has ended its bulk when so many control messages came in a row, ... */
const QUIET_CONTROLS = 3;
/** ... and no flow for so long. It sends a bulk without pause, and its timer speaks only after a second of silence. */
const QUIET_MS = 3000;
/** One that always has something to say has ended it by now: it sends all of it before it looks at its next event. */
const BUSY_MS = 60_000;
/** What was asked for and did not come whole is asked for again after so long, ... */
const ASK_AGAIN_MS = 10_000;
/** ... so often. */
const MOST_QUESTIONS = 5;
/** An announcing peer says when its bulk is over; one that does not within so long has to be asked again. */
const ANNOUNCED_BULK_MS = 60_000;

/** No entry may be dropped. */
export const NOTHING = -1;

/**
 * What proves that a peer has told us of all its flows, so that entries which it did not mention are of the past
 * (decisions/0006-sweep.md).
 *
 * Every entry bears the stamp of the message that last told of it. Stamps are the peer's sequence numbers, moved so that
 * they grow on through its lives. A proof names the stamp from which on everything was mentioned: what is older goes.
 *
 * There are two proofs. A peer of this implementation announces a bulk that was received whole, and where it began. The
 * original announces nothing: there it is a resync that we asked for, that the peer acknowledged, and behind which came
 * a stream without any gap until it fell silent though it lives. Whenever something is missing there is no proof, and
 * the entries stay.
 */
export class BulkEvidence {
  /** Of the message taken last. */
  stamp = 0;
  /** Added to a sequence number gives its stamp. */
  offset = 1;
  /** What it says it has beside what is here; null when there is nothing to compare. */
  get comparison(): { entries: number; held: number } | null {
    const { entries, held } = this;
    return entries === null || held === null ? null : { entries, held };
  }

  /** Control messages since the last flow. */
  controls = 0;
  /** Live flows the peer says it has; null when it does not say. */
  entries: number | null = null;
  /** Its flows that were here when it said so; null: not to be compared. */
  held: number | null = null;
  /** Announcements in a row that told of more flows than are here. */
  private shortages = 0;
  /** It announces: it is of this implementation. */
  announces = false;
  /** A bulk was asked for and is not known to be complete. */
  awaited = false;
  /** How often an announcement was the first sign of another life. */
  lives = 0;
  /** Bulks known to be complete. */
  completed = 0;

  private life = 0;
  private bulks = 0;
  /** Stamp of the first message that belongs together with the present one; a bulk from before proves nothing. */
  private firstStamp = 1;
  /** Stamp of the message behind the last gap. */
  private unbrokenFrom = 1;
  private askedStamp = 0;
  private askedSequence = 0;
  private askedMs = 0;
  private reached = false;
  private reachedMs = 0;
  private quietSinceMs = 0;
  private comparable = true;
  /** Of the message before the last drop: a bulk that began no later tells of flows which are gone from here since. */
  private droppedStamp = 0;
  /** We asked by ourselves, and ask again. */
  private ours = false;
  private questions = 0;

  /** @param strict a gap spoils a bulk even when the peer says that everything was acknowledged: another one may have */
  constructor(private readonly strict: boolean) {}

  /** The stream begins, or begins anew, with this number. */
  begin(sequence: number): void {
    const first = (this.stamp + 1) >>> 0;
    this.offset = (first - sequence) | 0;
    this.firstStamp = first;
    this.unbrokenFrom = first;
    this.announces = false;
    this.entries = null;
    this.held = null;
    this.awaited = false;
    this.bulks = 0;
    this.questions = 0;
  }

  /** The stream goes on elsewhere: numbers of before are not to be compared with those from here on. */
  jump(sequence: number): void {
    const first = (this.stamp + 1) >>> 0;
    this.offset = (first - sequence) | 0;
    this.firstStamp = first;
    this.unbrokenFrom = (first + 1) >>> 0;
  }

  /** Messages before this one are missing. */
  gap(sequence: number): void {
    this.unbrokenFrom = (sequence + this.offset) >>> 0;
  }

  /** A control message was taken. */
  control(nowMs: number): void {
    if (this.controls === 0) this.quietSinceMs = nowMs;
    this.controls++;
  }

  /** Our request for a resync has left, or left again. @param ours nobody told us to */
  asked(sequence: number, ours: boolean, nowMs: number): void {
    this.ours = ours || (this.awaited && this.ours);
    this.awaited = true;
    this.askedStamp = this.stamp;
    this.askedSequence = sequence;
    this.askedMs = nowMs;
    this.reached = false;
  }

  /** The peer has received `from`..`to` of ours. */
  acknowledged(from: number, to: number, nowMs: number): void {
    if (!this.awaited || this.reached) return;
    if (sequenceAfter(from, this.askedSequence) || sequenceAfter(this.askedSequence, to)) return;
    this.reached = true;
    this.reachedMs = nowMs;
    this.controls = 0;
  }

  /** The peer tells of itself. @returns the stamp before which its entries are of the past, or NOTHING */
  announced({ life, bulks, bulkFrom, entries }: Announcement, held: number | null): number {
    if (this.announces && life !== this.life) this.startAnew();
    this.announces = true;
    this.life = life;
    this.entries = entries === ENTRIES_UNKNOWN ? null : entries;
    this.compare(held);
    if (bulks === this.bulks) return NOTHING;
    this.bulks = bulks;
    const from = (bulkFrom + this.offset) >>> 0;
    if (sequenceAfter(this.firstStamp, from) || (this.strict && sequenceAfter(this.unbrokenFrom, from))) return NOTHING;
    this.completed++;
    // The news of a bulk comes seconds after it: entries may have been dropped meanwhile.
    if (sequenceAfter(from, this.droppedStamp)) this.comparable = true;
    if (!sequenceAfter(this.askedStamp, from)) this.settle();
    return from;
  }

  /** Entries were dropped on request: a comparison would show no fault until the peer has told all anew. */
  dropped(): void {
    this.comparable = false;
    this.droppedStamp = this.stamp;
    this.held = null;
  }

  /** Twice in a row: while flows come and go one number may be older than the other. */
  private compare(held: number | null): void {
    const short = this.comparable && held !== null && this.entries !== null && held < this.entries;
    this.shortages = short ? this.shortages + 1 : 0;
    this.held = this.shortages >= 2 || (this.comparable && !short) ? held : null;
  }

  /** Another life speaks, though the stream did not show it: what it said of bulks is not to be compared. */
  private startAnew(): void {
    this.lives++;
    this.bulks = 0;
    this.firstStamp = (this.stamp + 1) >>> 0;
    this.unbrokenFrom = this.firstStamp;
  }

  /** Whether silence proves something. @returns the stamp before which the peer's entries are of the past, or NOTHING */
  quiet(nowMs: number): number {
    if (!this.awaited || this.announces || !this.reached || this.broken) return NOTHING;
    const silent = this.controls >= QUIET_CONTROLS && nowMs - this.quietSinceMs >= QUIET_MS;
    if (!silent && nowMs - this.reachedMs < BUSY_MS) return NOTHING;
    this.completed++;
    this.settle();
    return (this.askedStamp + 1) >>> 0;
  }

  /** Whether to ask once more: what came was not whole, or there is no telling. */
  askAgain(nowMs: number): boolean {
    if (!this.awaited || nowMs - this.askedMs < (this.spoiled ? ASK_AGAIN_MS : ANNOUNCED_BULK_MS)) return false;
    if (!this.ours || this.questions >= MOST_QUESTIONS) {
      // Nothing is known to be wrong; what the peer no longer has stays until there is a proof.
      this.settle();
      return false;
    }
    this.questions++;
    return true;
  }

  /** Asked for, and no way any more for it to count. */
  private get spoiled(): boolean {
    return this.broken && (this.strict || !this.announces);
  }

  /** Something is missing since we asked. */
  private get broken(): boolean {
    return sequenceAfter(this.unbrokenFrom, this.askedStamp + 1);
  }

  private settle(): void {
    this.awaited = false;
    this.questions = 0;
  }
}
