/** What durations are counted in: 100 ns. native/loop.cc has the same. */
const UNITS_PER_MS = 10_000;
/** Buckets per power of two: a bucket's bounds are at most 25 % apart. */
const PARTS = 4;
/** Up to 2^31 units, some 200 seconds; what is longer counts in the last bucket. */
const BUCKETS = 31 * PARTS;

/** Bounds of `cumulated`, in units. */
const FIRST_BOUND = 2 ** 8;
const LAST_BOUND = 2 ** 30;

/** Elements of `longest`. */
const EVER = 0;
const LATELY = 1;

/** The bucket of a duration: powers of two, each in four (BucketOf in native/loop.cc). */
function bucketOf(units: number): number {
  if (units < PARTS) return units;
  const exponent = 31 - Math.clz32(units);
  return (exponent - 1) * PARTS + ((units >>> (exponent - 2)) & (PARTS - 1));
}

/** Where a bucket ends, in units. */
function endOf(bucket: number): number {
  if (bucket < PARTS) return bucket + 1;
  const exponent = Math.floor(bucket / PARTS) + 1;
  return (PARTS + (bucket % PARTS) + 1) * 2 ** (exponent - 2);
}

/** Durations, counted. Recording one costs a few nanoseconds and no memory. */
export class DurationHistogram {
  /** Per bucket how many durations fell into it. Others may count here, too (native meterLoop). */
  readonly counts = new Uint32Array(BUCKETS);
  /** The longest ever, and the longest since `takeLatest`, in milliseconds. */
  readonly longest = new Float64Array(2);

  record(milliseconds: number): void {
    const units = Math.min(Math.max(0, milliseconds * UNITS_PER_MS), 0x7fffffff) >>> 0;
    this.counts[bucketOf(units)]!++;
    // Not a branch that is seldom taken: what has not been executed is not compiled, and throws the code away when it is.
    this.longest[EVER] = Math.max(this.longest[EVER]!, milliseconds);
    this.longest[LATELY] = Math.max(this.longest[LATELY]!, milliseconds);
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  get longestMs(): number {
    return this.longest[EVER]!;
  }

  /** The longest duration since the call before, in milliseconds. */
  takeLatest(): number {
    const latest = this.longest[LATELY]!;
    this.longest[LATELY] = 0;
    return latest;
  }

  /** Milliseconds that a share `part` of all durations did not exceed, at most 25 % too much; 0 without any. */
  quantile(part: number): number {
    let left = Math.ceil(this.total * part);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.counts[bucket]!;
      if (left <= 0) return Math.min(endOf(bucket) / UNITS_PER_MS, this.longestMs);
    }
    return this.longestMs;
  }

  /** How many durations ended in each power of two: the upper bound in milliseconds and the count, empty ones left out. */
  octaves(): { readonly upToMs: number; readonly count: number }[] {
    const found: { upToMs: number; count: number }[] = [];
    for (let first = 0; first < BUCKETS; first += PARTS) {
      const count = this.counts.subarray(first, first + PARTS).reduce((sum, one) => sum + one, 0);
      if (count > 0) found.push({ upToMs: endOf(first + PARTS - 1) / UNITS_PER_MS, count });
    }
    return found;
  }

  /**
   * How many durations were shorter than each of a fixed row of bounds, four times the one before: 25.6 µs, 102.4 µs, ...
   * 107 s. Longer ones are in `total` only.
   */
  cumulated(): { readonly upToSeconds: number; readonly count: number }[] {
    const found: { upToSeconds: number; count: number }[] = [];
    let count = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      count += this.counts[bucket]!;
      const end = endOf(bucket);
      if (end >= FIRST_BOUND && end <= LAST_BOUND && Number.isInteger(Math.log2(end) / 2))
        found.push({ upToSeconds: end / (UNITS_PER_MS * 1000), count });
    }
    return found;
  }

  /** The sum of all durations in milliseconds, as if each were in the middle of its bucket: at most 12 % off. */
  estimatedSumMs(): number {
    let units = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const from = bucket === 0 ? 0 : endOf(bucket - 1);
      units += (this.counts[bucket]! * (from + endOf(bucket))) / 2;
    }
    return units / UNITS_PER_MS;
  }
}
