import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemError } from '../../src/base/errors.js';
import * as native from '../../src/native/index.js';
import { inetAddress, netlinkAddress, parseSocketAddress, unixAddress } from '../../src/native/sockaddr.js';

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const SLOT = 64;
const opened: number[] = [];
const polls: native.Poll[] = [];

afterEach(() => {
  for (const poll of polls.splice(0)) poll.close();
  for (const fd of opened.splice(0)) native.closeSocket(fd);
});

function open(domain: number, type: number, protocol = 0): number {
  const fd = native.openSocket(domain, type, protocol);
  opened.push(fd);
  return fd;
}

function poll(fd: number, callback: (events: number) => void): native.Poll {
  const made = new native.Poll(fd, callback);
  polls.push(made);
  return made;
}

/** A receiver on a free port of the loopback and a sender connected to nothing. */
function datagramPair(): { receiver: number; sender: number; address: Uint8Array } {
  const receiver = open(native.AF_INET, native.SOCK_DGRAM);
  native.bind(receiver, inetAddress(LOOPBACK, 0));
  return { receiver, sender: open(native.AF_INET, native.SOCK_DGRAM), address: native.socketName(receiver) };
}

function caught(action: () => unknown): SystemError {
  try {
    action();
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  }
  throw new Error('expected a SystemError');
}

