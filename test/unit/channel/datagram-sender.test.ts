import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { ChannelStatistics } from '../../../src/channel/channel.js';
import { DatagramSender, type SenderCalls } from '../../../src/channel/datagram-sender.js';

const EPERM = 1;
const EIO = 5;
const EAGAIN = 11;
const EINVAL = 22;
const EMSGSIZE = 90;
const ENOBUFS = 105;
const DESTINATION = Uint8Array.of(1, 2, 3);

/** A kernel that answers each sendmmsg with the next of `answers`: packets it takes, or an errno. Then it takes all. */
class Kernel implements SenderCalls {
  answers: number[] = [];
  readonly taken: number[] = [];
  run: number | undefined;
  waiting = false;
  writable: () => void = () => {};

  readonly sendBatch: SenderCalls['sendBatch'] = (_fd, buffer, offsets, _lengths, first, count, destination, run) => {
    this.run = run;
    expect(destination).toBe(DESTINATION);
    const answer = this.answers.shift() ?? count;
    for (let index = first; index < first + Math.min(answer, count); index++) {
      this.taken.push(new Uint32Array(buffer)[offsets[index]! / 4]!);
    }
    return Math.min(answer, count);
  };

  readonly poll: SenderCalls['poll'] = (_fd, callback) => {
    this.writable = callback;
    return {
      start: () => {
        this.waiting = true;
      },
      stop: () => {
        this.waiting = false;
      },
      close: () => {
        this.waiting = false;
      },
    };
  };
}

let kernel: Kernel;
let statistics: ChannelStatistics;
let sender: DatagramSender;
let uncongested: number;

beforeEach(() => {
  kernel = new Kernel();
  statistics = new ChannelStatistics();
  uncongested = 0;
  sender = new DatagramSender(statistics, () => uncongested++, kernel);
  sender.open(5, DESTINATION, 100);
});

/** One packet for each number. */
function send(...numbers: number[]): void {
  for (const number of numbers) {
    const at = sender.packer.reserve();
    sender.packer.views.u32[at / 4] = number;
    sender.packer.commit(60);
  }
  sender.flush();
}

describe('datagram sender', () => {
  it('sends everything with one call and counts it', () => {
    send(1, 2, 3);
    expect(kernel.taken).toEqual([1, 2, 3]);
    expect(statistics).toMatchObject({ packetsSent: 3, bytesSent: 180, sendErrors: 0 });
  });

  it('goes on where a partial send stopped', () => {
    kernel.answers = [1, 2];
    send(1, 2, 3, 4);
    expect(kernel.taken).toEqual([1, 2, 3, 4]);
  });

  it('EAGAIN: keeps what is left, in order, until the socket is writable', () => {
    kernel.answers = [1, -EAGAIN];
    send(1, 2, 3);
    expect(kernel.taken).toEqual([1]);
    expect([kernel.waiting, sender.congested]).toEqual([true, true]);
    send(4);
    expect(kernel.taken).toEqual([1]);
    kernel.answers = [1, -EAGAIN];
    kernel.writable();
    expect([kernel.taken, uncongested]).toEqual([[1, 2], 0]);
    kernel.writable();
    expect([kernel.taken, uncongested]).toEqual([[1, 2, 3, 4], 1]);
    expect([kernel.waiting, sender.congested]).toEqual([false, false]);
    expect(statistics).toMatchObject({ packetsSent: 4, sendErrors: 0 });
  });

  it('ENOBUFS: tries again soon without waiting for readiness, which would come at once', async () => {
    kernel.answers = [-ENOBUFS, -ENOBUFS];
    send(1);
    expect([kernel.waiting, sender.congested]).toEqual([false, true]);
    await sleep(50);
    expect(kernel.taken).toEqual([1]);
    expect(uncongested).toBe(1);
  });

  it('another error costs one packet, which is counted', () => {
    kernel.answers = [1, -EPERM, 1, -EPERM];
    send(1, 2, 3, 4);
    expect(kernel.taken).toEqual([1, 3]);
    expect(statistics).toMatchObject({ packetsSent: 2, sendErrors: 2 });
  });

  it.each([EINVAL, EIO, EMSGSIZE])('errno %i, no runs of packets here: sends them one by one, drops none', (errno) => {
    send(1);
    expect(kernel.run).toBeGreaterThan(1);
    kernel.answers = [-errno];
    send(2, 3, 4);
    expect([kernel.taken, kernel.run]).toEqual([[1, 2, 3, 4], 1]);
    expect(statistics).toMatchObject({ packetsSent: 4, sendErrors: 0 });
    kernel.answers = [-errno];
    send(5, 6);
    expect(kernel.taken).toEqual([1, 2, 3, 4, 6]);
    expect(statistics).toMatchObject({ packetsSent: 5, sendErrors: 1 });
    sender.open(6, DESTINATION, 100);
    send(7);
    expect(kernel.run).toBeGreaterThan(1);
  });

  it('a kernel that never takes anything: memory is bounded, the newest are kept, the rest is counted', () => {
    kernel.answers = [-EAGAIN];
    const total = 20_000;
    for (let number = 1; number <= total; number++) send(number);
    kernel.writable();
    expect(kernel.taken.length).toBeGreaterThan(100);
    expect(kernel.taken.at(-1)).toBe(total);
    expect(kernel.taken[0]).toBe(total - kernel.taken.length + 1);
    expect(statistics.sendErrors + kernel.taken.length).toBe(total);
  });

  it('closed: nothing is sent, everything is counted; open again: it sends', () => {
    kernel.answers = [-EAGAIN];
    send(1, 2);
    sender.close();
    send(3);
    expect([kernel.waiting, sender.congested]).toEqual([false, false]);
    expect(statistics.sendErrors).toBe(3);
    sender.open(6, DESTINATION, 100);
    send(4);
    expect(kernel.taken).toEqual([4]);
  });
});
