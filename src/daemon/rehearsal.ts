import type { Clock } from '../base/clock.js';
import { silentLogger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import { Views } from '../base/views.js';
import { Commit, type CommitKernel } from '../cache/commit.js';
import { ExternalCache } from '../cache/external.js';
import { InternalCache } from '../cache/internal.js';
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
import { CTA_ID } from '../netlink/constants.js';
import { decodeFlow } from '../netlink/decode.js';
import { encodeCreate, encodeDelete, encodeUpdate, MAX_REQUEST_BYTES, TIMEOUT_AS_KNOWN } from '../netlink/encode.js';
import { Ftfw } from '../sync/ftfw.js';
import type { SyncSink } from '../sync/mode.js';

/**
 * The hot path, played through with invented flows.
 *
 * JavaScript is interpreted at first and compiled, in several steps, when it has run for a while. Of the first 100,000
 * flows of a daemon that had nothing to do before, half of the CPU time would go there, in the very burst that a
 * firewall's first failover is. So the daemon plays the path through when it has started, with caches of its own that
 * nobody sees: events are made, decoded and cached, messages encoded, sent to itself, received, acknowledged, committed.
 *
 * It takes some 0.25 s of CPU time, spread over a second, in slices of a millisecond or two between which real work
 * gets its turn.
 */

/** What starts together with the daemon, or waits for it, comes first. */
const DELAY_MS = 100;
/** Flows of one slice. */
export const SLICE_FLOWS = 128;
/** Slices: with less, the last step of the compiler is not reached; more is of no use (measured). */
export const SLICES = 200;
/** Between slices the compiler, which works in threads of ordinary priority, gets the processor. */
const GAP_MS = 4;
/** Room for the messages of a slice, the longest of some 150 bytes. */
const SINK_BYTES = 64 * 1024;
const HASH_LIMIT = 4096;
const COMMIT_BATCH = 256;

const TCP_DETAILS = K_STATE | K_WSCALE_ORIG | K_WSCALE_REPLY | K_TCP_FLAGS_ORIG | K_TCP_FLAGS_REPLY;
const TUPLES = K_ORIG | K_ORIG_L4 | K_REPLY | K_REPLY_L4;
const TCP_ESTABLISHED = 3;

/** What is sent comes back as if a peer had sent it: the mode talks to itself. */
class Echo implements SyncSink {
  readonly out = new Views(SINK_BYTES);
  length = 0;

  reserve(): number {
    return this.length;
  }

  commit(length: number): void {
    this.length += length;
  }

  flush(): void {}
}

/** What a slice plays, to `SLICE_FLOWS` flows of its scene. */
type Act = 'create' | 'update' | 'renew' | 'commit' | 'destroy';
const ACTS: readonly Act[] = ['create', 'update', 'renew', 'commit', 'destroy'];
const ENCODERS = { create: encodeCreate, update: encodeUpdate, renew: encodeCreate, destroy: encodeDelete } as const;

/** A kernel that takes everything and does nothing. */
class Props implements CommitKernel {
  room = COMMIT_BATCH;
  private readonly out = new Views(MAX_REQUEST_BYTES);
  private readonly options = { sequence: 0, ack: false, timeout: 0, windowTracking: true };

  create(flow: FlowRef, timeoutSeconds: number): void {
    this.options.timeout = timeoutSeconds;
    encodeCreate(this.out, 0, flow, this.options);
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

/** Plays the path through in slices. @returns a function that ends it early */
export function rehearse(clock: Clock, scheduler: Scheduler): () => void {
  const stage = new Stage(clock, scheduler);
  let slice = 0;
  const next = (): void => {
    if (slice >= SLICES) return;
    stage.play(ACTS[slice % ACTS.length]!, Math.floor(slice / ACTS.length));
    slice++;
    pause = scheduler.after(GAP_MS, next);
  };
  let pause = scheduler.after(DELAY_MS, next);
  return () => {
    slice = SLICES;
    pause.cancel();
  };
}

/** The caches and the mode of the play. */
export class Stage {
  private readonly echo = new Echo();
  private readonly props = new Props();
  private readonly event = new Views(MAX_REQUEST_BYTES);
  private readonly actor = new FlowScratch();
  private readonly scratch = new FlowScratch();
  private readonly options = { sequence: 0, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: true };
  readonly internal: InternalCache;
  readonly external: ExternalCache;
  private readonly mode: Ftfw;

  constructor(
    private readonly clock: Clock,
    private readonly scheduler: Scheduler,
  ) {
    const external = new ExternalCache(HASH_LIMIT, clock);
    this.external = external;
    this.internal = new InternalCache(HASH_LIMIT, clock, {
      changed: (row) => this.mode.enqueue(row),
    });
    this.mode = new Ftfw(
      {
        table: this.internal.table,
        sink: this.echo,
        clock,
        logger: silentLogger,
        encode: { timeout: true, windowTracking: true },
        sharedLink: false,
        external: {
          apply: (type, flow, peer) => {
            external.apply(type, flow, peer);
            return true;
          },
        },
        random: () => 0,
        release: (row) => this.internal.release(row),
      },
      { resendQueueSize: HASH_LIMIT, ackWindowSize: SLICE_FLOWS >> 1 },
    );
  }

  /** @param scene number that makes the flows others than those of another scene */
  play(act: Act, scene: number): void {
    if (act === 'commit') this.commit();
    else this.replicate(act, scene);
  }

  private replicate(act: Exclude<Act, 'commit'>, scene: number): void {
    for (let number = 0; number < SLICE_FLOWS; number++) {
      describe(this.actor, scene * SLICE_FLOWS + number);
      const length = appendId(this.event, ENCODERS[act](this.event, 0, this.actor, this.options));
      if (decodeFlow(this.event, 0, length, this.scratch)) this.tell(act);
    }
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

  private tell(act: Act): void {
    if (act === 'create' || act === 'renew') this.internal.onNew(this.scratch, false);
    else if (act === 'update') this.internal.onUpdate(this.scratch, false);
    else this.internal.onDestroy(this.scratch, false);
  }

  private exchange(): void {
    const { echo, mode } = this;
    mode.transmit();
    const { length } = echo;
    echo.length = 0;
    mode.receiveDatagram(echo.out, 0, length, 0);
  }
}

/** Events carry the kernel's number of the flow, requests do not. @returns the length of the message with it */
function appendId(event: Views, length: number): number {
  const w = length >>> 2;
  event.u32[w] = (CTA_ID << 16) | 8;
  event.u32[w + 1] = length;
  event.u32[0] = length + 8;
  return length + 8;
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
