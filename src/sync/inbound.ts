import type { Announcement } from '../wire/announcement.js';
import { isData, type MessageHeader } from '../wire/header.js';
import {
  CONTROL,
  FLAG_ACK,
  FLAG_ALIVE,
  FLAG_HELLO,
  FLAG_HELLO_BACK,
  FLAG_NACK,
  FLAG_RESYNC,
  RANGE_FLAGS,
} from '../wire/tables.js';
import type { Agenda } from './agenda.js';
import { NOTHING } from './bulk-evidence.js';
import { Allowance } from './missing.js';
import { heldOf, type SyncContext, type TrackingStatistics } from './mode.js';
import type { Outbound } from './outbound.js';
import { MEETING_MS, type Peer, type Peers } from './peers.js';
import { DONE, LISTEN, type MessageJudge, REJECT, TAKE } from './receiver.js';
import {
  BEFORE,
  GAP,
  isNearTime,
  REJOINED,
  SUSPECT,
  sequenceAfter,
  sequenceDistance,
  sequencePlus,
} from './sequence.js';

/** On a shared link streams closer than this must part: one second at several million messages, and more. */
const LEAST_SEPARATION = 1 << 22;
/** On a shared link an ACK is ours when it ends so near behind our last number. */
const OWN_RANGE = 1 << 21;

/** FTFW's receiving side: who speaks, whether it follows, what it says of our messages, and what we say of its. */
export class Inbound implements MessageJudge {
  readonly tracking: TrackingStatistics = { lost: 0, before: 0 };
  readonly questions: Allowance;
  speaker = 0;
  stamp = 0;
  /** Number of the datagram that is being read: a run of messages counts datagrams. */
  datagram = 0;
  nowMs: number;
  /** Since when something waits and nobody acknowledges anything; infinity: nothing waits. */
  unansweredMs = Number.POSITIVE_INFINITY;
  private readonly startedMs: number;

  constructor(
    private readonly context: SyncContext,
    private readonly outbound: Outbound,
    private readonly agenda: Agenda,
    private readonly peers: Peers,
  ) {
    this.questions = new Allowance(context.sharedLink);
    this.nowMs = context.clock.monotonicMs();
    this.startedMs = this.nowMs;
  }

  judge(header: MessageHeader, number: number): number {
    const data = isData(header);
    if (!data && !isControl(header)) return REJECT;
    const { flags, sequence } = header;
    const hello = (flags & FLAG_HELLO) !== 0;
    const peer = this.peers.find(number) ?? this.meet(number, sequence, hello);
    this.speaker = peer.number;
    if (this.peers.heard(peer, this.nowMs)) this.returned(peer);
    if (hello && !this.hello(peer, header)) return DONE;
    if (!this.inSequence(peer, header)) return DONE;
    const { evidence } = peer;
    evidence.stamp = (sequence + evidence.offset) >>> 0;
    this.stamp = evidence.stamp;
    if (!hello) peer.greeting.end(sequence);
    if ((flags & FLAG_HELLO_BACK) !== 0) this.known(peer);
    if (data) {
      evidence.controls = 0;
      return TAKE;
    }
    evidence.control(this.nowMs);
    this.control(peer, header);
    return (flags & FLAG_ALIVE) !== 0 ? LISTEN : DONE;
  }

  announced(announcement: Announcement): void {
    const peer = this.peers.find(this.speaker);
    if (peer === null) return;
    const { lives } = peer.evidence;
    this.sweep(peer, peer.evidence.announced(announcement, heldOf(this.context)));
    // On a shared link another node may have answered its HELLO before it got here.
    if (peer.evidence.lives !== lives) this.agenda.resyncDue = true;
  }

  private meet(number: number, sequence: number, hello: boolean): Peer {
    const nearTime = this.isNearTime(sequence);
    const peer = this.peers.meet(number, sequence, hello, nearTime, this.nowMs);
    if (peer.tracker.started) return peer;
    this.outbound.unmark(peer.bit);
    if (this.context.sharedLink && !hello) this.meetStranger();
    return peer;
  }

