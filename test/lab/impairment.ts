/** What a link does to the frames that cross it. Percentages are of frames, each direction on its own. */
export interface Impairment {
  readonly lossPercent?: number;
  /** Frames that let up to REORDER_DISTANCE later frames overtake them. */
  readonly reorderPercent?: number;
  readonly duplicatePercent?: number;
  /** Frames of which one random bit is flipped. */
  readonly corruptPercent?: number;
  /** Added to every frame, without changing their order. */
  readonly delayMs?: number;
  /** Starts the pseudo-random sequence, so that a run can be repeated. */
  readonly seed?: number;
}

/** Most frames that overtake a reordered one. */
export const REORDER_DISTANCE = 8;
/** Milliseconds after which a held-back frame goes out though nothing overtook it. */
export const REORDER_HOLD_MS = 30;

/** Frames counted by what became of them. */
export interface LinkCounts {
  forwarded: number;
  lost: number;
  reordered: number;
  duplicated: number;
  corrupted: number;
}

/** mulberry32, a 32-bit generator of public domain: numbers in [0, 1). */
export function randomSequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
