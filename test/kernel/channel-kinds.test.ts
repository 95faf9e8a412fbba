import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Channel, ChannelOptions } from '../../src/channel/channel.js';
import * as native from '../../src/native/index.js';
import { inet6Address, inetAddress, packetAddress } from '../../src/native/sockaddr.js';
import {
  type Inbox,
  Link,
  type LinkCase,
  MULTICAST4,
  MULTICAST6,
  MULTICAST6_SITE,
  makeChannel,
  messageNumbers,
  optionsOf,
  PORT,
  type Side,
  TCP4,
  UDP4,
  until,
  writeMessage,
} from './channel-link.js';

const link = new Link('kind');
const channels: Channel[] = [];
const descriptors: number[] = [];

beforeAll(() => link.setUp());
afterAll(() => link.tearDown());
afterEach(() => {
  for (const channel of channels.splice(0)) channel.close();
  for (const fd of descriptors.splice(0)) native.closeSocket(fd);
});

function make(which: LinkCase, side: Side, changes: Partial<ChannelOptions> = {}): { channel: Channel; inbox: Inbox } {
  const made = makeChannel(optionsOf(which, side, changes));
  channels.push(made.channel);
  link.enter(side);
  return made;
}

function open(which: LinkCase, side: Side, changes: Partial<ChannelOptions> = {}) {
  const made = make(which, side, changes);
  made.channel.open();
  return made;
}

/** One message to a packet. */
function send(channel: Channel, ...numbers: number[]): void {
  for (const number of numbers) {
    writeMessage(channel, number);
    channel.flush();
  }
}

function socket(side: Side, domain: number, type: number, protocol = 0): number {
  link.enter(side);
  const fd = native.openSocket(domain, type, protocol);
  descriptors.push(fd);
  return fd;
}

function close(fd: number): void {
  descriptors.splice(descriptors.indexOf(fd), 1);
  native.closeSocket(fd);
}

/** A message as `writeMessage` makes it. */
function message(number: number, bytes = 44): Buffer {
  const made = Buffer.alloc(bytes, number & 0xff);
  made.writeUInt16BE(0x1000, 0);
  made.writeUInt16BE(bytes, 2);
  made.writeUInt32BE(number, 4);
  return made;
}

function sendTo(fd: number, address: Uint8Array, bytes: Uint8Array): number {
  const buffer = Uint8Array.from(bytes).buffer;
  return native.sendBatch(fd, buffer, Uint32Array.of(0), Uint32Array.of(bytes.length), 0, 1, address);
}

/** Collects the frames of `sync0` on that side; gives those from layer 3 on. */
function sniff(side: Side): () => Buffer[] {
  const fd = socket(side, native.AF_PACKET, native.SOCK_DGRAM, 0);
  native.bind(fd, packetAddress(native.ETH_P_ALL, native.interfaceIndex('sync0')));
  return () => {
    const buffer = Buffer.alloc(2048 * 64);
    const lengths = new Int32Array(64);
    const count = native.receiveBatch(fd, buffer.buffer as ArrayBuffer, 2048, 64, lengths, null);
    return Array.from({ length: Math.max(0, count) }, (_, slot) => {
      return buffer.subarray(slot * 2048, slot * 2048 + Math.min(2048, Math.abs(lengths[slot]!)));
    });
  };
}