  /**
   * A node that runs already. Where it was we were not heard, nor our HELLO, which another node may have answered. When
   * we are no newcomer either, neither of us knows what the other one said until now.
   */
  private meetStranger(): void {
    this.outbound.hello.saying = true;
    this.askNewcomer();
    if (this.nowMs - this.startedMs < MEETING_MS) return;
    this.agenda.resyncDue = true;
    this.agenda.bulkDue = true;
  }

  /** Asks once more for what all that were there before have been asked for. */
  private askNewcomer(): void {
    if (this.agenda.hasAsked && !this.outbound.resendQueue.requestWaits) this.agenda.resyncDue = true;
  }

  private isNearTime(sequence: number): boolean {
    return isNearTime(sequence, this.context.clock.wallSeconds());
  }

  private returned(peer: Peer): void {
    if (peer.forgiven) this.agenda.shortOf = true;
    peer.forgiven = false;
    if (!peer.tracker.started) return;
    peer.returning = true;
    if (peer.forgotten) this.agenda.resyncDue = true;
    peer.forgotten = false;
    this.context.logger.notice(`${this.nameOf(peer)} is back`);
  }

  /** Tracks the stream and acknowledges. @returns false when the message is not to be looked at */
  private inSequence(peer: Peer, { sequence, flags }: MessageHeader): boolean {
    const { tracker } = peer;
    const verdict = tracker.judge(sequence, this.datagram);
    if (verdict === BEFORE) {
      this.tracking.before++;
      return false;
    }
    if (verdict === SUSPECT) {
      this.logJump(peer, sequence, 'ignored until others follow it');
      return false;
    }
    if (verdict === REJOINED) {
      this.rejoin(peer, sequence);
      return false;
    }
    if (!tracker.started) peer.evidence.begin(sequence);
    if (verdict === GAP) this.gap(peer, sequence);
    peer.returning = false;
    peer.accept(sequence, this.nowMs);
    peer.window--;
    // An ACK or ALIVE waits for the alarm: answered at once, small windows would make ACKs of ACKs without end.
    if (peer.window <= 0 && (flags & (FLAG_ACK | FLAG_ALIVE)) === 0) {
      this.acknowledge(peer, sequence);
      peer.resetWindow();
      peer.jumpLogged = false;
    }
    return true;
  }

  /** Acknowledges what came before the gap and asks for the gap; too often in a row, it does both a little later. */
  private gap(peer: Peer, sequence: number): void {
    const { tracker } = peer;
    peer.evidence.gap(sequence);
    // After a long silence it may have given up what we ask for, and says so nowhere.
    if (peer.returning) this.agenda.resyncDue = true;
    this.tracking.lost += sequenceDistance(tracker.missingFrom, tracker.missingTo) + 1;
    peer.missing.add(peer.waiting ? peer.acknowledgeFrom : null, tracker.missingFrom, tracker.missingTo);
    peer.acknowledged();
    peer.resetWindow();
    this.askForMissing();
  }

  private get hasQuestions(): boolean {
    return this.outbound.repeatsWait || this.peers.all.some(({ missing }) => missing.pending);
  }

  /** Asks, when we may, for all that is missing. */
  askForMissing(): void {
    if (!this.hasQuestions || !this.questions.take(this.nowMs)) return;
    this.outbound.sendRepeats();
    for (const { missing, bit } of this.peers.all) {
      for (const { received, missingFrom, missingTo } of missing.take()) {
        if (received !== null) this.outbound.queueControl(FLAG_ACK, received, sequencePlus(missingFrom, -1), bit);
        this.outbound.queueControl(FLAG_NACK, missingFrom, missingTo, bit);
      }
    }
  }

