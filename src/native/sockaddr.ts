/**
 * Socket addresses as the kernel takes them: raw bytes of a struct sockaddr. The family, interface indices and netlink
 * port ids are in host order (little-endian, see index.ts), ports and addresses in network order.
 */
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX } from './constants.js';

/** sizeof(struct sockaddr_in), netinet/in.h */
export const SOCKADDR_IN_BYTES = 16;
/** sizeof(struct sockaddr_in6), netinet/in.h; also the size of a source slot of `receiveBatch` */
export const SOCKADDR_IN6_BYTES = 28;
/** sizeof(struct sockaddr_nl), linux/netlink.h */
const SOCKADDR_NL_BYTES = 12;
/** sizeof(struct sockaddr_ll), linux/if_packet.h */
const SOCKADDR_LL_BYTES = 20;
/** Longest path of struct sockaddr_un with its NUL, sys/un.h: sun_path[108] */
export const UNIX_PATH_MAX = 108;

/** A socket address taken apart. Addresses are bytes in network order. */
export type SocketAddress =
  | { family: 'inet'; address: Uint8Array; port: number }
  | { family: 'inet6'; address: Uint8Array; port: number; scope: number }
  | { family: 'netlink'; portId: number; groups: number }
  | { family: 'unix'; path: string }
  | { family: 'packet'; protocol: number; interfaceIndex: number; address: Uint8Array }
  | { family: 'unknown'; number: number };

/**
 * struct sockaddr_in (netinet/in.h): u16 family, be16 port, 4 bytes address, 8 bytes zero.
 * @param address 4 bytes, network order
 */
export function inetAddress(address: Uint8Array, port: number): Uint8Array {
  const { bytes, view } = start(SOCKADDR_IN_BYTES, AF_INET);
  view.setUint16(2, port);
  bytes.set(address.subarray(0, 4), 4);
  return bytes;
}

/**
 * struct sockaddr_in6 (netinet/in.h): u16 family, be16 port, be32 flow info, 16 bytes address, u32 scope.
 * @param address 16 bytes, network order
 * @param scope interface index, needed for link-local addresses; else 0
 */
export function inet6Address(address: Uint8Array, port: number, scope: number): Uint8Array {
  const { bytes, view } = start(SOCKADDR_IN6_BYTES, AF_INET6);
  view.setUint16(2, port);
  bytes.set(address.subarray(0, 16), 8);
  view.setUint32(24, scope, true);
  return bytes;
}

/**
 * struct sockaddr_nl (linux/netlink.h): u16 family, u16 zero, u32 port id, u32 groups.
 * @param portId 0 lets the kernel choose when binding and means the kernel when sending
 * @param groups bit n-1 is group n; groups above 32 need NETLINK_ADD_MEMBERSHIP
 */
export function netlinkAddress(portId = 0, groups = 0): Uint8Array {
  const { bytes, view } = start(SOCKADDR_NL_BYTES, AF_NETLINK);
  view.setUint32(4, portId, true);
  view.setUint32(8, groups, true);
  return bytes;
}

/**
 * struct sockaddr_un (sys/un.h): u16 family, path with its NUL.
 * @throws RangeError when the path is too long for the kernel
 */
export function unixAddress(path: string): Uint8Array {
  const text = new TextEncoder().encode(path);
  if (text.length >= UNIX_PATH_MAX) {
    throw new RangeError(`the socket path ${path} has ${text.length} bytes; the kernel takes ${UNIX_PATH_MAX - 1}`);
  }
  const { bytes } = start(2 + text.length + 1, AF_UNIX);
  bytes.set(text, 2);
  return bytes;
}

/**
 * struct sockaddr_ll (linux/if_packet.h): u16 family, be16 protocol, s32 interface index, u16 hardware type, u8 packet
 * type, u8 address length, 8 bytes address.
 * @param protocol an ETH_P_ number
 * @param address hardware address to send to, at most 8 bytes; empty for binding
 */