describe('datagrams in batches', () => {
  it('sends a range of packets and receives them with lengths and sources', () => {
    const { receiver, sender, address } = datagramPair();
    const out = new Uint8Array(1024).map((_, index) => index);
    const offsets = Uint32Array.of(999, 0, 100, 300, 999);
    const lengths = Uint32Array.of(999, 4, 60, 0, 999);
    expect(native.sendBatch(sender, out.buffer, offsets, lengths, 1, 3, address)).toBe(3);

    const buffer = new ArrayBuffer(SLOT * 8);
    const received = new Int32Array(8);
    const sources = new Uint8Array(28 * 8).fill(0xff);
    expect(native.receiveBatch(receiver, buffer, SLOT, 8, received, sources)).toBe(3);
    expect([...received.subarray(0, 3)]).toEqual([4, 60, 0]);
    expect(new Uint8Array(buffer, 0, 4)).toEqual(out.subarray(0, 4));
    expect(new Uint8Array(buffer, SLOT, 60)).toEqual(out.subarray(100, 160));
    const port = parseSocketAddress(native.socketName(sender));
    expect(parseSocketAddress(sources.subarray(28, 56))).toMatchObject({
      address: LOOPBACK,
      port: 'port' in port && port.port,
    });
    expect(sources.subarray(28 + 16, 56).every((byte) => byte === 0)).toBe(true);
    expect(native.receiveBatch(receiver, buffer, SLOT, 8, received, sources)).toBe(0);
  });

  it('marks datagrams longer than the slot with their true length, negative', () => {
    const { receiver, sender, address } = datagramPair();
    const one = (length: number) =>
      native.sendBatch(sender, new ArrayBuffer(256), Uint32Array.of(0), Uint32Array.of(length), 0, 1, address);
    one(SLOT + 1);
    one(SLOT);
    const lengths = new Int32Array(4);
    expect(native.receiveBatch(receiver, new ArrayBuffer(SLOT * 4), SLOT, 4, lengths, null)).toBe(2);
    expect([...lengths.subarray(0, 2)]).toEqual([-(SLOT + 1), SLOT]);
  });

  it.each([1, 2, 16])('runs of up to %i packets arrive as the datagrams they are', (run) => {
    const { receiver, sender, address } = datagramPair();
    // Equal ones with a shorter one behind, a longer one, a gap, an empty one, one that goes back.
    const lengths = Uint32Array.of(40, 40, 40, 24, 24, 48, 48, 48, 0, 8, 8);
    const offsets = Uint32Array.of(0, 40, 80, 120, 144, 168, 220, 268, 316, 316, 0);
    const out = new Uint8Array(1024).map((_, index) => index * 7);
    const count = lengths.length;
    let sent = 0;
    while (sent < count) {
      const taken = native.sendBatch(sender, out.buffer, offsets, lengths, sent, count - sent, address, run);
      expect(taken).toBeGreaterThan(0);
      sent += taken;
    }
    expect(sent).toBe(count);
    const buffer = new ArrayBuffer(SLOT * 16);
    const received = new Int32Array(16);
    expect(native.receiveBatch(receiver, buffer, SLOT, 16, received, null)).toBe(count);
    expect([...received.subarray(0, count)]).toEqual([...lengths]);
    for (let index = 0; index < count; index++) {
      const at = offsets[index]!;
      expect(new Uint8Array(buffer, index * SLOT, lengths[index])).toEqual(out.subarray(at, at + lengths[index]!));
    }
  });

  it('a run that cannot be cut on its way is refused with an error that says so', () => {
    const { sender, address } = datagramPair();
    native.setOption(sender, native.SOL_SOCKET, native.SO_NO_CHECK, 1);
    const buffer = new ArrayBuffer(64);
    const [offsets, lengths] = [Uint32Array.of(0, 32), Uint32Array.of(32, 32)];
    const refused = native.sendBatch(sender, buffer, offsets, lengths, 0, 2, address, 2);
    expect([-native.EINVAL, -native.EIO]).toContain(refused);
    expect(native.sendBatch(sender, buffer, offsets, lengths, 0, 2, address, 1)).toBe(2);
  });

  it('moves at most MAX_BATCH datagrams per call', () => {
    const { receiver, sender, address } = datagramPair();
    const many = native.MAX_BATCH + 10;
    native.setOption(receiver, native.SOL_SOCKET, native.SO_RCVBUFFORCE, 4 << 20);
    const offsets = new Uint32Array(many);
    const sizes = new Uint32Array(many).fill(8);
    const out = new ArrayBuffer(8);
    const first = native.sendBatch(sender, out, offsets, sizes, 0, many, address);
    expect(first).toBe(native.MAX_BATCH);
    expect(native.sendBatch(sender, out, offsets, sizes, first, many - first, address)).toBe(10);
    const lengths = new Int32Array(many);
    const buffer = new ArrayBuffer(8 * many);
    expect(native.receiveBatch(receiver, buffer, 8, many, lengths, null)).toBe(native.MAX_BATCH);
    expect(native.receiveBatch(receiver, buffer, 8, many, lengths, null)).toBe(10);
  });

  it('refuses arrays that are too small instead of writing past them', () => {
    const { receiver, sender, address } = datagramPair();
    const buffer = new ArrayBuffer(SLOT * 2);
    expect(() => native.receiveBatch(receiver, buffer, SLOT, 3, new Int32Array(3), null)).toThrow(RangeError);
    expect(() => native.receiveBatch(receiver, buffer, SLOT, 2, new Int32Array(1), null)).toThrow(RangeError);
    expect(() => native.receiveBatch(receiver, buffer, SLOT, 2, new Int32Array(2), new Uint8Array(28))).toThrow(
      RangeError,
    );
    const one = Uint32Array.of(100);
    expect(() => native.sendBatch(sender, buffer, one, one, 0, 1, address)).toThrow(RangeError);
    expect(() => native.sendBatch(sender, buffer, one, one, 1, 1, address)).toThrow(RangeError);
    expect(() => native.send(sender, buffer, 100, 100)).toThrow(RangeError);
    expect(() => native.receive(sender, buffer, -1, 1)).toThrow(RangeError);
    expect(() => native.send(sender, 'text' as unknown as ArrayBuffer, 0, 1)).toThrow(TypeError);
  });

  it('gives -errno of a failed batch', () => {
    const { sender } = datagramPair();
    const nothing = Uint32Array.of(0);
    expect(native.sendBatch(sender, new ArrayBuffer(4), nothing, nothing, 0, 1, null)).toBe(-89); // EDESTADDRREQ, errno.h
    expect(native.receiveBatch(-1, new ArrayBuffer(4), 4, 1, new Int32Array(1), null)).toBe(-native.EBADF);
  });
});

describe('errors', () => {
  it('name the call, the errno, the target and what to do', () => {
    const fd = open(native.AF_INET, native.SOCK_DGRAM);
    const error = caught(() => native.bind(fd, inetAddress(Uint8Array.of(192, 0, 2, 7), 3780)));
    expect(error).toMatchObject({ syscall: 'bind', errnoName: 'EADDRNOTAVAIL', errno: 99, target: '192.0.2.7:3780' });
    expect(error.message).toBe('bind 192.0.2.7:3780: Cannot assign requested address (EADDRNOTAVAIL)');
    expect(error.advice).toContain('ip address');
  });

  it('cover interfaces, options and closed descriptors', () => {
    for (const ask of [native.interfaceIndex, native.interfaceMtu, native.interfaceFlags]) {
      expect(caught(() => ask('nosuch0'))).toMatchObject({ errnoName: 'ENODEV', target: 'nosuch0' });
    }
    expect(caught(() => native.interfaceMtu('a-name-that-is-too-long'))).toMatchObject({ errnoName: 'ENODEV' });
    expect(caught(() => native.closeSocket(-1))).toMatchObject({ syscall: 'close', errnoName: 'EBADF' });
    const fd = open(native.AF_INET, native.SOCK_DGRAM);
    expect(caught(() => native.getOption(fd, native.SOL_NETLINK, 1)).target).toBe('NETLINK_ADD_MEMBERSHIP');
    expect(caught(() => native.setOption(fd, native.SOL_SOCKET, native.SO_RCVBUFFORCE, new Uint8Array(1))).target).toBe(
      'SO_RCVBUFFORCE',
    );
    expect(native.errnoName(105)).toBe('ENOBUFS');
    expect(native.errnoName(4095)).toBe('E4095');
  });
});

