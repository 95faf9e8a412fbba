import { AF_INET } from '../native/constants.js';
import { formatSocketAddress, SOCKADDR_IN6_BYTES } from '../native/sockaddr.js';

/** Words of a sockaddr_in6, and of a slot that `receiveBatch` fills. */
export const SOURCE_WORDS = SOCKADDR_IN6_BYTES / 4;

/** Senders that are remembered. A link has a handful; more come only from somebody who forges addresses. */
const MOST_SOURCES = 64;
/**
 * A sender that was heard within this time is not forgotten for a new one, however many come: who forges addresses
 * does not drive out a peer, which says something every second.
 */
const ALIVE_MS = 10_000;

/** The sender is not one of those that may send. */
export const STRANGER = -1;
/** It may, but all that are remembered are alive. */
export const CROWDED = -2;

/** Who may send besides those that `add` was called for. @param at index of the word where the sockaddr begins */
export type Admits = (words: Uint32Array, at: number, nowMs: number) => boolean;

/**
 * Numbers for senders, by address and scope. The port does not count: a peer sends from another one after each restart
 * and is still the same peer. A number is never given to a second address.
 */
export class SourceTable {
  private readonly words = new Uint32Array(MOST_SOURCES * SOURCE_WORDS);
  private readonly numbers = new Int32Array(MOST_SOURCES).fill(STRANGER);
  private readonly lastHeardMs = new Float64Array(MOST_SOURCES);
  private count = 0;
  /** Rows of senders that are expected: they stay. */
  private expected = 0;
  private nextNumber = 0;
  private latest = 0;
  /** Of a clock that never goes back; to be set now and then. */
  nowMs = 0;

  constructor(private readonly admits: Admits = () => true) {}

  /** @param address a raw sockaddr of a sender that is expected. @returns its number */
  add(address: Uint8Array): number {
    const words = new Uint32Array(SOURCE_WORDS);
    new Uint8Array(words.buffer).set(address);
    const known = this.search(words, 0);
    if (known >= 0) return this.numbers[known]!;
    this.expected++;
    return this.insert(words, 0, this.count++);
  }

  /** @param at index of the word where the sender's sockaddr begins. @returns its number, STRANGER or CROWDED */
  identify(words: Uint32Array, at: number): number {
    const row = this.matches(this.latest, words, at) ? this.latest : this.search(words, at);
    if (row < 0) return this.admits(words, at, this.nowMs) ? this.meet(words, at) : STRANGER;
    this.latest = row;
    this.lastHeardMs[row] = this.nowMs;
    return this.numbers[row]!;
  }

  /** The address behind a number, with the port it was first heard from. */
  name(number: number): string {
    const row = this.numbers.indexOf(number);
    if (number < 0 || row < 0) return 'unknown sender';
    const at = row * SOURCE_WORDS * 4;
    return formatSocketAddress(new Uint8Array(this.words.buffer, at, SOCKADDR_IN6_BYTES));
  }

  /** struct sockaddr_in: address in word 1. struct sockaddr_in6: address in words 2-5, scope in word 6. */
  private matches(row: number, words: Uint32Array, at: number): boolean {
    const known = this.words;
    const base = row * SOURCE_WORDS;
    const family = words[at]! & 0xffff;
    if ((known[base]! & 0xffff) !== family) return false;
    if (family === AF_INET) return known[base + 1] === words[at + 1];
    return (
      known[base + 2] === words[at + 2] &&
      known[base + 3] === words[at + 3] &&
      known[base + 4] === words[at + 4] &&
      known[base + 5] === words[at + 5] &&
      known[base + 6] === words[at + 6]
    );
  }

  private search(words: Uint32Array, at: number): number {
    for (let row = 0; row < this.count; row++) if (this.matches(row, words, at)) return row;
    return -1;
  }

  private meet(words: Uint32Array, at: number): number {
    if (this.count < MOST_SOURCES) return this.insert(words, at, this.count++);
    let oldest = this.expected;
    for (let row = oldest; row < MOST_SOURCES; row++) {
      if (this.lastHeardMs[row]! < this.lastHeardMs[oldest]!) oldest = row;
    }
    if (this.nowMs - this.lastHeardMs[oldest]! < ALIVE_MS) return CROWDED;
    return this.insert(words, at, oldest);
  }

  private insert(words: Uint32Array, at: number, row: number): number {
    this.words.set(words.subarray(at, at + SOURCE_WORDS), row * SOURCE_WORDS);
    this.numbers[row] = this.nextNumber++;
    this.lastHeardMs[row] = this.nowMs;
    this.latest = row;
    return this.numbers[row]!;
  }
}
