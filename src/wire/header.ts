import type { Views } from '../base/views.js';
import { BAD_SIZE, INCOMPLETE, OK, type ReadResult, TRUNCATED, WRONG_VERSION } from './counters.js';
import {
  EXPECTATION_DESTROY,
  FLOW_DESTROY,
  HEADER_BYTES,
  HELLO_FLAGS,
  PROTOCOL_VERSION,
  RANGE_FLAGS,
  RANGE_HEADER_BYTES,
} from './tables.js';

/** The header of a message, all numbers in host order. Made once per reader and filled anew for each message. */
export class MessageHeader {
  type = 0;
  flags = 0;
  /** Bytes of the whole message, this header included. */
  length = 0;
  sequence = 0;
  /** First and last sequence of an ACK or NACK; 0 in all other messages. */
  from = 0;
  to = 0;
}

/**
 * Reads a message's header and checks it, in the order of spec/wire.md "Checks on receipt".
 *
 * `OK` and `WRONG_VERSION` leave `header.length` valid: the next message begins there. After any other result the
 * rest of the datagram is worthless. `INCOMPLETE` comes only with `stream`: wait for more bytes.
 *
 * @param at byte offset of the message, of any alignment
 * @param end offset after the last byte received
 * @param stream true on a TCP stream, where a message may arrive in parts
 */
export function readHeader(views: Views, at: number, end: number, header: MessageHeader, stream = false): ReadResult {
  const remaining = end - at;
  if (remaining < HEADER_BYTES) return stream ? INCOMPLETE : TRUNCATED;
  const u8 = views.u8;
  const first = u8[at]!;
  const flags = u8[at + 1]!;
  const length = (u8[at + 2]! << 8) | u8[at + 3]!;
  header.type = first & 0x0f;
  header.flags = flags;
  header.length = length;
  header.sequence = readWord(u8, at + 4);
  header.from = 0;
  header.to = 0;
  if (length === 0) return BAD_SIZE;
  if (length > remaining) return stream ? INCOMPLETE : BAD_SIZE;
  if ((flags & RANGE_FLAGS) !== 0) {
    if (remaining < RANGE_HEADER_BYTES) return TRUNCATED;
    if (length < RANGE_HEADER_BYTES) return BAD_SIZE;
    header.from = readWord(u8, at + 8);
    header.to = readWord(u8, at + 12);
  } else if (length < HEADER_BYTES) return BAD_SIZE;
  return first >>> 4 === PROTOCOL_VERSION ? OK : WRONG_VERSION;
}

/** True for a message that carries a flow or an expectation: a data type, and no flag but those of the hello. */
export function isData(header: MessageHeader): boolean {
  return header.type <= EXPECTATION_DESTROY && (header.flags & ~HELLO_FLAGS) === 0;
}

/** True when the message's type is one of a flow's. */
export function isFlow(type: number): boolean {
  return type <= FLOW_DESTROY;
}

/** True when the message's type is one of an expectation's. */
export function isExpectation(type: number): boolean {
  return type > FLOW_DESTROY && type <= EXPECTATION_DESTROY;
}

function readWord(u8: Uint8Array, at: number): number {
  return ((u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!) >>> 0;
}
