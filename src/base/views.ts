/**
 * One block of memory seen through 8, 16 and 32-bit windows. Codecs read the kernel's and the peer's bytes in place
 * through these; no copy, no object per message.
 *
 * 16 and 32-bit windows use the host's byte order. The project runs on little-endian hosts only (doc/decisions), so
 * big-endian fields are either copied as they are (addresses, ports: "raw network order") or swapped with `swap32`.
 */
export class Views {
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;

  /** @param bytes size of the block, a multiple of 4 */
  constructor(source: number | ArrayBuffer) {
    this.buffer = typeof source === 'number' ? new ArrayBuffer(source) : source;
    this.u8 = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.u32 = new Uint32Array(this.buffer);
  }

  /** A block that holds a copy of `bytes`, padded with zeros to a multiple of 4. */
  static of(bytes: Uint8Array): Views {
    const views = new Views((bytes.length + 3) & ~3);
    views.u8.set(bytes);
    return views;
  }
}

/** Reverses the bytes of a 32-bit word; the result is unsigned. */
export function swap32(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** Reverses the bytes of a 16-bit word. */
export function swap16(word: number): number {
  return ((word & 0xff) << 8) | ((word >>> 8) & 0xff);
}
