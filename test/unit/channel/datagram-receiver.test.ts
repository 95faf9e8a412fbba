import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { TURN_MS } from '../../../src/base/turn.js';
import { ChannelStatistics } from '../../../src/channel/channel.js';
import { DatagramReceiver, type ReceiverPoll } from '../../../src/channel/datagram-receiver.js';
import { Guard } from '../../../src/channel/security.js';
import { SOURCE_WORDS, SourceTable } from '../../../src/channel/sources.js';

const SOURCE = new Uint8Array(SOURCE_WORDS * 4).fill(7);
const DATAGRAM_BYTES = 8;

/** A receiver of a socket in which `waiting` datagrams lie, each of which takes some time, and what each turn handles. */
function receiverOf(waiting: number, msEach: number) {
  let nowMs = 0;
  let left = waiting;
  let handled = 0;
  const turns: number[] = [];
  let callback = (_received: number): void => {};
  let lengths: Int32Array = new Int32Array(0);
  let sources: Uint8Array | null = null;
  const receive = (most: number): number => {
    const count = Math.min(most, left);
    left -= count;
    lengths.fill(DATAGRAM_BYTES, 0, count);
    for (let slot = 0; slot < count; slot++) sources?.set(SOURCE, slot * SOURCE.length);
    return count;
  };
  const poll: ReceiverPoll = {
    start: () => {},
    stop: () => {},
    close: () => {},
    receive,
    receiveInto: (_buffer, _slotBytes, lengthsOf, sourcesOf) => {
      lengths = lengthsOf;
      sources = sourcesOf;
    },
  };
  const table = new SourceTable();
  table.add(SOURCE);
  const receiver = new DatagramReceiver({
    statistics: new ChannelStatistics(),
    guard: new Guard('eth0', silentLogger),
    seal: null,
    receiver: {
      onDatagram: () => {
        handled++;
        nowMs += msEach;
      },
      onBatchEnd: () => {
        turns.push(handled);
        handled = 0;
      },
    } as never,
    calls: {
      poll: (_fd, called) => {
        callback = called;
        return poll;
      },
    },
    nowMs: () => nowMs,
  });
  receiver.open(3, 1500, 1 << 20, table);
  /** As the event loop does while something is there. */
  const run = (): number[] => {
    while (left > 0) callback(receive(lengths.length));
    receiver.close();
    return turns;
  };
  return run();
}

it('a turn handles 64 datagrams, so that others have theirs', () => {
  expect(receiverOf(150, 0.01)).toEqual([64, 64, 22]);
});

it('slow datagrams: a turn ends when its time is over', () => {
  const turns = receiverOf(100, TURN_MS / 20);
  expect(turns).toEqual([32, 32, 32, 4]);
});

it('however slow they are, a turn handles some', () => {
  expect(receiverOf(40, TURN_MS)).toEqual([16, 16, 8]);
});
