import type { Logger } from '../base/logger.js';
import type { Views } from '../base/views.js';
import { SO_NO_CHECK, SO_REUSEADDR, SOCK_DGRAM, SOL_SOCKET } from '../native/constants.js';
import { closeSocket, interfaceIndex, interfaceMtu, setOption } from '../native/index.js';
import { Admission } from './admission.js';
import { type Channel, type ChannelOptions, type ChannelReceiver, ChannelStatistics, opening } from './channel.js';
import { DatagramReceiver } from './datagram-receiver.js';
import { DatagramSender } from './datagram-sender.js';
import { OutsideCounter } from './outside.js';
import { moveMessages } from './packer.js';
import { SEAL_OVERHEAD } from './seal.js';
import { sendingCalls } from './seal-sender.js';
import { Guard, type SecurityStatistics } from './security.js';
import { endpoint, isLinkScoped, portOf, sizeBuffer, socketFor } from './sockets.js';
import type { SourceTable } from './sources.js';

/** Headers in front of a packet, spec/wire.md: IPv4 20 and UDP 8. The original takes the same for IPv6. */
const HEADER_BYTES = 28;

/**
 * What UDP and multicast share: a sender that is not bound, so that it has a port of its own, and a receiver bound to
 * the configured port.
 */
export abstract class DatagramChannel implements Channel {
  abstract readonly kind: 'udp' | 'multicast';
  readonly interface: string;
  readonly out: Views;
  readonly statistics = new ChannelStatistics();
  readonly security: SecurityStatistics;
  sendBuffer = 0;
  receiveBuffer = 0;

  private readonly sender: DatagramSender;
  private readonly receiver: DatagramReceiver;
  private readonly outside: OutsideCounter;
  private readonly descriptors: number[] = [];
  protected admission: Admission;

  constructor(
    protected readonly options: ChannelOptions,
    receiver: ChannelReceiver,
    private readonly log: Logger,
  ) {
    this.interface = options.interface;
    const { seal = null } = options;
    const { statistics } = this;
    const guard = new Guard(options.interface, log);
    this.security = guard.statistics;
    this.sender = new DatagramSender(statistics, () => receiver.onUncongested?.(), sendingCalls(seal, this.security));
    this.receiver = new DatagramReceiver({ statistics, guard, seal, receiver });
    this.outside = new OutsideCounter(guard);
    this.admission = new Admission(options);
    this.out = this.sender.packer.views;
  }

  get isOpen(): boolean {
    return this.descriptors.length > 0;
  }

  get sendingPort(): number {
    const [sender] = this.descriptors;
    return sender === undefined ? 0 : portOf(sender);
  }

  get congested(): boolean {
    return this.sender.congested;
  }

  reserve(): number {
    return this.sender.packer.reserve();
  }

  commit(length: number): void {
    this.sender.packer.commit(length);
  }

  flush(): void {
    this.sender.flush();
  }

  open(): void {
    if (this.isOpen) return;
    try {
      opening(this.options, () => this.openSockets());
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Opens for sending only, through a socket of the caller's that is ready, and closed with the channel; what it is bound
   * to is of no interest (src/daemon/rehearsal.ts).
   *
   * @param destination raw sockaddr
   */
  openSending(fd: number, destination: Uint8Array, mtu: number): void {
    this.descriptors.push(fd);
    this.sender.open(fd, destination, this.packetBytes(mtu));
  }

  close(): void {
    this.sender.close();
    this.receiver.close();
    this.outside.close();
    for (const fd of this.descriptors.splice(0)) closeSocket(fd);
    this.sendBuffer = 0;
    this.receiveBuffer = 0;
  }

  adapt(): void {
    if (!this.isOpen) return;
    opening(this.options, () => {
      const mtu = interfaceMtu(this.interface);
      this.sender.packer.setPacketBytes(this.packetBytes(mtu));
      this.receiver.adapt(mtu);
    });
  }

  hold(on: boolean): void {
    this.receiver.hold(on);
  }

  /** What the kernel did not take yet: little, and only when it is congested. */
  moveWaiting(other: Channel): void {
    moveMessages(this.sender.packer, other);
  }

  sourceName(source: number): string {
    return this.receiver.sourceName(source);
  }

  /** Options of the sending socket. */
  protected abstract prepareSender(fd: number, interfaceIndex: number): void;
  /** Binds the receiving socket. */
  protected abstract bindReceiver(fd: number, interfaceIndex: number): void;
  /** Binds a socket for what comes over other interfaces; not called for those that hear nothing of it. */
  protected bindOutside?(fd: number, interfaceIndex: number): void;
  /** Who is expected to send. */
  protected abstract expectedSources(interfaceIndex: number): SourceTable;

  private openSockets(): void {
    const { peerAddress, port } = this.options;
    const index = interfaceIndex(this.interface);
    const mtu = interfaceMtu(this.interface);
    this.admission = new Admission(this.options);
    const sending = this.openSender(index);
    const receiving = this.openReceiver(index);
    this.sender.open(sending, endpoint(peerAddress, port, index), this.packetBytes(mtu));
    this.receiver.open(receiving, mtu, this.receiveBuffer, this.expectedSources(index));
    // An address with a scope binds its socket to that interface anyway, and a second one would take its datagrams.
    const { localAddress } = this.options;
    const isScoped = localAddress !== null && isLinkScoped(localAddress);
    if (this.admission.oneInterface && this.bindOutside !== undefined && !isScoped) this.openOutside(index);
    if (this.admission.remark !== '') this.log.notice(`${this.interface}: ${this.admission.remark}`);
  }

  private packetBytes(mtu: number): number {
    return mtu - HEADER_BYTES - (this.options.seal ? SEAL_OVERHEAD : 0);
  }

  private openOutside(index: number): void {
    const fd = this.socket();
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    this.bindOutside?.(fd, index);
    this.outside.open(fd);
  }

  private openSender(index: number): number {
    const fd = this.socket();
    if (!this.options.checksum) setOption(fd, SOL_SOCKET, SO_NO_CHECK, 1);
    this.sendBuffer = sizeBuffer(fd, 'send', this.options.sendBuffer, this.log);
    this.prepareSender(fd, index);
    return fd;
  }

  private openReceiver(index: number): number {
    const fd = this.socket();
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    this.receiveBuffer = sizeBuffer(fd, 'receive', this.options.receiveBuffer, this.log);
    this.bindReceiver(fd, index);
    return fd;
  }

  private socket(): number {
    return socketFor(this.options.peerAddress, SOCK_DGRAM, (fd) => this.descriptors.push(fd));
  }
}