  /** The stream went on elsewhere. Nothing is acknowledged of the stretch that proved wrong. */
  private rejoin(peer: Peer, sequence: number): void {
    const { tracker } = peer;
    peer.acknowledged();
    peer.resetWindow();
    this.logJump(peer, sequence, 'followed');
    this.tracking.lost += tracker.refused;
    peer.missing.add(null, tracker.missingFrom, tracker.missingTo);
    this.askForMissing();
    tracker.accept(sequence);
    peer.evidence.jump(sequence);
    this.agenda.resyncDue = true;
  }

  /** @returns false when the message is to be dropped: the network repeated it, or it came late */
  private hello(peer: Peer, { sequence, flags }: MessageHeader): boolean {
    if (!peer.greeting.goesOn(sequence, this.nowMs)) {
      if (peer.greeting.isOld(sequence, this.nowMs)) {
        this.tracking.before++;
        return false;
      }
      // A stream that goes on is the same life's, greeting another node. Not the original's, whose next life may go on.
      const sameLife = peer.isAhead(sequence) && !this.isNearTime(sequence);
      if (!sameLife) this.newLife(peer, sequence, (flags & FLAG_HELLO_BACK) !== 0);
    }
    this.outbound.hello.answer();
    return true;
  }

  private newLife(peer: Peer, sequence: number, knowsUs: boolean): void {
    const known = peer.tracker.started;
    peer.restart();
    peer.greeting.begin(sequence, this.nowMs);
    if (!known) {
      // What was said before it was heard for the first time waits for it: it may have been there all the time.
      if (!this.context.sharedLink) this.outbound.resendQueue.askAgain();
      // Others have heard what we asked for at our start, this one has not.
      else this.askNewcomer();
      return;
    }
    if (!knowsUs) {
      this.forgive(peer);
      if (this.peers.live <= 1) this.agenda.shortOf = false;
    }
    if (this.context.sweep === undefined) return;
    // Of the flows it told us in its former life it may have lost some: only all of those it has now can tell.
    this.context.logger.notice(`${this.nameOf(peer)} has started anew`);
    this.agenda.resyncDue = true;
  }

  /** Nothing waits for this peer any more. */
  private forgive(peer: Peer): void {
    this.outbound.forgive(peer.bit, this.peers.required);
  }

  private known(peer: Peer): void {
    peer.knowsUs = true;
    if (this.peers.all.every((other) => other.knowsUs || !other.live)) this.outbound.hello.saying = false;
  }

  private control(peer: Peer, { flags, from, to }: MessageHeader): void {
    if ((flags & FLAG_RESYNC) !== 0) this.agenda.resyncRequested(this.nowMs);
    else if ((flags & RANGE_FLAGS) === 0 || !this.isOurs(peer, to)) return;
    else if ((flags & FLAG_ACK) !== 0) this.acknowledgedBy(peer, from, to);
    else {
      this.outbound.missed(from, to, peer.bit);
      this.agenda.makeUp();
    }
  }

  /** A range may end beyond what we sent (the original takes it), but one that begins there says nothing. */
  private acknowledgedBy(peer: Peer, from: number, to: number): void {
    const newest = sequencePlus(this.outbound.nextSequence, -1);
    const last = sequenceAfter(to, newest) ? newest : to;
    if (sequenceAfter(from, newest)) return;
    this.outbound.flight.acknowledged(sequenceDistance(from, last) + 1);
    // Its first ACK begins with the first of our messages that it received: it has missed those before.
    if (peer.passed === null) {
      this.outbound.retryBefore(from);
    }
    peer.pass(last, this.nowMs);
    peer.evidence.acknowledged(from, last, this.nowMs);
    this.unansweredMs = this.nowMs;
    this.outbound.acknowledge(from, last, peer.bit, this.peers.required);
    this.agenda.makeUp();
  }

