import { describe, expect, it } from 'vitest';
import { type ExpectationEntry, makeEntry } from '../../../src/cache/expectation-entry.js';
import { ExpectationOutbox } from '../../../src/sync/expectation-outbox.js';
import { expectationOf } from '../../support/expectation.js';

const A = 1;
const B = 2;

function bench(count: number, capacity = 100) {
  const entries = new Map<string, ExpectationEntry>();
  for (let port = 1; port <= count; port++) entries.set(`${port}`, makeEntry(`${port}`, expectationOf(1, port), 0));
  const released: string[] = [];
  let overflows = 0;
  const outbox = new ExpectationOutbox(
    { entries, release: ({ key }) => released.push(key) },
    capacity,
    () => overflows++,
  );
  /** Sends all that waits, from this number on. @returns their keys */
  const send = (first: number): string[] => {
    const keys: string[] = [];
    for (let entry = outbox.shift(); entry !== undefined; entry = outbox.shift()) {
      outbox.markSent(entry, (first + keys.length) >>> 0);
      keys.push(entry.key);
    }
    return keys;
  };
  const fill = () => {
    outbox.bulk();
    outbox.feedBulk();
  };
  return { entries, released, outbox, send, fill, overflows: () => overflows };
}

describe('the outbox of expectations', () => {
  it('sends each once, in order, and once more when it changed', () => {
    const { entries, outbox, send } = bench(3);
    for (const key of ['2', '1', '2']) outbox.enqueue(entries.get(key)!);
    expect(send(10)).toEqual(['2', '1']);
    outbox.enqueue(entries.get('2')!);
    expect([outbox.unacknowledged, outbox.waiting]).toEqual([1, 1]);
    outbox.acknowledge(10, 11, A, A);
    expect([outbox.unacknowledged, send(12)]).toEqual([0, ['2']]);
  });

  it('releases a dead one when all peers have it, also across the wrap of the numbers', () => {
    const { entries, outbox, send, fill, released } = bench(4);
    fill();
    send(0xfffffffe);
    for (const entry of entries.values()) entry.state = 'dead';
    outbox.acknowledge(0xfffffffe, 0, A, A | B);
    expect(released).toEqual([]);
    outbox.acknowledge(0xffffffff, 1, B, A | B);
    expect(released).toEqual(['2', '3']);
    expect(outbox.unacknowledged).toBe(2);
  });

  it('sends again what a peer missed', () => {
    const { outbox, send, fill } = bench(4);
    fill();
    send(20);
    outbox.missed(21, 22);
    expect(send(24)).toEqual(['2', '3']);
    outbox.retryBefore(24);
    expect(send(26)).toEqual(['1', '4']);
    outbox.retryAll();
    expect(send(28)).toEqual(['2', '3', '1', '4']);
  });

  it('sends again what a peer passed over', () => {
    const { outbox, send, fill } = bench(3);
    fill();
    send(20);
    outbox.acknowledge(21, 21, A, A);
    outbox.retryPassed(23, [21]);
    expect(send(30)).toEqual(['1']);
    outbox.retryPassed(23, [null]);
    expect(send(31)).toEqual([]);
  });

  it('waits no more for a peer that is new, but tells it of ends', () => {
    const { entries, outbox, send, fill } = bench(2);
    fill();
    send(1);
    entries.get('2')!.state = 'dead';
    outbox.forgive(A, A);
    expect([outbox.unacknowledged, send(5)]).toEqual([0, ['2']]);
  });

  it('gives the oldest up when it is full', () => {
    const { outbox, send, fill, overflows, entries, released } = bench(5, 3);
    fill();
    entries.get('1')!.state = 'dead';
    send(1);
    expect([outbox.unacknowledged, outbox.overflows, overflows(), released]).toEqual([3, 2, 2, ['1']]);
  });

  it('lists its messages among the others', () => {
    const { outbox, send, fill } = bench(3);
    fill();
    send(5);
    const seen: string[] = [];
    outbox.visitAmong(
      { object: (sequence) => seen.push(`o${sequence}`), control: (sequence) => seen.push(`c${sequence}`) },
      (joined) => {
        joined.object(3);
        joined.control(6, 8);
      },
    );
    expect(seen).toEqual(['o3', 'o5', 'c6', 'o6', 'o7']);
  });

  it('forgets all', () => {
    const { outbox, send, fill, entries } = bench(3);
    fill();
    send(1);
    fill();
    outbox.clear();
    expect([outbox.idle, outbox.unacknowledged, [...entries.values()].map(({ queue }) => queue)]).toEqual([
      true,
      0,
      ['none', 'none', 'none'],
    ]);
  });
});
