/**
 * Sequence numbers are 32 bits and wrap; which of two is later is a question of the shorter way round
 * (spec/wire.md, RFC 1982).
 */

/** How far `to` lies after `from`: negative when it lies before. */
export function sequenceDistance(from: number, to: number): number {
  return (to - from) | 0;
}

/** True when `a` comes after `b`. */
export function sequenceAfter(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** The number `steps` after `sequence`; `steps` may be negative. */
export function sequencePlus(sequence: number, steps: number): number {
  return (sequence + steps) >>> 0;
}

/** The original's numbers begin at the time of day, and are at least so near to it for its first thousand million. */
const NEAR_TIME = 2 ** 30;

/**
 * Where the numbers of a life begin: anywhere far from the time of day. So two lives of a node, and two nodes on one
 * link, are told apart by their numbers alone (decisions/0009-numbers.md).
 *
 * @param random in [0, 1)
 */
export function firstSequence(wallSeconds: number, random: number): number {
  return sequencePlus(wallSeconds, NEAR_TIME + Math.floor(random * 2 * NEAR_TIME));
}

/** True when a stream of such numbers may be the original's: another life of it, or another node, may have them, too. */
export function isNearTime(sequence: number, wallSeconds: number): boolean {
  return Math.abs(sequenceDistance(wallSeconds, sequence)) < NEAR_TIME;
}

// What a tracker says about a message.
/** Follows the last one, or is the first. */
export const IN_ORDER = 0;
/** Some before it are missing: `missingFrom`..`missingTo`. */
export const GAP = 1;
/** Repeated or late. */
export const BEFORE = 2;
/** Too far ahead to be believed yet. */
export const SUSPECT = 3;
/** The stream really goes on here; `missingFrom`..`missingTo` were refused on the way, this message with them. */
export const REJOINED = 4;

/** Datagrams that must follow one another before a jump ahead is believed: the one that jumped, and its successor. */
const AHEAD_DATAGRAMS = 2;
/**
 * The same for a stream that seems to have gone back. One more, since the network itself repeats and delays: two late
 * datagrams in a row are not rare, and a wrong belief costs a retransmission.
 */
const BACK_DATAGRAMS = 3;

/**
 * What one peer's stream has delivered.
 *
 * A gap within `bound` is taken as loss, like the original does. The original takes every other jump ahead for loss
 * too, so that one stray datagram makes it drop the peer's genuine messages as "before" without end
 * (spec/beyond.md row 2). Here a message outside the window is refused until others follow on from it. A stray has no
 * followers, so the stream goes on as if it had not come; and if a stray within the window was believed, the genuine
 * messages, now "before", form such a run themselves and bring the stream back.
 *
 * Messages of the run are refused rather than applied late: in between, newer ones may have been applied. The peer is
 * asked for them instead, and answers with the present state of their flows.
 */
export class SequenceTracker {
  /** False until the first message. */
  started = false;
  /** The last sequence number accepted. */
  last = 0;
  /** After GAP and REJOINED: the range to ask for. */
  missingFrom = 0;
  missingTo = 0;

  /** After REJOINED: messages of the run, none of which was taken. */
  refused = 0;

  private runFirst = 0;
  private runNext = 0;
  private runDatagrams = 0;
  private runDatagram = 0;

  constructor(
    /** The widest gap that is taken for loss, in messages. */
    private readonly bound: number,
  ) {}

  /**
   * @param sequence of the message
   * @param datagram number of the datagram that brought it: a run counts datagrams, not the messages in them
   */
  judge(sequence: number, datagram: number): number {
    if (!this.started) return IN_ORDER;
    const ahead = sequenceDistance(this.last, sequence) - 1;
    if (ahead === 0) return IN_ORDER;
    if (ahead > 0 && ahead <= this.bound) {
      this.missing(sequencePlus(this.last, 1), sequencePlus(sequence, -1));
      return GAP;
    }
    return this.outside(sequence, datagram, ahead > 0);
  }

  /** The message is taken: the next one is expected right after it. */
  accept(sequence: number): void {
    this.started = true;
    this.last = sequence;
    this.runDatagrams = 0;
  }

  /** True when the message would continue the stream, with or without a gap. */
  continues(sequence: number): boolean {
    const ahead = sequenceDistance(this.last, sequence) - 1;
    return this.started && ahead >= 0 && ahead <= this.bound;
  }

  /** A new stream: whatever comes next is its first message. */
  restart(): void {
    this.started = false;
    this.runDatagrams = 0;
  }

  private outside(sequence: number, datagram: number, ahead: boolean): number {
    if (this.runDatagrams > 0 && sequence === this.runNext) {
      if (datagram !== this.runDatagram) this.runDatagrams++;
    } else {
      this.runFirst = sequence;
      this.runDatagrams = 1;
    }
    this.runDatagram = datagram;
    this.runNext = sequencePlus(sequence, 1);
    if (this.runDatagrams < (ahead ? AHEAD_DATAGRAMS : BACK_DATAGRAMS)) return ahead ? SUSPECT : BEFORE;
    this.refused = sequenceDistance(this.runFirst, sequence) + 1;
    this.missing(ahead ? sequencePlus(this.last, 1) : this.runFirst, sequence);
    return REJOINED;
  }

  private missing(from: number, to: number): void {
    this.missingFrom = from;
    this.missingTo = to;
  }
}
