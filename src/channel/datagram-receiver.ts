import { performance } from 'node:perf_hooks';
import { BurstPace, REST_MS } from '../base/burst.js';
import { TURN_MS } from '../base/turn.js';
import { Views } from '../base/views.js';
import { POLL_READABLE } from '../native/constants.js';
import { Poll } from '../native/index.js';
import { formatSocketAddress, SOCKADDR_IN6_BYTES } from '../native/sockaddr.js';
import type { ChannelReceiver, ChannelStatistics } from './channel.js';
import { isSealed, REFUSED, type Seal } from './seal.js';
import type { Guard } from './security.js';
import { SOURCE_WORDS, SourceTable, STRANGER } from './sources.js';

/**
 * Datagrams per turn of the event loop, or fewer when TURN_MS is over; then kernel events, timers and control requests
 * have theirs. A thousand flows in full packets.
 */
const MOST = 64;
/** Datagrams received at once, after which the clock is looked at: 256 flows in full packets. */
const BATCH = 16;
/**
 * Datagrams per millisecond from which they are let gather: a sender that is busy sends packets of one flow each, and
 * waking up for every one costs more than its flow.
 */
const GATHER_FROM = 8;
/** What a full datagram of an Ethernet takes of the socket's buffer, the kernel's own bookkeeping included. */
const DATAGRAM_MEMORY_BYTES = 4096;
/** Slots are at least this long, so that a peer whose interface has a somewhat larger MTU is heard. */
const SHORTEST_SLOT = 2048;
/** No UDP datagram is longer (RFC 768: 16-bit length). */
const LONGEST_SLOT = 65536;

/** The calls a receiver makes; the rehearsal puts others in their place. */
export interface ReceiverCalls {
  poll(fd: number, callback: (received: number) => void): ReceiverPoll;
}

export type ReceiverPoll = Pick<Poll, 'start' | 'stop' | 'close' | 'receiveInto' | 'receive'>;

const NATIVE_CALLS: ReceiverCalls = { poll: (fd, callback) => new Poll(fd, callback) };

const monotonicMs = (): number => performance.now();

export interface DatagramReceiverContext {
  readonly statistics: ChannelStatistics;
  readonly guard: Guard;
  /** Null: plain text. */
  readonly seal: Seal | null;
  readonly receiver: ChannelReceiver;
  readonly calls?: ReceiverCalls;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs?: () => number;
}

/** Receives datagrams in batches and tells their senders apart. */
export class DatagramReceiver {
  private readonly statistics: ChannelStatistics;
  private readonly receiver: ChannelReceiver;
  private readonly guard: Guard;
  private readonly seal: Seal | null;
  private readonly poller: ReceiverCalls['poll'];
  private readonly nowMs: () => number;
  private readonly lengths = new Int32Array(BATCH);
  private readonly sources = new Uint32Array(BATCH * SOURCE_WORDS);
  private readonly sourceBytes = new Uint8Array(this.sources.buffer, 0, BATCH * SOCKADDR_IN6_BYTES);
  private table = new SourceTable();
  private views = new Views(0);
  private slotBytes = 0;
  private fd = -1;
  private poll: ReceiverPoll | null = null;
  private pace = new BurstPace(GATHER_FROM, 0);
  private restTimer: NodeJS.Timeout | null = null;
  private isHeld = false;

  constructor({
    statistics,
    guard,
    seal,
    receiver,
    calls = NATIVE_CALLS,
    nowMs = monotonicMs,
  }: DatagramReceiverContext) {
    this.statistics = statistics;
    this.guard = guard;
    this.seal = seal;
    this.receiver = receiver;
    this.poller = calls.poll;
    this.nowMs = nowMs;
  }

  /**
   * @param fd stays the caller's, to be closed after `close`
   * @param mtu of the interface: what a slot must hold
   * @param bufferBytes size of the socket's buffer
   */
  open(fd: number, mtu: number, bufferBytes: number, sources: SourceTable): void {
    this.pace = new BurstPace(GATHER_FROM, bufferBytes / 2 / DATAGRAM_MEMORY_BYTES);
    this.table = sources;
    this.fd = fd;
    this.poll = this.poller(fd, (received) => this.turn(received));
    this.adapt(mtu);
    if (!this.isHeld) this.poll.start(POLL_READABLE);
  }

