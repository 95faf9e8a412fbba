import type { Logger } from '../base/logger.js';
import type { Views } from '../base/views.js';
import { interfaceIndex, interfaceMtu } from '../native/index.js';
import {
  type Channel,
  type ChannelOptions,
  type ChannelReceiver,
  ChannelStatistics,
  type ErrorQueueStatistics,
  opening,
} from './channel.js';
import { SEAL_OVERHEAD } from './seal.js';
import { Guard, type SecurityStatistics } from './security.js';
import { endpoint } from './sockets.js';
import { TcpClient } from './tcp-client.js';
import { TcpServer } from './tcp-server.js';

/** Headers in front of a packet, spec/wire.md: IPv4 20 and TCP 20. The original takes the same for IPv6. */
const HEADER_BYTES = 40;

/** Messages to one peer over a connection of ours, and back over one of the peer's. */
export class TcpChannel implements Channel {
  readonly kind = 'tcp';
  readonly interface: string;
  readonly out: Views;
  readonly statistics = new ChannelStatistics();
  readonly security: SecurityStatistics;
  private readonly outgoing: TcpClient;
  private readonly incoming: TcpServer;

  constructor(
    private readonly options: ChannelOptions,
    receiver: ChannelReceiver,
    log: Logger,
  ) {
    this.interface = options.interface;
    const guard = new Guard(options.interface, log);
    this.security = guard.statistics;
    this.outgoing = new TcpClient(options, this.statistics, this.security, () => receiver.onUncongested?.(), log);
    this.incoming = new TcpServer(options, this.statistics, guard, receiver, log);
    this.out = this.outgoing.packer.views;
  }

  get isOpen(): boolean {
    return this.incoming.isOpen;
  }

  get congested(): boolean {
    return this.outgoing.congested;
  }

  get sendBuffer(): number {
    return this.outgoing.sendBuffer;
  }

  get receiveBuffer(): number {
    return this.incoming.receiveBuffer;
  }

  get server(): boolean {
    return this.incoming.connected;
  }

  get sendingPort(): number {
    return this.outgoing.port;
  }

  get client(): boolean {
    return this.outgoing.connected;
  }

  get errorQueue(): ErrorQueueStatistics {
    return this.outgoing.errorQueue;
  }

  reserve(): number {
    return this.outgoing.packer.reserve();
  }

  commit(length: number): void {
    this.outgoing.packer.commit(length);
  }

  flush(): void {
    this.outgoing.flush();
  }

  open(): void {
    if (this.isOpen) return;
    try {
      opening(this.options, () => {
        const index = interfaceIndex(this.interface);
        this.incoming.open(index);
        const { peerAddress, port } = this.options;
        this.outgoing.open(endpoint(peerAddress, port, index), this.packetBytes());
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.outgoing.close();
    this.incoming.close();
  }

  adapt(): void {
    if (!this.isOpen) return;
    opening(this.options, () => this.outgoing.packer.setPacketBytes(this.packetBytes()));
  }

  hold(on: boolean): void {
    this.incoming.hold(on);
  }

  private packetBytes(): number {
    return interfaceMtu(this.interface) - HEADER_BYTES - (this.options.seal ? SEAL_OVERHEAD : 0);
  }

  moveWaiting(other: Channel): void {
    this.outgoing.moveWaiting(other);
  }

  sourceName(source: number): string {
    return this.incoming.sourceName(source);
  }
}