describe('sockets', () => {
  it('speak netlink: one request, its answer in a batch', async () => {
    const fd = open(native.AF_NETLINK, native.SOCK_RAW, native.NETLINK_ROUTE);
    native.bind(fd, netlinkAddress());
    expect(parseSocketAddress(native.socketName(fd))).toMatchObject({ family: 'netlink' });
    // RTM_GETLINK (18, linux/rtnetlink.h) of interface 1 with NLM_F_REQUEST: nlmsghdr and ifinfomsg.
    const request = new Uint32Array(8);
    request.set([32, (1 << 16) | 18, 7, 0, 0, 1, 0, 0]);
    expect(native.send(fd, request.buffer, 0, 32)).toBe(32);
    const buffer = new ArrayBuffer(65536);
    const lengths = new Int32Array(8);
    expect(native.receiveBatch(fd, buffer, 8192, 8, lengths, null)).toBe(1);
    expect(lengths[0]).toBeGreaterThan(100);
    expect(new Uint16Array(buffer)[2]).toBe(16); // RTM_NEWLINK
  });

  it('listen, connect, accept and carry streams', async () => {
    const listener = open(native.AF_INET, native.SOCK_STREAM);
    native.bind(listener, inetAddress(LOOPBACK, 0));
    native.listen(listener, 1);
    expect(native.accept(listener)).toBe(-1);
    const client = open(native.AF_INET, native.SOCK_STREAM);
    native.connect(client, native.socketName(listener));
    await new Promise<void>((resolve) => {
      const waiting = poll(client, () => {
        waiting.close();
        resolve();
      });
      waiting.start(native.POLL_WRITABLE);
    });
    expect(native.getOption(client, native.SOL_SOCKET, native.SO_ERROR)).toBe(0);
    const server = native.accept(listener);
    expect(server).toBeGreaterThan(0);
    expect(native.peerName(server)).toEqual(native.socketName(client));
    const buffer = Uint8Array.of(1, 2, 3, 4).buffer;
    expect(native.send(client, buffer, 1, 2)).toBe(2);
    expect(native.receive(server, buffer, 0, 4)).toBe(2);
    expect(new Uint8Array(buffer)).toEqual(Uint8Array.of(2, 3, 3, 4));
    expect(native.receive(server, buffer, 0, 4)).toBe(-native.EAGAIN);
    native.closeSocket(server);
    expect(native.receive(client, buffer, 0, 4)).toBe(0);
    native.send(client, buffer, 0, 1);
    // The peer is gone: an errno and not SIGPIPE, which would end the process.
    expect([-native.EPIPE, -native.ECONNRESET]).toContain(native.send(client, buffer, 0, 1));
  });

  it('are close-on-exec and non-blocking', async () => {
    const fd = open(native.AF_UNIX, native.SOCK_DGRAM);
    native.bind(fd, unixAddress(`\0conntrackd-native-test-${process.pid}`));
    const { readFileSync } = await import('node:fs');
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!;
    expect(Number.parseInt(flags, 8) & 0o2004000).toBe(0o2004000); // O_CLOEXEC | O_NONBLOCK, asm-generic/fcntl.h
  });

  it('know the loopback interface', () => {
    expect(native.interfaceIndex('lo')).toBe(1);
    expect(native.interfaceMtu('lo')).toBeGreaterThanOrEqual(1280);
    expect(native.interfaceFlags('lo') & native.IFF_LOOPBACK).toBe(native.IFF_LOOPBACK);
  });
});

