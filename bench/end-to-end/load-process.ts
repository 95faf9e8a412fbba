/**
 * Puts load on the kernel table of the namespace it runs in: `load-process`. Each line on its standard input is a
 * LoadCommand in JSON; it answers each with one line, a LoadReport. Ends with its input.
 */
import { createInterface } from 'node:readline';
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
import type { LoadCommand, LoadReport } from './load.js';

/** Requests per system call: beyond this the cost of a call no longer shows (spec/kernel.md). */
const BATCH = 256;
const ANSWER_BYTES = 256;
/** TCP states, linux/netfilter/nf_conntrack_tcp.h. */
const ESTABLISHED = 3;
const FIN_WAIT = 4;
/** Long enough for every scenario. */
const TIMEOUT_SECONDS = 3600;

const ENCODERS = { create: encodeCreate, update: encodeUpdate, destroy: encodeDelete } as const;

const socket = new NetfilterSocket(0);
socket.setShortAnswers();
socket.setReceiveBuffer(1 << 20);
const out = new Views(BATCH * MAX_REQUEST_BYTES);
const answers = new Views(BATCH * ANSWER_BYTES);
const lengths = new Int32Array(BATCH);
const scratch = new FlowScratch();

/** Flow number `n`: an established TCP connection of 10.0.0.0/8 to one of 250 servers. */
function describe(n: number, state: number): void {
  const { words } = scratch;
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

function failures(): number {
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

function submit(length: number): number {
  const sent = native.send(socket.fd, out.buffer, 0, length);
  if (sent < 0) throw new Error(`send: ${native.errnoText(-sent)}`);
  return failures();
}

function burst(command: LoadCommand, first: number, count: number): number {
  const encode = ENCODERS[command.what];
  const state = command.what === 'update' ? FIN_WAIT : ESTABLISHED;
  const options = { sequence: 0, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: true };
  let length = 0;
  for (let n = first; n < first + count; n++) {
    describe(n, state);
    length += encode(out, length, scratch, options);
  }
  return submit(length);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** All at once, or `perSecond` of them in small portions. */
async function carryOut(command: LoadCommand): Promise<LoadReport> {
  const begin = performance.now();
  const end = command.from + command.count;
  const portion = command.perSecond === 0 ? BATCH : Math.max(1, Math.min(BATCH, Math.round(command.perSecond / 500)));
  let failed = 0;
  for (let n = command.from; n < end; n += portion) {
    failed += burst(command, n, Math.min(portion, end - n));
    if (command.perSecond === 0) continue;
    const due = begin + ((n + portion - command.from) * 1000) / command.perSecond;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
  }
  return { milliseconds: performance.now() - begin, failed };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await carryOut(JSON.parse(line) as LoadCommand)));
}
