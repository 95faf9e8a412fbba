import { Views } from '../base/views.js';
import { MAX_MESSAGE_BYTES } from './packer.js';

/** The header that every message begins with (spec/wire.md); its bytes 2-3 are the message's length, big-endian. */
const HEADER_BYTES = 8;
/** What of the header must be there to know the length. */
const LENGTH_KNOWN_BYTES = 4;
/** Bytes of one read: as much as some 90 packets of an Ethernet. */
const READ_BYTES = 128 * 1024;

/** The stream is no sequence of messages (any more). */
export const FRAMING_LOST = -1;

/**
 * Cuts a stream into messages again. What arrives is written behind the beginning of a message that was incomplete
 * before, so that every message is in one piece.
 */
export class MessageStream {
  readonly views: Views;
  private held = 0;

  /** @param most bytes of a message, or of an envelope, which tells its length at the same place */
  constructor(private readonly most = MAX_MESSAGE_BYTES) {
    this.views = new Views((READ_BYTES + most + 3) & ~3);
  }

  /** Byte offset where the next read goes. */
  get at(): number {
    return this.held;
  }

  /** Bytes the next read may have. */
  get room(): number {
    return this.views.u8.length - this.held;
  }

  /** Bytes read and not consumed yet. */
  get length(): number {
    return this.held;
  }

  /** A read has put `bytes` at `at`. */
  append(bytes: number): void {
    this.held += bytes;
  }

  /**
   * Bytes of the complete messages at the beginning of `views`, or FRAMING_LOST: a length below a header's, beyond
   * what a message can have, or not padded to 4, is none. A new connection begins with a message.
   */
  complete(): number {
    const end = this.held;
    let at = 0;
    while (end - at >= LENGTH_KNOWN_BYTES) {
      const length = this.lengthAt(at);
      if (length < HEADER_BYTES || length > this.most || (length & 3) !== 0) return FRAMING_LOST;
      if (length > end - at) break;
      at += length;
    }
    return at;
  }

  /** Length of the message at `at`, as its header has it. */
  lengthAt(at: number): number {
    const { u8 } = this.views;
    return (u8[at + 2]! << 8) | u8[at + 3]!;
  }

  /** The first `bytes` were dealt with. */
  consume(bytes: number): void {
    this.views.u8.copyWithin(0, bytes, this.held);
    this.held -= bytes;
  }

  /** A new stream begins. */
  reset(): void {
    this.held = 0;
  }
}
