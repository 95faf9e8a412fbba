import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/logger.js';
import type { Views } from '../../src/base/views.js';
import type { Channel, ChannelKind, ChannelOptions, ChannelReceiver } from '../../src/channel/channel.js';
import { createChannel } from '../../src/channel/create.js';
import {
  AF_INET6,
  closeSocket,
  connect,
  enterNetworkNamespace,
  interfaceIndex,
  openSocket,
  SOCK_DGRAM,
} from '../../src/native/index.js';
import { inet6Address } from '../../src/native/sockaddr.js';

/** The namespace that the test's process was started in. */
const HOME = `/proc/${process.ppid}/ns/net`;
export const PORT = 3780;

export type Side = 'left' | 'right';

/**
 * Two network namespaces and a veth pair between them, both ends called `sync0`, and a second one, `other0`:
 *
 *     left:  sync0 10.77.0.1 fd77::1 fe80::1   <->   right: sync0 10.77.0.2 fd77::2 fe80::2
 *            other0 10.78.0.1 fd78::1          <->          other0 10.78.0.2 fd78::2
 */
export class Link {
  private readonly names: Record<Side, string>;

  constructor(label: string) {
    const unique = `ctd-${label}-${process.pid}`;
    this.names = { left: `${unique}-l`, right: `${unique}-r` };
  }

  async setUp(): Promise<void> {
    const { left, right } = this.names;
    ip(`netns add ${left}`);
    ip(`netns add ${right}`);
    this.addPair('sync0', 77);
    this.addPair('other0', 78);
    for (const side of ['left', 'right'] as const) {
      this.ip(side, 'link set lo up');
      this.ip(side, `addr add fe80::${side === 'left' ? 1 : 2}/64 dev sync0 nodad`);
    }
    for (const side of ['left', 'right'] as const) {
      this.enter(side);
      for (const name of ['sync0', 'other0']) await until(() => reachesNeighbours(name), `IPv6 on ${name}`);
    }
  }

  tearDown(): void {
    enterNetworkNamespace(HOME);
    for (const name of Object.values(this.names)) ip(`netns del ${name}`);
  }

  /**
   * From now on new sockets belong to that side. Open sockets stay where they are, so that one process can stand on
   * both ends.
   */
  enter(side: Side): void {
    enterNetworkNamespace(`/run/netns/${this.names[side]}`);
  }

  ip(side: Side, command: string): void {
    ip(`-n ${this.names[side]} ${command}`);
  }

  private addPair(name: string, subnet: number): void {
    const { left, right } = this.names;
    ip(`link add ${name} netns ${left} type veth peer name ${name} netns ${right}`);
    for (const [side, host] of [
      ['left', 1],
      ['right', 2],
    ] as const) {
      this.ip(side, `addr add 10.${subnet}.0.${host}/24 dev ${name}`);
      this.ip(side, `addr add fd${subnet}::${host}/64 dev ${name} nodad`);
      this.ip(side, `link set ${name} addrgenmode none`);
      this.ip(side, `link set ${name} up`);
    }
  }
}

/** The kernel takes up to a second until it uses IPv6 on an interface that came up. */
function reachesNeighbours(name: string): boolean {
  const fd = openSocket(AF_INET6, SOCK_DGRAM, 0);
  try {
    return connect(fd, inet6Address(v6(0xff02, 1), PORT, interfaceIndex(name)));
  } catch (error) {
    if (error instanceof SystemError && error.errnoName === 'ENETUNREACH') return false;
    throw error;
  } finally {
    closeSocket(fd);
  }
}

function ip(command: string): void {
  execFileSync('ip', command.split(' '));
}

/** What a channel handed over. */
export class Inbox implements ChannelReceiver {
  readonly datagrams: string[] = [];
  readonly sources: number[] = [];
  batches = 0;
  /** Called for every datagram, before it is stored. */
  onEach: () => void = () => {};

  onDatagram(views: Views, at: number, length: number, source: number): void {
    if (at % 4 !== 0) throw new Error(`datagram at ${at}`);
    this.onEach();
    this.datagrams.push(Buffer.from(views.buffer, at, length).toString('hex'));
    this.sources.push(source);
  }

