import { beforeEach, describe, expect, it } from 'vitest';
import { MEETING_MS, Peers } from '../../../src/sync/peers.js';

const NEAR_TIME = true;
const FAR_FROM_TIME = false;
const HELLO = true;
const NO_HELLO = false;
const FIRST = 1000;

let peers: Peers;

/** A sender that is heard for the first time. @returns the number of the peer it is taken for */
function met(number: number, sequence: number, hello: boolean, nearTime: boolean, nowMs = 0): number {
  const peer = peers.meet(number, sequence, hello, nearTime, nowMs);
  peer.tracker.accept(sequence);
  return peer.number;
}

beforeEach(() => {
  peers = new Peers(10, 1000, 1, true);
});

describe('a sender whose numbers go on with those of a peer', () => {
  it('is that peer, at another address', () => {
    met(1, FIRST, HELLO, FAR_FROM_TIME);
    expect(met(2, FIRST + 100, NO_HELLO, FAR_FROM_TIME)).toBe(1);
    expect(met(3, FIRST + 110, HELLO, FAR_FROM_TIME)).toBe(1);
  });

  it('is another node when it greets and its numbers are merely near, as chance has it', () => {
    met(1, FIRST, HELLO, FAR_FROM_TIME);
    expect(met(2, FIRST + 100, HELLO, FAR_FROM_TIME)).toBe(2);
    expect(met(3, FIRST - 5, HELLO, FAR_FROM_TIME)).toBe(3);
  });

  it('is another node when both may be originals that started together', () => {
    met(1, FIRST, HELLO, NEAR_TIME);
    expect(met(2, FIRST + 1, NO_HELLO, NEAR_TIME)).toBe(2);
    expect(met(3, FIRST + 2, NO_HELLO, NEAR_TIME, MEETING_MS)).toBe(1);
    expect(met(4, FIRST + 3, HELLO, NEAR_TIME, MEETING_MS)).toBe(4);
  });
});
