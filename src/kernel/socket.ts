import { SystemError } from '../base/errors.js';
import {
  AF_NETLINK,
  EPERM,
  NETLINK_BROADCAST_ERROR,
  NETLINK_CAP_ACK,
  NETLINK_NETFILTER,
  NETLINK_NO_ENOBUFS,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from '../native/constants.js';
import * as native from '../native/index.js';
import { netlinkAddress, parseSocketAddress } from '../native/sockaddr.js';

/** A netfilter netlink socket bound to an address the kernel chooses. */
export class NetfilterSocket {
  readonly fd: number;
  /** The port id the kernel gave it: what events caused through this socket carry. */
  readonly portId: number;

  /**
   * @param groups bit n-1 set: member of group n (linux/netfilter/nfnetlink_compat.h)
   * @param prepare what has to be done to the socket before it joins them
   * @throws SystemError when the kernel lacks nfnetlink or CAP_NET_ADMIN is missing
   */
  constructor(groups: number, prepare?: (fd: number) => void) {
    this.fd = native.openSocket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    try {
      prepare?.(this.fd);
      native.bind(this.fd, netlinkAddress(0, groups));
      const name = parseSocketAddress(native.socketName(this.fd));
      this.portId = name.family === 'netlink' ? name.portId : 0;
    } catch (error) {
      native.closeSocket(this.fd);
      throw error;
    }
  }

  /** Receive buffer in bytes, as the kernel reports it: twice what it was given. */
  get receiveBuffer(): number {
    return native.getOption(this.fd, SOL_SOCKET, SO_RCVBUF);
  }

  /**
   * Asks for a receive buffer of `bytes`; the kernel doubles the number. In a user namespace the kernel lets nobody
   * exceed net.core.rmem_max: what it grants then has to do.
   * @returns the effective size
   */
  setReceiveBuffer(bytes: number): number {
    try {
      native.setOption(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes);
    } catch (error) {
      if (!(error instanceof SystemError && error.errno === EPERM)) throw error;
      native.setOption(this.fd, SOL_SOCKET, SO_RCVBUF, bytes);
    }
    return this.receiveBuffer;
  }

  /**
   * NetlinkEventsReliable: whoever causes an event learns that it was not delivered and the kernel tries again;
   * receiving no longer fails with ENOBUFS.
   */
  setReliable(on = true): void {
    native.setOption(this.fd, SOL_NETLINK, NETLINK_BROADCAST_ERROR, on ? 1 : 0);
    native.setOption(this.fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, on ? 1 : 0);
  }

  /** Answers of failed requests carry the request's header only, not all of it. */
  setShortAnswers(): void {
    try {
      native.setOption(this.fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    } catch (error) {
      // Kernels before 4.2 lack the option: answers are longer there, nothing else.
      if (!(error instanceof SystemError && error.errnoName === 'ENOPROTOOPT')) throw error;
    }
  }

  close(): void {
    native.closeSocket(this.fd);
  }
}

/** The error for a failed call on a netfilter socket. @param errno positive */
export function netfilterFailure(call: string, errno: number): SystemError {
  return native.systemError(call, errno, 'netfilter netlink socket');
}
