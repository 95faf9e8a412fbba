import { readFileSync } from 'node:fs';
import { Views } from '../src/base/views.js';
import { FlowScratch } from '../src/flow/scratch.js';
import { decodeFlow } from '../src/netlink/decode.js';
import { encodeCreate, MAX_REQUEST_BYTES, TIMEOUT_AS_KNOWN } from '../src/netlink/encode.js';

/**
 * Cost of decoding one ctnetlink event and of encoding one create request, in nanoseconds. Events lie in slots of a large buffer, as after a
 * recvmmsg, so that caches see what they see in the daemon.
 *
 * Run: `npm run build:ts && node dist/bench/micro-netlink.js`
 */
const SLOTS = 256;
const SLOT_BYTES = 1024;
const ROUNDS = 8000;

const fixture = new URL('../../test/fixtures/netlink/events.json', import.meta.url);
const { events } = JSON.parse(readFileSync(fixture, 'utf8')) as { events: [source: string, hex: string][] };

function measure(title: string, chosen: string[]): void {
  const views = new Views(SLOTS * SLOT_BYTES);
  for (let slot = 0; slot < SLOTS; slot++) {
    views.u8.set(Buffer.from(chosen[slot % chosen.length]!, 'hex'), slot * SLOT_BYTES);
  }
  const scratch = new FlowScratch();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let slot = 0; slot < SLOTS; slot++) {
      if (!decodeFlow(views, slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES, scratch)) throw new Error('malformed');
    }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / SLOTS);
  }
  console.log(`${title.padEnd(28)} ${best.toFixed(0).padStart(5)} ns/event (best of ${ROUNDS} batches of ${SLOTS})`);
}

function measureCreate(title: string, hex: string): void {
  const message = Buffer.from(hex, 'hex');
  const scratch = new FlowScratch();
  decodeFlow(Views.of(message), 0, message.length, scratch);
  const out = new Views(SLOTS * MAX_REQUEST_BYTES);
  const options = { sequence: 0, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: false };
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let slot = 0, at = 0; slot < SLOTS; slot++) at += encodeCreate(out, at, scratch, options);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / SLOTS);
  }
  console.log(`${title.padEnd(28)} ${best.toFixed(0).padStart(5)} ns/request`);
}

function eventsOf(pattern: RegExp): string[] {
  return events.filter(([source]) => pattern.test(source)).map(([, hex]) => hex);
}

measure('TCP over IPv4', eventsOf(/ftfw-udp\.tcp_close/));
measure('UDP over IPv4', eventsOf(/ftfw-udp\.udp_states/));
measure('TCP over IPv6', eventsOf(/ftfw-udp\.tcp6_close/));
measure('every kind in turn', eventsOf(/./).slice(0, SLOTS));
measure('TCP over IPv4, again', eventsOf(/ftfw-udp\.tcp_close/));
measureCreate('create, TCP over IPv4', eventsOf(/ftfw-udp\.tcp_close/)[0]!);
