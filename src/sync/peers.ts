import { BulkEvidence } from './bulk-evidence.js';
import { Greeting } from './greeting.js';
import { PutOff } from './missing.js';
import { SequenceTracker, sequenceAfter, sequenceDistance } from './sequence.js';

/** A peer that says nothing for so long is gone; it would say ALIVE every second. */
export const SILENCE_MS = 10_000;
/** Peers that are told apart when acknowledging: one bit each in the resend queue's ring. */
const MOST_AWAITED = 8;
/** Peers that are tracked at all; the one silent for the longest makes room. */
const MOST_PEERS = 64;
/** Links of one peer: a configuration has at most four (spec/config.md), each may be heard on. */
const MOST_LINKS = 4;
/** Peers that run already are all met within so long: each says something every second. */
export const MEETING_MS = 3000;
/** Messages that may be lost, or overtake, while a peer changes its link: about one socket buffer of packets. */
const LINK_CHANGE_LOSS = 8192;
/**
 * The same for one that still greets: it has said little yet. Eight nodes that start together are then taken for each
 * other once in a million times, as the numbers of their lives begin anywhere.
 */
const GREETING_LOSS = 64;

/** One peer's stream to us, and what we know of it. */
export class Peer {
  readonly tracker: SequenceTracker;
  /** Asked for as soon as we may. */
  readonly missing = new PutOff();
  /** What it has told us of all its flows. */
  readonly evidence: BulkEvidence;
  /** First message not acknowledged yet, while `waiting`. */
  acknowledgeFrom = 0;
  waiting = false;
  /** When the message `acknowledgeFrom` came. */
  waitingSinceMs = 0;
  /** Messages until an ACK leaves. */
  window: number;
  readonly greeting: Greeting;
  /** It has answered our HELLO. */
  knowsUs = false;
  heardMs = 0;
  live = false;
  /** It was silent for long, and what it says first may show that something was missed. */
  returning = false;
  /** While it was silent, entries of it went by age. */
  forgotten = false;
  /** While it was silent, messages were given up for it. */
  forgiven = false;
  /** Latest of our numbers that it acknowledged, null when none. */
  passed: number | null = null;
  /** When it last acknowledged something, or was first heard. */
  acknowledgedMs: number;
  /** A jump of its stream was logged since it last was in order. */
  jumpLogged = false;
  /** Further numbers of the channel that are the same peer, on its other links. */
  readonly aliases: number[] = [];

  constructor(
    /** The channel's number of it. */
    readonly number: number,
    /** Its bit in the resend queue; 0 when it came too late for one, then nobody waits for it. */
    readonly bit: number,
    private windowSize: number,
    bound: number,
    /** When it was first heard. */
    readonly firstMs: number,
    /** Other nodes acknowledge our messages, too. */
    sharedLink: boolean,
  ) {
    this.tracker = new SequenceTracker(bound);
    this.greeting = new Greeting(this.tracker);
    this.evidence = new BulkEvidence(sharedLink);
    this.window = windowSize;
    this.acknowledgedMs = firstMs;
  }

  /** The message is taken; the next one follows it. */
  accept(sequence: number, nowMs: number): void {
    this.tracker.accept(sequence);
    if (!this.waiting) {
      this.waiting = true;
      this.acknowledgeFrom = sequence;
      this.waitingSinceMs = nowMs;
    }
  }

  /** What waited is acknowledged, or will never be. */
  acknowledged(): void {
    this.waiting = false;
  }

  resetWindow(): void {
    this.window = this.windowSize;
  }

  /** Another ACKWindowSize. */
  setWindow(size: number): void {
    this.windowSize = size;
    this.window = Math.min(this.window, size);
  }

  /** It began a new life. */
  restart(): void {
    this.tracker.restart();
    this.acknowledged();
    this.resetWindow();
    this.missing.clear();
    this.greeting.forget();
    this.passed = null;
  }

  /** True when the message comes after the last one, with a gap that may be loss. */
  isAhead(sequence: number): boolean {
    const { tracker } = this;
    const missed = sequenceDistance(tracker.last, sequence) - 1;
    return tracker.continues(sequence) || (tracker.started && missed >= 0 && missed <= LINK_CHANGE_LOSS);
  }

  /** True when the message goes on with this peer's stream, apart from a few that were lost on the way. */
  goesOnWith(sequence: number, hello: boolean): boolean {
    const missed = sequenceDistance(this.tracker.last, sequence) - 1;
    if (!this.tracker.started) return false;
    return hello ? missed >= 0 && missed <= GREETING_LOSS : Math.abs(missed) <= LINK_CHANGE_LOSS;
  }

