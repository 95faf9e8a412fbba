/**
 * The client of a byte counter connection: `byte-counter-client ADDRESS PORT`. Sends a numbered stream of bytes, checks
 * that the same comes back in the same order, and prints one JSON line (CounterLine) about every REPORT_MS.
 */
import { connect } from 'node:net';
import type { CounterLine } from './byte-counter.js';

const [address = '', port = '0'] = process.argv.slice(2);

const SEND_MS = 10;
const CHUNK_BYTES = 512;
const REPORT_MS = 50;

let sent = 0;
let received = 0;
let lastReceivedAt = performance.now();
let longestStallMs = 0;
let recentStallMs = 0;

/** Byte `position` of the stream; 251 is prime, so that a lost or repeated block shows. */
function byteAt(position: number): number {
  return position % 251;
}

function report(state: CounterLine['state'], reason = ''): void {
  const stallMs = performance.now() - lastReceivedAt;
  const line: CounterLine = {
    state,
    reason,
    sent,
    received,
    stallMs,
    longestStallMs: Math.max(longestStallMs, stallMs),
    recentStallMs: Math.max(recentStallMs, stallMs),
  };
  recentStallMs = 0;
  console.log(JSON.stringify(line));
}

function end(reason: string): void {
  report('broken', reason);
  process.exit(1);
}

// The connection goes on when nobody reads the reports any more.
process.stdout.on('error', () => undefined);

const socket = connect(Number(port), address, () => {
  lastReceivedAt = performance.now();
  setInterval(() => {
    // What the kernel does not take waits; the stream stays in order either way.
    if (socket.writableLength > 1 << 20) return;
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; at < CHUNK_BYTES; at++) chunk[at] = byteAt(sent + at);
    sent += CHUNK_BYTES;
    socket.write(chunk);
  }, SEND_MS);
  setInterval(() => report('running'), REPORT_MS);
});
socket.setNoDelay(true);
socket.on('data', (chunk: Buffer) => {
  for (const byte of chunk) {
    if (byte !== byteAt(received)) end(`byte ${received} is wrong`);
    received += 1;
  }
  const now = performance.now();
  longestStallMs = Math.max(longestStallMs, now - lastReceivedAt);
  recentStallMs = Math.max(recentStallMs, now - lastReceivedAt);
  lastReceivedAt = now;
});
socket.on('error', (error) => end(error.message));
socket.on('close', () => end('the connection was closed'));
