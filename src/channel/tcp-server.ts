import { performance } from 'node:perf_hooks';
import { SystemError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { EAGAIN, POLL_READABLE, SO_KEEPALIVE, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../native/constants.js';
import { accept, bind, closeSocket, listen, Poll, peerName, receive, setOption } from '../native/index.js';
import { formatSocketAddress } from '../native/sockaddr.js';
import { Admission } from './admission.js';
import type { ChannelOptions, ChannelReceiver, ChannelStatistics } from './channel.js';
import { FRAMING_LOST, MessageStream } from './message-stream.js';
import { isSealed, MOST_SEALED_BYTES, REFUSED, type Seal } from './seal.js';
import type { Guard } from './security.js';
import { bindToInterface, endpoint, localEndpoint, sizeBuffer, socketFor } from './sockets.js';
import { CROWDED, SOURCE_WORDS, SourceTable, STRANGER } from './sources.js';

/** spec/wire.md: one client. */
const BACKLOG = 1;
/** Reads of a connection that a new one replaces: more than a socket buffer of a few megabytes holds is not waited for. */
const LAST_READS = 32;
/** Number of the configured peer: it is entered first. */
const PEER = 0;
/** A connection on which something came within this time is in use. */
const ALIVE_MS = 10_000;
/** When a connection cannot be accepted (no descriptors left) it stays in the backlog for so long. */
const ACCEPT_RETRY_MS = 1000;

/** Listens for the peer's connection, on which its messages come. A new connection replaces the one before. */
export class TcpServer {
  /** Effective receive buffer in bytes; connections inherit it from the listener. */
  receiveBuffer = 0;

  private readonly stream: MessageStream;
  private readonly seal: Seal | null;
  private heardMs = 0;
  private sources = new SourceTable();
  private listener = -1;
  private listenerPoll: Poll | null = null;
  private connection = -1;
  private connectionPoll: Poll | null = null;
  private source = STRANGER;
  private retry: NodeJS.Timeout | null = null;
  private isHeld = false;

  constructor(
    private readonly options: ChannelOptions,
    private readonly statistics: ChannelStatistics,
    private readonly guard: Guard,
    private readonly receiver: ChannelReceiver,
    private readonly log: Logger,
  ) {
    this.seal = options.seal ?? null;
    this.stream = new MessageStream(this.seal === null ? undefined : MOST_SEALED_BYTES);
  }

  get isOpen(): boolean {
    return this.listener >= 0;
  }

  /** A peer is connected to us. */
  get connected(): boolean {
    return this.connection >= 0;
  }

  /** @param interfaceIndex scope of link-local addresses. @throws SystemError; `close` cleans up */
  open(interfaceIndex: number): void {
    const { peerAddress, port, receiveBuffer } = this.options;
    const admission = new Admission(this.options);
    this.sources = new SourceTable((words, at, nowMs) => admission.admits(words, at, nowMs));
    this.sources.add(endpoint(peerAddress, port, interfaceIndex));
    const fd = socketFor(peerAddress, SOCK_STREAM, (opened) => {
      this.listener = opened;
    });
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    this.receiveBuffer = sizeBuffer(fd, 'receive', receiveBuffer, this.log);
    if (admission.oneInterface) bindToInterface(fd, this.options.interface);
    bind(fd, localEndpoint(this.options, interfaceIndex));
    listen(fd, BACKLOG);
    this.listenerPoll = new Poll(fd, () => this.acceptAll());
    this.listenerPoll.start(POLL_READABLE);
    if (admission.remark !== '') this.log.notice(`${this.options.interface}: ${admission.remark}`);
  }

  close(): void {
    this.disconnect();
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.listenerPoll?.close();
    this.listenerPoll = null;
    if (this.listener >= 0) closeSocket(this.listener);
    this.listener = -1;
    this.receiveBuffer = 0;
  }

  sourceName(source: number): string {
    return this.sources.name(source);
  }

  private acceptAll(): void {
    try {
      for (let fd = accept(this.listener); fd >= 0; fd = accept(this.listener)) this.take(fd);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.statistics.receiveErrors++;
      this.log.warning(`${error.message}; trying again`);
      this.listenerPoll?.stop();
      this.retry = setTimeout(() => this.listenerPoll?.start(POLL_READABLE), ACCEPT_RETRY_MS);
    }
  }

  private take(fd: number): void {
    const name = nameOfPeer(fd);
    const source = this.identify(name);
    const refusal = this.refusal(source);
    if (refusal !== null) {
      this.statistics.receiveErrors++;
      this.guard.refuse(refusal, () => formatSocketAddress(name));
      closeSocket(fd);
      return;
    }
    // What the peer sent before it connected anew is older than what comes now.
    for (let reads = 0; reads < LAST_READS && this.connected && this.read(); reads++);
    this.disconnect();
    if (!this.isOpen) {
      closeSocket(fd);
      return;
    }
    this.source = source;
    this.heardMs = performance.now();
    this.connection = fd;
    this.connectionPoll = new Poll(fd, () => this.read());
    if (!this.isHeld) this.connectionPoll.start(POLL_READABLE);
  }

  /** While on, what the peer sends stays in the socket; then its own fills, and it waits. */
  hold(on: boolean): void {
    if (this.isHeld === on) return;
    this.isHeld = on;
    if (on) this.connectionPoll?.stop();
    else this.connectionPoll?.start(POLL_READABLE);
  }

  private identify(name: Uint8Array): number {
    if (name.length === 0) return STRANGER;
    const words = new Uint32Array(SOURCE_WORDS);
    new Uint8Array(words.buffer).set(name);
    this.sources.nowMs = performance.now();
    return this.sources.identify(words, 0);
  }

  /**
   * The peer's address, number 0, and that of the connection there is may replace it at any time. Another one may only
   * when nothing was heard on it for a while: else whoever reaches the port could cut off the peer.
   */
  private refusal(source: number): 'strangers' | 'tooManySenders' | 'connectionsRefused' | null {
    if (source === STRANGER) return 'strangers';
    if (source === CROWDED) return 'tooManySenders';
    if (source === PEER || source === this.source || !this.connected) return null;
    return (this.options.acceptFrom ?? 'any') !== 'any' && performance.now() - this.heardMs < ALIVE_MS
      ? 'connectionsRefused'
      : null;
  }

  /** One read and its messages. @returns whether there may be more */
  private read(): boolean {
    const { stream, statistics } = this;
    const count = receive(this.connection, stream.views.buffer, stream.at, stream.room);
    if (count === -EAGAIN) return false;
    if (count <= 0) {
      // 0: the peer closed the connection; in the middle of a message that is an error, too.
      if (count < 0 || stream.length > 0) statistics.receiveErrors++;
      this.disconnect();
      return false;
    }
    statistics.bytesReceived += count;
    statistics.packetsReceived++;
    this.heardMs = performance.now();
    stream.append(count);
    this.hand(stream.complete());
    return this.connected;
  }

  /** Whole messages go up. What is no message goes up as well, to be counted there, and the connection is closed. */
  private hand(complete: number): void {
    const { stream, receiver } = this;
    const length = complete === FRAMING_LOST ? stream.length : complete;
    if (length === 0) return;
    const connection = this.connection;
    if (this.seal !== null) this.openAll(this.seal, length);
    else {
      if (isSealed(stream.views.u8, 0)) this.guard.refuse('noKey', () => this.sourceName(this.source));
      receiver.onDatagram(stream.views, 0, length, this.source);
    }
    if (this.connection !== connection) return;
    stream.consume(length);
    if (complete === FRAMING_LOST) this.disconnect();
    receiver.onBatchEnd();
  }

  /** Each message of the stream is an envelope, or nothing to be heard. */
  private openAll(seal: Seal, length: number): void {
    const { stream, guard, connection } = this;
    const bytes = stream.views.u8;
    for (let at = 0; at < length && this.connection === connection; ) {
      const envelope = Math.max(1, Math.min(stream.lengthAt(at), length - at));
      const opened = seal.open(bytes, at, envelope);
      at += envelope;
      if (opened === REFUSED) guard.refuse(seal.refusal, () => this.sourceName(this.source));
      else {
        guard.statistics.opened++;
        this.receiver.onDatagram(seal.views, 0, opened, this.source);
      }
    }
  }

  private disconnect(): void {
    this.connectionPoll?.close();
    this.connectionPoll = null;
    if (this.connection >= 0) closeSocket(this.connection);
    this.connection = -1;
    this.stream.reset();
  }
}

/** The raw address at the other end; empty when it has reset the connection already. */
function nameOfPeer(fd: number): Uint8Array {
  try {
    return peerName(fd);
  } catch (error) {
    // ENOTCONN
    if (error instanceof SystemError) return new Uint8Array(0);
    throw error;
  }
}
