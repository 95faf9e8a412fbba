import type { ChannelOptions } from './channel.js';
import { addressesOf, addressIn, isOnLink, isSame, type OwnAddress } from './networks.js';
import { isPeerToPeer } from './sockets.js';

/** Addresses of the interface are read again for an unknown sender, but not more often. */
const READ_AGAIN_MS = 1000;

/**
 * Who may send on a link.
 *
 * The original hears everybody who reaches its port. It does not bind the socket it sends with either, so the kernel
 * chooses the source address, and of an interface with several addresses it is not always the one that the other side
 * has as its destination. So what is asked of a sender by default is not to have the peer's address, but to be on the
 * link: its address in a network of the link's interface, its datagrams come over that interface. Where the peer's own
 * address is not in a network of the interface (it is behind a router, or on this very host), nothing can be asked.
 *
 * Of a multicast group's members nothing is asked but to send over the interface: no router brings a datagram to the
 * group from elsewhere unless it was made to, and members of different networks on one wire are a pair that works.
 */
export class Admission {
  /** Only what comes over the link's interface counts. */
  readonly oneInterface: boolean;
  private readonly alone: boolean;
  private networks: readonly OwnAddress[];
  private readAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ChannelOptions) {
    const { acceptFrom = 'any', peerAddress } = options;
    this.networks = addressesOf(options.interface);
    this.alone = acceptFrom === 'peer' && isPeerToPeer(options.kind);
    if (this.alone) this.oneInterface = true;
    else if (acceptFrom === 'any') this.oneInterface = false;
    else if (isPeerToPeer(options.kind)) this.oneInterface = this.isNeighbour(peerAddress);
    else this.oneInterface = true;
  }

  /** What is to be known when senders are not checked although they should be; '' else. */
  get remark(): string {
    const { acceptFrom = 'any', kind } = this.options;
    if (this.oneInterface || acceptFrom === 'any' || !isPeerToPeer(kind) || this.isOurs(this.options.peerAddress))
      return '';
    return (
      `the peer's address is not in a network of ${this.options.interface}, so messages are taken from any address; ` +
      "`AcceptFrom Peer' takes them from the peer's alone"
    );
  }

  /** @param at index of the word where the sender's sockaddr begins */
  admits(words: Uint32Array, at: number, nowMs: number): boolean {
    if (!this.oneInterface) return true;
    if (this.alone) return false;
    const address = addressIn(words, at);
    if (nowMs - this.readAtMs >= READ_AGAIN_MS && !this.isOnLink(address)) {
      this.readAtMs = nowMs;
      this.networks = addressesOf(this.options.interface);
    }
    return this.isOnLink(address);
  }

  /** An own address is none of a peer: the datagram was sent back. */
  private isOnLink(address: Uint8Array): boolean {
    const { networks } = this;
    if (networks.some((own) => isSame(own.address, address))) return false;
    return !isPeerToPeer(this.options.kind) || isOnLink(address, networks);
  }

  private isNeighbour(peer: Uint8Array): boolean {
    return isOnLink(peer, this.networks) && !this.isOurs(peer);
  }

  private isOurs(address: Uint8Array): boolean {
    return addressesOf('').some((own) => isSame(own.address, address));
  }
}
