/**
 * How many flows each address, or each service, has: open addressing over one typed array, because a survey of a large
 * cache meets tens of thousands of them within milliseconds and must leave nothing behind to collect.
 *
 * ```
 * entry  word 0     kind of the key, never 0: 0 is an empty place
 *        words 1-4  the rest of the key: an address in raw network order, or a port
 *        word 5     flows
 *        word 6     flows that are new
 *        word 7     flows without an answer
 * ```
 */
const ENTRY_WORDS = 8;
const FLOWS = 5;
const RECENT = 6;
const UNANSWERED = 7;

/** One of those with the most flows. */
export interface Talker {
  /** Words 0 to 4. */
  readonly key: Uint32Array;
  readonly flows: number;
  readonly recent: number;
  readonly unanswered: number;
}

export class TalkerTable {
  private readonly words: Uint32Array;
  private readonly mask: number;
  private count = 0;

  /**
   * @param most keys that may come. Room that is not used costs no memory: the kernel gives it page by page
   * @param seed nobody outside knows it: whoever sends packets chooses addresses, and must not choose colliding ones
   */
  constructor(
    most: number,
    private readonly seed: number,
  ) {
    // At most three quarters of the places are taken, so that a search is short.
    const places = 2 ** Math.ceil(Math.log2((Math.max(1, most) * 4) / 3));
    this.words = new Uint32Array(places * ENTRY_WORDS);
    this.mask = places - 1;
  }

  /** Different keys met. */
  get size(): number {
    return this.count;
  }

  /** Counts one flow. `isRecent` and `isUnanswered` are 0 or 1. */
  add(
    kind: number,
    first: number,
    second: number,
    third: number,
    fourth: number,
    isRecent: number,
    isUnanswered: number,
  ): void {
    const at = this.place(kind, first, second, third, fourth);
    const words = this.words;
    if (words[at] === 0) {
      this.count++;
      words[at] = kind;
      words[at + 1] = first;
      words[at + 2] = second;
      words[at + 3] = third;
      words[at + 4] = fourth;
    }
    words[at + FLOWS] = words[at + FLOWS]! + 1;
    words[at + RECENT] = words[at + RECENT]! + isRecent;
    words[at + UNANSWERED] = words[at + UNANSWERED]! + isUnanswered;
  }

  /** The `most` keys with the most flows, the greatest first; equals by their key, so that a list does not flicker. */
  top(most: number): Talker[] {
    const { words } = this;
    let best: number[] = [];
    let worst = -1;
    for (let at = 0; at < words.length; at += ENTRY_WORDS) {
      if (words[at] === 0 || (worst >= 0 && this.order(at, worst) > 0)) continue;
      best.push(at);
      if (best.length < most * 4) continue;
      best = best.sort((a, b) => this.order(a, b)).slice(0, most);
      worst = best.at(-1)!;
    }
    best = best.sort((a, b) => this.order(a, b)).slice(0, most);
    return best.map((at) => ({
      key: words.slice(at, at + FLOWS),
      flows: words[at + FLOWS]!,
      recent: words[at + RECENT]!,
      unanswered: words[at + UNANSWERED]!,
    }));
  }

  private order(a: number, b: number): number {
    const { words } = this;
    let difference = words[b + FLOWS]! - words[a + FLOWS]!;
    for (let word = 0; word < FLOWS && difference === 0; word++) difference = words[a + word]! - words[b + word]!;
    return difference;
  }

  /** Where the key is, or the empty place where it goes. */
  private place(kind: number, first: number, second: number, third: number, fourth: number): number {
    const { words, mask } = this;
    let hash = mix(this.seed ^ kind, first);
    hash = mix(hash, second);
    hash = mix(hash, third);
    hash = mix(hash, fourth);
    for (let number = (hash ^ (hash >>> 16)) & mask; ; number = (number + 1) & mask) {
      const at = number * ENTRY_WORDS;
      if (words[at] === 0) return at;
      if (
        words[at + 1] === first &&
        words[at] === kind &&
        words[at + 2] === second &&
        words[at + 3] === third &&
        words[at + 4] === fourth
      ) {
        return at;
      }
    }
  }
}

/** A step of MurmurHash3's body and finalizer (public domain, Austin Appleby). */
function mix(hash: number, word: number): number {
  const scrambled = Math.imul(word ^ hash, 0x85ebca6b);
  return Math.imul(scrambled ^ (scrambled >>> 15), 0xc2b2ae35);
}
