import { describe, expect, it } from 'vitest';
import { FlightWindow, STALL_MS } from '../../../src/sync/flight.js';

describe('the flight window', () => {
  it('gives bulks at most half of the resend queue', () => {
    expect(new FlightWindow(1000).bulk).toBe(500);
    expect(new FlightWindow(1).bulk).toBe(1);
  });

  it('halves when the peer misses messages, but not below twice what it acknowledges at once', () => {
    const window = new FlightWindow(131072);
    window.acknowledged(3000);
    const before = window.live;
    window.missed();
    expect(window.live).toBe(Math.max(6000, before >>> 1));
    for (let times = 0; times < 20; times++) window.missed();
    expect(window.live).toBe(6000);
  });

  it('grows with acknowledgements up to the resend queue', () => {
    const window = new FlightWindow(20_000);
    for (let times = 0; times < 200; times++) window.acknowledged(300);
    expect(window.live).toBe(20_000);
  });

  it('opens for live changes when nobody answers, and closes at the next acknowledgement', () => {
    const window = new FlightWindow(16_384);
    let nowMs = 0;
    for (let stalls = 0; stalls < 2; stalls++) {
      window.stall(nowMs);
      nowMs += STALL_MS;
      window.tick(nowMs);
    }
    expect(window.live).toBe(Number.POSITIVE_INFINITY);
    expect(window.bulk).toBe(8192);
    window.acknowledged(1);
    expect(window.live).toBe(16_384);
  });
});
