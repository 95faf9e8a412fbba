import {
  AF_INET,
  familyOf,
  K_ORIG,
  K_ORIG_L4,
  K_ZONE,
  K_ZONE_ORIG,
  KIND,
  KNOWN,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  ZONE,
  ZONE_DIR,
} from './layout.js';

/**
 * What makes two flows the same (spec/sync.md "Caches"): family, layer 4 protocol, original addresses, original ports
 * (or ICMP triple, or keys), zone.
 *
 * The zone is the one of both directions, or, when the kernel reported none, the one of the original direction: two
 * flows may share an original tuple only in different original zones (nf_conntrack_core.c keys the original tuple
 * by the zone of its own direction).
 */

/** Family and layer 4 protocol of a KIND word; state and role do not identify. */
const KIND_IDENTITY = 0xffff;
const ZONE_HALF = 0xffff;

/** The K_ bits that describe the identity. An update cannot change them. */
export const K_IDENTITY_MASK = K_ORIG | K_ORIG_L4 | K_ZONE | K_ZONE_ORIG;

/** Zone that identifies the flow at `words[at]`; 0 when none is known. */
export function identityZone(words: Uint32Array, at: number): number {
  const known = words[at + KNOWN]!;
  if ((known & (K_ZONE | K_ZONE_ORIG)) === 0) return 0;
  return (known & K_ZONE) !== 0 ? words[at + ZONE]! & ZONE_HALF : words[at + ZONE_DIR]! & ZONE_HALF;
}

/** Original ports, keys or ICMP triple as they identify; 0 when not known. */
function identityPorts(words: Uint32Array, at: number): number {
  return (words[at + KNOWN]! & K_ORIG_L4) !== 0 ? words[at + ORIG_L4]! : 0;
}

/** Whether the flows at `a[aAt]` and `b[bAt]` are the same one. */
export function sameIdentity(a: Uint32Array, aAt: number, b: Uint32Array, bAt: number): boolean {
  const kind = a[aAt + KIND]!;
  if (((kind ^ b[bAt + KIND]!) & KIND_IDENTITY) !== 0) return false;
  if (a[aAt + ORIG_SRC] !== b[bAt + ORIG_SRC] || a[aAt + ORIG_DST] !== b[bAt + ORIG_DST]) return false;
  if (identityPorts(a, aAt) !== identityPorts(b, bAt)) return false;
  if (identityZone(a, aAt) !== identityZone(b, bAt)) return false;
  return familyOf(kind) === AF_INET || sameAddressTails(a, aAt, b, bAt);
}

/** Words 1-3 of the original addresses, which only IPv6 has. */
function sameAddressTails(a: Uint32Array, aAt: number, b: Uint32Array, bAt: number): boolean {
  for (let word = 1; word < 4; word++) {
    if (a[aAt + ORIG_SRC + word] !== b[bAt + ORIG_SRC + word]) return false;
    if (a[aAt + ORIG_DST + word] !== b[bAt + ORIG_DST + word]) return false;
  }
  return true;
}

/** Turns an identity into a signed 32-bit number that is equal for equal identities. */
export interface IdentityHash {
  of(words: Uint32Array, at: number): number;
}

/**
 * The hash of the tables. Whoever can send packets chooses tuples, and must not be able to choose tuples that collide,
 * so the multipliers are secrets of the process. Each word passes multiply, fold, multiply: the well-known
 * seed-independent collisions of multiply-and-rotate hashes (a difference in the top bit travels through an odd
 * multiplier unchanged, and the next word cancels it) are spread by the second secret multiplier before the next word
 * can cancel them.
 */
export class SeededHash implements IdentityHash {
  readonly #start: number;
  readonly #first: number;
  readonly #second: number;

  /** @param seed 32 bits nobody outside the process knows */
  constructor(seed: number) {
    this.#start = scramble(seed);
    this.#first = scramble(this.#start) | 1;
    this.#second = scramble(this.#first) | 1;
  }

  of(words: Uint32Array, at: number): number {
    const first = this.#first;
    const second = this.#second;
    const kind = words[at + KIND]!;
    let hash = mix(this.#start ^ ((kind & KIND_IDENTITY) | (identityZone(words, at) << 16)), first, second);
    hash = mix(hash ^ identityPorts(words, at), first, second);
    hash = mix(hash ^ words[at + ORIG_SRC]!, first, second);
    hash = mix(hash ^ words[at + ORIG_DST]!, first, second);
    if (familyOf(kind) !== AF_INET) {
      for (let word = 1; word < 4; word++) {
        hash = mix(hash ^ words[at + ORIG_SRC + word]!, first, second);
        hash = mix(hash ^ words[at + ORIG_DST + word]!, first, second);
      }
    }
    return hash ^ (hash >>> 16);
  }
}

function mix(word: number, first: number, second: number): number {
  const product = Math.imul(word, first);
  return Math.imul(product ^ (product >>> 15), second);
}

/** The finalizer of MurmurHash3 (public domain, Austin Appleby), after a step of the golden ratio for seed 0. */
function scramble(seed: number): number {
  let word = (seed + 0x9e3779b9) | 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
