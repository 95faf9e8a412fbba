import {
  AF_INET,
  bind,
  closeSocket,
  connect,
  openSocket,
  receive,
  SOCK_DGRAM,
  SOCK_RAW,
  send,
} from '../../src/native/index.js';
import { inetAddress } from '../../src/native/sockaddr.js';
import { ANNOUNCEMENT_BYTES } from '../../src/wire/announcement.js';
import { inside } from './inside.js';
import type { Namespace } from './namespace.js';

const IPPROTO_UDP = 17;
/** No datagram of a link with Ethernet's MTU is longer. */
const BUFFER_BYTES = 2048;

/** A message of the wire, taken apart (spec/wire.md). */
export interface WireMessage {
  /** 0 to 2 flow, 3 to 5 expectation, 10 control. */
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The attributes of a flow by their number. */
  readonly attributes: ReadonlyMap<number, Buffer>;
  /** Of ACK, NACK and RESYNC. */
  readonly range: readonly [from: number, to: number];
  /** Flows that the speaker says it has (src/wire/announcement.ts); null where it does not. */
  readonly announced: number | null;
}

export const FLAG = { resync: 0x02, nack: 0x04, ack: 0x08, alive: 0x10, hello: 0x20, helloBack: 0x40 } as const;
export const CONTROL = 10;

function readMessage(bytes: Buffer): WireMessage {
  const type = bytes[0]! & 0x0f;
  const attributes = new Map<number, Buffer>();
  if (type !== CONTROL) {
    for (let at = 8; at < bytes.length; at += Math.ceil(bytes.readUInt16BE(at) / 4) * 4) {
      attributes.set(bytes.readUInt16BE(at + 2), bytes.subarray(at + 4, at + bytes.readUInt16BE(at)));
    }
  }
  const ranged = type === CONTROL && bytes.length >= 16;
  return {
    type,
    flags: bytes[1]!,
    sequence: bytes.readUInt32BE(4),
    attributes,
    range: ranged ? [bytes.readUInt32BE(8), bytes.readUInt32BE(12)] : [0, 0],
    announced: type === CONTROL && bytes.length >= ANNOUNCEMENT_BYTES ? bytes.readUInt32BE(16) : null,
  };
}

function readMessages(datagram: Buffer): WireMessage[] {
  const messages: WireMessage[] = [];
  for (let at = 0; at < datagram.length; at += datagram.readUInt16BE(at + 2)) {
    messages.push(readMessage(datagram.subarray(at, at + datagram.readUInt16BE(at + 2))));
  }
  return messages;
}

function message(type: number, flags: number, sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x10 | type, 0);
  header.writeUInt8(flags, 1);
  header.writeUInt16BE(8 + body.length, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  return Buffer.concat([header, body]);
}

/** A control message; `range` for ACK, NACK and RESYNC. */
export function controlMessage(flags: number, sequence: number, range?: readonly [number, number]): Buffer {
  const body = Buffer.alloc(range === undefined ? 0 : 8);
  if (range !== undefined) for (const [index, end] of range.entries()) body.writeUInt32BE(end >>> 0, index * 4);
  return message(CONTROL, flags, sequence, body);
}

function attribute(id: number, data: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(data.length / 4) * 4);
  bytes.writeUInt16BE(4 + data.length, 0);
  bytes.writeUInt16BE(id, 2);
  bytes.set(data, 4);
  return bytes;
}

