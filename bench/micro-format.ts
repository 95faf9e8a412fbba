import { type FormatOptions, formatAges, formatFlowLine } from '../src/flow/format.js';
import { formatFlowXml } from '../src/flow/format-xml.js';
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
  KIND,
  KNOWN,
  kindOf,
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
import { TextBuffer } from '../src/flow/text.js';

/** Milliseconds to write a dump of 100,000 usual TCP flows, text and XML, in chunks as a control client gets it. */
const FLOWS = 100_000;
const ROUNDS = 10;
const CHUNK_BYTES = 64 * 1024;

const words = new Uint32Array(FLOWS * ROW_WORDS);
for (let i = 0; i < FLOWS; i++) {
  const row = i * ROW_WORDS;
  words[row + KNOWN] = K_ORIG | K_ORIG_L4 | K_REPLY | K_REPLY_L4 | K_STATUS | K_MARK | K_ID | K_STATE;
  words[row + KIND] = kindOf(AF_INET, IPPROTO_TCP, 3);
  words[row + STATUS] = 0xe;
  words[row + ORIG_SRC] = 0x01a8c0ac + (i << 8);
  words[row + ORIG_DST] = 0x017fa8c0 + i * 7;
  words[row + REPLY_SRC] = words[row + ORIG_DST]!;
  words[row + REPLY_DST] = words[row + ORIG_SRC]!;
  words[row + ORIG_L4] = 0xbb010000 | (i & 0xffff);
  words[row + REPLY_L4] = ((i & 0xffff) << 16) | 0xbb01;
}

const pointer = new FlowPointer();
pointer.words = words;
const options: FormatOptions = {};
const out = new TextBuffer(2 * CHUNK_BYTES);

function dump(writeFlow: () => void): number {
  let bytes = 0;
  for (let i = 0; i < FLOWS; i++) {
    pointer.at = i * ROW_WORDS;
    writeFlow();
    out.byte(0x0a);
    if (out.length >= CHUNK_BYTES) {
      bytes += out.length;
      out.clear();
    }
  }
  bytes += out.length;
  out.clear();
  return bytes;
}

function report(name: string, writeFlow: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    bytes = dump(writeFlow);
    best = Math.min(best, performance.now() - start);
  }
  console.log(`format: ${FLOWS} flows as ${name} ${best.toFixed(1)} ms, ${(bytes / FLOWS).toFixed(0)} bytes a flow`);
}

report('text', () => {
  formatFlowLine(out, pointer, options);
  formatAges(out, -1, 12);
});
report('XML', () => formatFlowXml(out, pointer, options));