  /**
   * Whether an ACK or NACK that ends with `to` is about our messages. One that comes before the peer answered our HELLO
   * is about a former life of ours, whose numbers may have been the same.
   */
  private isOurs(peer: Peer, to: number): boolean {
    if (this.outbound.hello.saying && !peer.knowsUs) return false;
    if (!this.peers.several) return true;
    const behind = sequenceDistance(to, this.outbound.nextSequence);
    return behind > 0 && behind <= OWN_RANGE;
  }

  private acknowledge(peer: Peer, to: number): void {
    this.outbound.queueControl(FLAG_ACK, peer.acknowledgeFrom, to, peer.bit);
    peer.acknowledged();
  }

  /** Queues an ACK for every peer whose messages wait for at least `ageMs`. The window goes on, as in the original. */
  acknowledgeWaiting(ageMs: number, nowMs: number): boolean {
    let any = false;
    for (const peer of this.peers.all) {
      if (!peer.waiting || nowMs - peer.waitingSinceMs < ageMs) continue;
      this.acknowledge(peer, peer.tracker.last);
      any = true;
    }
    return any;
  }

  expirePeers(nowMs: number): void {
    for (let peer = this.peers.expire(nowMs); peer !== null; peer = this.peers.expire(nowMs)) {
      const seconds = Math.round((nowMs - peer.heardMs) / 1000);
      this.context.logger.warning(`no message from ${this.nameOf(peer)} for ${seconds} seconds`);
      // Alone, it is waited for: it may come back and ask for what it missed.
      if (this.peers.live === 0) continue;
      peer.forgiven = true;
      this.forgive(peer);
    }
  }

  /** On a link shared by several, goes on at another number when a peer's stream is near ours. */
  separate(): void {
    const { outbound, peers } = this;
    if (!outbound.begun || !peers.several || !peers.all.some((peer) => this.isNear(peer))) return;
    outbound.jump(4 * LEAST_SEPARATION + Math.floor(this.context.random() * 2 ** 30));
    for (const peer of peers.all) peer.passed = null;
  }

  private isNear(peer: Peer): boolean {
    return (
      peer.live &&
      peer.tracker.started &&
      Math.abs(sequenceDistance(peer.tracker.last, this.outbound.nextSequence)) < LEAST_SEPARATION
    );
  }

  asked(sequence: number): void {
    for (const { live, evidence } of this.peers.all)
      if (live) evidence.asked(sequence, this.agenda.resyncOurs, this.nowMs);
  }

  watchAnswers(nowMs: number): void {
    if (this.outbound.resendQueue.length === 0) this.unansweredMs = Number.POSITIVE_INFINITY;
    else if (this.unansweredMs === Number.POSITIVE_INFINITY) this.unansweredMs = nowMs;
  }

  /** Entries go that a peer no longer has, and what it did not tell whole is asked for again. */
  weighEvidence(nowMs: number): void {
    for (const peer of this.peers.all) {
      if (!peer.live || !peer.evidence.awaited) continue;
      this.sweep(peer, peer.evidence.quiet(nowMs));
      if (peer.evidence.askAgain(nowMs)) this.agenda.resyncDue = true;
    }
  }

  private sweep(peer: Peer, stamp: number): void {
    if (stamp !== NOTHING) this.context.sweep?.(peer.number, stamp);
  }

  private nameOf(peer: Peer): string {
    return this.context.sharedLink ? `peer ${peer.number}` : 'the peer';
  }

  private logJump(peer: Peer, sequence: number, what: string): void {
    if (peer.jumpLogged) return;
    peer.jumpLogged = true;
    const expected = sequencePlus(peer.tracker.last, 1);
    this.context.logger.warning(`${this.nameOf(peer)}: message ${sequence} where ${expected} was due, ${what}`);
  }
}

/** A control message that this mode knows: one of the four, and no range that runs backwards. */
function isControl({ type, flags, from, to }: MessageHeader): boolean {
  if (type !== CONTROL || (flags & (RANGE_FLAGS | FLAG_ALIVE)) === 0) return false;
  return (flags & (FLAG_ACK | FLAG_NACK)) === 0 || !sequenceAfter(from, to);
}
