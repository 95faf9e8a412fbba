import assert from 'node:assert/strict';
import type { Clock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { Views } from '../../src/base/views.js';
import { ExternalExpectations } from '../../src/cache/expectation-external.js';
import { ExternalCache } from '../../src/cache/external.js';
import { FlowTable } from '../../src/flow/table.js';
import { Alarm } from '../../src/sync/alarm.js';
import { Ftfw } from '../../src/sync/ftfw.js';
import type { SyncContext, SyncMode } from '../../src/sync/mode.js';
import { Notrack } from '../../src/sync/notrack.js';
import { MALFORMED_COUNTER, type MessageCounters, OK, WRONG_VERSION } from '../../src/wire/counters.js';
import { decodeExpectation } from '../../src/wire/expectation.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { PacketSink } from '../../test/simulation/packet-sink.js';
import { Random } from '../../test/simulation/random.js';
import { wireMessages } from '../fixtures.js';
import { checkExpectation, checkTable } from '../flow-checks.js';
import { joinSections, mutateSections, sectionsOf } from '../sections.js';
import { spoil } from '../spoil.js';
import type { FuzzTarget } from '../target.js';
import { mutateMessage } from './wire.js';

/** Few, so that inputs get to the limit. */
const LIMIT = 8;
/** Turns of sending after one datagram: a peer's request may make some, but they end. */
const MOST_TURNS = 1000;
const PEERS = 3;

/** A node without flows of its own, as far as datagrams concern it. */
class Listener {
  readonly external: ExternalCache;
  readonly expectations: ExternalExpectations;
  readonly mode: SyncMode;
  private packets = 0;
  /** Messages handed to the caches. */
  applied = 0;
  refused = 0;

  constructor(make: (context: SyncContext) => SyncMode, clock: Clock) {
    this.external = new ExternalCache(LIMIT, clock);
    this.expectations = new ExternalExpectations(LIMIT, clock);
    this.mode = make({
      table: new FlowTable({ limit: LIMIT }),
      sink: new PacketSink(() => this.packets++),
      clock,
      logger: silentLogger,
      encode: { timeout: true, windowTracking: false },
      sharedLink: true,
      random: new Random(1).next,
      release: () => assert.fail('an entry that never was is released'),
      external: {
        apply: (type, flow, peer) => {
          this.applied++;
          this.external.apply(type, flow, peer);
          return true;
        },
        applyExpectation: (type, views, at, end) => {
          const expectation = decodeExpectation(views, at, end);
          if (expectation === null) {
            this.refused++;
            return false;
          }
          this.applied++;
          checkExpectation(expectation);
          this.expectations.apply(type, expectation);
          return true;
        },
      },
    });
  }

  send(): void {
    for (let turns = 0; this.mode.transmit(); turns++) assert.ok(turns < MOST_TURNS, 'sends without end');
  }
}

const MODES: readonly ((context: SyncContext) => SyncMode)[] = [
  (context) => new Ftfw(context, { resendQueueSize: 16, ackWindowSize: 3 }),
  (context) => new Ftfw({ ...context, sharedLink: false }, { resendQueueSize: 4, ackWindowSize: 1 }),
  (context) => new Notrack(context, { kernelFlows: null }),
  (context) => new Alarm(context, { refreshTime: 2, expireExternal: () => false }),
];

const header = new MessageHeader();

/** Messages of a datagram by the framing alone, and how many of them are bad by it. */
function framed(datagram: Uint8Array): { messages: number; bad: number } {
  const views = Views.of(datagram);
  let messages = 0;
  let bad = 0;
  for (let at = 0; at < datagram.length; messages++) {
    const result = readHeader(views, at, datagram.length, header);
    if (result !== OK) bad++;
    at = result === OK || result === WRONG_VERSION ? at + header.length : datagram.length;
  }
  return { messages, bad };
}

/**
 * Datagrams of some peers through a mode into the external cache. The first byte picks the mode; each datagram's first
 * byte says whose it is and how much time passes before it.
 */
export const receiver: FuzzTarget = {
  name: 'receiver',
  covers: ['src/sync/', 'src/cache/external', 'src/cache/expectation-external', 'src/wire/', 'src/flow/table'],
  longestBytes: 4000,
  seeds: () => {
    const controls = [
      [0x1a, 0x10, 0, 8, 0, 0, 0, 5],
      [0x1a, 0x20, 0, 8, 0, 0, 0, 6],
      [0x1a, 0x01, 0, 16, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 4],
      [0x1a, 0x02, 0, 16, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4],
      [0x1a, 0x04, 0, 8, 0, 0, 0, 9],
      [0x1a, 0x08, 0, 8, 0, 0, 0, 9],
    ].map((bytes) => Uint8Array.from(bytes));
    const messages = wireMessages();
    return MODES.flatMap((_, mode) =>
      Array.from({ length: 6 }, (_, index) => {
        const some = messages.filter((_, number) => number % 6 === index).slice(0, 5);
        const datagrams = [...some, ...controls].map((message, number) =>
          Buffer.concat([Uint8Array.of(number), message]),
        );
        return Buffer.concat([Uint8Array.of(mode), joinSections(datagrams)]);
      }),
    );
  },
  mutate(input, other, random) {
    const change = (datagram: Uint8Array) => {
      if (random.chance(0.3)) return renumbered(datagram, random);
      if (random.chance(0.2)) return Buffer.concat([datagram, sectionsOf(other.subarray(1))[0]?.subarray(1) ?? []]);
      if (random.chance(0.3)) return spoil(datagram, random);
      return Buffer.concat([datagram.subarray(0, 1), mutateMessage(datagram.subarray(1), other.subarray(1), random)]);
    };
    return Buffer.concat([input.subarray(0, 1), mutateSections(input.subarray(1), other.subarray(1), random, change)]);
  },
  run(input) {
    let nowMs = 0;
    const clock: Clock = { monotonicMs: () => nowMs, wallSeconds: () => 1_700_000_000 + Math.floor(nowMs / 1000) };
    const listener = new Listener(MODES[(input[0] ?? 0) % MODES.length]!, clock);
    for (const section of sectionsOf(input.subarray(1))) {
      const [first = 0] = section;
      nowMs += (first >>> 4) ** 3 * 10;
      if (nowMs >= listener.mode.deadlineMs()) listener.mode.tick(nowMs);
      hear(listener, section.subarray(1), first % PEERS);
      listener.send();
      assert.ok(listener.mode.deadlineMs() > nowMs - 60_000, 'waits for a time that is over');
    }
    checkTable(listener.external.table, LIMIT);
    assert.ok(listener.expectations.active <= LIMIT, 'more expectations than allowed');
    const { created, destroyed } = listener.external.counters;
    assert.equal(created - destroyed, listener.external.table.size, 'the cache counts wrongly');
  },
};

/** Sequence numbers near each other and near the ends of their range: what a peer's stream is judged by. */
function renumbered(datagram: Uint8Array, random: Random): Uint8Array {
  if (datagram.length < 9) return datagram;
  const copy = Buffer.from(datagram);
  const base = random.pick([0, 0, 0, 0x7ffffff8, 0xfffffff8, 1_700_000_000]);
  copy.writeUInt32BE((base + random.between(0, 12)) >>> 0, 5);
  return copy;
}

/** Each message of the datagram is counted as bad or handed on or neither, once. */
function hear(listener: Listener, datagram: Uint8Array, peer: number): void {
  const { messages, bad } = framed(datagram);
  const before = totals(listener.mode.counters);
  const appliedBefore = listener.applied;
  listener.mode.receiveDatagram(Views.of(datagram), 0, datagram.length, peer);
  const after = totals(listener.mode.counters);
  const malformed = after.malformed - before.malformed;
  assert.equal(after.kinds - before.kinds, malformed, 'a bad message moves one counter besides that of all');
  assert.ok(malformed >= bad, 'a bad message was not counted');
  assert.ok(malformed + listener.applied - appliedBefore <= messages, 'a message was counted twice');
}

function totals({ received }: MessageCounters): { malformed: number; kinds: number } {
  const malformed = received[MALFORMED_COUNTER]!;
  return { malformed, kinds: received.reduce((sum, count) => sum + count, 0) - malformed };
}
