import type { Clock } from '../base/clock.js';
import { SystemError } from '../base/errors.js';
import { DurationHistogram } from '../base/histogram.js';
import { type Logger, silentLogger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import { Views } from '../base/views.js';
import { Commit } from '../cache/commit.js';
import { ExternalCache } from '../cache/external.js';
import { InternalCache } from '../cache/internal.js';
import { type ChannelReceiver, ChannelStatistics } from '../channel/channel.js';
import { createChannel } from '../channel/create.js';
import { DatagramChannel } from '../channel/datagram.js';
import { DatagramReceiver, type ReceiverCalls } from '../channel/datagram-receiver.js';
import { type LinkOptions, Links } from '../channel/links.js';
import { Guard } from '../channel/security.js';
import { SOURCE_WORDS, SourceTable } from '../channel/sources.js';
import { AF_INET } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { type EventSocket, EventSource, type EventSourceOptions } from '../kernel/events.js';
import { closeSocket, sendBatch } from '../native/index.js';
import { type OwnSocket, openOwnSocket, openSink } from '../native/own-socket.js';
import { encodeCreate, encodeDelete, encodeUpdate, MAX_REQUEST_BYTES } from '../netlink/encode.js';
import { CacheFeed, DatagramFeed, PeerFeed, releaseFrom } from '../sync/couplings.js';
import { type OwnKernel, SyncEngine } from '../sync/engine.js';
import { Ftfw } from '../sync/ftfw.js';
import { attributeHeader, FLOW_DESTROY, HEADER_BYTES, SYNPROXY } from '../wire/tables.js';
import { perTurn } from './clock.js';
import { type Happening, writeEvent } from './rehearsal-events.js';

/**
 * The hot path, played through with invented flows.
 *
 * JavaScript is interpreted at first and compiled, in several steps, when it has run for a while. Of the first 100,000
 * flows of a daemon that had nothing to do before, half of the CPU time would go there, in the very burst that a
 * firewall's first failover is. So the daemon plays the path through when it has started, with caches of its own that
 * nobody sees: events are made, decoded and cached, messages encoded, sent to itself, received, acknowledged, committed.
 *
 * Compiled code is made for the kinds of objects it has met, and thrown away when it meets another. So all who act here
 * are of the very classes that act in earnest, from the event socket to the channel, and call the kernel as those do:
 * events come through a socket of the play's own, and what is sent goes into one from which nothing comes.
 *
 * It takes some 0.5 s of CPU time, spread over a second and a half, in slices of a millisecond or two between which real
 * work gets its turn.
 */

/** What starts together with the daemon, or waits for it, comes first. */
const DELAY_MS = 100;
/** Flows of one slice. */
export const SLICE_FLOWS = 128;
/** With fewer the last step of the compiler is not reached; more are of no use (measured). */
const SCENES = 40;
/**
 * Scenes whose flows are there at a time, half of them on each stage: so many that the tables grow and shrink
 * (src/flow/tuple-index.ts splits at 1,536).
 */
const CROWD = 26;
/** Between slices the compiler, which works in threads of ordinary priority, gets the processor. */
const GAP_MS = 4;
/** The longest message is shorter; what lies behind the last one must read as none. */
const LONGEST_MESSAGE_BYTES = 256;
const HASH_LIMIT = 4096;
const COMMIT_BATCH = 256;

const STAGES = 2;
/** What is read at once; nothing depends on it here. */
const EVENT_OPTIONS: EventSourceOptions = {
  iterationLimit: SLICE_FLOWS,
  bufferSize: null,
  bufferMaxGrowth: 0,
  reliable: false,
  expectations: false,
  filter: null,
};
/** So large that the source takes a fast play for a burst, and rests. */
const EVENT_BUFFER_BYTES = 64 * 1024 * 1024;

/** The documentation's addresses (RFC 5737): nothing is ever sent there. */
const NOWHERE: LinkOptions = {
  kind: 'udp',
  localAddress: null,
  peerAddress: Uint8Array.of(192, 0, 2, 1),
  interface: 'rehearsal',
  port: 3780,
  sendBuffer: null,
  receiveBuffer: null,
  checksum: true,
  isDefault: true,
};

/** What a slice plays, to `SLICE_FLOWS` flows of its scene. */
type Act = Happening | 'commit';
const FIRST_ACTS: readonly Act[] = ['create', 'update', 'renew', 'commit'];

/** Flows of a turn when a few come at a time. */
const FEW = 4;

/**
 * What is done once a turn of the event loop is compiled only after many turns, and a steady load would pay for that: of
 * either stage (`rehearse`) every other scene comes a few flows at a time.
 */
function flowsOfTurn(scene: number): number {
  return (scene & 2) === 0 ? SLICE_FLOWS : FEW;
}

/** All slices in their order: each scene's end is played when `CROWD` others have begun. */
export const SCRIPT: readonly (readonly [act: Act, scene: number])[] = Array.from(
  { length: SCENES + CROWD },
  (_, scene): [Act, number][] => [
    ...(scene < SCENES ? FIRST_ACTS.map((act): [Act, number] => [act, scene]) : []),
    ...(scene >= CROWD ? [['destroy', scene - CROWD] satisfies [Act, number]] : []),
  ],
).flat();

/** A kernel that takes everything and does nothing. */
class Props implements OwnKernel {
  readonly portId = 1;
  room = COMMIT_BATCH;
  private readonly out = new Views(MAX_REQUEST_BYTES);
  private readonly options = { sequence: 0, ack: false, timeout: 0, windowTracking: true };

  create(flow: FlowRef, timeoutSeconds: number): void {
    this.options.timeout = timeoutSeconds;
    encodeCreate(this.out, 0, flow, this.options);
    this.room--;
  }

  change(flow: FlowRef, timeoutSeconds: number): void {
    this.options.timeout = timeoutSeconds;
    encodeUpdate(this.out, 0, flow, this.options);
    this.room--;
  }

  delete(flow: FlowRef, timeoutSeconds: number): void {
    this.options.timeout = timeoutSeconds;
    encodeDelete(this.out, 0, flow, this.options);
    this.room--;
  }

  submit(): void {
    this.room = COMMIT_BATCH;
  }

  errorText(): string {
    return '';
  }
}

/** struct sockaddr_in of the peer (ip(7)): the family, the address in the second word. */
const PEER_SOURCE = Uint32Array.of(AF_INET, ...new Uint32Array(NOWHERE.peerAddress.slice().buffer));
/** An Ethernet's. */
const MTU = 1500;
/** As full as a peer's packets are. */
const DATAGRAM_BYTES = 1400;
/** A synproxy of zeros: its header, length and number in network order, and three words. */
const SILENT_SYNPROXY = new Uint8Array(Uint32Array.of(attributeHeader(SYNPROXY, 12), 0, 0, 0).buffer);

/** Where a receiver wants to have its datagrams, as `Poll.receiveInto` is told. */
interface Box {
  bytes: Uint8Array;
  slotBytes: number;
  lengths: Int32Array;
  sources: Uint8Array | null;
}

/**
 * A socket in which lies what was sent, as if a peer had sent it: one that writes its messages like ours, or like the
 * original's, which end with a synproxy that says nothing (spec/findings.md 5).
 */
class Echo implements ReceiverCalls {
  readable: () => void = () => {};
  private readonly sent = new Views(SLICE_FLOWS * LONGEST_MESSAGE_BYTES);
  private next = 0;
  private flows = 0;

  readonly poll: ReceiverCalls['poll'] = (_fd, callback) => {
    const box: Box = { bytes: new Uint8Array(0), slotBytes: 0, lengths: new Int32Array(0), sources: null };
    const receive = (most: number): number => this.receive(box, most);
    this.readable = () => callback(receive(box.lengths.length));
    return {
      start() {},
      stop() {},
      close() {},
      receive,
      receiveInto(buffer, slotBytes, lengths, sources) {
        Object.assign(box, { bytes: new Uint8Array(buffer), slotBytes, lengths, sources });
      },
    };
  };

  /** Takes the messages that lie at the beginning of `out`, one behind the other, and clears them there. */
  take(out: Views): void {
    const { u8 } = this.sent;
    u8.set(out.u8.subarray(0, u8.length));
    out.u8.fill(0, 0, u8.length);
    this.next = 0;
  }

  private receive({ bytes, slotBytes, lengths, sources }: Box, most: number): number {
    let slot = 0;
    for (; slot < most && this.lengthOf(this.next) > 0; slot++) {
      lengths[slot] = this.fill(bytes, slot * slotBytes);
      sources?.set(new Uint8Array(PEER_SOURCE.buffer), slot * SOURCE_WORDS * 4);
    }
    return slot;
  }

  /** @returns the length of the datagram written at byte `at` */
  private fill(bytes: Uint8Array, at: number): number {
    let used = 0;
    for (let length = this.lengthOf(this.next); length > 0; length = this.lengthOf(this.next)) {
      if (used + length > DATAGRAM_BYTES) break;
      bytes.set(this.sent.u8.subarray(this.next, this.next + length), at + used);
      this.next += length;
      used += this.finish(bytes, at + used, length);
    }
    return used;
  }

  /** @returns the length of the message with what every other one of a flow ends with */
  private finish(bytes: Uint8Array, at: number, length: number): number {
    const isFlow = (bytes[at]! & 0xf) <= FLOW_DESTROY;
    if (!isFlow || this.flows++ % 2 === 0) return length;
    const all = length + SILENT_SYNPROXY.length;
    bytes.set(SILENT_SYNPROXY, at + length);
    bytes[at + 2] = all >>> 8;
    bytes[at + 3] = all & 0xff;
    return all;
  }

  private lengthOf(at: number): number {
    const { u8 } = this.sent;
    return at + HEADER_BYTES > u8.length ? 0 : (u8[at + 2]! << 8) | u8[at + 3]!;
  }
}

/**
 * Plays the path through in slices.
 *
 * On two stages in turn: code that has met one object of its kind only is compiled for that object, and would be thrown
 * away when the daemon's own comes. So it would be when they go: they stay, empty, as long as the daemon runs. A third is
 * closed before the play: what never changes until the end is a constant to the compiler, and is not one any more then.
 *
 * @returns a function that ends it early
 */
export function rehearse(clock: Clock, scheduler: Scheduler, log: Logger): () => void {
  const stages: Stage[] = [];
  let slice = 0;
  const begin = (): void => {
    try {
      new Stage(clock, scheduler).close();
      while (stages.length < STAGES) stages.push(new Stage(clock, scheduler));
      next();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      end();
      log.notice(`the code of a first burst is not prepared: ${error.message}`);
    }
  };
  const next = (): void => {
    const step = SCRIPT[slice++];
    if (step === undefined) {
      end();
      return;
    }
    const [act, scene] = step;
    stages[scene % STAGES]!.play(act, scene);
    pause = scheduler.after(GAP_MS, next);
  };
  const end = (): void => {
    pause.cancel();
    for (const stage of stages) stage.close();
  };
  let pause = scheduler.after(DELAY_MS, begin);
  return end;
}

/** The caches, the mode and the channel of the play. */
export class Stage {
  private readonly props = new Props();
  private readonly kernel = openOwnSocket();
  private readonly events = new Views(SLICE_FLOWS * MAX_REQUEST_BYTES);
  private readonly offsets = Uint32Array.from({ length: SLICE_FLOWS }, (_, index) => index * MAX_REQUEST_BYTES);
  private readonly lengths = new Uint32Array(SLICE_FLOWS);
  private readonly links: Links;
  private readonly echo = new Echo();
  private readonly engine: SyncEngine;
  private readonly source: EventSource;
  readonly internal: InternalCache;
  readonly external: ExternalCache;
  private readonly mode: Ftfw;
  private closed = false;
  /** Stays, as the stage does. */
  private lastCommit: Commit | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly scheduler: Scheduler,
  ) {
    const feed = new CacheFeed();
    this.external = new ExternalCache(HASH_LIMIT, perTurn(clock));
    this.internal = new InternalCache(HASH_LIMIT, perTurn(clock), feed);
    const datagrams = new DatagramFeed();
    this.links = this.makeLinks(datagrams);
    this.mode = new Ftfw(
      {
        table: this.internal.table,
        sink: this.links,
        clock,
        logger: silentLogger,
        encode: { timeout: true, windowTracking: true },
        sharedLink: false,
        external: new PeerFeed(this.external, null),
        random: () => 0,
        release: releaseFrom(this.internal),
      },
      { resendQueueSize: HASH_LIMIT, ackWindowSize: SLICE_FLOWS >> 1 },
    );
    feed.mode = this.mode;
    this.engine = this.makeEngine();
    datagrams.mode = this.mode;
    datagrams.engine = this.engine;
    this.source = new EventSource(EVENT_OPTIONS, this.engine, silentLogger, eventSocketOf(this.kernel));
    this.engine.start();
  }

  /** May be called twice. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.engine.close();
    this.links.close();
    this.source.close();
  }

  /** Links whose packets go nowhere, and a receiver of datagrams that are not sent. */
  private makeLinks(datagrams: DatagramFeed): Links {
    return new Links([NOWHERE], {
      receiver: datagrams,
      log: silentLogger,
      nowMs: () => this.clock.monotonicMs(),
      random: Math.random,
      create: (options, receiver, log) => {
        this.listen(receiver);
        const channel = createChannel(options, receiver, log);
        const sink = openSink();
        if (channel instanceof DatagramChannel) channel.openSending(sink.fd, sink.address, MTU);
        return channel;
      },
    });
  }

  private listen(receiver: ChannelReceiver): void {
    const guard = new Guard(NOWHERE.interface, silentLogger);
    const statistics = new ChannelStatistics();
    const sources = new SourceTable();
    sources.add(new Uint8Array(PEER_SOURCE.buffer));
    const ears = new DatagramReceiver({ statistics, guard, seal: null, receiver, calls: this.echo });
    ears.open(0, MTU, 0, sources);
  }

  private makeEngine(): SyncEngine {
    const { clock, scheduler, internal, external, mode, props } = this;
    const idle = { start() {}, close() {}, hold() {}, release() {} };
    return new SyncEngine({
      settings: {
        commitTimeout: null,
        windowTracking: true,
        purgeTimeout: 1,
        overrunResync: null,
        pollSeconds: null,
        startupResync: false,
      },
      clock,
      scheduler,
      log: silentLogger,
      internal,
      external,
      mode,
      expectations: null,
      commitKernel: props,
      flushKernel: { portId: props.portId, room: COMMIT_BATCH, delete() {}, submitAhead() {} },
      injectPort: null,
      filter: null,
      eventToWire: new DurationHistogram(),
      openDump: () => idle,
      describe: () => '',
    });
  }

  /** @param scene number that makes the flows others than those of another scene */
  play(act: Act, scene: number): void {
    if (act === 'commit') this.commit();
    else this.replicate(act, scene);
  }

  private replicate(happening: Happening, scene: number): void {
    const few = flowsOfTurn(scene);
    for (let first = 0; first < SLICE_FLOWS; first += few) {
      this.happen(happening, scene * SLICE_FLOWS + first, few);
      this.source.readNow();
      // Messages first, then the acknowledgements they led to.
      for (let exchange = 0; exchange < 2; exchange++) this.exchange();
    }
  }

  /** Sends events as the kernel does. What the socket has no room for is not played. */
  private happen(happening: Happening, first: number, count: number): void {
    const { kernel, events, offsets, lengths } = this;
    for (let index = 0; index < count; index++) {
      lengths[index] = writeEvent(events, offsets[index]!, happening, first + index);
    }
    sendBatch(kernel.fd, events.buffer, offsets, lengths, 0, count, kernel.address, 1);
  }

  private commit(): void {
    const { clock, scheduler, props: kernel } = this;
    const { table } = this.external;
    this.lastCommit = new Commit(
      { table, kernel, clock, scheduler, log: silentLogger, commitTimeout: null, describe: () => '' },
      () => {},
    );
    this.lastCommit.run();
  }

  /**
   * What is sent comes back as if a peer had sent it: the mode talks to itself. Packets that have left stay in the
   * channel's memory, one message after the other from the beginning.
   */
  private exchange(): void {
    this.echo.take(this.links.out);
    this.echo.readable();
  }
}

/** The socket as an event source wants it; it stays as it is. */
function eventSocketOf({ fd }: OwnSocket): EventSocket {
  return {
    fd,
    portId: 0,
    receiveBuffer: EVENT_BUFFER_BYTES,
    setReceiveBuffer: () => EVENT_BUFFER_BYTES,
    setReliable() {},
    close: () => closeSocket(fd),
  };
}
