/**
 * Packets of a link in a sealed envelope: encrypted and authenticated with a key that all nodes of the cluster have.
 * Why it is made so: doc/decisions/0007-link-encryption.md.
 *
 *      0        1        2               4                      16               24            32
 *     | 0x20   | 0x01   | length, be16  | life, 12 bytes        | time, be64 ms  | number, be64 | sealed bytes | tag, 16 |
 *
 * The beginning reads as a message of protocol version 2 and of the whole length, so a node without a key skips it and
 * counts a wrong version. All before the sealed bytes is authenticated. Each life of a sender (a start, a new key) has a
 * key of its own, derived from the configured one and 96 random bits, and numbers its packets from 1: no nonce is used
 * twice, whatever happened before a restart.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Views } from '../base/views.js';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LIFE_BYTES = 12;
const LIFE_AT = 4;
const TIME_AT = 16;
const NUMBER_AT = 24;
const HEADER_BYTES = 32;
/** Bytes that sealing adds to a packet. */
export const SEAL_OVERHEAD = HEADER_BYTES + TAG_BYTES;
/** The high nibble is the protocol's version, as in a message; messages have 1 (spec/wire.md). */
const SEALED = 0x20;
const VERSION_MASK = 0xf0;
/** The second byte: AES-256-GCM with keys by HKDF-SHA-256. */
const SUITE = 0x01;
/** What the derived keys are for, RFC 5869 section 3.2. */
const PURPOSE = 'conntrackd link seal 1';
/** The length's field has 16 bits, and what is opened needs room for any. */
export const MOST_SEALED_BYTES = 0xffff;
/** Packets may overtake each other by so many: twice what one system call sends. */
const WINDOW = 1024;
/** Lives that are remembered. Only who has the key begins one. */
const MOST_LIVES = 64;
/** How far the clocks of two nodes may be apart, and how long a packet may be under way. */
const TOLERANCE_MS = 30_000;
/** Packets sealed so long before we started are heard nevertheless: clocks are never quite the same. */
const START_SLACK_MS = 2000;
/** What `open` gives for a packet that is not to be heard. */
export const REFUSED = -1;

/** Whether bytes at `at` begin with an envelope. */
export function isSealed(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & VERSION_MASK) === SEALED;
}

export interface SealClock {
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** What became of packets that were not opened; the names are those of the counters. */
export type Refusal = 'plain' | 'forged' | 'replayed' | 'stale';

/** One life of a sender, as its receivers know it. */
class Life {
  /** Bit n: the number `newest - n` was there. */
  private readonly seen = new Uint32Array(WINDOW / 32);
  private newest = 0;
  heardMs = 0;

  constructor(
    /** The configured key it was derived from. */
    readonly origin: Buffer,
    readonly key: Buffer,
  ) {}

  /** Whether a packet of that number was there before, or may have been. */
  knows(number: number): boolean {
    const age = this.newest - number;
    if (age < 0) return false;
    return age >= WINDOW || (this.seen[(number % WINDOW) >> 5]! & (1 << (number & 31))) !== 0;
  }

  remember(number: number): void {
    if (number - this.newest >= WINDOW) this.seen.fill(0);
    else for (let passed = this.newest + 1; passed <= number; passed++) this.forget(passed);
    this.newest = Math.max(this.newest, number);
    this.seen[(number % WINDOW) >> 5]! |= 1 << (number & 31);
  }

  private forget(number: number): void {
    this.seen[(number % WINDOW) >> 5]! &= ~(1 << (number & 31));
  }
}

/** Seals the packets of a node, and opens those of others. All links with one key share it, and with it the windows. */
export class Seal {
  /** What was opened last: from offset 0. */
  readonly views = new Views(MOST_SEALED_BYTES + 1);
  /** Why the latest packet was refused. */
  refusal: Refusal = 'plain';

  private keys: readonly Buffer[] = [];
  private life: Buffer = Buffer.alloc(0);
  private lifeKey: Buffer = Buffer.alloc(0);
  private number = 0;
  private readonly nonce = Buffer.alloc(NONCE_BYTES);
  private readonly lives = new Map<string, Life>();
  private readonly startedMs: number;

  /** @param keys 32 bytes each: the first seals, all open */
  constructor(
    keys: readonly Uint8Array[],
    private readonly clock: SealClock,
  ) {
    this.startedMs = clock.monotonicMs();
    this.setKeys(keys);
  }

  /** Goes on with other keys; senders whose key is still among them go on undisturbed. */
  setKeys(keys: readonly Uint8Array[]): void {
    const before = this.keys[0];
    this.keys = keys.map((key) => Buffer.from(key));
    for (const [name, life] of this.lives)
      if (!this.keys.some((key) => key.equals(life.origin))) this.lives.delete(name);
    if (before?.equals(this.keys[0]!)) return;
    this.life = randomBytes(LIFE_BYTES);
    this.lifeKey = derive(this.keys[0]!, this.life);
    this.number = 0;
  }

