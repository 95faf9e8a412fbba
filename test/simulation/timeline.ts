import type { Clock } from '../../src/base/clock.js';

interface Happening {
  readonly atMs: number;
  /** Order among those of the same time. */
  readonly order: number;
  readonly action: () => void;
}

/** A schedule has some thousands; more mean that something feeds itself. */
const MOST_HAPPENINGS = 1_000_000;

/** Simulated time: a heap of what is to happen. */
export class Timeline implements Clock {
  nowMs = 0;
  private order = 0;
  private happened = 0;
  private readonly heap: Happening[] = [];

  /** @param wallStart seconds since 1970 at the start */
  constructor(private readonly wallStart: number) {}

  monotonicMs(): number {
    return this.nowMs;
  }

  wallSeconds(): number {
    return this.wallStart + Math.floor(this.nowMs / 1000);
  }

  at(atMs: number, action: () => void): void {
    const { heap } = this;
    heap.push({ atMs: Math.max(atMs, this.nowMs), order: this.order++, action });
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!before(heap[child]!, heap[parent]!)) break;
      [heap[child], heap[parent]] = [heap[parent]!, heap[child]!];
      child = parent;
    }
  }

  /** Lets everything happen up to a time. */
  runUntil(endMs: number): void {
    while (this.heap.length > 0 && this.heap[0]!.atMs <= endMs) {
      const { atMs, action } = this.pop();
      this.happened++;
      if (this.happened > MOST_HAPPENINGS) throw new Error(`no end of happenings at ${atMs} ms`);
      this.nowMs = atMs;
      action();
    }
    this.nowMs = endMs;
  }

  private pop(): Happening {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let parent = 0; ; ) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, heap[parent]!)) break;
      [heap[child], heap[parent]] = [heap[parent]!, heap[child]!];
      parent = child;
    }
    return first;
  }
}

function before(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
