import {
  AF_INET,
  IP_ADD_MEMBERSHIP,
  IP_MULTICAST_ALL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_JOIN_GROUP,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
} from '../native/constants.js';
import { bind, setOption } from '../native/index.js';
import { DatagramChannel } from './datagram.js';
import { bindToInterface, endpoint, familyOf } from './sockets.js';
import { SourceTable } from './sources.js';

/** INADDR_ANY, netinet/in.h: IP_MULTICAST_IF names no group. */
const ANY = new Uint8Array(4);

/**
 * Messages to and from all members of a group on one link. TTL and hop limit are the kernel's default, 1: the messages
 * stay on the link.
 *
 * What arrives on another interface must not reach us, or one cluster would replicate into the other's. Joining does
 * not see to that: a socket bound to a group gets the group's packets of every interface where any program of the host
 * has joined it. Of the remedies (IP_PKTINFO and a check per datagram; binding to the device; telling the kernel)
 * the kernel's own costs nothing per datagram:
 *  - IPv4: IP_MULTICAST_ALL 0 (ip(7)) delivers only what arrives by a membership of this very socket, and a membership
 *    is one of an interface.
 *  - IPv6: IPV6_MULTICAST_ALL does not look at the interface, so the socket is bound to the device.
 */
export class MulticastChannel extends DatagramChannel {
  readonly kind = 'multicast';

  protected prepareSender(fd: number, interfaceIndex: number): void {
    if (this.isInet) {
      setOption(fd, IPPROTO_IP, IP_MULTICAST_IF, this.membership(ANY, interfaceIndex));
      setOption(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    } else {
      setOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, interfaceIndex);
      setOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
    }
  }

  protected bindReceiver(fd: number, interfaceIndex: number): void {
    const { peerAddress: group, port } = this.options;
    if (this.isInet) {
      setOption(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
      bind(fd, endpoint(group, port, interfaceIndex));
      setOption(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, this.membership(group, interfaceIndex));
    } else {
      bindToInterface(fd, this.interface);
      bind(fd, endpoint(group, port, interfaceIndex));
      setOption(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, inet6Membership(group, interfaceIndex));
    }
  }

  /** Nobody in particular: whoever joins the group on the link is a peer. */
  protected expectedSources(): SourceTable {
    const { admission } = this;
    return new SourceTable((words, at, nowMs) => admission.admits(words, at, nowMs));
  }

  private get isInet(): boolean {
    return familyOf(this.options.peerAddress) === AF_INET;
  }

  /**
   * struct ip_mreqn (netinet/in.h): group, address of the interface, int index of the interface in host order. An index
   * of 0 leaves it to the address.
   */
  private membership(group: Uint8Array, interfaceIndex: number): Uint8Array {
    const { localAddress } = this.options;
    const bytes = new Uint8Array(12);
    bytes.set(group, 0);
    if (localAddress === null) new DataView(bytes.buffer).setInt32(8, interfaceIndex, true);
    else bytes.set(localAddress, 4);
    return bytes;
  }
}

/** struct ipv6_mreq (netinet/in.h): group, unsigned int interface index in host order. */
function inet6Membership(group: Uint8Array, interfaceIndex: number): Uint8Array {
  const bytes = new Uint8Array(20);
  bytes.set(group, 0);
  new DataView(bytes.buffer).setUint32(16, interfaceIndex, true);
  return bytes;
}