  /**
   * Puts a packet into an envelope.
   * @param to gets `length + SEAL_OVERHEAD` bytes at `toAt`
   * @returns bytes of the envelope
   */
  seal(packet: Uint8Array, at: number, length: number, to: Uint8Array, toAt: number): number {
    const total = length + SEAL_OVERHEAD;
    const envelope = Buffer.from(to.buffer, to.byteOffset + toAt, total);
    envelope[0] = SEALED;
    envelope[1] = SUITE;
    envelope.writeUInt16BE(total, 2);
    this.life.copy(envelope, LIFE_AT);
    writeBig(envelope, this.clock.wallMs(), TIME_AT);
    writeBig(envelope, ++this.number, NUMBER_AT);
    const cipher = createCipheriv(CIPHER, this.lifeKey, this.nonceOf(envelope));
    cipher.setAAD(envelope.subarray(0, HEADER_BYTES));
    envelope.set(cipher.update(packet.subarray(at, at + length)), HEADER_BYTES);
    cipher.final();
    envelope.set(cipher.getAuthTag(), HEADER_BYTES + length);
    return total;
  }

  /**
   * Opens an envelope into `views`.
   * @returns bytes of the packet, or REFUSED, and `refusal` tells why
   */
  open(bytes: Uint8Array, at: number, length: number): number {
    if (length < 1 || !isSealed(bytes, at)) return this.refuse('plain');
    const envelope = Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
    if (length < SEAL_OVERHEAD || length > MOST_SEALED_BYTES || envelope[1] !== SUITE) return this.refuse('forged');
    if (envelope.readUInt16BE(2) !== length) return this.refuse('forged');
    if (this.life.equals(envelope.subarray(LIFE_AT, TIME_AT))) return this.refuse('replayed');
    const sentMs = readBig(envelope, TIME_AT);
    const number = readBig(envelope, NUMBER_AT);
    const name = envelope.toString('latin1', LIFE_AT, TIME_AT);
    const life = this.lives.get(name);
    if (life?.knows(number)) return this.refuse('replayed');
    const opened = life === undefined ? this.openNew(envelope) : this.decrypt(life.key, envelope) ? life : null;
    if (opened === null) return this.refuse('forged');
    // Judged after the tag: only what a node has sealed tells about its clock.
    if (!this.isNow(sentMs, life === undefined)) return this.refuse('stale');
    if (life === undefined && !this.admit(name, opened)) return this.refuse('stale');
    opened.remember(number);
    opened.heardMs = this.clock.monotonicMs();
    return length - SEAL_OVERHEAD;
  }

  private refuse(why: Refusal): number {
    this.refusal = why;
    return REFUSED;
  }

  private openNew(envelope: Buffer): Life | null {
    for (const key of this.keys) {
      const life = new Life(key, derive(key, envelope.subarray(LIFE_AT, TIME_AT)));
      if (this.decrypt(life.key, envelope)) return life;
    }
    return null;
  }

  private decrypt(key: Buffer, envelope: Buffer): boolean {
    const end = envelope.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, this.nonceOf(envelope));
    decipher.setAAD(envelope.subarray(0, HEADER_BYTES));
    decipher.setAuthTag(envelope.subarray(end));
    this.views.u8.set(decipher.update(envelope.subarray(HEADER_BYTES, end)));
    try {
      decipher.final();
      return true;
    } catch {
      // The only reason there is: the tag is not that of these bytes under this key. The caller counts.
      return false;
    }
  }

  /**
   * A packet recorded long ago is no longer heard: not by a receiver that has restarted since, nor by one that has
   * forgotten its sender. What was sealed before we started is refused too, however our clock is set meanwhile.
   */
  private isNow(sentMs: number, isNew: boolean): boolean {
    const ageMs = this.clock.wallMs() - sentMs;
    if (Math.abs(ageMs) > TOLERANCE_MS) return false;
    return !isNew || ageMs <= this.clock.monotonicMs() - this.startedMs + START_SLACK_MS;
  }

  /** A life is forgotten only when all its packets are too old to be heard again. */
  private admit(name: string, life: Life): boolean {
    if (this.lives.size >= MOST_LIVES) {
      const nowMs = this.clock.monotonicMs();
      for (const [other, { heardMs }] of this.lives) {
        if (nowMs - heardMs > 2 * TOLERANCE_MS) this.lives.delete(other);
      }
      if (this.lives.size >= MOST_LIVES) return false;
    }
    this.lives.set(name, life);
    return true;
  }

  private nonceOf(envelope: Buffer): Buffer {
    envelope.copy(this.nonce, NONCE_BYTES - 8, NUMBER_AT, HEADER_BYTES);
    return this.nonce;
  }
}

function derive(key: Buffer, life: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, life, PURPOSE, KEY_BYTES));
}

/** Numbers up to 2^53. */
function writeBig(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4);
}

function readBig(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}