const LEFT = UDP4.local.left;
const RIGHT = UDP4.local.right;
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe('UDP', () => {
  it.each([
    [true, false],
    [false, true],
  ])('checksum %s: frames without a checksum %s', async (checksum, zero) => {
    const frames = sniff('right');
    const left = open(UDP4, 'left', { checksum });
    const right = open(UDP4, 'right');
    link.enter('left');
    send(left.channel, 1);
    await until(() => right.inbox.numbers.length === 1, 'a message');
    // IPv4 header of 20 bytes; protocol at 9; UDP checksum at 6 of the UDP header (RFC 768).
    const datagram = frames().find((frame) => frame[0] === 0x45 && frame[9] === native.IPPROTO_UDP);
    expect(datagram?.readUInt16BE(26) === 0).toBe(zero);
  });

  it('sends from a port of its own, not from the one it listens on', async () => {
    const left = open(UDP4, 'left');
    const right = open(UDP4, 'right');
    link.enter('left');
    send(left.channel, 1);
    await until(() => right.inbox.numbers.length === 1, 'a message');
    // The table keeps the port that a peer was first heard from; the expected peer is entered with the configured one.
    expect(right.channel.sourceName(0)).toBe(`10.77.0.1:${PORT}`);
    const stranger = socket('left', native.AF_INET, native.SOCK_DGRAM);
    native.bind(stranger, inetAddress(Uint8Array.of(10, 78, 0, 1), 4242));
    sendTo(stranger, inetAddress(RIGHT, PORT), message(2));
    await until(() => right.inbox.numbers.length === 2, 'a message of another address');
    expect(right.inbox.sources).toEqual([0, 1]);
    expect(right.channel.sourceName(1)).toBe('10.78.0.1:4242');
  });

  it('with AcceptFrom Peer hears the peer alone', async () => {
    const right = open(UDP4, 'right', { acceptFrom: 'peer' });
    const stranger = socket('left', native.AF_INET, native.SOCK_DGRAM);
    native.bind(stranger, inetAddress(Uint8Array.of(10, 78, 0, 1), 0));
    sendTo(stranger, inetAddress(RIGHT, PORT), message(1));
    const left = open(UDP4, 'left');
    send(left.channel, 2);
    await until(() => right.inbox.numbers.length === 1, 'a message of the peer');
    expect(right.inbox.numbers).toEqual([2]);
    expect(right.channel.statistics).toMatchObject({ packetsReceived: 1, receiveErrors: 1 });
  });

  it('a datagram longer than any packet of the link is counted and not handed over', async () => {
    const right = open(UDP4, 'right');
    const sender = socket('left', native.AF_INET, native.SOCK_DGRAM);
    expect(sendTo(sender, inetAddress(RIGHT, PORT), Buffer.concat(range(0, 100).map((n) => message(n))))).toBe(1);
    sendTo(sender, inetAddress(RIGHT, PORT), message(7));
    await until(() => right.inbox.datagrams.length === 1, 'the good message');
    expect(right.inbox.numbers).toEqual([7]);
    expect(right.channel.statistics).toMatchObject({ packetsReceived: 1, receiveErrors: 1 });
  });

  it('counts what the kernel refuses and goes on', async () => {
    const left = open(UDP4, 'left');
    link.ip('left', 'route add prohibit 10.77.0.2/32');
    try {
      send(left.channel, 1, 2);
    } finally {
      link.ip('left', 'route del prohibit 10.77.0.2/32');
    }
    expect(left.channel.statistics).toMatchObject({ packetsSent: 0, sendErrors: 2 });
    const right = open(UDP4, 'right');
    link.enter('left');
    send(left.channel, 3);
    await until(() => right.inbox.numbers.length === 1, 'the message after');
    expect(right.inbox.numbers).toEqual([3]);
  });

  it('nobody listens: packets count as sent, nothing fails', async () => {
    const left = open(UDP4, 'left');
    send(left.channel, 1);
    await sleep(20);
    send(left.channel, 2);
    expect(left.channel.statistics).toMatchObject({ packetsSent: 2, sendErrors: 0, receiveErrors: 0 });
  });

  it('hands over at most 64 datagrams a turn', async () => {
    const left = open(UDP4, 'left');
    const right = open(UDP4, 'right');
    let turns = 0;
    let running = true;
    const perTurn: number[] = [];
    const count = () => {
      if (right.inbox.datagrams.length > 0) perTurn.push(right.inbox.datagrams.length);
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    for (const number of range(0, 700)) {
      writeMessage(left.channel, number);
      left.channel.flush();
    }
    await until(() => right.inbox.datagrams.length === 700, 'all datagrams');
    running = false;
    const steps = perTurn.map((total, index) => total - (perTurn[index - 1] ?? 0));
    expect(Math.max(...steps)).toBeLessThanOrEqual(64);
    expect(right.inbox.batches).toBeGreaterThanOrEqual(11);
    expect(turns).toBeGreaterThan(2);
  });

  it('while it is closed packets are dropped and counted', () => {
    const left = make(UDP4, 'left');
    send(left.channel, 1, 2, 3);
    expect(left.channel.statistics).toMatchObject({ packetsSent: 0, sendErrors: 3 });
  });
});

describe('multicast', () => {
  it.each([
    ['IPv4', MULTICAST4],
    ['IPv6', MULTICAST6],
    ['IPv6, site-local group', MULTICAST6_SITE],
  ])(
    '%s: what comes in on another interface does not reach it, though another socket joined there',
    async (_, which) => {
      const isInet = which === MULTICAST4;
      const other = { interface: 'other0', localAddress: Uint8Array.of(10, 78, 0, 1) };
      const left = open(which, 'left');
      const leftOther = open(which, 'left', other);
      const rightOther = open(which, 'right', { ...other, localAddress: Uint8Array.of(10, 78, 0, 2) });
      send(rightOther.channel, 1);
      await until(() => leftOther.inbox.numbers.length === 1, 'a message on the other interface');
      const right = open(which, 'right');
      send(right.channel, 2);
      await until(() => left.inbox.numbers.length === 1, 'a message on the interface');
      await sleep(20);
      expect(left.inbox.numbers).toEqual([2]);
      expect(leftOther.inbox.numbers).toEqual([1]);
      expect(left.channel.sourceName(0)).toContain(isInet ? '10.77.0.2' : '2');
    },
  );

  it.each([
    ['IPv4', MULTICAST4, 8],
    ['IPv6', MULTICAST6, 7],
  ])('%s: stays on the link and does not come back to the sender', async (_, which, hopsAt) => {
    const frames = sniff('right');
    const left = open(which, 'left');
    const right = open(which, 'right');
    link.enter('left');
    send(left.channel, 1);
    await until(() => right.inbox.numbers.length === 1, 'a message');
    const isInet = which === MULTICAST4;
    const version = isInet ? 4 : 6;
    const protocolAt = isInet ? 9 : 6;
    const datagram = frames().find((frame) => frame[0]! >> 4 === version && frame[protocolAt] === native.IPPROTO_UDP);
    expect(datagram?.[hopsAt]).toBe(1);
    expect(left.channel.statistics.packetsReceived).toBe(0);
  });

  it('several members tell each other apart', async () => {
    const left = open(MULTICAST4, 'left');
    const right = open(MULTICAST4, 'right');
    send(right.channel, 1);
    await until(() => left.inbox.numbers.length === 1, 'a message');
    link.ip('right', 'addr add 10.77.0.3/24 dev sync0');
    const third = socket('right', native.AF_INET, native.SOCK_DGRAM);
    native.bind(third, inetAddress(Uint8Array.of(10, 77, 0, 3), 0));
    const membership = Uint8Array.of(0, 0, 0, 0, 10, 77, 0, 3, 0, 0, 0, 0);
    native.setOption(third, native.IPPROTO_IP, native.IP_MULTICAST_IF, membership);
    sendTo(third, inetAddress(MULTICAST4.peer.left, PORT), message(2));
    await until(() => left.inbox.numbers.length === 2, 'a message of the third');
    expect(left.inbox.sources).toEqual([0, 1]);
    link.ip('right', 'addr del 10.77.0.3/24 dev sync0');
  });
});

describe('TCP', () => {
  /** A peer's end made of plain sockets, on the right. */
  function listener(backlog = 8): number {
    const fd = socket('right', native.AF_INET, native.SOCK_STREAM);
    native.setOption(fd, native.SOL_SOCKET, native.SO_REUSEADDR, 1);
    native.bind(fd, inetAddress(RIGHT, PORT));
    native.listen(fd, backlog);
    return fd;
  }

  async function accepted(fd: number): Promise<number> {
    let connection = -1;
    await until(() => {
      connection = native.accept(fd);
      return connection >= 0;
    }, 'a connection');
    descriptors.push(connection);
    return connection;
  }

  async function connected(): Promise<number> {
    const fd = socket('right', native.AF_INET, native.SOCK_STREAM);
    native.connect(fd, inetAddress(LEFT, PORT));
    await until(() => native.send(fd, new ArrayBuffer(0), 0, 0) === 0, 'being connected');
    return fd;
  }

  function say(fd: number, ...parts: Uint8Array[]): void {
    const bytes = Uint8Array.from(Buffer.concat(parts));
    expect(native.send(fd, bytes.buffer, 0, bytes.length)).toBe(bytes.length);
  }

  function hear(fd: number): Buffer {
    const buffer = new ArrayBuffer(1 << 20);
    const count = native.receive(fd, buffer, 0, buffer.byteLength);
    return Buffer.from(buffer, 0, Math.max(0, count));
  }

  it('packets wait for a late peer, the oldest beyond the error queue are dropped and counted', async () => {
    const left = open(TCP4, 'left', { errorQueueLength: 4 });
    send(left.channel, 0, 1, 2, 3, 4, 5);
    await sleep(30);
    expect(left.channel.client).toBe(false);
    expect(left.channel.congested).toBe(true);
    expect(left.channel.errorQueue).toEqual({ length: 4, maximum: 4, overflows: 2 });
    // One attempt to connect was refused; a packet that waits is no error.
    expect(left.channel.statistics).toMatchObject({ packetsSent: 0, sendErrors: 1 });
    const right = open(TCP4, 'right');
    link.enter('left');
    await until(() => right.inbox.numbers.length === 4, 'what waited', 3000);
    expect(right.inbox.numbers).toEqual([2, 3, 4, 5]);
    expect(left.channel.client).toBe(true);
    expect(right.channel.server).toBe(true);
    expect(left.channel.errorQueue).toEqual({ length: 0, maximum: 4, overflows: 2 });
    expect(left.channel.statistics).toMatchObject({ packetsSent: 4, bytesSent: 176, sendErrors: 1 });
  });

  it('connects at most once a second', async () => {
    const waiting = listener();
    const left = open(TCP4, 'left');
    let connections = 0;
    const end = Date.now() + 2500;
    while (Date.now() < end) {
      send(left.channel, 1);
      const connection = native.accept(waiting);
      if (connection >= 0) {
        connections++;
        native.closeSocket(connection);
      }
      await sleep(10);
    }
    expect(connections).toBeGreaterThanOrEqual(2);
    expect(connections).toBeLessThanOrEqual(3);
  });

  it('does not connect while there is nothing to send', async () => {
    const waiting = listener();
    open(TCP4, 'left');
    await sleep(50);
    expect(native.accept(waiting)).toBe(-1);
  });

  it('notices that the peer has closed, and connects again for the next packet', async () => {
    const waiting = listener();
    const left = open(TCP4, 'left');
    send(left.channel, 1);
    const first = await accepted(waiting);
    await until(() => left.channel.client === true, 'the connection');
    close(first);
    await until(() => left.channel.client === false, 'the end of the connection');
    send(left.channel, 2);
    const second = await accepted(waiting);
    await until(() => messageNumbers(hear(second)).includes(2), 'the packet on the new connection');
  });

  it('joins what was cut and cuts what was joined', async () => {
    const left = open(TCP4, 'left');
    const peer = await connected();
    const two = Buffer.concat([message(1), message(2)]);
    say(peer, two.subarray(0, 2));
    await sleep(20);
    say(peer, two.subarray(2, 50));
    await until(() => left.inbox.numbers.length === 1, 'the first message');
    await sleep(20);
    expect(left.inbox.numbers).toEqual([1]);
    say(peer, two.subarray(50), message(3), message(4));
    await until(() => left.inbox.numbers.length === 4, 'all messages');
    expect(left.inbox.numbers).toEqual([1, 2, 3, 4]);
    expect(left.channel.statistics).toMatchObject({ bytesReceived: 176, packetsReceived: 3, receiveErrors: 0 });
  });

  it('a new client replaces the old, whose half message is forgotten and whose whole ones are not', async () => {
    const left = open(TCP4, 'left');
    const first = await connected();
    say(first, message(1), message(2).subarray(0, 10));
    const second = await connected();
    say(second, message(3));
    await until(() => left.inbox.numbers.length === 2, 'messages of both');
    expect(left.inbox.numbers).toEqual([1, 3]);
    expect(left.inbox.sources).toEqual([0, 0]);
    await until(() => native.receive(first, new ArrayBuffer(1), 0, 1) !== -native.EAGAIN, 'the end of the first');
    expect(left.channel.server).toBe(true);
    close(second);
    await until(() => left.channel.server === false, 'the end of the second');
  });

  it('what is no message is handed over to be counted, and ends the connection', async () => {
    const left = open(TCP4, 'left');
    const peer = await connected();
    say(peer, message(1), Buffer.from('1000000000000000', 'hex'));
    await until(() => left.inbox.datagrams.length === 1, 'the bytes');
    expect(left.inbox.datagrams[0]).toBe(`${message(1).toString('hex')}1000000000000000`);
    await until(() => left.channel.server === false, 'the end of the connection');
    say(await connected(), message(2));
    await until(() => left.inbox.datagrams.length === 2, 'a message of the next connection');
  });

  it('with AcceptFrom Peer refuses connections of others', async () => {
    const left = open(TCP4, 'left', { acceptFrom: 'peer' });
    const stranger = socket('right', native.AF_INET, native.SOCK_STREAM);
    link.ip('right', 'addr add 10.77.0.9/24 dev sync0');
    native.bind(stranger, inetAddress(Uint8Array.of(10, 77, 0, 9), 0));
    native.connect(stranger, inetAddress(LEFT, PORT));
    await until(() => left.channel.statistics.receiveErrors === 1, 'the refusal');
    link.ip('right', 'addr del 10.77.0.9/24 dev sync0');
    expect(left.channel.server).toBe(false);
    say(await connected(), message(2));
    await until(() => left.inbox.numbers.length === 1, 'a message of the peer');
  });

  it('a slow reader gets everything in order; while it does not read, memory is bounded and the oldest are dropped', async () => {
    const waiting = listener();
    const left = open(TCP4, 'left', { sendBuffer: 8192 });
    send(left.channel, 0);
    const peer = await accepted(waiting);
    await until(() => left.channel.client === true, 'the connection');
    const total = 200_000;
    for (let number = 1; number < total; number++) writeMessage(left.channel, number);
    left.channel.flush();
    expect(left.channel.congested).toBe(true);
    const pieces: Buffer[] = [];
    let last = -1;
    await until(
      () => {
        pieces.push(hear(peer));
        const all = Buffer.concat(pieces);
        if (all.length > 44) last = all.readUInt32BE(all.length - 40);
        return last === total - 1 && all.length % 44 === 0;
      },
      'the last message',
      20_000,
    );
    const numbers = messageNumbers(Buffer.concat(pieces));
    expect(numbers.every((number, index) => index === 0 || number > numbers[index - 1]!)).toBe(true);
    expect(numbers.length).toBeGreaterThan(1000);
    // A packet of 33 messages of 44 bytes: MTU 1500 less 40.
    expect(left.channel.errorQueue!.overflows).toBe((total - numbers.length) / 33);
    expect(left.channel.statistics.bytesSent).toBe(numbers.length * 44);
    await until(() => !left.channel.congested, 'the end of the congestion');
  });

  it('keeps the error queue over closing and opening', async () => {
    const left = open(TCP4, 'left');
    send(left.channel, 1);
    left.channel.close();
    send(left.channel, 2);
    const right = open(TCP4, 'right');
    link.enter('left');
    left.channel.open();
    await until(() => right.inbox.numbers.length === 2, 'both packets', 3000);
    expect(right.inbox.numbers).toEqual([1, 2]);
  });

  it('IPv6: accepts a peer that connects from its link-local address', async () => {
    const local = (last: number) => Uint8Array.of(0xfe, 0x80, ...new Array<number>(13).fill(0), last);
    const left = open(TCP4, 'left', { localAddress: local(1), peerAddress: local(2), acceptFrom: 'peer' });
    const fd = socket('right', native.AF_INET6, native.SOCK_STREAM);
    native.connect(fd, inet6Address(local(1), PORT, native.interfaceIndex('sync0')));
    await until(() => left.channel.server === true, 'the connection');
    say(fd, message(1));
    await until(() => left.inbox.sources.length === 1, 'a message');
    expect(left.inbox.sources).toEqual([0]);
  });
});
