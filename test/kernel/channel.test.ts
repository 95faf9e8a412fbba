import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Channel, type ChannelOptions, ChannelUnavailable } from '../../src/channel/channel.js';
import {
  type Inbox,
  LINK_CASES,
  Link,
  type LinkCase,
  makeChannel,
  optionsOf,
  type Side,
  until,
  writeMessage,
} from './channel-link.js';

const link = new Link('chan');
const channels: Channel[] = [];

beforeAll(() => link.setUp());
afterAll(() => link.tearDown());
afterEach(() => {
  for (const channel of channels.splice(0)) channel.close();
});

function make(which: LinkCase, side: Side, changes: Partial<ChannelOptions> = {}): { channel: Channel; inbox: Inbox } {
  const made = makeChannel(optionsOf(which, side, changes));
  channels.push(made.channel);
  return made;
}

function open(which: LinkCase, side: Side, changes: Partial<ChannelOptions> = {}) {
  const made = make(which, side, changes);
  openIn(side, made.channel);
  return made;
}

function openIn(side: Side, channel: Channel): void {
  link.enter(side);
  channel.open();
}

/** TCP connects from within a flush or, later, a timer: the process stays on the side that sends. */
function send(side: Side, channel: Channel, numbers: Iterable<number>, bytes = 44): void {
  link.enter(side);
  for (const number of numbers) writeMessage(channel, number, bytes);
  channel.flush();
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe.each(LINK_CASES)('$name', (which) => {
  const isStream = which.kind === 'tcp';

  it('carries messages both ways and counts them', async () => {
    const left = open(which, 'left');
    const right = open(which, 'right');
    send('left', left.channel, [1, 2, 3]);
    await until(() => right.inbox.numbers.length === 3, 'messages on the right');
    send('right', right.channel, [7]);
    await until(() => left.inbox.numbers.length === 1, 'messages on the left');
    expect(right.inbox.numbers).toEqual([1, 2, 3]);
    expect(left.inbox.numbers).toEqual([7]);
    expect(left.channel.statistics).toEqual({
      bytesSent: 132,
      packetsSent: 1,
      sendErrors: 0,
      bytesReceived: 44,
      packetsReceived: 1,
      receiveErrors: 0,
    });
    expect(right.channel.statistics).toMatchObject({ bytesReceived: 132, packetsReceived: 1, bytesSent: 44 });
    expect(right.inbox.batches).toBe(1);
  });

  it('names its peer, always by the same number', async () => {
    const left = open(which, 'left');
    const right = open(which, 'right');
    send('left', left.channel, [1]);
    await until(() => right.inbox.numbers.length === 1, 'a message');
    left.channel.close();
    openIn('left', left.channel);
    send('left', left.channel, [2]);
    await until(() => right.inbox.numbers.length === 2, 'a message after a restart');
    expect(right.inbox.sources).toEqual([0, 0]);
    const address = which.local.left.length === 4 ? '10.77.0.1:' : /^\[(fd77|fe80)::1(%\d+)?\]:/;
    expect(right.channel.sourceName(0)).toMatch(address);
  });

  it('packs by the MTU of the interface and keeps the order of a burst', async () => {
    const left = open(which, 'left');
    const right = open(which, 'right');
    const total = 5000;
    for (let from = 0; from < total; from += 500) {
      send('left', left.channel, range(from, from + 500));
      await until(() => right.inbox.numbers.length === from + 500, `${from + 500} messages`);
    }
    expect(right.inbox.numbers).toEqual(range(0, total));
    if (isStream) return;
    // 33 messages of 44 bytes in a packet of 1472 (spec/findings.md 24): 15 packets and one of 5 messages, ten times.
    expect(left.channel.statistics).toMatchObject({ packetsSent: 160, bytesSent: total * 44, sendErrors: 0 });
    expect(Math.max(...right.inbox.datagrams.map((text) => text.length / 2))).toBe(33 * 44);
  });

  it('follows the MTU of the interface when it is opened', async () => {
    link.ip('left', 'link set sync0 mtu 1300');
    const left = open(which, 'left');
    link.ip('left', 'link set sync0 mtu 1500');
    const right = open(which, 'right');
    send('left', left.channel, range(0, 60));
    await until(() => right.inbox.numbers.length === 60, 'messages');
    const perPacket = Math.floor((1300 - (isStream ? 40 : 28) - 1) / 44);
    expect(left.channel.statistics.packetsSent).toBe(Math.ceil(60 / perPacket));
  });

  it('sends nothing before flush, and nothing twice', async () => {
    const left = open(which, 'left');
    const right = open(which, 'right');
    writeMessage(left.channel, 1);
    await sleep(30);
    expect(left.channel.statistics.packetsSent).toBe(0);
    send('left', left.channel, [2]);
    left.channel.flush();
    await until(() => right.inbox.numbers.length === 2, 'messages');
    await sleep(30);
    expect(right.inbox.numbers).toEqual([1, 2]);
  });

  it('says which interface is missing, and opens when it has come', async () => {
    const left = make(which, 'left', { interface: 'late0' });
    const error = catchUnavailable(() => openIn('left', left.channel));
    expect(error).toMatchObject({ kind: which.kind, interfaceName: 'late0', code: 'CHANNEL_UNAVAILABLE' });
    expect(error.message).toContain('late0');
    expect(error.message).toContain('ENODEV');
    expect(error.advice).toContain('ip link');
    expect(left.channel.isOpen).toBe(false);
    link.ip('left', 'link set sync0 down');
    link.ip('left', 'link set sync0 name late0');
    link.ip('left', 'link set late0 up');
    try {
      restoreAddresses('late0');
      openIn('left', left.channel);
      expect(left.channel.isOpen).toBe(true);
      const right = open(which, 'right');
      send('left', left.channel, [1]);
      await until(() => right.inbox.numbers.length === 1, 'a message over the late interface');
    } finally {
      left.channel.close();
      link.ip('left', 'link set late0 down');
      link.ip('left', 'link set late0 name sync0');
      link.ip('left', 'link set sync0 up');
      restoreAddresses('sync0');
    }
  });

  // Multicast over IPv6 joins by interface: it needs no address of its own.
  const needsAddress = which.kind !== 'multicast' || which.local.left.length === 4;
  if (needsAddress) {
    it('says which address is missing', () => {
      const absent = Uint8Array.from(which.local.left!);
      absent[absent.length - 1] = 99;
      const left = make(which, 'left', { localAddress: absent });
      const error = catchUnavailable(() => openIn('left', left.channel));
      expect(error.interfaceName).toBe('sync0');
      expect(['EADDRNOTAVAIL', 'ENODEV']).toContain(error.reason.errnoName);
      expect(left.channel.isOpen).toBe(false);
    });
  }

  it('may be closed while it hands over what arrived, and be opened again', async () => {
    const left = open(which, 'left');
    const right = open(which, 'right');
    right.inbox.onEach = () => right.channel.close();
    send('left', left.channel, [1]);
    await until(() => right.inbox.numbers.length === 1, 'the first message');
    expect(right.channel.isOpen).toBe(false);
    right.inbox.onEach = () => {};
    openIn('right', right.channel);
    // A stream learns only by the first packet that its peer has closed; its second connection comes a second later.
    await until(() => {
      send('left', left.channel, [2]);
      return right.inbox.numbers.includes(2);
    }, 'a message after reopening');
  });

  it('without a local address listens on all, or joins on the interface', async () => {
    const left = open(which, 'left', { localAddress: null });
    const right = open(which, 'right', { localAddress: null });
    send('left', left.channel, [1]);
    await until(() => right.inbox.numbers.length === 1, 'a message');
  });

  it('reports the effective buffers, twice what was asked for', () => {
    const left = open(which, 'left', { sendBuffer: 300_000, receiveBuffer: 400_000 });
    open(which, 'right');
    send('left', left.channel, [1]);
    expect(left.channel.sendBuffer).toBe(600_000);
    expect(left.channel.receiveBuffer).toBe(800_000);
    left.channel.close();
    expect([left.channel.sendBuffer, left.channel.receiveBuffer]).toEqual([0, 0]);
  });

  it('leaves no descriptor behind', async () => {
    const { readdirSync } = await import('node:fs');
    const count = () => readdirSync('/proc/self/fd').length;
    const left = make(which, 'left');
    const before = count();
    for (let round = 0; round < 3; round++) {
      openIn('left', left.channel);
      send('left', left.channel, [1]);
      left.channel.close();
    }
    expect(count()).toBe(before);
  });
});

function catchUnavailable(action: () => void): ChannelUnavailable {
  try {
    action();
  } catch (error) {
    if (error instanceof ChannelUnavailable) return error;
    throw error;
  }
  throw new Error('expected ChannelUnavailable');
}

/** Setting an interface down takes its IPv6 addresses away. */
function restoreAddresses(device: string): void {
  link.ip('left', `addr add fd77::1/64 dev ${device} nodad`);
  link.ip('left', `addr add fe80::1/64 dev ${device} nodad`);
}