export function packetAddress(protocol: number, interfaceIndex: number, address = new Uint8Array(0)): Uint8Array {
  const { bytes, view } = start(SOCKADDR_LL_BYTES, AF_PACKET);
  view.setUint16(2, protocol);
  view.setInt32(4, interfaceIndex, true);
  bytes[11] = address.length;
  bytes.set(address.subarray(0, 8), 12);
  return bytes;
}

/** Takes an address apart. Bytes that are too short for their family give `unknown`. */
export function parseSocketAddress(bytes: Uint8Array): SocketAddress {
  if (bytes.length < 2) return { family: 'unknown', number: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = view.getUint16(0, true);
  if (number === AF_INET && bytes.length >= SOCKADDR_IN_BYTES) {
    return { family: 'inet', address: bytes.slice(4, 8), port: view.getUint16(2) };
  }
  if (number === AF_INET6 && bytes.length >= SOCKADDR_IN6_BYTES) {
    return {
      family: 'inet6',
      address: bytes.slice(8, 24),
      port: view.getUint16(2),
      scope: view.getUint32(24, true),
    };
  }
  if (number === AF_NETLINK && bytes.length >= SOCKADDR_NL_BYTES) {
    return { family: 'netlink', portId: view.getUint32(4, true), groups: view.getUint32(8, true) };
  }
  if (number === AF_PACKET && bytes.length >= SOCKADDR_LL_BYTES) return parsePacketAddress(bytes, view);
  if (number === AF_UNIX) return { family: 'unix', path: unixPath(bytes) };
  return { family: 'unknown', number };
}

/** An address for people: `192.0.2.1:3780`, `[fe80::1%2]:3780`, `/run/conntrackd.ctl`, `netlink port 12 groups 0x7`. */
export function formatSocketAddress(bytes: Uint8Array): string {
  const parsed = parseSocketAddress(bytes);
  switch (parsed.family) {
    case 'inet':
      return `${parsed.address.join('.')}:${parsed.port}`;
    case 'inet6':
      return `[${formatInet6(parsed.address)}${parsed.scope === 0 ? '' : `%${parsed.scope}`}]:${parsed.port}`;
    case 'netlink':
      return `netlink port ${parsed.portId} groups 0x${parsed.groups.toString(16)}`;
    case 'unix':
      return parsed.path === '' ? 'unnamed UNIX socket' : parsed.path;
    case 'packet':
      return `packet protocol 0x${parsed.protocol.toString(16)} interface ${parsed.interfaceIndex}`;
    case 'unknown':
      return `address of family ${parsed.number}`;
  }
}

function start(size: number, family: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  return { bytes, view };
}

function parsePacketAddress(bytes: Uint8Array, view: DataView): SocketAddress {
  return {
    family: 'packet',
    protocol: view.getUint16(2),
    interfaceIndex: view.getInt32(4, true),
    address: bytes.slice(12, 12 + Math.min(bytes[11]!, 8)),
  };
}

/** An abstract name (first byte 0) is shown with `@` as ss(8) does. */
function unixPath(bytes: Uint8Array): string {
  const abstract = bytes.length > 2 && bytes[2] === 0 && bytes.length > 3;
  const from = abstract ? 3 : 2;
  const nul = bytes.indexOf(0, from);
  const end = nul < 0 || abstract ? bytes.length : nul;
  return (abstract ? '@' : '') + new TextDecoder().decode(bytes.subarray(from, end));
}

/** Text of an IPv6 address, RFC 5952: lower case, the longest run of two or more zero groups as `::`. */
export function formatInet6(address: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((address[i]! << 8) | address[i + 1]!);
  let longest = { at: 0, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === 0) length++;
    if (length > longest.length) longest = { at, length };
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (longest.length < 2) return text(groups);
  return `${text(groups.slice(0, longest.at))}::${text(groups.slice(longest.at + longest.length))}`;
}