function big(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/**
 * A peer's established TCP connection 192.0.2.1:`port` to 198.51.100.1:80, window scales 7 and 9, `timeout` left.
 * @param more attributes that follow
 */
export function newFlow(sequence: number, port: number, timeout: number, more: readonly Buffer[] = []): Buffer {
  const ASSURED_SEEN_REPLY_CONFIRMED = 0x0e;
  const ESTABLISHED = 3;
  const attributes = [
    attribute(0, [192, 0, 2, 1, 198, 51, 100, 1]),
    attribute(5, big(ASSURED_SEEN_REPLY_CONFIRMED)),
    attribute(2, [6]),
    attribute(3, [port >> 8, port & 0xff, 0, 80]),
    attribute(4, [ESTABLISHED]),
    attribute(25, [7]),
    attribute(26, [9]),
    attribute(6, big(timeout)),
    ...more,
  ];
  return message(0, 0, sequence, Buffer.concat(attributes));
}

/** A new flow of which the peer tells nothing: a header alone. */
export function emptyFlow(sequence: number): Buffer {
  return message(0, 0, sequence, Buffer.alloc(0));
}

/** A new flow that belongs to a connection 192.0.2.1:1 to 198.51.100.1:21, which nobody has: a kernel refuses it. */
export function orphanFlow(sequence: number, port: number, timeout: number): Buffer {
  const master = [attribute(8, [192, 0, 2, 1, 198, 51, 100, 1]), attribute(10, [6]), attribute(11, [0, 1, 0, 21])];
  return newFlow(sequence, port, timeout, master);
}

/** The peer of a daemon, played by the test: a UDP socket in the peer's namespace that says what the test tells it. */
export class ScriptedPeer {
  private readonly listener: number;
  private readonly speaker: number;
  private readonly frames: number;
  private readonly buffer = new ArrayBuffer(BUFFER_BYTES);
  /** All that arrived, a list of messages a datagram. */
  readonly datagrams: (readonly WireMessage[])[] = [];

  /**
   * @param own IPv4 address of the peer, that it sends from, too
   * @param daemon IPv4 address of the daemon
   */
  constructor(namespace: Namespace, own: string, daemon: string, port: number) {
    const address = (text: string, at = port): Uint8Array =>
      inetAddress(Uint8Array.from(text.split('.').map(Number)), at);
    const socket = (type: number, protocol: number): number =>
      inside(namespace, () => openSocket(AF_INET, type, protocol));
    this.listener = socket(SOCK_DGRAM, 0);
    this.speaker = socket(SOCK_DGRAM, 0);
    this.frames = socket(SOCK_RAW, IPPROTO_UDP);
    bind(this.listener, address(own));
    bind(this.speaker, address(own, 0));
    connect(this.speaker, address(daemon));
  }

  say(...messages: readonly Buffer[]): void {
    const bytes = new Uint8Array(Buffer.concat(messages));
    const sent = send(this.speaker, bytes.buffer, 0, bytes.length);
    if (sent !== bytes.length) throw new Error(`the peer could not send: ${sent}`);
  }

  /** All messages that arrived so far. */
  heard(): readonly WireMessage[] {
    for (let bytes = this.next(this.listener); bytes !== null; bytes = this.next(this.listener)) {
      this.datagrams.push(readMessages(bytes));
    }
    return this.datagrams.flat();
  }

  heardFlows(): readonly WireMessage[] {
    return this.heard().filter(({ type }) => type <= 2);
  }

  heardControls(flag: number): readonly WireMessage[] {
    return this.heard().filter(({ type, flags }) => type === CONTROL && (flags & flag) !== 0);
  }

  /** The checksum fields of the UDP packets that arrived at the peer's host since the last call. */
  checksums(): number[] {
    const fields: number[] = [];
    for (let packet = this.next(this.frames); packet !== null; packet = this.next(this.frames)) {
      // RFC 791: the header's length is the low nibble, in words; RFC 768: the checksum is the fourth field.
      fields.push(packet.readUInt16BE((packet[0]! & 0x0f) * 4 + 6));
    }
    return fields;
  }

  private next(fd: number): Buffer | null {
    const length = receive(fd, this.buffer, 0, BUFFER_BYTES);
    return length < 0 ? null : Buffer.from(this.buffer.slice(0, length));
  }

  close(): void {
    for (const fd of [this.listener, this.speaker, this.frames]) closeSocket(fd);
  }
}
