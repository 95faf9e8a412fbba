import { SystemError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import {
  EAGAIN,
  ENOBUFS,
  IPPROTO_TCP,
  POLL_READABLE,
  POLL_WRITABLE,
  SO_ERROR,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from '../native/constants.js';
import { closeSocket, connect, getOption, Poll, receive, send, setOption } from '../native/index.js';
import type { ChannelOptions, ChannelStatistics, ErrorQueueStatistics } from './channel.js';
import { type MessageSink, moveMessages, Packer, type PacketOutlet } from './packer.js';
import { SealedStream } from './sealed-stream.js';
import type { SecurityStatistics } from './security.js';
import { portOf, sizeBuffer, socketFor } from './sockets.js';

/** ErrorQueueLength, spec/config.md. */
const DEFAULT_ERROR_QUEUE = 128;
/** Room for the packets of the error queue, at some 1500 bytes each, and for a peer that reads slowly. */
const BYTES_PER_PACKET = 2048;
const LEAST_BYTES = 1024 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;
const LEAST_PACKETS = 4096;
/** spec/wire.md: connecting is tried at most once a second. */
const CONNECT_INTERVAL_MS = 1000;
/**
 * A peer that acknowledges nothing for so long is gone, connecting included. Without a bound the kernel goes on for a
 * quarter of an hour, and its pauses of up to two minutes would keep a peer that is back waiting.
 */
const USER_TIMEOUT_MS = 10_000;
/** The peer has nothing to say on this connection; what it says is not read further than this. */
const SCRAP_BYTES = 4096;

/**
 * Our connection to the peer, on which our messages go. It is made when there is something to send. While there is none
 * packets wait in the error queue; when that is full the oldest are dropped.
 */
export class TcpClient implements PacketOutlet {
  readonly packer: Packer;
  /** Effective send buffer in bytes of the latest connection. */
  sendBuffer = 0;

  private readonly maximum: number;
  private overflows = 0;
  private destination: Uint8Array | null = null;
  private fd = -1;
  private poll: Poll | null = null;
  private isConnected = false;
  private blocked = false;
  private lastAttemptMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | null = null;
  private readonly scrap = new ArrayBuffer(SCRAP_BYTES);
  /** Packets in their envelopes on the way to the kernel; null: plain text. */
  private readonly sealed: SealedStream | null;

  constructor(
    private readonly options: ChannelOptions,
    private readonly statistics: ChannelStatistics,
    security: SecurityStatistics,
    private readonly onUncongested: () => void,
    private log: Logger,
  ) {
    this.sealed = options.seal ? new SealedStream(options.seal, security) : null;
    this.maximum = options.errorQueueLength || DEFAULT_ERROR_QUEUE;
    const bytes = Math.min(Math.max(LEAST_BYTES, this.maximum * BYTES_PER_PACKET), MOST_BYTES);
    this.packer = new Packer({ bytes, packets: Math.max(LEAST_PACKETS, this.maximum + 1) }, this);
  }

  get connected(): boolean {
    return this.isConnected;
  }

  get port(): number {
    return this.isConnected ? portOf(this.fd) : 0;
  }

  get congested(): boolean {
    return this.isConnected ? this.blocked : this.packer.pending * 2 > this.maximum;
  }

  get errorQueue(): ErrorQueueStatistics {
    return { length: this.packer.pending, maximum: this.maximum, overflows: this.overflows };
  }

  /** @param destination raw sockaddr. @param packetBytes size of the packets */
  open(destination: Uint8Array, packetBytes: number): void {
    this.packer.setPacketBytes(packetBytes);
    this.destination = destination;
    this.drain();
  }

  /** The error queue stays. */
  close(): void {
    this.destination = null;
    this.disconnect();
    this.sendBuffer = 0;
  }

  flush(): void {
    this.packer.finish();
    this.drain();
    if (!this.isConnected) this.packer.dropDownTo(this.maximum);
  }

  /** The connection goes as well: what it has taken of a message would be followed by nothing. */
  moveWaiting(sink: MessageSink): void {
    if (this.packer.pending > 0) this.disconnect();
    moveMessages(this.packer, sink);
  }

  drain(): void {
    if (!this.isConnected) this.connectSoon();
    while (this.isConnected && !this.blocked && this.hasMore) this.sendSome();
  }

  private get hasMore(): boolean {
    return this.packer.pending > 0 || (this.sealed !== null && this.sealed.length > 0);
  }

  dropped(packets: number): void {
    this.overflows += packets;
  }

  /** All complete packets in one call, since they lie one after the other. */
  private sendSome(): void {
    const { statistics } = this;
    const sent = this.sealed === null ? this.sendPlain() : this.sendSealed(this.sealed);
    if (sent >= 0) {
      statistics.bytesSent += sent;
    } else if (sent === -EAGAIN || sent === -ENOBUFS) {
      this.blocked = true;
      this.poll?.start(POLL_READABLE | POLL_WRITABLE);
    } else {
      statistics.sendErrors++;
      this.disconnect();
      this.connectSoon();
    }
  }

  private sendPlain(): number {
    const { packer } = this;
    const at = packer.streamStart;
    const sent = send(this.fd, packer.views.buffer, at, packer.streamEnd - at);
    if (sent >= 0) this.statistics.packetsSent += packer.sentBytes(sent);
    return sent;
  }

  private sendSealed(sealed: SealedStream): number {
    if (sealed.length === 0) this.statistics.packetsSent += sealed.take(this.packer);
    const sent = send(this.fd, sealed.buffer, sealed.at, sealed.length);
    if (sent > 0) sealed.sent(sent);
    return sent;
  }

  /** Connects if packets wait, now or when a second has passed since the last attempt. */
  private connectSoon(): void {
    if (this.fd >= 0 || this.timer !== null || this.destination === null || this.packer.pending === 0) return;
    const wait = this.lastAttemptMs + CONNECT_INTERVAL_MS - performance.now();
    if (wait <= 0) {
      this.connect(this.destination);
      return;
    }
    this.timer = setTimeout(() => {
      this.timer = null;
      this.connectSoon();
    }, wait);
  }

  private connect(destination: Uint8Array): void {
    this.lastAttemptMs = performance.now();
    try {
      const fd = this.openSocket();
      this.poll = new Poll(fd, (events) => this.onReady(events));
      if (connect(fd, destination)) this.established();
      else this.poll.start(POLL_WRITABLE);
    } catch (error) {
      // No route, no address: as if nobody answered.
      if (!(error instanceof SystemError)) throw error;
      this.onRefused();
    }
  }

  private openSocket(): number {
    const { peerAddress, sendBuffer } = this.options;
    const fd = socketFor(peerAddress, SOCK_STREAM, (opened) => {
      this.fd = opened;
    });
    this.sendBuffer = sizeBuffer(fd, 'send', sendBuffer, this.log);
    // A warning about the buffer once is enough.
    this.log = silentLogger;
    // A packet goes out when it is flushed; waiting for more would delay failovers.
    setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    return fd;
  }

  private established(): void {
    this.isConnected = true;
    this.packer.restartStream();
    this.resume();
  }

  private onReady(events: number): void {
    if (!this.isConnected) this.onConnectDecided();
    else if ((events & POLL_READABLE) !== 0 && this.peerHasLeft()) this.onPeerLeft();
    else if ((events & POLL_WRITABLE) !== 0) this.resume();
  }

  private onConnectDecided(): void {
    if (getOption(this.fd, SOL_SOCKET, SO_ERROR) === 0) this.established();
    else this.onRefused();
  }

  /** Counted as a send error, as the original does. */
  private onRefused(): void {
    this.statistics.sendErrors++;
    this.disconnect();
    this.connectSoon();
  }

  private onPeerLeft(): void {
    this.disconnect();
    this.connectSoon();
  }

  /** The kernel takes packets. */
  private resume(): void {
    this.blocked = false;
    this.poll?.start(POLL_READABLE);
    this.drain();
    if (this.isConnected && !this.blocked) this.onUncongested();
  }

  private peerHasLeft(): boolean {
    const count = receive(this.fd, this.scrap, 0, SCRAP_BYTES);
    return count <= 0 && count !== -EAGAIN;
  }

  private disconnect(): void {
    this.isConnected = false;
    this.blocked = false;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.poll?.close();
    this.poll = null;
    if (this.fd >= 0) closeSocket(this.fd);
    this.fd = -1;
    this.packer.restartStream();
    this.sealed?.clear();
  }
}
