import { afterEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { TURN_MS } from '../../../src/base/turn.js';
import { EventSource, type EventSourceEvents } from '../../../src/kernel/events.js';
import { closeSocket, sendBatch } from '../../../src/native/index.js';
import { openOwnSocket } from '../../../src/native/own-socket.js';

const LIMIT = 8;
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** An event source over a socket of its own, what it tells, and what puts events of a length each into its socket. */
function source(onEvents: (length: number, put: (...lengths: number[]) => void) => void, nowMs?: () => number) {
  const { fd, address } = openOwnSocket();
  const told: string[] = [];
  const put = (...lengths: number[]): void => {
    const offsets = new Uint32Array(lengths.length);
    sendBatch(fd, new ArrayBuffer(4096), offsets, Uint32Array.from(lengths), 0, lengths.length, address);
  };
  const events: EventSourceEvents = {
    onEvents(_, at, end) {
      told.push(`event ${end - at}`);
      onEvents(end - at, put);
    },
    onTurnEnd: () => told.push('end'),
    onOverrun: () => told.push('overrun'),
    onFailure: () => told.push('failure'),
  };
  const socket = {
    fd,
    portId: 0,
    receiveBuffer: 1 << 20,
    setReceiveBuffer: (bytes: number) => bytes,
    setReliable() {},
    close: () => closeSocket(fd),
  };
  const options = { bufferSize: null, bufferMaxGrowth: 0, reliable: false, expectations: false, filter: null };
  const made = new EventSource({ ...options, iterationLimit: LIMIT }, events, silentLogger, socket, nowMs);
  closing.push(() => made.close());
  return { made, told, put };
}

it('what comes while events are handled belongs to the same turn, once', async () => {
  const { made, told, put } = source((length, more) => {
    if (length <= 12) more(length + 4);
  });
  put(4);
  made.start();
  await vi.waitFor(() => expect(told.length).toBe(6));
  expect(told).toEqual(['event 4', 'event 8', 'end', 'event 12', 'event 16', 'end']);
});

it('a turn handles no more than EventIterationLimit', async () => {
  const { made, told, put } = source(() => {});
  put(...new Array<number>(LIMIT - 1).fill(4));
  put(...new Array<number>(LIMIT).fill(8));
  made.start();
  await vi.waitFor(() => expect(told.filter((what) => what !== 'end').length).toBe(2 * LIMIT - 1));
  expect(told.indexOf('end')).toBe(LIMIT);
});

it('a turn takes no more time than others can wait, whatever the limit', async () => {
  let nowMs = 0;
  const { made, told, put } = source(
    (length, more) => {
      nowMs += TURN_MS;
      if (length === 4) more(8);
    },
    () => nowMs,
  );
  put(4);
  made.start();
  await vi.waitFor(() => expect(told.length).toBe(4));
  // Within the time it is the same turn, as above.
  expect(told).toEqual(['event 4', 'end', 'event 8', 'end']);
});

it('an event that is too long for its slot is a failure, and flows may be missing', async () => {
  const { made, told, put } = source(() => {});
  put(4, 4000, 8);
  made.start();
  await vi.waitFor(() => expect(told).toContain('end'));
  expect(told).toEqual(['event 4', 'failure', 'overrun', 'event 8', 'end']);
});