describe('the process', () => {
  it('is called by its name and by its whole command line, as pgrep -x and pgrep -f see it', async () => {
    const { readFileSync } = await import('node:fs');
    const { title } = process;
    const name = readFileSync('/proc/self/comm', 'utf8').trim();
    try {
      native.setProcessTitle('conntrackd', 'conntrackd -d -C /x');
      expect(readFileSync('/proc/self/comm', 'utf8')).toBe('conntrackd\n');
      expect(readFileSync('/proc/self/cmdline', 'utf8').replaceAll('\0', '')).toBe('conntrackd -d -C /x');
    } finally {
      native.setProcessTitle(name, title);
    }
  });

  it('takes scheduler policies it knows', () => {
    native.setScheduler(native.SCHED_OTHER, 0);
    expect(caught(() => native.setScheduler(native.SCHED_FIFO, 1000))).toMatchObject({
      errnoName: 'EINVAL',
      target: 'policy 1 priority 1000',
    });
  });

  it('names the namespace that is not there', () => {
    expect(caught(() => native.enterNetworkNamespace('/run/netns/nosuch'))).toMatchObject({
      syscall: 'setns',
      errnoName: 'ENOENT',
      target: '/run/netns/nosuch',
    });
  });
});

describe('Poll', () => {
  it('reports readiness, and promises and nextTick run before the next report', async () => {
    const { receiver, sender, address } = datagramPair();
    const order: string[] = [];
    const done = new Promise<void>((resolve) => {
      poll(receiver, (events) => {
        order.push(`ready ${events}`);
        process.nextTick(() => order.push('tick'));
        Promise.resolve().then(() => order.push('promise'));
        if (order.length > 5) resolve();
      }).start(native.POLL_READABLE);
    });
    native.sendBatch(sender, new ArrayBuffer(4), Uint32Array.of(0), Uint32Array.of(4), 0, 1, address);
    await done;
    expect(order.slice(0, 6)).toEqual(['ready 1', 'tick', 'promise', 'ready 1', 'tick', 'promise']);
  });

  it('may be closed in its own callback, twice, and started no more', async () => {
    const { receiver, sender, address } = datagramPair();
    let calls = 0;
    const made = poll(receiver, () => {
      calls++;
      made.close();
      made.close();
    });
    made.start(native.POLL_READABLE);
    native.sendBatch(sender, new ArrayBuffer(4), Uint32Array.of(0), Uint32Array.of(4), 0, 1, address);
    await sleep(50);
    expect(calls).toBe(1);
    expect(caught(() => made.start(native.POLL_READABLE))).toMatchObject({ syscall: 'poll', errnoName: 'EBADF' });
    made.stop();
    made.ref();
    made.unref();
  });

  it('stops and goes on', async () => {
    const { receiver, sender, address } = datagramPair();
    let calls = 0;
    const made = poll(receiver, () => {
      calls++;
      made.stop();
    });
    made.start(native.POLL_READABLE);
    native.sendBatch(sender, new ArrayBuffer(4), Uint32Array.of(0), Uint32Array.of(4), 0, 1, address);
    await sleep(30);
    expect(calls).toBe(1);
    made.start(native.POLL_READABLE);
    await sleep(30);
    expect(calls).toBe(2);
  });

  it('reports an error pending on the socket', async () => {
    const sender = open(native.AF_INET, native.SOCK_DGRAM);
    const closed = datagramPair();
    native.connect(sender, closed.address);
    native.closeSocket(opened.splice(opened.indexOf(closed.receiver), 1)[0]!);
    const woken = new Promise<number>((resolve) => {
      const made = poll(sender, (events) => {
        made.stop();
        resolve(events);
      });
      made.start(native.POLL_READABLE);
    });
    expect(native.send(sender, new ArrayBuffer(4), 0, 4)).toBe(4);
    expect(await woken).toBe(native.POLL_READABLE);
    expect(native.receive(sender, new ArrayBuffer(4), 0, 4)).toBe(-native.ECONNREFUSED);
  });

  it('receives before it calls back: how many datagrams there were, with lengths and sources', async () => {
    const { receiver, sender, address } = datagramPair();
    const buffer = new ArrayBuffer(SLOT * 2);
    const lengths = new Int32Array(2);
    const sources = new Uint8Array(2 * 28);
    const offsets = Uint32Array.of(0, 4, 8);
    native.sendBatch(sender, new ArrayBuffer(SLOT * 2), offsets, Uint32Array.of(4, SLOT + 1, 8), 0, 3, address);
    const counts: number[] = [];
    await new Promise<void>((resolve) => {
      const made = poll(receiver, (count) => {
        counts.push(count, lengths[0]!, lengths[1]!);
        // What is left, and that nothing is.
        counts.push(made.receive(2), lengths[0]!, made.receive(2));
        resolve();
      });
      made.receiveInto(buffer, SLOT, lengths, sources);
      made.start(native.POLL_READABLE);
    });
    expect(counts).toEqual([2, 4, -(SLOT + 1), 1, 8, 0]);
    expect(parseSocketAddress(sources.slice(0, 16))).toMatchObject({ address: LOOPBACK });
    expect(sources.slice(16, 28)).toEqual(new Uint8Array(12));
  });

  it('gives the error that waits on a socket instead of datagrams', async () => {
    const { sender, address } = datagramPair();
    native.connect(sender, address);
    native.closeSocket(opened.shift()!);
    const told = new Promise<number>((resolve) => {
      const made = poll(sender, (count) => {
        made.stop();
        resolve(count);
      });
      made.receiveInto(new ArrayBuffer(SLOT), SLOT, new Int32Array(1), null);
      made.start(native.POLL_READABLE);
    });
    expect(native.send(sender, new ArrayBuffer(4), 0, 4)).toBe(4);
    expect(await told).toBe(-native.ECONNREFUSED);
  });

  it('refuses memory that has no room, and receives nothing without any', () => {
    const made = poll(datagramPair().receiver, () => {});
    expect(made.receive(1)).toBe(-native.EBADF);
    expect(() => made.receiveInto(new ArrayBuffer(SLOT), SLOT, new Int32Array(2), null)).toThrow(RangeError);
    expect(() => made.receiveInto(new ArrayBuffer(SLOT), SLOT, new Int32Array(1), new Uint8Array(27))).toThrow(
      RangeError,
    );
    expect(() => made.receiveInto('x' as unknown as ArrayBuffer, SLOT, new Int32Array(1), null)).toThrow(TypeError);
  });

  it('refuses a descriptor that cannot be polled', () => {
    expect(() => new native.Poll(-1, () => {})).toThrow();
    expect(() => new native.Poll('x' as unknown as number, () => {})).toThrow(TypeError);
  });

  it('lives next to sockets of Node.js', async () => {
    const { receiver, address } = datagramPair();
    const parsed = parseSocketAddress(address);
    const socket = createSocket('udp4');
    const ready = new Promise<number>((resolve) => {
      const made = poll(receiver, (events) => {
        made.stop();
        resolve(events);
      });
      made.start(native.POLL_READABLE);
    });
    socket.send(Buffer.from('abcd'), 'port' in parsed ? parsed.port : 0, '127.0.0.1');
    expect(await ready).toBe(native.POLL_READABLE);
    socket.close();
  });
});

