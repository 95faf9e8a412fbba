import { swap32, type Views } from '../base/views.js';
import { CONTROL, HEADER_BYTES, PROTOCOL_VERSION } from './tables.js';

/** `entries` when the sender does not know, or is in the midst of changes. */
export const ENTRIES_UNKNOWN = 0xffffffff;

/**
 * What a node says of its own flows: an ALIVE with 24 bytes behind its header, all big endian.
 *
 * ```
 * offset  8  magic       "ctd1"
 *        12  life        random, drawn when the daemon starts
 *        16  entries     live flows in the sender's internal cache, ENTRIES_UNKNOWN when it cannot say
 *        20  bulks       bulks of this life that the peers have received whole
 *        24  bulkFrom    number of the first message of the last of them
 *        28  reserved    0
 * ```
 * The original takes such a message for any other ALIVE: it goes by the header's length and looks at nothing behind the
 * header (observed on 1.4.7 with FTFW and NOTRACK: no counter of `-s network` moves, the next message is in sequence).
 */
export class Announcement {
  life = 0;
  entries = ENTRIES_UNKNOWN;
  bulks = 0;
  bulkFrom = 0;
}

/** "ctd1" as a big-endian word. */
const MAGIC = 0x63746431;

/** Bytes of the whole message. */
export const ANNOUNCEMENT_BYTES = 32;

/**
 * Writes an announcement.
 *
 * @param at byte offset, a multiple of 4
 * @param flags ALIVE, with or without those of the hello
 * @returns its bytes
 */
export function encodeAnnouncement(
  { u8, u32 }: Views,
  at: number,
  flags: number,
  sequence: number,
  announcement: Announcement,
): number {
  const { life, entries, bulks, bulkFrom } = announcement;
  u8[at] = (PROTOCOL_VERSION << 4) | CONTROL;
  u8[at + 1] = flags;
  u8[at + 2] = 0;
  u8[at + 3] = ANNOUNCEMENT_BYTES;
  const words = [sequence, MAGIC, life, entries, bulks, bulkFrom, 0];
  for (let word = 0; word < words.length; word++) u32[(at >> 2) + 1 + word] = swap32(words[word]!);
  return ANNOUNCEMENT_BYTES;
}

/**
 * Reads what stands behind the header of an ALIVE.
 *
 * @param at byte offset of the message, of any alignment
 * @param length of the message, header included
 * @returns false when it is no announcement: `into` is untouched then
 */
export function readAnnouncement({ u8 }: Views, at: number, length: number, into: Announcement): boolean {
  if (length < ANNOUNCEMENT_BYTES || wordAt(u8, at + HEADER_BYTES) !== MAGIC) return false;
  into.life = wordAt(u8, at + 12);
  into.entries = wordAt(u8, at + 16);
  into.bulks = wordAt(u8, at + 20);
  into.bulkFrom = wordAt(u8, at + 24);
  return true;
}

function wordAt(u8: Uint8Array, at: number): number {
  return ((u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!) >>> 0;
}
