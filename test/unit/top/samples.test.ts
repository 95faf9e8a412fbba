import { describe, expect, it } from 'vitest';
import { KEPT, type Read, Samples } from '../../../src/top/samples.js';
import { syncAnswer } from './answers.js';

const events: Read = ({ netlink }) => netlink.eventsReceived;

/** An answer in which so many events were counted. */
function answer(uptimeSeconds: number, eventsReceived: number) {
  const { netlink } = syncAnswer(0);
  return { ...syncAnswer(0), uptimeSeconds, netlink: { ...netlink, eventsReceived } };
}

function samplesOf(...answers: readonly (readonly [atMs: number, uptime: number, events: number])[]): Samples {
  const samples = new Samples();
  for (const [atMs, uptime, count] of answers) samples.add(answer(uptime, count), atMs);
  return samples;
}

describe('rates', () => {
  it('are differences over the time that really went by', () => {
    const samples = samplesOf([1000, 5, 100], [3500, 7, 200]);
    expect(samples.perSecond(events)).toBe(40);
    expect(samples.history(events)).toEqual([40]);
    expect(samples.spanSeconds).toBe(2.5);
  });

  it('are not known before the second answer', () => {
    expect(new Samples().perSecond(events)).toBeNull();
    expect(new Samples().spanSeconds).toBe(0);
    expect(samplesOf([0, 5, 100]).perSecond(events)).toBeNull();
    expect(samplesOf([0, 5, 100]).history(events)).toEqual([]);
  });

  it('are not known over a restart, also when the new daemon has counted more already', () => {
    const samples = samplesOf([0, 500, 100], [1000, 501, 110], [2000, 0, 5000], [3000, 1, 5050]);
    expect(samples.history(events)).toEqual([10, null, 50]);
    expect(samples.perSecond(events)).toBe(50);
  });

  it('are not known where a counter went back though the daemon is the same', () => {
    expect(samplesOf([0, 5, 100], [1000, 6, 0]).perSecond(events)).toBeNull();
  });

  it('are not known for what is not there', () => {
    const samples = samplesOf([0, 5, 1], [1000, 6, 2]);
    expect(samples.perSecond(({ channel }) => channel?.links[7]?.bytesSent)).toBeNull();
    expect(samples.perSecond(() => undefined)).toBeNull();
  });

  it('are not infinite when two answers came at the same moment', () => {
    expect(samplesOf([5, 5, 1], [5, 5, 2]).perSecond(events)).toBeNull();
  });
});

describe('the growth of a counter', () => {
  it('is remembered for as long as the answers are', () => {
    const samples = samplesOf([0, 5, 1], [1000, 6, 2], [2000, 7, 2], [3000, 8, 2]);
    expect(samples.sinceGrowth(events)).toBe(2);
    expect(samplesOf([0, 5, 1], [1000, 6, 1]).sinceGrowth(events)).toBeNull();
    expect(samplesOf([0, 5, 1], [1000, 6, 2]).sinceGrowth(events)).toBe(0);
  });

  it('is no growth when the daemon begins anew', () => {
    expect(samplesOf([0, 5, 1], [1000, 0, 9]).sinceGrowth(events)).toBeNull();
  });
});

it('keeps a minute of seconds, no more', () => {
  const samples = new Samples();
  for (let second = 0; second < 3 * KEPT; second++) samples.add(answer(second, second), second * 1000);
  expect(samples.length).toBe(KEPT);
  expect(samples.history(events)).toHaveLength(KEPT - 1);
});
