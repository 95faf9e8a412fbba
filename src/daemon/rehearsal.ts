import type { Clock } from '../base/clock.js';
import { silentLogger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import { Views } from '../base/views.js';
import { Commit } from '../cache/commit.js';
import { ExternalCache } from '../cache/external.js';
import { InternalCache } from '../cache/internal.js';
import { type ChannelReceiver, ChannelStatistics } from '../channel/channel.js';
import { createChannel } from '../channel/create.js';
import { DatagramReceiver, type ReceiverCalls } from '../channel/datagram-receiver.js';
import { type LinkOptions, Links } from '../channel/links.js';
import { Guard } from '../channel/security.js';
import { SOURCE_WORDS, SourceTable } from '../channel/sources.js';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_SEEN_REPLY,
  IPS_SRC_NAT,
  IPS_SRC_NAT_DONE,
  K_MARK,
  K_ORIG,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
  K_STATE,
  K_STATUS,
  K_TCP_FLAGS_ORIG,
  K_TCP_FLAGS_REPLY,
  K_TIMEOUT,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  KIND,
  KNOWN,
  kindOf,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TCP_WINDOW,
  TIMEOUT,
} from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import {
  CTA_ID,
  CTA_SYNPROXY,
  CTA_SYNPROXY_ISN,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_NEW,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLMSG_TYPE_AT,
} from '../netlink/constants.js';
import { encodeCreate, encodeDelete, encodeUpdate, MAX_REQUEST_BYTES, TIMEOUT_AS_KNOWN } from '../netlink/encode.js';
import { CacheFeed, DatagramFeed, PeerFeed, releaseFrom } from '../sync/couplings.js';
import { type OwnKernel, SyncEngine } from '../sync/engine.js';
import { Ftfw } from '../sync/ftfw.js';
import { attributeHeader, FLOW_DESTROY, HEADER_BYTES, SYNPROXY } from '../wire/tables.js';
import { perTurn } from './clock.js';

/**
 * The hot path, played through with invented flows.
 *
 * JavaScript is interpreted at first and compiled, in several steps, when it has run for a while. Of the first 100,000
 * flows of a daemon that had nothing to do before, half of the CPU time would go there, in the very burst that a
 * firewall's first failover is. So the daemon plays the path through when it has started, with caches of its own that
 * nobody sees: events are made, decoded and cached, messages encoded, sent to itself, received, acknowledged, committed.
 *
 * Compiled code is made for the kinds of objects it has met, and thrown away when it meets another. So all who act here
 * are of the very classes that act in earnest, down to the channel; only the channel is never opened.
 *
 * It takes some 0.25 s of CPU time, spread over a second, in slices of a millisecond or two between which real work
 * gets its turn.
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

const TCP_DETAILS = K_STATE | K_WSCALE_ORIG | K_WSCALE_REPLY | K_TCP_FLAGS_ORIG | K_TCP_FLAGS_REPLY;
const TUPLES = K_ORIG | K_ORIG_L4 | K_REPLY | K_REPLY_L4;
const TCP_ESTABLISHED = 3;

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
type Act = 'create' | 'update' | 'renew' | 'commit' | 'destroy';
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

/** Type and flags of the events, as words of a netlink header (spec/kernel.md). */
const EVENT_HEADERS = {
  create: eventHeader(IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL),
  update: eventHeader(IPCTNL_MSG_CT_NEW, 0),
  renew: eventHeader(IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL),
  destroy: eventHeader(IPCTNL_MSG_CT_DELETE, 0),
} as const;

function eventHeader(operation: number, flags: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | operation | (flags << 16);
}

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
 * away when the daemon's own comes.
 *
 * @returns a function that ends it early
 */
export function rehearse(clock: Clock, scheduler: Scheduler): () => void {
  const stages = [new Stage(clock, scheduler), new Stage(clock, scheduler)] as const;
  let slice = 0;
  const next = (): void => {
    const step = SCRIPT[slice++];
    if (step === undefined) return;
    const [act, scene] = step;
    stages[scene % 2 === 0 ? 0 : 1].play(act, scene);
    pause = scheduler.after(GAP_MS, next);
  };
  let pause = scheduler.after(DELAY_MS, next);
  return () => {
    slice = SCRIPT.length;
    pause.cancel();
  };
}

