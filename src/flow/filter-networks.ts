/** An address or a network. */
export interface FilterNetwork {
  /** 4 or 16 bytes in network order; bits beyond the prefix are of no meaning. */
  readonly address: Uint8Array;
  /** Bits; 32 or 128 for one address. */
  readonly prefixLength: number;
}

/** Odd multipliers with bits well spread (2^32 divided by the golden ratio; MurmurHash3's finaliser). */
const SPREAD = 0x9e3779b1;
const FINISH = 0x85ebca6b;

/**
 * The networks of one prefix length as a hash set of masked addresses. Open addressing, at most half full, so that a
 * look-up costs the same however many there are.
 */
class PrefixSet {
  private readonly used: Uint8Array;
  private readonly keys: Uint32Array;
  private readonly last: number;

  constructor(
    /** The netmask in `width` words of raw network order. */
    private readonly mask: Uint32Array,
    private readonly width: number,
    networks: readonly Uint32Array[],
  ) {
    let slots = 2;
    while (slots < networks.length * 2) slots *= 2;
    this.last = slots - 1;
    this.used = new Uint8Array(slots);
    this.keys = new Uint32Array(slots * width);
    for (const network of networks) this.add(network);
  }

  /** Whether the address that begins at `words[at]` lies in one of the networks. */
  has(words: Uint32Array, at: number): boolean {
    const { used, last } = this;
    let slot = this.slotOf(words, at);
    while (used[slot] === 1) {
      if (this.isAt(slot, words, at)) return true;
      slot = (slot + 1) & last;
    }
    return false;
  }

  private add(network: Uint32Array): void {
    if (this.has(network, 0)) return;
    let slot = this.slotOf(network, 0);
    while (this.used[slot] === 1) slot = (slot + 1) & this.last;
    this.used[slot] = 1;
    for (let word = 0; word < this.width; word++) {
      this.keys[slot * this.width + word] = (network[word]! & this.mask[word]!) >>> 0;
    }
  }

  private slotOf(words: Uint32Array, at: number): number {
    const { mask, width } = this;
    let hash = 0;
    for (let word = 0; word < width; word++) {
      hash = Math.imul(hash ^ (words[at + word]! & mask[word]!), SPREAD);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, FINISH);
    return (hash ^ (hash >>> 13)) & this.last;
  }

  private isAt(slot: number, words: Uint32Array, at: number): boolean {
    const { keys, mask, width } = this;
    const key = slot * width;
    for (let word = 0; word < width; word++) {
      if (keys[key + word] !== (words[at + word]! & mask[word]!) >>> 0) return false;
    }
    return true;
  }
}

/**
 * Addresses and networks of one family. A look-up costs one probe for each prefix length that occurs (most sets know
 * one or two), whatever the number of networks.
 */
export class NetworkSet {
  private readonly prefixes: PrefixSet[] = [];

  /**
   * @param width words of an address: 1 for IPv4, 4 for IPv6
   * @param networks those of the other family are passed over
   */
  constructor(width: 1 | 4, networks: readonly FilterNetwork[]) {
    const mine = networks.filter(({ address }) => address.length === width * 4);
    const lengths = [...new Set(mine.map(({ prefixLength }) => prefixLength))].sort((one, other) => other - one);
    for (const length of lengths) {
      const addresses = mine
        .filter(({ prefixLength }) => prefixLength === length)
        .map(({ address }) => wordsOf(address));
      this.prefixes.push(new PrefixSet(wordsOf(netmask(length, width * 4)), width, addresses));
    }
  }

  /** Whether the address that begins at `words[at]`, raw network order, lies in one of the networks. */
  contains(words: Uint32Array, at: number): boolean {
    const { prefixes } = this;
    for (let index = 0; index < prefixes.length; index++) {
      if (prefixes[index]!.has(words, at)) return true;
    }
    return false;
  }
}

/** The first `length` bits set, in `bytes` bytes of network order. */
export function netmask(length: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => {
    const bits = Math.min(8, Math.max(0, length - index * 8));
    return (0xff << (8 - bits)) & 0xff;
  });
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}
