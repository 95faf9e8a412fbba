import { describe, expect, it } from 'vitest';
import {
  BEFORE,
  firstSequence,
  GAP,
  IN_ORDER,
  isNearTime,
  REJOINED,
  SequenceTracker,
  SUSPECT,
  sequenceAfter,
} from '../../../src/sync/sequence.js';

/** A tracker that has accepted up to `last`. */
function trackerAt(last: number, bound = 1000): SequenceTracker {
  const tracker = new SequenceTracker(bound);
  tracker.accept(last);
  return tracker;
}

describe('sequence numbers', () => {
  it('are compared the short way round', () => {
    expect(sequenceAfter(0, 0xffffffff)).toBe(true);
    expect(sequenceAfter(0xffffffff, 0)).toBe(false);
    expect(sequenceAfter(5, 5)).toBe(false);
  });
});

describe('the first number of a life', () => {
  it('is far from the time of day, where the original’s are, and from those of other lives', () => {
    for (const wallSeconds of [0, 1_700_000_000, 2 ** 32 - 1, 5_000_000_000]) {
      const drawn = [0, 0.001, 0.25, 0.5, 0.75, 0.999].map((random) => firstSequence(wallSeconds, random));
      expect(drawn.map((sequence) => isNearTime(sequence, wallSeconds))).toEqual(drawn.map(() => false));
      expect(new Set(drawn.map((sequence) => sequence >>> 16)).size).toBe(drawn.length);
      expect(isNearTime((wallSeconds + 100_000_000) >>> 0, wallSeconds)).toBe(true);
    }
  });
});

describe('a tracker', () => {
  it('takes any first message', () => {
    expect(new SequenceTracker(10).judge(0xdeadbeef, 1)).toBe(IN_ORDER);
  });

  it('follows the numbers over their end', () => {
    const tracker = trackerAt(0xffffffff);
    expect(tracker.judge(0, 1)).toBe(IN_ORDER);
    expect(tracker.judge(2, 1)).toBe(GAP);
    expect([tracker.missingFrom, tracker.missingTo]).toEqual([0, 1]);
  });

  it('takes a jump up to the bound for loss, and no further', () => {
    expect(trackerAt(100, 10).judge(111, 1)).toBe(GAP);
    expect(trackerAt(100, 10).judge(112, 1)).toBe(SUSPECT);
  });

  it('goes on as if a stray had not come', () => {
    const tracker = trackerAt(100, 10);
    expect(tracker.judge(5_000_000, 1)).toBe(SUSPECT);
    expect(tracker.judge(101, 2)).toBe(IN_ORDER);
  });

  it('believes a jump ahead once another datagram follows it, and asks for all between', () => {
    const tracker = trackerAt(100, 10);
    expect(tracker.judge(5000, 1)).toBe(SUSPECT);
    expect(tracker.judge(5001, 1)).toBe(SUSPECT); // the same datagram proves nothing
    expect(tracker.judge(5002, 2)).toBe(REJOINED);
    expect([tracker.missingFrom, tracker.missingTo, tracker.refused]).toEqual([101, 5002, 3]);
  });

  it('drops late and repeated messages, and finds back when the stream went on behind a stray within the bound', () => {
    const tracker = trackerAt(100);
    expect(tracker.judge(900, 1)).toBe(GAP);
    tracker.accept(900);
    expect(tracker.judge(101, 2)).toBe(BEFORE);
    expect(tracker.judge(102, 3)).toBe(BEFORE);
    expect(tracker.judge(103, 4)).toBe(REJOINED);
    expect([tracker.missingFrom, tracker.missingTo]).toEqual([101, 103]);
    tracker.accept(103);
    expect(tracker.judge(104, 5)).toBe(IN_ORDER);
  });

  it('does not take late messages with others in between for a stream', () => {
    const tracker = trackerAt(100);
    for (let late = 50; late < 60; late++) {
      expect(tracker.judge(late, late)).toBe(BEFORE);
      expect(tracker.judge(tracker.last + 1, late)).toBe(IN_ORDER);
      tracker.accept(tracker.last + 1);
    }
  });
});