/** The caches, the mode and the channel of the play. */
export class Stage {
  private readonly props = new Props();
  private readonly event = new Views(MAX_REQUEST_BYTES);
  private readonly actor = new FlowScratch();
  private readonly options = { sequence: 0, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: true };
  private readonly links: Links;
  private readonly echo = new Echo();
  private readonly engine: SyncEngine;
  readonly internal: InternalCache;
  readonly external: ExternalCache;
  private readonly mode: Ftfw;

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
  }

  /** The links, on which nothing is opened, and a receiver of datagrams that are not sent. */
  private makeLinks(datagrams: DatagramFeed): Links {
    return new Links([NOWHERE], {
      receiver: datagrams,
      log: silentLogger,
      nowMs: () => this.clock.monotonicMs(),
      random: Math.random,
      create: (options, receiver, log) => {
        this.listen(receiver);
        return createChannel(options, receiver, log);
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
    const idle = { start() {}, close() {} };
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
      flushKernel: props,
      injectPort: null,
      filter: null,
      openDump: () => idle,
      describe: () => '',
    });
  }

  /** @param scene number that makes the flows others than those of another scene */
  play(act: Act, scene: number): void {
    if (act === 'commit') this.commit();
    else this.replicate(act, scene);
  }

  private replicate(act: Exclude<Act, 'commit'>, scene: number): void {
    for (let number = 0; number < SLICE_FLOWS; number++) {
      describe(this.actor, scene * SLICE_FLOWS + number);
      const length = encodeCreate(this.event, 0, this.actor, this.options);
      this.event.u32[NLMSG_TYPE_AT >>> 2] = EVENT_HEADERS[act];
      this.engine.onEvents(this.event, 0, appendRest(this.event, length, number));
      if ((number + 1) % flowsOfTurn(scene) === 0) this.endTurn();
    }
  }

  private endTurn(): void {
    this.engine.onTurnEnd(this.clock.monotonicMs());
    // Messages first, then the acknowledgements they led to.
    for (let exchange = 0; exchange < 2; exchange++) this.exchange();
  }

  private commit(): void {
    const { clock, scheduler, props: kernel } = this;
    const { table } = this.external;
    new Commit(
      { table, kernel, clock, scheduler, log: silentLogger, commitTimeout: null, describe: () => '' },
      () => {},
    ).run();
  }

  /**
   * What is sent comes back as if a peer had sent it: the mode talks to itself. A channel that is not open drops its
   * packets, but they stay in its memory, one message after the other from the beginning.
   */
  private exchange(): void {
    this.echo.take(this.links.out);
    this.echo.readable();
  }
}

/**
 * Events carry what requests do not: the kernel's number of the flow, and sometimes an attribute that few flows have.
 * @returns the length of the message with it
 */
function appendRest(event: Views, length: number, number: number): number {
  const { u32 } = event;
  let w = length >>> 2;
  u32[w++] = (CTA_ID << 16) | 8;
  u32[w++] = length;
  if (number % 2 === 0) {
    u32[w++] = (CTA_SYNPROXY << 16) | 12;
    u32[w++] = (CTA_SYNPROXY_ISN << 16) | 8;
    u32[w++] = 0;
  }
  u32[0] = w << 2;
  return w << 2;
}

/** Flows of the kinds that firewalls see most, in turn: what was never met is not compiled. */
function describe({ words }: FlowScratch, number: number): void {
  words.fill(0);
  const six = number % 5 === 0;
  const protocol = number % 3 === 0 ? IPPROTO_UDP : number % 7 === 0 && !six ? IPPROTO_ICMP : IPPROTO_TCP;
  const tcp = protocol === IPPROTO_TCP;
  words[KNOWN] = TUPLES | K_STATUS | K_TIMEOUT | (number % 4 === 0 ? K_MARK : 0) | (tcp ? TCP_DETAILS : 0);
  words[KIND] = kindOf(six ? AF_INET6 : AF_INET, protocol, tcp ? TCP_ESTABLISHED : 0);
  words[STATUS] = IPS_CONFIRMED | IPS_SEEN_REPLY | (tcp ? IPS_ASSURED : 0);
  words[TIMEOUT] = 600;
  words[MARK] = number;
  words[TCP_WINDOW] = 0x07070808;
  words[ORIG_SRC] = number;
  words[ORIG_DST] = ~number;
  if (six) words[ORIG_SRC + 3] = number;
  words[ORIG_L4] = protocol === IPPROTO_ICMP ? 0x00080000 | (number & 0xffff) : 0xbb010000 | (number & 0xffff);
  words.copyWithin(REPLY_SRC, ORIG_DST, ORIG_DST + 4);
  words.copyWithin(REPLY_DST, ORIG_SRC, ORIG_SRC + 4);
  words[REPLY_L4] = ((words[ORIG_L4]! >>> 16) | (words[ORIG_L4]! << 16)) >>> 0;
  if (number % 8 !== 1) return;
  words[STATUS] |= IPS_SRC_NAT | IPS_SRC_NAT_DONE;
  words[REPLY_DST] = 0x0100000a;
}
