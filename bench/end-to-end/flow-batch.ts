import { Views } from '../../src/base/views.js';
import {
  AF_INET,
  IPPROTO_TCP,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_SEEN_REPLY,
  K_ORIG,
  K_ORIG_L4,
  K_STATE,
  K_STATUS,
  K_TIMEOUT,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  STATUS,
  TIMEOUT,
} from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { NetfilterSocket } from '../../src/kernel/socket.js';
import * as native from '../../src/native/index.js';
import {
  encodeCreate,
  encodeDelete,
  encodeUpdate,
  MAX_REQUEST_BYTES,
  TIMEOUT_AS_KNOWN,
} from '../../src/netlink/encode.js';
import { errorOf, isWhole, NLMSG_ERROR, nextOf, typeOf } from '../../src/netlink/message.js';

/** Requests per system call: beyond this the cost of a call no longer shows (spec/kernel.md). */
export const BATCH = 256;
/**
 * Requests per system call where CPU is measured. The kernel (PREEMPT_NONE) does not interrupt a call for a daemon that
 * wakes up meanwhile, and counts the daemon's wait for its end as the daemon's CPU time: wakeup_preempt asks the next
 * __schedule not to read the clock again (kernel/sched/core.c, rq_clock_skip_update). With 256 that is up to 2 ms of a
 * wake-up among a million flows, and more than all that a daemon does.
 */
export const SHORT_BATCH = 8;
const ANSWER_BYTES = 256;
/** TCP states, linux/netfilter/nf_conntrack_tcp.h. */
const ESTABLISHED = 3;
const FIN_WAIT = 4;
/** Long enough for every scenario. */
const TIMEOUT_SECONDS = 3600;

const ENCODERS = { create: encodeCreate, update: encodeUpdate, destroy: encodeDelete } as const;

export type Operation = keyof typeof ENCODERS;

/** Describes flow number `n`, an established TCP connection of 10.0.0.0/8 to one of 250 servers. */
function describe({ words }: FlowScratch, n: number, state: number): void {
  words[KNOWN] = K_ORIG | K_ORIG_L4 | K_STATUS | K_TIMEOUT | K_STATE;
  words[KIND] = kindOf(AF_INET, IPPROTO_TCP, state);
  words[STATUS] = IPS_ASSURED | IPS_SEEN_REPLY | IPS_CONFIRMED;
  words[TIMEOUT] = TIMEOUT_SECONDS;
  // Raw network order, layout.ts: the first byte of an address is the lowest of the word.
  words[ORIG_SRC] = 10 | (((n >>> 16) & 0xff) << 8) | (((n >>> 8) & 0xff) << 16) | ((n & 0xff) << 24);
  words[ORIG_DST] = 198 | (18 << 8) | ((n % 7) << 16) | ((1 + (n % 250)) << 24);
  const port = 1024 + (n % 60_000);
  words[ORIG_L4] = (port >>> 8) | ((port & 0xff) << 8) | (443 << 24) | ((443 >>> 8) << 16);
}

/** The number of the flow that has this source address (raw network order). */
export function numberOf(source: number): number {
  return (((source >>> 8) & 0xff) << 16) | (((source >>> 16) & 0xff) << 8) | (source >>> 24);
}

/** Creates, updates and destroys flows of the namespace it is made in, up to BATCH in one system call. */
export class FlowBatch {
  private readonly socket = new NetfilterSocket(0);
  private readonly out = new Views(BATCH * MAX_REQUEST_BYTES);
  private readonly answers = new Views(BATCH * ANSWER_BYTES);
  private readonly lengths = new Int32Array(BATCH);
  private readonly scratch = new FlowScratch();

  constructor() {
    this.socket.setShortAnswers();
    this.socket.setReceiveBuffer(1 << 20);
  }

  /** Does it to flows `first` to `first + count - 1`. @returns how many requests the kernel refused */
  run(operation: Operation, first: number, count: number): number {
    const { out, scratch } = this;
    const encode = ENCODERS[operation];
    const state = operation === 'update' ? FIN_WAIT : ESTABLISHED;
    const options = { sequence: 0, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: true };
    let length = 0;
    for (let n = first; n < first + count; n++) {
      describe(scratch, n, state);
      length += encode(out, length, scratch, options);
    }
    const sent = native.send(this.socket.fd, out.buffer, 0, length);
    if (sent < 0) throw new Error(`send: ${native.errnoText(-sent)}`);
    return this.failures();
  }

  /** The same to as many as there may be. */
  runAll(operation: Operation, count: number): number {
    let failed = 0;
    for (let n = 0; n < count; n += BATCH) failed += this.run(operation, n, Math.min(BATCH, count - n));
    return failed;
  }

  private failures(): number {
    const { answers, lengths, socket } = this;
    let failed = 0;
    for (;;) {
      const received = native.receiveBatch(socket.fd, answers.buffer, ANSWER_BYTES, BATCH, lengths, null);
      if (received < 0) throw new Error(`recvmmsg: ${native.errnoText(-received)}`);
      for (let slot = 0; slot < received; slot++) {
        const end = slot * ANSWER_BYTES + Math.abs(lengths[slot]!);
        for (let at = slot * ANSWER_BYTES; isWhole(answers, at, end); at = nextOf(answers, at)) {
          if (typeOf(answers, at) === NLMSG_ERROR && errorOf(answers, at) !== 0) failed++;
        }
      }
      if (received < BATCH) return failed;
    }
  }
}