  /** It has acknowledged our message `to`. */
  pass(to: number, nowMs: number): void {
    this.acknowledgedMs = nowMs;
    if (this.passed === null || sequenceAfter(to, this.passed)) this.passed = to;
  }
}

/** All peers heard of. A handful: loops over them are cheap, and made only once per datagram or second. */
export class Peers {
  readonly all: Peer[] = [];
  /** Bits of the live peers. */
  required = 0;
  /** How many live. */
  live = 0;

  constructor(
    private windowSize: number,
    private readonly bound: number,
    /** A sender's number modulo this is the number of the link. */
    private readonly linkCount = 1,
    private readonly sharedLink = false,
  ) {}

  /** Another ACKWindowSize. */
  setWindow(size: number): void {
    this.windowSize = size;
    for (const peer of this.all) peer.setWindow(size);
  }

  /** The peer of this number, null when it is not known. */
  find(number: number): Peer | null {
    for (const peer of this.all) if (peer.number === number || peer.aliases.includes(number)) return peer;
    return null;
  }

  /**
   * A peer not heard of before. When its message goes on with the stream of a known peer, it is that one, now speaking
   * through another of its links, or from another address of the same link. Where its number may be the original's, two
   * senders on one link that are met together are two peers, however alike their numbers: originals that start together
   * begin with nearly the same.
   *
   * @param sequence of its first message
   * @param hello the first message is a HELLO; an original's then says nothing
   * @param nearTime its number may be the original's (sequence.ts)
   */
  meet(number: number, sequence: number, hello: boolean, nearTime: boolean, nowMs: number): Peer {
    const mayBe = (peer: Peer) => !nearTime || (!hello && this.mayBe(peer, number, nowMs));
    const same = this.all.find((peer) => mayBe(peer) && peer.goesOnWith(sequence, hello));
    if (same === undefined) return this.add(number, nowMs);
    if (same.aliases.length >= MOST_LINKS) same.aliases.shift();
    same.aliases.push(number);
    return same;
  }

  /** No address of the peer is known on the link of this number, or it has been known for so long that this is a new one. */
  private mayBe(peer: Peer, number: number, nowMs: number): boolean {
    if (nowMs - peer.firstMs >= MEETING_MS) return true;
    const link = number % this.linkCount;
    return peer.number % this.linkCount !== link && peer.aliases.every((alias) => alias % this.linkCount !== link);
  }

  /** True when at least two peers live now: each has spoken since the last of them was first heard. */
  get several(): boolean {
    if (this.live < 2) return false;
    const newestMs = Math.max(...this.all.map((peer) => peer.firstMs));
    return this.all.filter((peer) => peer.live && peer.heardMs >= newestMs).length >= 2;
  }

  /** @returns true when it was silent, or unknown, before */
  heard(peer: Peer, nowMs: number): boolean {
    peer.heardMs = nowMs;
    if (peer.live) return false;
    peer.live = true;
    this.count();
    return true;
  }

  /** @returns a peer that fell silent, null when there is none (or no more) */
  expire(nowMs: number): Peer | null {
    const silent = this.all.find((peer) => peer.live && nowMs - peer.heardMs >= SILENCE_MS);
    if (silent === undefined) return null;
    silent.live = false;
    this.count();
    return silent;
  }

  /** When `expire` may find one, or infinity. */
  get deadlineMs(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const peer of this.all) if (peer.live) first = Math.min(first, peer.heardMs + SILENCE_MS);
    return first;
  }

  /** Latest number acknowledged by each live peer; index = bit number. */
  passed(): Array<number | null> {
    const latest: Array<number | null> = new Array(MOST_AWAITED).fill(null);
    for (const peer of this.all) {
      if (peer.live && peer.bit !== 0) latest[Math.log2(peer.bit)] = peer.passed;
    }
    return latest;
  }

  private add(number: number, nowMs: number): Peer {
    if (this.all.length >= MOST_PEERS) this.removeSilent();
    const peer = new Peer(number, this.freeBit(), this.windowSize, this.bound, nowMs, this.sharedLink);
    this.all.push(peer);
    return peer;
  }

  private freeBit(): number {
    for (let bit = 0; bit < MOST_AWAITED; bit++) {
      if (this.all.every((peer) => peer.bit !== 1 << bit)) return 1 << bit;
    }
    return 0;
  }

  private removeSilent(): void {
    const oldest = this.all.reduce((a, b) => (b.heardMs < a.heardMs ? b : a));
    this.all.splice(this.all.indexOf(oldest), 1);
    this.count();
  }

  private count(): void {
    this.live = 0;
    this.required = 0;
    for (const peer of this.all) {
      if (!peer.live) continue;
      this.live++;
      this.required |= peer.bit;
    }
  }
}
