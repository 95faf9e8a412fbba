import { performance } from 'node:perf_hooks';
import { BurstPace, REST_MS } from '../base/burst.js';
import type { Logger } from '../base/logger.js';
import { TURN_MS } from '../base/turn.js';
import { Views } from '../base/views.js';
import { EVENT_MEMORY_BYTES } from '../config/warnings.js';
import type { FilterSets } from '../flow/filter.js';
import {
  ENOBUFS,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_DROP_MEMBERSHIP,
  POLL_READABLE,
  SO_DETACH_FILTER,
  SOL_NETLINK,
  SOL_SOCKET,
} from '../native/constants.js';
import * as native from '../native/index.js';
import { attachEventFilter } from './filter.js';
import { NetfilterSocket, netfilterFailure } from './socket.js';

/** Groups of conntrack events, as the bits bind() takes (linux/netfilter/nfnetlink_compat.h: NF_NETLINK_CONNTRACK_*). */
export const EVENT_GROUPS_FLOW = 0x07;
/** The group of new flows (linux/netfilter/nfnetlink.h: NFNLGRP_CONNTRACK_NEW), as setsockopt() takes it. */
const GROUP_NEW = 1;
/** The same of expectations: groups 4 to 6, new, update, destroy. */
export const EVENT_GROUPS_EXPECTATION = 0x38;

/**
 * Bytes kept for one event. The kernel's largest (IPv6, NAT, master, labels, counters, sequence adjustment, helper,
 * a security context) stays below 1,200; one that does not fit is counted as failed and answered with a resync.
 * An odd number of cache lines: at a power of two the beginnings of all slots would share a few places of the cache.
 */
const SLOT_BYTES = 2048 + 64;
/** Most events one recvmmsg fetches: beyond some hundred the cost of the crossing no longer shows. */
const MAX_SLOTS = 256;

/** Events per millisecond from which the source lets them gather: three times of what is answered within 0.5 ms. */
const GATHER_FROM = 64;
/** In a burst a turn handles what gathered at once, so that packets leave full: at most so many iteration limits. */
const BURST_FACTOR = 8;

export interface EventSourceOptions {
  /** EventIterationLimit: most events handled before other work gets a turn. */
  iterationLimit: number;
  /** NetlinkBufferSize in bytes as the kernel reports it; null keeps the system's. */
  bufferSize: number | null;
  /** NetlinkBufferSizeMaxGrowth in bytes. */
  bufferMaxGrowth: number;
  /** NetlinkEventsReliable. */
  reliable: boolean;
  /** ExpectationSync: events of expectations as well. */
  expectations: boolean;
  /** Filter; null: none. From kernelspace: the kernel is asked to judge the events. */
  filter: (FilterSets & { readonly from: 'userspace' | 'kernelspace' }) | null;
}

/** What an event source tells its owner. */
export interface EventSourceEvents {
  /** One datagram of the kernel: netlink messages in `views` from byte `at` (a multiple of 4) to `end`. */
  onEvents(views: Views, at: number, end: number): void;
  /**
   * The turn is over: no event waits, or the iteration limit was reached.
   * @param readableSinceMs since when the turn's first event may have been there, on performance.now()'s clock
   */
  onTurnEnd(readableSinceMs: number): void;
  /** The kernel dropped events. */
  onOverrun(): void;
  /** An event could not be read. */
  onFailure(): void;
}

/** What an event source needs of its socket. */
export type EventSocket = Pick<
  NetfilterSocket,
  'fd' | 'portId' | 'receiveBuffer' | 'setReceiveBuffer' | 'setReliable' | 'close'
>;

/** The event socket: subscribes to the kernel's conntrack events and hands them over in batches. */
export class EventSource {
  /** Whether the kernel drops the events of flows that do not pass the filter. Else who gets the events has to. */
  filtersInKernel: boolean;
  private readonly socket: EventSocket;
  private readonly fd: number;
  private readonly poll: native.Poll;
  private views = new Views(0);
  private lengths = new Int32Array(0);
  private slots = 0;
  private pace: BurstPace;
  private started = false;
  private restTimer: NodeJS.Timeout | null = null;
  private warnedFull = false;
  private readonly drained: (() => void)[] = [];

