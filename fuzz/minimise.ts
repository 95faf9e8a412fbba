/** Inputs tried while one is made smaller. */
const MOST_TRIES = 3000;

/** The smallest input found that still fails: pieces are left out, from halves to single bytes, then bytes become zero. */
export async function minimise(
  input: Uint8Array,
  fails: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let tries = 0;
  const still = async (candidate: Uint8Array) => tries++ < MOST_TRIES && (await fails(candidate));
  let smallest = input;
  for (let piece = smallest.length >> 1; piece >= 1; piece >>= 1) {
    for (let at = 0; at < smallest.length; ) {
      const rest = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + piece)]);
      if (await still(rest)) smallest = rest;
      else at += piece;
    }
  }
  for (let at = 0; at < smallest.length; at++) {
    if (smallest[at] === 0) continue;
    const zeroed = Uint8Array.from(smallest).fill(0, at, at + 1);
    if (await still(zeroed)) smallest = zeroed;
  }
  return Uint8Array.from(smallest);
}
