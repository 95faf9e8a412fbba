/** What the sockets of all channels have in common. */
import { SystemError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import {
  AF_INET,
  AF_INET6,
  EPERM,
  SO_BINDTODEVICE,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOL_SOCKET,
} from '../native/constants.js';
import { getOption, openSocket, setOption, socketName } from '../native/index.js';
import { inet6Address, inetAddress, parseSocketAddress } from '../native/sockaddr.js';
import type { ChannelKind, ChannelOptions } from './channel.js';

/** Bytes of an IPv6 address; what has another length is IPv4. */
const INET6_BYTES = 16;

/** AF_INET or AF_INET6, after the length of an address. */
export function familyOf(address: Uint8Array): number {
  return address.length === INET6_BYTES ? AF_INET6 : AF_INET;
}

/** fe80::/10, RFC 4291 section 2.4, and ff02::/16 and ff01::/16, RFC 4291 section 2.7: valid on one link only. */
export function isLinkScoped(address: Uint8Array): boolean {
  if (address[0] === 0xff) return (address[1]! & 0x0f) <= 2;
  return address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

/**
 * The raw sockaddr of an address and port.
 *
 * @param interfaceIndex the scope of an IPv6 address that needs one. Others must not carry it: the kernel reports their
 *   senders with scope 0, and they would not be recognised.
 */
export function endpoint(address: Uint8Array, port: number, interfaceIndex: number): Uint8Array {
  if (familyOf(address) === AF_INET) return inetAddress(address, port);
  return inet6Address(address, port, isLinkScoped(address) ? interfaceIndex : 0);
}

/** Where a receiver listens: the link's own address, or all addresses of the peer's family. */
export function localEndpoint(options: ChannelOptions, interfaceIndex: number): Uint8Array {
  const { localAddress, peerAddress, port } = options;
  return endpoint(localAddress ?? new Uint8Array(peerAddress.length), port, interfaceIndex);
}

/** A socket for the family of `address`; `keep` is told the descriptor at once, so that a failure later can close it. */
export function socketFor(address: Uint8Array, type: number, keep: (fd: number) => void): number {
  const fd = openSocket(familyOf(address), type, 0);
  keep(fd);
  return fd;
}

/** Whether the link has one peer with an address, and not a group. */
export function isPeerToPeer(kind: ChannelKind): boolean {
  return kind !== 'multicast';
}

/** The port of a socket; 0: it has none yet. */
export function portOf(fd: number): number {
  const name = parseSocketAddress(socketName(fd));
  return 'port' in name ? name.port : 0;
}

/** Only what arrives on that interface reaches the socket. */
export function bindToInterface(fd: number, name: string): void {
  setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode(`${name}\0`));
}

/** The two socket buffers: which option has no limit, which one has, which reports, and which sysctl sets the limit. */
const BUFFERS = {
  send: { force: SO_SNDBUFFORCE, plain: SO_SNDBUF, clause: 'SndSocketBuffer', limit: 'net.core.wmem_max' },
  receive: { force: SO_RCVBUFFORCE, plain: SO_RCVBUF, clause: 'RcvSocketBuffer', limit: 'net.core.rmem_max' },
} as const;

/**
 * Sets a socket buffer to `bytes`, beyond the system's limit when that is permitted (CAP_NET_ADMIN), else up to it with
 * a warning.
 *
 * @param bytes null leaves the system's default
 * @returns the effective size, which the kernel doubles
 */
export function sizeBuffer(fd: number, which: keyof typeof BUFFERS, bytes: number | null, log: Logger): number {
  const { force, plain, clause, limit } = BUFFERS[which];
  if (bytes !== null) {
    try {
      setOption(fd, SOL_SOCKET, force, bytes);
    } catch (error) {
      if (!(error instanceof SystemError && error.errno === EPERM)) throw error;
      setOption(fd, SOL_SOCKET, plain, bytes);
      const effective = getOption(fd, SOL_SOCKET, plain);
      log.warning(
        `${clause} ${bytes} needs CAP_NET_ADMIN; without it ${limit} is the limit, now ${effective / 2} bytes`,
      );
    }
  }
  return getOption(fd, SOL_SOCKET, plain);
}
