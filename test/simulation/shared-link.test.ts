import { describe, expect, it } from 'vitest';
import { Ftfw } from '../../src/sync/ftfw.js';
import { differencesOf } from './cluster-state.js';
import { FAIR, Link } from './link.js';
import { SimulatedNode } from './node.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

/** All have asked for resyncs, been answered, and met. */
const MET_MS = 4000;

function sharing(count: number, seed = 1) {
  const random = new Random(seed);
  const timeline = new Timeline(1_700_000_000);
  const link = new Link(timeline, random);
  const nodes = Array.from(
    { length: count },
    (_, index) =>
      new SimulatedNode(index, timeline, link, random, {
        shared: true,
        makeMode: (context) => new Ftfw(context, { resendQueueSize: 1024, ackWindowSize: 50 }),
      }),
  );
  for (const node of nodes) node.askForResync();
  return { timeline, link, nodes };
}

function notesLike(nodes: readonly SimulatedNode[], pattern: RegExp): string[] {
  return nodes.flatMap(({ notes }) => notes).filter((note) => pattern.test(note));
}

describe('FTFW nodes on a shared link', () => {
  it.each([
    { count: 7, loss: 0.1, packets: 60 },
    { count: 8, loss: 0.4, packets: 400 },
  ])(
    'idle, $count of them where each loses $loss, send at most $packets packets a second',
    ({ count, loss, packets }) => {
      const { timeline, link } = sharing(count);
      timeline.runUntil(MET_MS);
      link.weather = { ...FAIR, loss };
      const before = link.packets;
      timeline.runUntil(MET_MS + 10_000);
      expect((link.packets - before) / 10).toBeLessThan(packets);
      expect((link.packets - before) / 10).toBeGreaterThan(count);
      link.weather = FAIR;
      timeline.runUntil(MET_MS + 12_000);
      const fair = link.packets;
      timeline.runUntil(MET_MS + 17_000);
      expect((link.packets - fair) / 5).toBeLessThan(2 * count);
    },
  );

  it('answer all requests of a start with a bulk or two', () => {
    const { timeline, nodes } = sharing(8);
    timeline.runUntil(MET_MS);
    expect(notesLike(nodes, /sending bulk/).length).toBeLessThanOrEqual(2 * nodes.length);
    expect(notesLike(nodes, /started anew/)).toEqual([]);
  });

  it.each([100, 1500, 20_000])('know one by its numbers when it changes its address %i ms after the start', (atMs) => {
    const { timeline, link, nodes } = sharing(3);
    timeline.runUntil(atMs);
    link.away.add(0);
    nodes[1]!.open(0, 20);
    nodes[0]!.open(100, 20);
    link.move(0);
    timeline.runUntil(atMs + 500);
    link.away.delete(0);
    timeline.runUntil(atMs + 4000);
    expect(differencesOf({ nodes, overflowed: new Set() })).toEqual([]);
    expect(notesLike(nodes, /started anew/)).toEqual([]);
    timeline.runUntil(atMs + 20_000);
    expect(notesLike(nodes, /no message from/)).toEqual([]);
  });
});