  onBatchEnd(): void {
    this.batches++;
  }

  /** Numbers of the messages that arrived, in the order of their arrival. */
  get numbers(): number[] {
    return messageNumbers(Buffer.from(this.datagrams.join(''), 'hex'));
  }
}

/** A message: version and type, flags, its length, its number, then the low byte of its number over and over. */
export function writeMessage(channel: Channel, number: number, bytes = 44): void {
  const at = channel.reserve();
  const view = Buffer.from(channel.out.buffer, at, bytes);
  view.fill(number & 0xff);
  view.writeUInt16BE(0x1000, 0);
  view.writeUInt16BE(bytes, 2);
  view.writeUInt32BE(number, 4);
  channel.commit(bytes);
}

export function messageNumbers(bytes: Buffer): number[] {
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2)) {
    const number = bytes.readUInt32BE(at + 4);
    const body = bytes.subarray(at + 8, at + bytes.readUInt16BE(at + 2));
    if (body.some((byte) => byte !== (number & 0xff))) throw new Error(`message ${number} is damaged`);
    numbers.push(number);
  }
  return numbers;
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await sleep(5);
  }
}

/** One link of each kind and family, with the options of its two ends. */
export interface LinkCase {
  readonly name: string;
  readonly kind: ChannelKind;
  readonly local: Record<Side, Uint8Array>;
  readonly peer: Record<Side, Uint8Array>;
}

const v4 = (...bytes: number[]) => Uint8Array.from(bytes);
const v6 = (first: number, last: number) => {
  const address = new Uint8Array(16);
  address.set([first >> 8, first & 0xff]);
  address[15] = last;
  return address;
};
const unicast = (name: string, kind: ChannelKind, left: Uint8Array, right: Uint8Array): LinkCase => ({
  name,
  kind,
  local: { left, right },
  peer: { left: right, right: left },
});
const multicast = (name: string, group: Uint8Array, left: Uint8Array, right: Uint8Array): LinkCase => ({
  name,
  kind: 'multicast',
  local: { left, right },
  peer: { left: group, right: group },
});

const V4 = [v4(10, 77, 0, 1), v4(10, 77, 0, 2)] as const;
const V6 = [v6(0xfd77, 1), v6(0xfd77, 2)] as const;
const LOCAL = [v6(0xfe80, 1), v6(0xfe80, 2)] as const;

export const UDP4 = unicast('UDP over IPv4', 'udp', ...V4);
export const MULTICAST4 = multicast('multicast over IPv4', v4(225, 0, 0, 50), ...V4);
export const MULTICAST6 = multicast('multicast over IPv6', v6(0xff02, 0x50), ...V6);
export const MULTICAST6_SITE = multicast('multicast over IPv6, site-local group', v6(0xff05, 0x50), ...V6);
export const TCP4 = unicast('TCP over IPv4', 'tcp', ...V4);

export const LINK_CASES: readonly LinkCase[] = [
  UDP4,
  unicast('UDP over IPv6', 'udp', ...V6),
  unicast('UDP over link-local IPv6', 'udp', ...LOCAL),
  MULTICAST4,
  MULTICAST6,
  MULTICAST6_SITE,
  TCP4,
  unicast('TCP over IPv6', 'tcp', ...V6),
  unicast('TCP over link-local IPv6', 'tcp', ...LOCAL),
];

export function optionsOf(link: LinkCase, side: Side, changes: Partial<ChannelOptions> = {}): ChannelOptions {
  return {
    kind: link.kind,
    localAddress: link.local[side],
    peerAddress: link.peer[side],
    interface: 'sync0',
    port: PORT,
    sendBuffer: 1249280,
    receiveBuffer: 1249280,
    checksum: true,
    ...changes,
  };
}

/** A channel that is not open yet, and what it receives. */
export function makeChannel(options: ChannelOptions, log = silentLogger): { channel: Channel; inbox: Inbox } {
  const inbox = new Inbox();
  return { channel: createChannel(options, inbox, log), inbox };
}