  /** While on, datagrams stay in the socket. */
  hold(on: boolean): void {
    if (this.isHeld === on) return;
    this.isHeld = on;
    if (on) this.poll?.stop();
    else if (this.restTimer === null) this.poll?.start(POLL_READABLE);
  }

  /** From now on datagrams of that MTU are received whole. Not called while one is handed over. */
  adapt(mtu: number): void {
    const slotBytes = Math.min(Math.max(SHORTEST_SLOT, (mtu + 3) & ~3), LONGEST_SLOT);
    if (this.views.u8.length === slotBytes * BATCH) return;
    this.slotBytes = slotBytes;
    this.views = new Views(slotBytes * BATCH);
    this.poll?.receiveInto(this.views.buffer, slotBytes, this.lengths, this.sourceBytes);
  }

  close(): void {
    if (this.restTimer !== null) clearTimeout(this.restTimer);
    this.restTimer = null;
    this.poll?.close();
    this.poll = null;
    this.fd = -1;
    this.views = new Views(0);
  }

  sourceName(source: number): string {
    return this.table.name(source);
  }

  /** @param received of the first read: how many datagrams, or `-errno` */
  private turn(received: number): void {
    const nowMs = this.nowMs();
    const endMs = nowMs + TURN_MS;
    this.table.nowMs = nowMs;
    let last = this.take(received);
    let handled = last;
    while (last === BATCH && handled < MOST && this.nowMs() < endMs) {
      last = this.take(this.poll?.receive(BATCH) ?? 0);
      handled += last;
    }
    // Whoever takes a datagram may close the channel.
    if (this.fd < 0) return;
    if (handled > 0) this.receiver.onBatchEnd();
    if (!this.isHeld && last < BATCH && this.pace.rest(handled, this.nowMs())) this.rest();
  }

  /** Hands over what was read. @returns how many datagrams */
  private take(received: number): number {
    const { views, slotBytes, statistics } = this;
    if (received < 0) {
      statistics.receiveErrors++;
      return 0;
    }
    for (let slot = 0; slot < received && this.fd >= 0; slot++) {
      const source = this.table.identify(this.sources, slot * SOURCE_WORDS);
      if (source < 0) this.refuse(slot, source);
      else this.hand(views, slot * slotBytes, this.lengths[slot]!, source);
    }
    return received;
  }

  /** Datagrams gather in the socket for a moment. */
  private rest(): void {
    this.poll?.stop();
    this.restTimer = setTimeout(() => this.resume(), REST_MS);
  }

  private resume(): void {
    this.restTimer = null;
    if (this.isHeld) return;
    this.turn(this.poll?.receive(BATCH) ?? 0);
    if (this.restTimer === null && !this.isHeld) this.poll?.start(POLL_READABLE);
  }

  private hand(views: Views, at: number, length: number, source: number): void {
    if (length < 0) {
      this.statistics.receiveErrors++;
      return;
    }
    this.statistics.bytesReceived += length;
    this.statistics.packetsReceived++;
    if (this.seal !== null) {
      this.unseal(this.seal, views, at, length, source);
      return;
    }
    if (length > 0 && isSealed(views.u8, at)) this.guard.refuse('noKey', () => this.sourceName(source));
    this.receiver.onDatagram(views, at, length, source);
  }

  private unseal(seal: Seal, views: Views, at: number, length: number, source: number): void {
    const opened = seal.open(views.u8, at, length);
    if (opened === REFUSED) {
      this.guard.refuse(seal.refusal, () => this.sourceName(source));
      return;
    }
    this.guard.statistics.opened++;
    this.receiver.onDatagram(seal.views, 0, opened, source);
  }

  private refuse(slot: number, source: number): void {
    this.statistics.receiveErrors++;
    const at = slot * SOCKADDR_IN6_BYTES;
    this.guard.refuse(source === STRANGER ? 'strangers' : 'tooManySenders', () =>
      formatSocketAddress(this.sourceBytes.slice(at, at + SOCKADDR_IN6_BYTES)),
    );
  }
}
