import type { Random } from '../test/simulation/random.js';

/** Something that takes bytes from outside, and what must hold of it whatever the bytes are. */
export interface FuzzTarget {
  readonly name: string;
  /** Genuine inputs to begin with. */
  seeds(): Uint8Array[];
  /** Source files whose coverage counts, as beginnings of paths: `src/wire/`. */
  readonly covers: readonly string[];
  /** Longest input that is tried. */
  readonly longestBytes: number;
  /** A change that keeps the input's structure; what changes single bytes is the engine's. */
  mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array;
  /** Takes an input. Throws when something does not hold. */
  run(input: Uint8Array): void | Promise<void>;
}
