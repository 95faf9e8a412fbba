import { Views } from '../src/base/views.js';
import {
  AF_INET,
  IPPROTO_TCP,
  K_ID,
  K_MARK,
  K_ORIG,
  K_ORIG_L4,
  K_REPLY,
  K_REPLY_L4,
  K_STATE,
  K_STATUS,
  K_TIMEOUT,
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
  ROW_WORDS,
  STATUS,
} from '../src/flow/layout.js';
import { FlowPointer } from '../src/flow/ref.js';
import { FlowScratch } from '../src/flow/scratch.js';
import { OK } from '../src/wire/counters.js';
import { decodeFlow } from '../src/wire/decode.js';
import { encodeFlow } from '../src/wire/encode.js';
import { MessageHeader, readHeader } from '../src/wire/header.js';
import { FLOW_NEW } from '../src/wire/tables.js';

/**
 * Nanoseconds to encode and to decode the message of a usual IPv4 TCP flow. The rows are many and lie apart, so that
 * caches behave as in a table.
 */
const FLOWS = 20_000;
const ROUNDS = 20;

function makeRows(): Uint32Array {
  const words = new Uint32Array(FLOWS * ROW_WORDS);
  for (let i = 0; i < FLOWS; i++) {
    const row = i * ROW_WORDS;
    words[row + KNOWN] = K_ORIG | K_ORIG_L4 | K_REPLY | K_REPLY_L4 | K_STATUS | K_TIMEOUT | K_MARK | K_ID | K_STATE;
    words[row + KIND] = kindOf(AF_INET, IPPROTO_TCP, 3);
    words[row + STATUS] = i % 4 === 0 ? 0x18e : 0xe;
    words[row + MARK] = 0;
    words[row + ORIG_SRC] = 0x0a000001 + i;
    words[row + ORIG_DST] = 0x0a800001 + i;
    words[row + REPLY_SRC] = 0x0a800001 + i;
    words[row + REPLY_DST] = i % 4 === 0 ? 0x0b000001 : 0x0a000001 + i;
    words[row + ORIG_L4] = 0x5000_9c41;
    words[row + REPLY_L4] = 0x9c41_5000;
  }
  return words;
}

function nanoseconds(work: () => number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    work();
    const spent = Number(process.hrtime.bigint() - start) / FLOWS;
    if (spent < best) best = spent;
  }
  return best;
}

const words = makeRows();
const pointer = new FlowPointer();
pointer.words = words;
const out = new Views(FLOWS * 128);
const offsets = new Uint32Array(FLOWS);
const options = { timeout: true, windowTracking: false };
let bytes = 0;

const encodeNs = nanoseconds(() => {
  let at = 0;
  for (let i = 0; i < FLOWS; i++) {
    pointer.at = i * ROW_WORDS;
    offsets[i] = at;
    at += encodeFlow(out, at, FLOW_NEW, 0, i, pointer, options);
  }
  bytes = at;
  return at;
});

const header = new MessageHeader();
const scratch = new FlowScratch();
const decodeNs = nanoseconds(() => {
  let sound = 0;
  for (let i = 0; i < FLOWS; i++) {
    const at = offsets[i]!;
    if (readHeader(out, at, bytes, header) !== OK) throw new Error(`bad header of flow ${i}`);
    if (decodeFlow(out, at, at + header.length, scratch)) sound += 1;
  }
  if (sound !== FLOWS) throw new Error(`${FLOWS - sound} messages did not decode`);
  return sound;
});

console.log(`wire: ${(bytes / FLOWS).toFixed(1)} bytes a flow`);
console.log(`wire: encode ${encodeNs.toFixed(0)} ns, decode ${decodeNs.toFixed(0)} ns a message (best of ${ROUNDS})`);
