import { LONGEST_ADDRESS, SPOILED, writeIpv4, writeIpv6 } from '../base/address.js';
import { AF_INET } from './layout.js';

/** An ASCII text as the words `TextBuffer.literal` writes, made once for what is written often. */
export class Literal {
  /** Little-endian words, the last one padded with zeros. */
  readonly words: Uint32Array;
  /** Bytes of the text. */
  readonly length: number;

  constructor(text: string) {
    const bytes = new Uint8Array((text.length + 3) & ~3);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    this.words = new Uint32Array(bytes.buffer);
    this.length = text.length;
  }
}

/** A literal of an ASCII text. */
export function ascii(text: string): Literal {
  return new Literal(text);
}

/** Longest number `decimal` writes: 2^53 has 16 digits. */
const LONGEST_NUMBER = 16;
const ZERO = 0x30;
const BLANK = 0x20;
const LETTER_A_MINUS_TEN = 0x57;

/**
 * Text as bytes, for dumps and logs. No strings on the way: a dump of a million flows makes none.
 *
 * Grows by doubling. It has no limit of its own; whoever fills it looks at `length` after each flow and passes the
 * bytes on (`take`), so that it stays at a chunk and one line.
 */
export class TextBuffer {
  /** The text; valid up to `length`. Another array after it grew. */
  bytes: Uint8Array;
  /** Bytes written. */
  length = 0;
  private view: DataView;
  /** Bytes that may be written; those behind serve the stores of whole words. */
  private room: number;

  constructor(initialBytes = 4096) {
    this.room = initialBytes;
    this.bytes = new Uint8Array(initialBytes + SPOILED);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` bytes more. */
  reserve(count: number): void {
    const wanted = this.length + count;
    if (wanted > this.room) this.grow(wanted);
  }

  private grow(wanted: number): void {
    this.room = Math.max(wanted, this.room * 2);
    const grown = new Uint8Array(this.room + SPOILED);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  /** Forgets the text, keeps the memory. */
  clear(): void {
    this.length = 0;
  }

  /** A copy of the text, which is then forgotten. */
  take(): Uint8Array {
    const copy = this.bytes.slice(0, this.length);
    this.length = 0;
    return copy;
  }

  /** The text as a string (each byte a character: latin1). For the log and for tests. */
  toString(): string {
    let text = '';
    for (let at = 0; at < this.length; at++) text += String.fromCharCode(this.bytes[at]!);
    return text;
  }

  /** One byte. */
  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** A piece of text made with `ascii`, in whole words: what is too much the next piece overwrites. */
  literal(text: Literal): void {
    const start = this.length;
    const end = start + text.length;
    if (end > this.room) this.grow(end);
    const view = this.view;
    const words = text.words;
    for (let i = 0; i < words.length; i++) view.setUint32(start + i * 4, words[i]!, true);
    this.length = end;
  }

  /** A string; characters beyond latin1 become `?`. For what is rare. */
  text(text: string): void {
    const length = text.length;
    this.reserve(length);
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      this.bytes[this.length++] = code < 0x100 ? code : 0x3f;
    }
  }

  /** A number of 0 to 2^53, in decimal. */
  decimal(value: number): void {
    this.reserve(LONGEST_NUMBER);
    this.digits(value, value < 100_000 ? smallDigits(value) : largeDigits(value));
  }

  /** A number of 0 to 2^53 in decimal, at least `width` wide, blanks before it (`%*u`). */
  decimalPadded(value: number, width: number): void {
    const count = value < 100_000 ? smallDigits(value) : largeDigits(value);
    this.reserve(Math.max(width, LONGEST_NUMBER));
    for (let i = count; i < width; i++) this.bytes[this.length++] = BLANK;
    this.digits(value, count);
  }

  private digits(value: number, count: number): void {
    const bytes = this.bytes;
    const end = this.length + count;
    let rest = value;
    let at = end - 1;
    // Beyond 32 bits division is floating-point work; below it is not.
    for (; rest > 0xffffffff; at--) {
      const quotient = Math.floor(rest / 10);
      bytes[at] = ZERO + (rest - quotient * 10);
      rest = quotient;
    }
    for (let small = rest >>> 0; at >= this.length; at--) {
      const quotient = (small / 10) >>> 0;
      bytes[at] = ZERO + (small - quotient * 10);
      small = quotient;
    }
    this.length = end;
  }

  /** A number of 32 bits in lower-case hexadecimal, without leading zeros (`%x`). */
  hex(value: number): void {
    this.reserve(8);
    let shift = value === 0 ? 0 : (31 - Math.clz32(value)) & ~3;
    for (; shift >= 0; shift -= 4) {
      const digit = (value >>> shift) & 0xf;
      this.bytes[this.length++] = digit < 10 ? ZERO + digit : LETTER_A_MINUS_TEN + digit;
    }
  }

  /** An address in inet_ntop form; `words[from...]` in raw network order. Nothing for an unknown family. */
  address(family: number, words: Uint32Array, from: number): void {
    this.reserve(LONGEST_ADDRESS);
    this.length =
      family === AF_INET
        ? writeIpv4(this.view, this.length, words[from]!)
        : writeIpv6(this.view, this.length, words, from);
  }
}

function smallDigits(value: number): number {
  if (value < 100) return value < 10 ? 1 : 2;
  if (value < 10_000) return value < 1000 ? 3 : 4;
  return 5;
}

function largeDigits(value: number): number {
  let count = 6;
  for (let limit = 1_000_000; value >= limit && count < LONGEST_NUMBER; limit *= 10) count += 1;
  return count;
}
