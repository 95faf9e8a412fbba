import { silentLogger } from '../src/base/logger.js';
import { Views } from '../src/base/views.js';
import { ExternalCache } from '../src/cache/external.js';
import {
  AF_INET,
  IPPROTO_TCP,
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
} from '../src/flow/layout.js';
import { FlowScratch } from '../src/flow/scratch.js';
import { FlowTable } from '../src/flow/table.js';
import { PeerFeed } from '../src/sync/couplings.js';
import { Ftfw } from '../src/sync/ftfw.js';
import { encodeFlow } from '../src/wire/encode.js';
import { attributeHeader, FLOW_DESTROY, FLOW_NEW, FLOW_UPDATE, SYNPROXY } from '../src/wire/tables.js';

/**
 * Cost of one message on its way through the receiver, the kernel's part left out: checked, tracked, decoded and put into
 * the external cache, in nanoseconds. The messages are as the original writes those of TCP flows, twelve a datagram.
 *
 * Run: `npm run bench -- micro-receive`.
 */
const FLOWS = 100_000;
const ROUNDS = 6;
const SLOT_BYTES = 2048;
/** Datagrams of a turn. */
const TURN = 64;
const MESSAGES = 12;
/** The first round is that of the compiler. */
const WARM_UP = 1;
const OPTIONS = { timeout: true, windowTracking: false };

const views = new Views(TURN * SLOT_BYTES);
const lengths = new Int32Array(TURN);
const actor = new FlowScratch();
const clock = { monotonicMs: () => performance.now(), wallSeconds: () => 1 };
let used = 0;
const sink = {
  out: new Views(1 << 18),
  reserve: () => used,
  commit: (length: number) => {
    used += length;
  },
  flush: () => {
    used = 0;
  },
};
const external = new ExternalCache(2 * FLOWS, clock);
const mode = new Ftfw(
  {
    table: new FlowTable({ limit: 1 }),
    sink,
    clock,
    logger: silentLogger,
    encode: OPTIONS,
    sharedLink: false,
    external: new PeerFeed(external, null),
    random: () => 0,
    release: () => {},
  },
  { resendQueueSize: 131_072, ackWindowSize: 300 },
);
let sequence = 1;

function describe({ words }: FlowScratch, number: number): void {
  words[KNOWN] = K_ORIG | K_ORIG_L4 | K_STATUS | K_TIMEOUT | K_STATE;
  words[KIND] = kindOf(AF_INET, IPPROTO_TCP, 3);
  words[STATUS] = 14;
  words[TIMEOUT] = 432_000;
  words[ORIG_SRC] = number;
  words[ORIG_DST] = ~number;
  words[ORIG_L4] = number;
}

/** With a synproxy that says nothing, as the original's (spec/findings.md 5). @returns bytes written */
function write(at: number, type: number, number: number): number {
  describe(actor, number);
  const length = encodeFlow(views, at, type, 0, sequence++, actor, OPTIONS);
  const all = length + 16;
  views.u32.fill(0, (at + length) >> 2, (at + all) >> 2);
  views.u32[(at + length) >> 2] = attributeHeader(SYNPROXY, 12);
  views.u8[at + 2] = all >>> 8;
  views.u8[at + 3] = all & 0xff;
  return all;
}

/** @returns number of the first flow that did not fit */
function fill(from: number, type: number): number {
  let number = from;
  for (let slot = 0; slot < TURN; slot++) {
    let length = 0;
    for (let left = MESSAGES; left > 0 && number < FLOWS; left--) {
      length += write(slot * SLOT_BYTES + length, type, number++);
    }
    lengths[slot] = length;
  }
  return number;
}

/** @returns nanoseconds a message */
function measure(type: number): number {
  let milliseconds = 0;
  for (let number = 0; number < FLOWS; ) {
    number = fill(number, type);
    const begin = performance.now();
    for (let slot = 0; slot < TURN; slot++) mode.receiveDatagram(views, slot * SLOT_BYTES, lengths[slot]!, 0);
    mode.transmit();
    milliseconds += performance.now() - begin;
  }
  return (milliseconds * 1e6) / FLOWS;
}

function mustHold(flows: number): void {
  if (external.active !== flows) throw new Error(`${external.active} flows in the cache, not ${flows}`);
}

const costs: Record<'new' | 'update' | 'destroy', number[]> = { new: [], update: [], destroy: [] };
for (let round = 0; round < ROUNDS; round++) {
  costs.new.push(measure(FLOW_NEW));
  costs.update.push(measure(FLOW_UPDATE));
  mustHold(FLOWS);
  costs.destroy.push(measure(FLOW_DESTROY));
  mustHold(0);
}
for (const [name, each] of Object.entries(costs)) {
  const best = Math.min(...each.slice(WARM_UP));
  console.log(`receive ${name}: track, decode, cache ${best.toFixed(0)} ns (first round ${each[0]!.toFixed(0)} ns)`);
}