  /**
   * @param socket to read instead of one that subscribes to events
   * @param nowMs of a clock that never goes back
   */
  constructor(
    private options: EventSourceOptions,
    private readonly events: EventSourceEvents,
    private readonly log: Logger,
    socket?: EventSocket,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.filtersInKernel = false;
    this.socket = socket ?? this.subscribe();
    this.fd = this.socket.fd;
    this.poll = new native.Poll(this.fd, (received) => this.turn(received, performance.now()));
    this.makeSlots();
    if (options.reliable) {
      this.socket.setReliable();
      log.notice('reliable ctnetlink event delivery is ENABLED.');
    }
    this.configureBuffer();
    this.pace = this.makePace();
  }

  /** Netlink port of the socket: /proc/net/netlink tells by it how many events were dropped. */
  get portId(): number {
    return this.socket.portId;
  }

  /** Receive buffer in bytes as the kernel reports it. */
  get bufferSize(): number {
    return this.socket.receiveBuffer;
  }

  /** From now on events are handed over. Before, they wait in the socket. */
  start(): void {
    this.started = true;
    this.poll.start(POLL_READABLE);
  }

  /** Events wait in the socket until `start`. */
  pause(): void {
    this.started = false;
    this.poll.stop();
    if (this.restTimer !== null) clearTimeout(this.restTimer);
    this.restTimer = null;
  }

  /**
   * Takes over other options while events come; none is lost by it. What is subscribed to (`expectations`) and `filter`
   * stay.
   */
  reconfigure(options: EventSourceOptions): void {
    const { bufferSize, bufferMaxGrowth, reliable } = this.options;
    this.options = { ...options, expectations: this.options.expectations, filter: this.options.filter };
    this.makeSlots();
    if (options.reliable !== reliable) this.socket.setReliable(options.reliable);
    if (options.bufferSize === bufferSize && options.bufferMaxGrowth === bufferMaxGrowth) return;
    this.warnedFull = false;
    this.configureBuffer();
    this.pace = this.makePace();
  }

