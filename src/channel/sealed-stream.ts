import type { Packer } from './packer.js';
import { SEAL_OVERHEAD, type Seal } from './seal.js';
import type { SecurityStatistics } from './security.js';

/** As much as some 90 packets of an Ethernet, or one of the loopback's. */
const BLOCK_BYTES = 128 * 1024;

/**
 * Envelopes that a stream is taking: an envelope that was begun has to be sent to its end as it is, since sealing the
 * packet again gives other bytes. What is here when the connection breaks is lost, as is what the kernel has of it.
 */
export class SealedStream {
  private readonly block = new Uint8Array(BLOCK_BYTES);
  private begin = 0;
  private end = 0;

  constructor(
    private readonly seal: Seal,
    private readonly security: SecurityStatistics,
  ) {}

  get buffer(): ArrayBuffer {
    return this.block.buffer;
  }

  /** Byte offset of what is to be sent next. */
  get at(): number {
    return this.begin;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.end - this.begin;
  }

  /** Seals as many of the packets as there is room for, and takes them from the packer. @returns how many */
  take(packer: Packer): number {
    const { offsets, lengths, first, pending } = packer;
    let count = 0;
    this.clear();
    while (count < pending && this.end + lengths[first + count]! + SEAL_OVERHEAD <= BLOCK_BYTES) {
      const at = offsets[first + count]!;
      this.end += this.seal.seal(packer.views.u8, at, lengths[first + count]!, this.block, this.end);
      count++;
    }
    packer.sent(count);
    this.security.sealed += count;
    return count;
  }

  sent(bytes: number): void {
    this.begin += bytes;
  }

  clear(): void {
    this.begin = 0;
    this.end = 0;
  }
}
