import { beforeEach, describe, expect, it } from 'vitest';
import { InternalCache } from '../../../src/cache/internal.js';
import { KIND, QUEUE_TRANSMIT, STATE_ALIVE, STATE_DEAD, STATE_NEW, stateOf } from '../../../src/flow/layout.js';
import { FlowQueue } from '../../../src/flow/queue.js';
import { type FlowRow, NO_ROW } from '../../../src/flow/table.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const clock = { monotonicMs: () => 5000, wallSeconds: () => 1_700_000_000 };

describe('InternalCache', () => {
  let cache: InternalCache;
  let queue: FlowQueue;
  let changed: FlowRow[];

  beforeEach(() => {
    changed = [];
    cache = new InternalCache(4, clock, {
      changed: (row) => {
        changed.push(row);
        if (cache.table.queueOf(row) === 0) queue.push(row);
      },
    });
    queue = new FlowQueue(cache.table, QUEUE_TRANSMIT);
  });

  const rowOf = (number: number): FlowRow => cache.table.find(tcpFlow({ number }));

  it('keeps what the kernel makes, changes and ends, and tells of each', () => {
    cache.onNew(tcpFlow({ number: 1, state: 1 }), false);
    expect(cache.table.state(rowOf(1))).toBe(STATE_NEW);
    cache.onUpdate(tcpFlow({ number: 1, state: 2 }), false);
    expect(cache.table.state(rowOf(1))).toBe(STATE_ALIVE);
    expect(stateOf(cache.table.word(rowOf(1), KIND))).toBe(2);
    cache.onDestroy(tcpFlow({ number: 1 }), false);
    expect(cache.table.state(rowOf(1))).toBe(STATE_DEAD);
    expect(changed).toHaveLength(3);
    expect(cache.active).toBe(0);
    expect(cache.table.size).toBe(1);
    queue.remove(rowOf(1));
    cache.release(rowOf(1));
    expect(cache.table.size).toBe(0);
    expect(cache.counters).toMatchObject({ created: 1, updated: 1, destroyed: 1 });
  });

  it('counts a replacement as the original does: one destroyed, one created', () => {
    cache.onNew(tcpFlow({ number: 1 }), false);
    cache.onUpdate(tcpFlow({ number: 1 }), false);
    cache.onNew(tcpFlow({ number: 1 }), false);
    expect(cache.table.state(rowOf(1))).toBe(STATE_NEW);
    expect(cache.counters).toMatchObject({ created: 2, updated: 1, destroyed: 1 });
    expect(cache.active).toBe(1);
  });

  it('makes an unknown flow of an update, and it travels as NEW', () => {
    cache.onUpdate(tcpFlow({ number: 1 }), false);
    expect(cache.table.state(rowOf(1))).toBe(STATE_NEW);
    expect(cache.counters).toMatchObject({ created: 1, updated: 0 });
  });

  it('ignores the end of a flow it does not know', () => {
    cache.onDestroy(tcpFlow({ number: 1 }), false);
    expect(cache.counters).toMatchObject({ destroyed: 0, destroyFailed: 0 });
  });

  it('does not send own events', () => {
    cache.onNew(tcpFlow({ number: 1 }), true);
    cache.onUpdate(tcpFlow({ number: 1 }), true);
    expect(changed).toHaveLength(0);
    cache.onDestroy(tcpFlow({ number: 1 }), true);
    expect(changed).toHaveLength(0);
    expect(cache.table.size).toBe(0);
  });

  it('lets an own event never cancel what waits to be sent', () => {
    cache.onNew(tcpFlow({ number: 1, state: 1 }), false);
    cache.onNew(tcpFlow({ number: 1, state: 3 }), true);
    expect(queue.head).toBe(rowOf(1));
    expect(stateOf(cache.table.word(rowOf(1), KIND))).toBe(3);
    cache.onDestroy(tcpFlow({ number: 1 }), true);
    expect(queue.head).toBe(rowOf(1));
    expect(cache.table.state(rowOf(1))).toBe(STATE_DEAD);
  });

  it('counts what HashLimit refuses', () => {
    for (let number = 0; number < 6; number++) cache.onNew(tcpFlow({ number }), false);
    expect(cache.active).toBe(4);
    expect(cache.counters).toMatchObject({ created: 4, createFailed: 2, noSpace: 2 });
  });

  it('adds the counters of ended flows to the traffic processed', () => {
    cache.onNew(tcpFlow({ number: 1 }), false);
    const end = tcpFlow({ number: 1 });
    end.hasCounters = true;
    end.counters.set([3, 300, 2, 200]);
    cache.onDestroy(end, false);
    expect(cache.processedPackets).toBe(5);
    expect(cache.processedBytes).toBe(500);
  });

  it('brings a flow back whose end nobody acknowledged yet', () => {
    cache.onNew(tcpFlow({ number: 1 }), false);
    cache.onDestroy(tcpFlow({ number: 1 }), false);
    cache.onNew(tcpFlow({ number: 1 }), false);
    expect(cache.active).toBe(1);
    expect(cache.table.state(rowOf(1))).toBe(STATE_NEW);
    expect(cache.counters).toMatchObject({ created: 2, destroyed: 1 });
  });

  describe('with a dump', () => {
    it('learns without sending', () => {
      cache.beginDump();
      cache.onDumped(tcpFlow({ number: 1 }), false);
      cache.endDump();
      expect(cache.active).toBe(1);
      expect(changed).toHaveLength(0);
    });

    it('lets an event win over the older dump', () => {
      cache.onNew(tcpFlow({ number: 1, state: 1 }), false);
      cache.beginDump();
      cache.onUpdate(tcpFlow({ number: 1, state: 3 }), false);
      cache.onDumped(tcpFlow({ number: 1, state: 2 }), true);
      expect(stateOf(cache.table.word(rowOf(1), KIND))).toBe(3);
    });

    it('does not bring back what ended during the dump', () => {
      cache.onNew(tcpFlow({ number: 1, id: 77 }), false);
      cache.beginDump();
      cache.onDestroy(tcpFlow({ number: 1, id: 77 }), false);
      cache.onDumped(tcpFlow({ number: 1, id: 77 }), true);
      expect(cache.active).toBe(0);
      expect(cache.table.state(rowOf(1))).toBe(STATE_DEAD);
    });

    it('purges what neither the dump nor an event has seen', () => {
      for (const number of [1, 2, 3]) cache.onNew(tcpFlow({ number }), false);
      cache.beginDump();
      cache.onDumped(tcpFlow({ number: 1 }), true);
      cache.onUpdate(tcpFlow({ number: 2 }), false);
      changed.length = 0;
      expect(cache.purgeUnseen(0 as FlowRow, 100)).toBe(NO_ROW);
      expect(changed).toEqual([rowOf(3)]);
      expect(cache.active).toBe(2);
    });
  });

  it('forgets everything on a flush', () => {
    for (const number of [1, 2]) cache.onNew(tcpFlow({ number }), false);
    while (queue.shift() !== NO_ROW);
    cache.flush();
    expect(cache.active).toBe(0);
    expect(cache.counters.destroyed).toBe(2);
  });
});
