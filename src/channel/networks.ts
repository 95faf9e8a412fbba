import { AF_INET, AF_INET6 } from '../native/constants.js';
import { interfaceAddresses } from '../native/index.js';

/** An address of this host with the length of its network's prefix. */
export interface OwnAddress {
  /** 4 or 16 bytes, network order. */
  readonly address: Uint8Array;
  readonly prefix: number;
}

/** A record of `interfaceAddresses`: u8 bytes of the address, u8 length of the prefix, then the address. */
const RECORD_BYTES = 18;

/** The addresses of an interface, of all of them for ''. An interface that is not there has none. */
export function addressesOf(name: string): OwnAddress[] {
  const bytes = interfaceAddresses(name);
  const found: OwnAddress[] = [];
  for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
    found.push({ address: bytes.slice(at + 2, at + 2 + bytes[at]!), prefix: bytes[at + 1]! });
  }
  return found;
}

/** Whether both begin with the same `prefix` bits. */
function agree(one: Uint8Array, other: Uint8Array, prefix: number): boolean {
  const whole = prefix >> 3;
  for (let at = 0; at < whole; at++) if (one[at] !== other[at]) return false;
  return (prefix & 7) === 0 || (one[whole]! ^ other[whole]!) >> (8 - (prefix & 7)) === 0;
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && agree(one, other, one.length * 8);
}

/** Whether the address is in the network of one of `own`. */
export function isOnLink(address: Uint8Array, own: readonly OwnAddress[]): boolean {
  // fe80::/10, RFC 4291 section 2.4: never comes from farther away.
  if (address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80) return true;
  return own.some((one) => one.address.length === address.length && agree(address, one.address, one.prefix));
}

/** The address in a raw sockaddr, 4 or 16 bytes; empty for another family. */
export function addressIn(words: Uint32Array, at: number): Uint8Array {
  const family = words[at]! & 0xffff;
  const start = words.byteOffset + at * 4;
  if (family === AF_INET) return new Uint8Array(words.buffer, start + 4, 4);
  if (family === AF_INET6) return new Uint8Array(words.buffer, start + 8, 16);
  return new Uint8Array(0);
}