describe('environments', () => {
  /** Runs a program with the addon in a worker; gives what it posted and its exit code. */
  async function inWorker(program: string): Promise<{ messages: unknown[]; code: number }> {
    const { createRequire } = await import('node:module');
    const addon = createRequire(import.meta.url)('node-gyp-build').path(process.cwd());
    const worker = new Worker(
      `const native = require(${JSON.stringify(addon)}); const { parentPort } = require('node:worker_threads'); ${program}`,
      { eval: true },
    );
    const messages: unknown[] = [];
    worker.on('message', (message) => messages.push(message));
    worker.on('error', (error) => messages.push(error.message));
    const code = await new Promise<number>((resolve) => worker.on('exit', resolve));
    return { messages, code };
  }

  it('a worker that ends with open polls tears down cleanly', async () => {
    const run = await inWorker(`
      for (let i = 0; i < 10; i++) new native.Poll(native.openSocket(2, 2, 0), () => {}).start(1);
      parentPort.postMessage('made');
      setTimeout(() => process.exit(7), 20);`);
    expect(run).toEqual({ messages: ['made'], code: 7 });
  });

  it('an unref-ed poll does not keep the loop alive, a started one does', async () => {
    const run = await inWorker(`
      const idle = new native.Poll(native.openSocket(2, 2, 0), () => {});
      idle.start(1);
      idle.unref();
      const busy = new native.Poll(native.openSocket(2, 2, 0), () => {});
      busy.start(1);
      setTimeout(() => { parentPort.postMessage('still here'); busy.close(); }, 30);`);
    expect(run).toEqual({ messages: ['still here'], code: 0 });
  });

  it('an exception in the callback is an uncaught exception of its environment', async () => {
    const run = await inWorker(`
      const poll = new native.Poll(native.openSocket(2, 2, 0), () => { throw new Error('from the callback'); });
      poll.start(2);`);
    expect(run).toEqual({ messages: ['from the callback'], code: 1 });
  });
});