  /** Another filter, at once. Events that wait in the socket were judged by the one before: user space has to judge. */
  refilter(filter: EventSourceOptions['filter']): void {
    const { fd } = this;
    const filteredInKernel = this.filtersInKernel;
    this.options = { ...this.options, filter };
    this.filtersInKernel = this.attachFilter(fd, filter);
    if (filteredInKernel && !this.filtersInKernel) native.setOption(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
  }

  /**
   * No events of new flows until `resumeNew`: the kernel builds none when nobody listens, which is half of what creating
   * a flow costs. Whoever asks for it finds out from a dump what was new meanwhile.
   *
   * @throws SystemError
   */
  suspendNew(): void {
    native.setOption(this.fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, GROUP_NEW);
  }

  /** @throws SystemError */
  resumeNew(): void {
    native.setOption(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GROUP_NEW);
  }

  /** Calls back once, when every event that is in the socket now has been handed over. */
  whenDrained(callback: () => void): void {
    this.drained.push(callback);
    // Nothing may wait in the socket, and then nothing would wake it.
    setImmediate(() => {
      if (this.started && this.restTimer === null && this.drained.length > 0) this.readNow();
    });
  }

  /** A turn of what waits in the socket, without being told that something does. */
  readNow(): void {
    this.turn(this.poll.receive(this.slots), performance.now());
  }

  close(): void {
    this.pause();
    this.poll.close();
    this.socket.close();
    this.views = new Views(0);
  }

  private subscribe(): NetfilterSocket {
    const { expectations, filter } = this.options;
    const groups = expectations ? EVENT_GROUPS_FLOW | EVENT_GROUPS_EXPECTATION : EVENT_GROUPS_FLOW;
    return new NetfilterSocket(groups, (fd) => {
      this.filtersInKernel = this.attachFilter(fd, filter);
    });
  }

  private makeSlots(): void {
    const slots = Math.min(MAX_SLOTS, this.options.iterationLimit);
    if (slots === this.slots) return;
    this.slots = slots;
    this.views = new Views(slots * SLOT_BYTES);
    this.lengths = new Int32Array(slots);
    this.poll.receiveInto(this.views.buffer, SLOT_BYTES, this.lengths, null);
  }

  private makePace(): BurstPace {
    return new BurstPace(GATHER_FROM, this.bufferSize / 2 / EVENT_MEMORY_BYTES);
  }

  private attachFilter(fd: number, filter: EventSourceOptions['filter']): boolean {
    if (filter === null) return false;
    const inKernel = filter.from === 'kernelspace' && attachEventFilter(fd, filter, this.log);
    this.log.notice(`using ${inKernel ? 'kernel' : 'user'}-space event filtering`);
    return inKernel;
  }

  /**
   * The turn ends when a read finds fewer events than it may take; outside of bursts when the second does: what came while
   * the first were handled then leaves in the same packet. At 5,000 events a second that spares one wake-up in eight. It also
   * ends at the limit, and after TURN_MS.
   *
   * @param received of the first read: how many events, or `-errno`
   */
  private turn(received: number, readableSinceMs: number): void {
    const limit = this.options.iterationLimit * (this.pace.busy ? BURST_FACTOR : 1);
    const endMs = this.nowMs() + TURN_MS;
    let looks = this.pace.busy ? 1 : 2;
    let wanted = this.slots;
    let last = this.take(received);
    let handled = last;
    for (;;) {
      if (last === 0) looks = 0;
      else if (last < wanted) looks--;
      if (looks === 0 || handled >= limit || this.nowMs() >= endMs) break;
      wanted = Math.min(limit - handled, this.slots);
      last = this.take(this.poll.receive(wanted));
      handled += last;
    }
    const more = last === wanted;
    this.events.onTurnEnd(readableSinceMs);
    if (!more) this.tellDrained();
    if (!more && this.pace.rest(handled, performance.now())) this.rest();
  }

  private tellDrained(): void {
    if (this.drained.length === 0) return;
    for (const callback of this.drained.splice(0)) callback();
  }

  /** Hands over what was read. @returns how many events */
  private take(received: number): number {
    if (received < 0) {
      this.failed(-received);
      return 0;
    }
    for (let slot = 0; slot < received; slot++) this.handOver(slot);
    return received;
  }

  /** Events gather in the socket for a moment. */
  private rest(): void {
    if (!this.started) return;
    this.poll.stop();
    const since = performance.now();
    this.restTimer = setTimeout(() => this.resume(since), REST_MS);
  }

  private resume(readableSinceMs: number): void {
    this.restTimer = null;
    this.turn(this.poll.receive(this.slots), readableSinceMs);
    if (this.started && this.restTimer === null) this.poll.start(POLL_READABLE);
  }

  private handOver(slot: number): void {
    const length = this.lengths[slot]!;
    if (length < 0) {
      this.events.onFailure();
      this.events.onOverrun();
      return;
    }
    const at = slot * SLOT_BYTES;
    this.events.onEvents(this.views, at, at + length);
  }

  private failed(errno: number): void {
    if (errno !== ENOBUFS) {
      this.events.onFailure();
      this.log.error(netfilterFailure('recvmmsg', errno).message);
      return;
    }
    this.growBuffer();
    this.events.onOverrun();
  }

  private configureBuffer(): void {
    const { bufferSize, bufferMaxGrowth } = this.options;
    if (bufferSize !== null && bufferSize <= bufferMaxGrowth) {
      // The kernel doubles what it is given; the clause names the size it reports (spec/config.md).
      this.socket.setReceiveBuffer(bufferSize >>> 1);
    } else {
      this.log.notice(
        'NetlinkBufferSize is either not set or is greater than NetlinkBufferSizeMaxGrowth. ' +
          'Using current system buffer size',
      );
    }
    this.log.notice(`netlink event socket buffer size has been set to ${this.bufferSize} bytes`);
  }

  /** Doubles the receive buffer, up to NetlinkBufferSizeMaxGrowth; says once when it can grow no further. */
  private growBuffer(): void {
    const limit = this.options.bufferMaxGrowth;
    const before = this.bufferSize;
    if (before < limit) {
      // Doubled by the kernel once more: asking for the present size gives twice of it.
      const size = this.socket.setReceiveBuffer(Math.min(before, limit >>> 1));
      this.log.notice(`netlink event socket buffer size has been doubled to ${size} bytes`);
      return;
    }
    if (this.warnedFull) return;
    this.warnedFull = true;
    this.log.warning(
      'netlink event socket buffer size cannot be doubled further since it will exceed NetlinkBufferSizeMaxGrowth. ' +
        'We are likely to be losing events, this may lead to unsynchronized replicas. Please, consider increasing ' +
        'netlink socket buffer size via NetlinkBufferSize and NetlinkBufferSizeMaxGrowth clauses in conntrackd.conf',
    );
  }
}
