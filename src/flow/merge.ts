import { K_IDENTITY_MASK } from './identity.js';
import {
  AF_INET,
  familyOf,
  ID,
  K_DCCP_ROLE,
  K_DNAT,
  K_DPAT,
  K_ID,
  K_MARK,
  K_REPLY,
  K_REPLY_L4,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_TCP_FLAGS_ORIG,
  K_TCP_FLAGS_REPLY,
  K_TIMEOUT,
  K_USE,
  K_VTAG_ORIG,
  K_VTAG_REPLY,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  K_ZONE_REPLY,
  KIND,
  KNOWN,
  MARK,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TCP_WINDOW,
  TIMEOUT,
  USE,
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE_DIR,
} from './layout.js';

const KIND_STATE = 0x00ff0000;
const KIND_ROLE = 0xff000000;
const WSCALE_ORIG = 0x000000ff;
const WSCALE_REPLY = 0x0000ff00;
const FLAGS_ORIG = 0x00ff0000;
const FLAGS_REPLY = 0xff000000;
const DPAT_PORT = 0x0000ffff;
const SPAT_PORT = 0xffff0000;
const ZONE_REPLY_HALF = 0xffff0000;

const K_TCP_WINDOW = K_WSCALE_ORIG | K_WSCALE_REPLY | K_TCP_FLAGS_ORIG | K_TCP_FLAGS_REPLY;
const K_PEER_NAT = K_SNAT | K_DNAT | K_SPAT | K_DPAT;
/** What most updates do not carry; tested with one branch. */
const K_SELDOM = K_PEER_NAT | K_VTAG_ORIG | K_VTAG_REPLY | K_DCCP_ROLE | K_USE | K_ZONE_REPLY;

/**
 * Copies the attributes known at `from[fromAt]` over those of the row at `to[toAt]`; attributes not known there stay,
 * and so does the identity. The aside record is not touched (AsideStore.merge).
 */
export function mergeRow(to: Uint32Array, toAt: number, from: Uint32Array, fromAt: number): void {
  const known = from[fromAt + KNOWN]!;
  if ((known & K_STATUS) !== 0) to[toAt + STATUS] = from[fromAt + STATUS]!;
  if ((known & K_TIMEOUT) !== 0) to[toAt + TIMEOUT] = from[fromAt + TIMEOUT]!;
  if ((known & K_STATE) !== 0) mergeBits(to, toAt + KIND, from[fromAt + KIND]!, KIND_STATE);
  if ((known & K_MARK) !== 0) to[toAt + MARK] = from[fromAt + MARK]!;
  if ((known & K_ID) !== 0) to[toAt + ID] = from[fromAt + ID]!;
  if ((known & K_REPLY) !== 0) {
    copyAddress(to, toAt, from, fromAt, REPLY_SRC);
    copyAddress(to, toAt, from, fromAt, REPLY_DST);
  }
  if ((known & K_REPLY_L4) !== 0) to[toAt + REPLY_L4] = from[fromAt + REPLY_L4]!;
  if ((known & K_TCP_WINDOW) !== 0) {
    mergeBits(to, toAt + TCP_WINDOW, from[fromAt + TCP_WINDOW]!, tcpWindowMask(known));
  }
  if ((known & K_SELDOM) !== 0) mergeSeldom(to, toAt, from, fromAt, known);
  to[toAt + KNOWN] = to[toAt + KNOWN]! | (known & ~K_IDENTITY_MASK);
}

function mergeSeldom(to: Uint32Array, toAt: number, from: Uint32Array, fromAt: number, known: number): void {
  if ((known & K_SNAT) !== 0) copyAddress(to, toAt, from, fromAt, REPLY_DST);
  if ((known & K_DNAT) !== 0) copyAddress(to, toAt, from, fromAt, REPLY_SRC);
  if ((known & K_DPAT) !== 0) mergeBits(to, toAt + REPLY_L4, from[fromAt + REPLY_L4]!, DPAT_PORT);
  if ((known & K_SPAT) !== 0) mergeBits(to, toAt + REPLY_L4, from[fromAt + REPLY_L4]!, SPAT_PORT);
  if ((known & K_VTAG_ORIG) !== 0) to[toAt + VTAG_ORIG] = from[fromAt + VTAG_ORIG]!;
  if ((known & K_VTAG_REPLY) !== 0) to[toAt + VTAG_REPLY] = from[fromAt + VTAG_REPLY]!;
  if ((known & K_DCCP_ROLE) !== 0) mergeBits(to, toAt + KIND, from[fromAt + KIND]!, KIND_ROLE);
  if ((known & K_USE) !== 0) to[toAt + USE] = from[fromAt + USE]!;
  if ((known & K_ZONE_REPLY) !== 0) mergeBits(to, toAt + ZONE_DIR, from[fromAt + ZONE_DIR]!, ZONE_REPLY_HALF);
}

function tcpWindowMask(known: number): number {
  return (
    ((known & K_WSCALE_ORIG) !== 0 ? WSCALE_ORIG : 0) |
    ((known & K_WSCALE_REPLY) !== 0 ? WSCALE_REPLY : 0) |
    ((known & K_TCP_FLAGS_ORIG) !== 0 ? FLAGS_ORIG : 0) |
    ((known & K_TCP_FLAGS_REPLY) !== 0 ? FLAGS_REPLY : 0)
  );
}

function mergeBits(to: Uint32Array, index: number, word: number, mask: number): void {
  to[index] = (to[index]! & ~mask) | (word & mask);
}

/** Copies the address at row word `first`: one word of an IPv4 flow, whose other three are zero, or four. */
function copyAddress(to: Uint32Array, toAt: number, from: Uint32Array, fromAt: number, first: number): void {
  to[toAt + first] = from[fromAt + first]!;
  if (familyOf(to[toAt + KIND]!) === AF_INET) return;
  to[toAt + first + 1] = from[fromAt + first + 1]!;
  to[toAt + first + 2] = from[fromAt + first + 2]!;
  to[toAt + first + 3] = from[fromAt + first + 3]!;
}
