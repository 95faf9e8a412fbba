/**
 * A channel carries messages to the peers and back over one link. It knows packets, sockets and addresses; what a
 * message says is not its business.
 */
import { ConntrackdError, SystemError } from '../base/errors.js';
import type { Views } from '../base/views.js';
import type { Seal } from './seal.js';
import type { AcceptFrom, SecurityStatistics } from './security.js';

export type ChannelKind = 'udp' | 'multicast' | 'tcp';

/** One link of the configuration. The configuration's own model of a link can be passed as it is. */
export interface ChannelOptions {
  readonly kind: ChannelKind;
  /**
   * Where to listen, 4 or 16 bytes in network order; null: on all addresses. Multicast over IPv4: the address of the
   * interface to join on; null: `interface` tells. Multicast over IPv6: not used.
   */
  readonly localAddress: Uint8Array | null;
  /** Where to send, 4 or 16 bytes in network order; its length decides the family. Multicast: the group. */
  readonly peerAddress: Uint8Array;
  /** Name of the link's interface: its MTU bounds packets, its index is the scope of IPv6 addresses. */
  readonly interface: string;
  readonly port: number;
  /** SndSocketBuffer in bytes, null: the system's. */
  readonly sendBuffer: number | null;
  /** RcvSocketBuffer in bytes, null: the system's. */
  readonly receiveBuffer: number | null;
  /** False: datagrams over IPv4 leave without a checksum. */
  readonly checksum: boolean;
  /** TCP: packets kept while the peer is away; null or 0: the default. */
  readonly errorQueueLength?: number | null | undefined;
  /** Who may send; unset: anybody. */
  readonly acceptFrom?: AcceptFrom | undefined;
  /** What is sent is sealed, and only what is sealed is heard; null or unset: plain text. */
  readonly seal?: Seal | null | undefined;
}

/** Who takes what arrives. Called from the event loop, never from within `flush`. */
export interface ChannelReceiver {
  /**
   * One datagram, or the whole messages that one read of a stream completed.
   *
   * @param at byte offset in `views`, a multiple of 4; the bytes are the channel's again when the call returns
   * @param source number of the sender: the same address has the same number; unicast peers have number 0
   */
  onDatagram(views: Views, at: number, length: number, source: number): void;
  /** After the datagrams of one turn. */
  onBatchEnd(): void;
  /** Everything that `congested` held back has left. */
  onUncongested?(): void;
}

/** What `-s` counts per link (spec/control.md). */
export class ChannelStatistics {
  bytesSent = 0;
  packetsSent = 0;
  /** Packets that the kernel refused; of UDP and multicast those dropped to make room, too. */
  sendErrors = 0;
  bytesReceived = 0;
  packetsReceived = 0;
  /** Datagrams cut off, datagrams from strangers, and reads that failed. */
  receiveErrors = 0;
}

/** The error queue of a TCP channel, as `-s queue` shows it. */
export interface ErrorQueueStatistics {
  /** Packets that wait. */
  readonly length: number;
  readonly maximum: number;
  /** Packets dropped since there was no room. */
  readonly overflows: number;
}

export interface Channel {
  readonly kind: ChannelKind;
  /** Name of the interface. */
  readonly interface: string;
  /** Where messages are written. Of redundant links another one after a failover: valid as long as `reserve` is. */
  readonly out: Views;
  /** Byte offset in `out`, a multiple of 4, with room for MAX_MESSAGE_BYTES. Valid until the next commit or flush. */
  reserve(): number;
  /** The message written there joins the packet. @param length bytes, a multiple of 4 */
  commit(length: number): void;
  /** Everything gathered goes out. */
  flush(): void;

  /**
   * Packets wait for the kernel to take more, or the error queue of TCP is half full: who can wait with further messages
   * should, else the oldest packets are dropped.
   */
  readonly congested: boolean;
  readonly isOpen: boolean;
  /**
   * Opens the sockets. While a channel is not open, packets of UDP and multicast are dropped and counted as send
   * errors, those of TCP wait in the error queue.
   *
   * @throws ChannelUnavailable when interface or address are missing; it may be called again
   */
  open(): void;
  /** Closes the sockets; what waits is dropped, but for the error queue of TCP. May be opened again. */
  close(): void;
  /** The interface's MTU may have changed: packets follow it. Does nothing while the channel is not open. */
  adapt(): void;
  /** While on, nothing is read from the peers: what they send waits in the kernel's buffers, as far as it fits. */
  hold(on: boolean): void;
  /** The packets that wait for the peer go out on `other` instead, message by message. */
  moveWaiting(other: Channel): void;

  readonly statistics: ChannelStatistics;
  readonly security: SecurityStatistics;
  /** Effective socket buffers in bytes as the kernel reports them, which is twice what was asked for; 0 when closed. */
  readonly sendBuffer: number;
  readonly receiveBuffer: number;
  /** For messages: the address behind a number that `onDatagram` had. */
  sourceName(source: number): string;

  /** Port that messages leave from; 0: not known now. */
  readonly sendingPort?: number | undefined;
  /** TCP: a peer is connected to us, we are to it. */
  readonly server?: boolean | undefined;
  readonly client?: boolean | undefined;
  /** TCP. */
  readonly errorQueue?: ErrorQueueStatistics | undefined;
}

/** How the channel is called in statistics and messages. */
export const CHANNEL_NAMES: Readonly<Record<ChannelKind, 'UDP' | 'multicast' | 'TCP'>> = {
  udp: 'UDP',
  multicast: 'multicast',
  tcp: 'TCP',
};

/** A link cannot be opened (yet): its interface or its address are missing, or the kernel refuses the socket. */
export class ChannelUnavailable extends ConntrackdError {
  override name = 'ChannelUnavailable';

  constructor(
    readonly kind: ChannelKind,
    /** Name of the interface the link wants. */
    readonly interfaceName: string,
    readonly reason: SystemError,
  ) {
    const what = `${CHANNEL_NAMES[kind]} channel on interface ${interfaceName}: ${reason.message}`;
    super('CHANNEL_UNAVAILABLE', what, reason.advice, { cause: reason });
  }
}

/** Runs `action`; a system call that fails in it becomes ChannelUnavailable. */
export function opening(options: ChannelOptions, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (error instanceof SystemError) throw new ChannelUnavailable(options.kind, options.interface, error);
    throw error;
  }
}
