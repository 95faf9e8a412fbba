import type { Random } from '../test/simulation/random.js';

/** Numbers at which lengths, counts and signs change their meaning. */
const EDGES = [0, 1, 3, 4, 5, 7, 8, 0x0f, 0x10, 0x1f, 0x7f, 0x80, 0xfe, 0xff];
/** Bytes put in or taken out at a time. */
const LONGEST_PIECE = 32;

type Change = (bytes: Uint8Array, at: number, random: Random) => Uint8Array;

const CHANGES: readonly Change[] = [
  (bytes, at, random) => bytes.with(at, bytes[at]! ^ (1 << random.between(0, 7))),
  (bytes, at, random) => bytes.with(at, random.between(0, 255)),
  (bytes, at, random) => bytes.with(at, random.pick(EDGES)),
  (bytes, at, random) => bytes.with(at, (bytes[at]! + random.between(-4, 4)) & 0xff),
  (bytes, at) => bytes.slice(0, at),
  (bytes, at, random) => without(bytes, at, random.between(1, LONGEST_PIECE)),
  (bytes, at, random) => inserted(bytes, at, bytes.slice(at, at + random.between(1, LONGEST_PIECE))),
  (bytes, at, random) => inserted(bytes, at, new Uint8Array(random.between(1, 8)).fill(random.pick(EDGES))),
  (bytes, at, random) => {
    const copy = bytes.slice();
    const to = random.between(0, bytes.length - 1);
    copy.set(bytes.subarray(at, Math.min(at + LONGEST_PIECE, at + bytes.length - to)), to);
    return copy;
  },
];

/** One change of plain bytes. Never changes `bytes` itself. */
export function spoil(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(random.between(0, 255));
  return random.pick(CHANGES)(bytes, random.between(0, bytes.length - 1), random);
}

function without(bytes: Uint8Array, at: number, count: number): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
}

function inserted(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}
