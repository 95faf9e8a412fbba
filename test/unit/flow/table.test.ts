import { describe, expect, test } from 'vitest';
import {
  AF_INET6,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SEQ_REPLY,
  ASIDE_START,
  ASIDE_STOP,
  ASIDE_SYNPROXY,
  CACHE,
  CREATED,
  IPPROTO_TCP,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_ID,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_REPLY,
  K_REPLY_L4,
  K_SECCTX,
  K_SEQ_ADJ,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_SYNPROXY,
  K_TCP_FLAGS_ORIG,
  K_TCP_FLAGS_REPLY,
  K_TIMEOUT,
  K_TIMESTAMP,
  K_USE,
  K_VTAG_ORIG,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  K_ZONE,
  KIND,
  KNOWN,
  kindOf,
  MARK,
  ORIG_L4,
  ORIG_SRC,
  QUEUE_TRANSMIT,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATE_ALIVE,
  STATE_DEAD,
  STATE_NEW,
  STATUS,
  stateOf,
  TCP_WINDOW,
  TIMEOUT,
  UPDATED,
  USE,
  VTAG_ORIG,
  ZONE,
} from '../../../src/flow/layout.js';
import { FlowQueue } from '../../../src/flow/queue.js';
import { FlowPointer } from '../../../src/flow/ref.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import { type FlowRow, FlowTable, MOST_ROWS, NO_ROW } from '../../../src/flow/table.js';
import { know, tcpFlow } from './flows.js';

function makeTable(limit = 100): FlowTable {
  return new FlowTable({ limit, seed: 1 });
}

function pointAt(table: FlowTable, row: FlowRow): FlowPointer {
  const pointer = new FlowPointer();
  table.point(row, pointer);
  return pointer;
}

/** A flow with the given rare attributes, every word of which is `fill`. */
function withAside(flow: FlowScratch, bits: number, fill: number): FlowScratch {
  flow.words[KNOWN] = flow.words[KNOWN]! | bits;
  flow.aside.fill(fill);
  return flow;
}

describe('insert and find', () => {
  test('a new row is in state new, waits nowhere and knows when it came', () => {
    const table = makeTable();
    const row = table.insert(know(tcpFlow(1), K_MARK, MARK, 7), 50);
    expect(table.find(tcpFlow(1))).toBe(row);
    expect(table.find(tcpFlow(2))).toBe(NO_ROW);
    expect(table.size).toBe(1);
    expect([table.state(row), table.queueOf(row), table.generation(row), table.peer(row)]).toEqual([
      STATE_NEW,
      0,
      0,
      0,
    ]);
    expect([table.word(row, CREATED), table.word(row, UPDATED), table.word(row, MARK)]).toEqual([50, 50, 7]);
  });

  test('a flow can be found by a pointer into another table', () => {
    const table = makeTable();
    const other = makeTable();
    other.insert(tcpFlow(8), 0);
    const row = table.insert(tcpFlow(1), 0);
    const same = other.insert(tcpFlow(1), 0);
    expect(table.find(pointAt(other, same))).toBe(row);
  });

  test('the same tuple in two zones is two flows', () => {
    const table = makeTable();
    const plain = table.insert(tcpFlow(1), 0);
    const zoned = table.insert(know(tcpFlow(1), K_ZONE, ZONE, 5), 0);
    expect(zoned).not.toBe(plain);
    expect(table.find(know(tcpFlow(1), K_ZONE, ZONE, 5))).toBe(zoned);
    expect(table.find(tcpFlow(1))).toBe(plain);
  });

  test('inserting a flow twice is refused', () => {
    const table = makeTable();
    table.insert(tcpFlow(1), 0);
    expect(() => table.insert(tcpFlow(1), 0)).toThrow(/in the table/);
    expect(table.size).toBe(1);
  });

  test('at the limit nothing is inserted until a row is removed', () => {
    const table = makeTable(2);
    const first = table.insert(tcpFlow(1), 0);
    table.insert(tcpFlow(2), 0);
    expect(table.insert(tcpFlow(3), 0)).toBe(NO_ROW);
    expect([table.size, table.find(tcpFlow(3))]).toEqual([2, NO_ROW]);
    table.remove(first);
    expect(table.insert(tcpFlow(3), 0)).toBe(first);
  });

  test.each([0, -1, 1.5, Number.NaN, MOST_ROWS + 1])('a limit of %d is refused', (limit) => {
    expect(() => new FlowTable({ limit })).toThrow(/flow table holds/);
  });

  test('tables without a seed draw different ones', () => {
    const hashes = new Set<number>();
    for (let round = 0; round < 5; round++) {
      const table = new FlowTable({ limit: 1 });
      hashes.add(table.word(table.insert(tcpFlow(1), 0), 30));
    }
    expect(hashes.size).toBeGreaterThan(1);
  });
});

describe('merge', () => {
  test('known attributes overwrite, the others stay', () => {
    const table = makeTable();
    const flow = know(know(know(tcpFlow(1), K_STATUS, STATUS, 8), K_TIMEOUT, TIMEOUT, 60), K_MARK, MARK, 7);
    const row = table.insert(flow, 10);
    table.merge(row, know(know(tcpFlow(1), K_STATUS, STATUS, 14), 0, TIMEOUT, 99), 20);
    expect([STATUS, TIMEOUT, MARK].map((index) => table.word(row, index))).toEqual([14, 60, 7]);
    expect([table.word(row, CREATED), table.word(row, UPDATED)]).toEqual([10, 20]);
    expect(table.word(row, KNOWN) & (K_STATUS | K_TIMEOUT | K_MARK)).toBe(K_STATUS | K_TIMEOUT | K_MARK);
  });

  test('the protocol state is replaced without the identity beside it', () => {
    const table = makeTable();
    const row = table.insert(know(tcpFlow(1), K_STATE, KIND, kindOf(2, IPPROTO_TCP, 1, 4)), 0);
    table.merge(row, know(tcpFlow(1), K_STATE, KIND, kindOf(2, IPPROTO_TCP, 3, 9)), 0);
    expect(table.word(row, KIND)).toBe(kindOf(2, IPPROTO_TCP, 3, 4));
    expect(stateOf(table.word(row, KIND))).toBe(3);
  });

  test('the identity never changes, whatever the flow says', () => {
    const table = makeTable();
    const row = table.insert(tcpFlow(1), 0);
    const other = know(know(tcpFlow(99), K_ZONE, ZONE, 4), 0, ORIG_L4, 5);
    table.merge(row, other, 0);
    expect(table.word(row, ORIG_SRC)).toBe(1);
    expect(table.find(tcpFlow(1))).toBe(row);
    expect(table.find(other)).toBe(NO_ROW);
    expect(table.word(row, KNOWN) & K_ZONE).toBe(0);
  });

  test('a reply tuple of IPv6 comes with all its words', () => {
    const table = makeTable();
    const flow = know(tcpFlow(1), K_REPLY | K_REPLY_L4, KIND, kindOf(AF_INET6, IPPROTO_TCP));
    const row = table.insert(know(tcpFlow(1), 0, KIND, kindOf(AF_INET6, IPPROTO_TCP)), 0);
    for (let word = REPLY_SRC; word < ORIG_L4; word++) flow.words[word] = word;
    flow.words[REPLY_L4] = REPLY_L4;
    table.merge(row, flow, 0);
    for (let word = REPLY_SRC; word < ORIG_L4; word++) expect(table.word(row, word)).toBe(word);
    expect([table.word(row, ORIG_L4), table.word(row, REPLY_L4)]).toEqual([0x50003412, REPLY_L4]);
  });

  test.each([
    ['window scale original', K_WSCALE_ORIG, TCP_WINDOW, 0xffeeddcc, 0x112233cc],
    ['window scale reply', K_WSCALE_REPLY, TCP_WINDOW, 0xffeeddcc, 0x1122dd44],
    ['TCP flags original', K_TCP_FLAGS_ORIG, TCP_WINDOW, 0xffeeddcc, 0x11ee3344],
    ['TCP flags reply', K_TCP_FLAGS_REPLY, TCP_WINDOW, 0xffeeddcc, 0xff223344],
    ['DPAT port', K_DPAT, REPLY_L4, 0xffeeddcc, 0x1122ddcc],
    ['SPAT port', K_SPAT, REPLY_L4, 0xffeeddcc, 0xffee3344],
    ['SNAT address', K_SNAT, REPLY_DST, 0xffeeddcc, 0xffeeddcc],
    ['DNAT address', K_DNAT, REPLY_SRC, 0xffeeddcc, 0xffeeddcc],
    ['verification tag', K_VTAG_ORIG, VTAG_ORIG, 0xffeeddcc, 0xffeeddcc],
    ['use', K_USE, USE, 0xffeeddcc, 0xffeeddcc],
    ['nothing', K_ID, TCP_WINDOW, 0xffeeddcc, 0x11223344],
  ])('%s', (_name, bit, index, value, expected) => {
    const table = makeTable();
    const row = table.insert(know(tcpFlow(1), K_USE, index, 0x11223344), 0);
    table.merge(row, know(tcpFlow(1), bit, index, value), 0);
    expect(table.word(row, index)).toBe(expected);
    expect(table.word(row, KNOWN) & bit).toBe(bit);
  });
});

describe('rare attributes', () => {
  const fields: [string, number, number[]][] = [
    ['helper', K_HELPER, [ASIDE_HELPER, ASIDE_HELPER + 3]],
    ['master', K_MASTER, [ASIDE_MASTER_SRC, ASIDE_MASTER_DST + 3, ASIDE_MASTER_KIND]],
    ['master ports', K_MASTER_L4, [ASIDE_MASTER_L4, ASIDE_MASTER_L4]],
    ['labels', K_LABELS, [ASIDE_LABELS, ASIDE_LABELS + 3]],
    ['sequence adjustment', K_SEQ_ADJ, [ASIDE_SEQ_ORIG, ASIDE_SEQ_REPLY + 2]],
    ['synproxy', K_SYNPROXY, [ASIDE_SYNPROXY, ASIDE_SYNPROXY + 2]],
    ['time stamps', K_TIMESTAMP, [ASIDE_START, ASIDE_STOP + 1]],
  ];
  const all = fields.reduce((bits, [, bit]) => bits | bit, 0);

  test.each(fields)('%s: only its own words are taken over', (_name, bit, indices) => {
    const table = makeTable();
    const row = table.insert(withAside(tcpFlow(1), all, 1), 0);
    table.merge(row, withAside(tcpFlow(1), bit, 2), 0);
    const { aside, asideAt } = pointAt(table, row);
    for (const index of indices) expect(aside[asideAt + index]).toBe(2);
    for (const [, otherBit, others] of fields) {
      if (otherBit !== bit) for (const index of others) expect(aside[asideAt + index]).toBe(1);
    }
  });

  test('a record comes with the first rare attribute, goes with the row, and is clean when used again', () => {
    const table = makeTable();
    const row = table.insert(tcpFlow(1), 0);
    expect(table.asideSize).toBe(0);
    table.merge(row, withAside(tcpFlow(1), all, 9), 0);
    expect(table.asideSize).toBe(1);
    table.remove(row);
    expect(table.asideSize).toBe(0);
    const next = table.insert(withAside(tcpFlow(2), K_LABELS, 5), 0);
    const { aside, asideAt } = pointAt(table, next);
    expect(aside[asideAt + ASIDE_HELPER]).toBe(0);
    expect(aside[asideAt + ASIDE_LABELS]).toBe(5);
  });

  test('a thousand rounds leave no record and no text behind', () => {
    const table = makeTable();
    for (let round = 0; round < 1000; round++) {
      const flow = withAside(tcpFlow(round), K_LABELS | K_SECCTX, round);
      flow.secctx = `context ${round % 3}`;
      const row = table.insert(flow, 0);
      flow.secctx = `other ${round % 5}`;
      table.merge(row, flow, 0);
      table.replace(row, flow, 0);
      expect(pointAt(table, row).secctx).toBe(flow.secctx);
      if (round % 2 === 0) table.replace(row, tcpFlow(round), 0);
      table.remove(row);
    }
    expect([table.asideSize, table.contexts, table.size]).toEqual([0, 0, 0]);
  });

  test('flows of one security context share its text', () => {
    const table = makeTable();
    const rows = [1, 2, 3].map((number) => {
      const flow = withAside(tcpFlow(number), K_SECCTX, 0);
      flow.secctx = 'system_u:object_r:http_t';
      return table.insert(flow, 0);
    });
    expect(table.contexts).toBe(1);
    table.remove(rows[0]!);
    table.remove(rows[1]!);
    expect(pointAt(table, rows[2]!).secctx).toBe('system_u:object_r:http_t');
    table.remove(rows[2]!);
    expect(table.contexts).toBe(0);
  });

  test('a security mark without context is kept as a number', () => {
    const table = makeTable();
    const row = table.insert(withAside(tcpFlow(1), K_SECCTX, 42), 0);
    const pointer = pointAt(table, row);
    expect([pointer.secctx, pointer.aside[pointer.asideAt]]).toEqual(['', 42]);
    expect(table.contexts).toBe(0);
  });

  test('a pointer forgets the context of the row before', () => {
    const table = makeTable();
    const flow = withAside(tcpFlow(1), K_SECCTX, 0);
    flow.secctx = 'a';
    const pointer = pointAt(table, table.insert(flow, 0));
    table.point(table.insert(tcpFlow(2), 0), pointer);
    expect(pointer.secctx).toBe('');
  });
});

describe('replace', () => {
  test('forgets every attribute but keeps row, state, queue, generation and peer', () => {
    const table = makeTable();
    const queue = new FlowQueue(table, QUEUE_TRANSMIT);
    const row = table.insert(withAside(know(tcpFlow(1), K_MARK | K_STATUS, MARK, 7), K_HELPER, 3), 10);
    table.setState(row, STATE_DEAD);
    table.setGeneration(row, 200);
    table.setPeer(row, 255);
    queue.push(row);
    table.replace(row, know(tcpFlow(1), K_STATUS, STATUS, 14), 20);
    expect([table.word(row, MARK), table.word(row, STATUS), table.asideSize]).toEqual([0, 14, 0]);
    expect(table.word(row, KNOWN) & (K_MARK | K_HELPER)).toBe(0);
    expect([table.state(row), table.queueOf(row), table.generation(row), table.peer(row)]).toEqual([3, 1, 200, 255]);
    expect([table.word(row, CREATED), table.word(row, UPDATED)]).toEqual([20, 20]);
    expect(table.find(tcpFlow(1))).toBe(row);
    expect(queue.shift()).toBe(row);
  });

  test('can keep the time of creation', () => {
    const table = makeTable();
    const row = table.insert(tcpFlow(1), 10);
    table.replace(row, tcpFlow(1), 20, false);
    expect([table.word(row, CREATED), table.word(row, UPDATED)]).toEqual([10, 20]);
  });

  test('takes a pointer at the row itself', () => {
    const table = makeTable();
    const flow = withAside(tcpFlow(1), K_LABELS | K_SECCTX, 6);
    flow.secctx = 'a';
    const row = table.insert(flow, 0);
    table.replace(row, pointAt(table, row), 1);
    const pointer = pointAt(table, row);
    expect([pointer.secctx, pointer.aside[pointer.asideAt + ASIDE_LABELS]]).toEqual(['a', 6]);
    expect([table.asideSize, table.contexts]).toEqual([1, 1]);
  });

  test('refuses a flow of another identity', () => {
    const table = makeTable();
    const row = table.insert(tcpFlow(1), 0);
    expect(() => table.replace(row, tcpFlow(2), 0)).toThrow(/another identity/);
  });
});

describe('cache word', () => {
  test('its parts do not touch each other', () => {
    const table = makeTable();
    const row = table.insert(tcpFlow(1), 0);
    table.setState(row, STATE_ALIVE);
    table.setGeneration(row, 0x1ff);
    table.setPeer(row, 0x1aa);
    new FlowQueue(table, QUEUE_TRANSMIT).push(row);
    expect([table.state(row), table.queueOf(row), table.generation(row), table.peer(row)]).toEqual([2, 1, 0xff, 0xaa]);
    table.setWord(row, CACHE, STATE_DEAD);
    expect([table.state(row), table.queueOf(row), table.generation(row), table.peer(row)]).toEqual([3, 0, 0, 0]);
  });
});

describe('remove, iterate, clear', () => {
  test('removing what is not there or what waits in a queue is refused', () => {
    const table = makeTable();
    const row = table.insert(tcpFlow(1), 0);
    const queue = new FlowQueue(table, QUEUE_TRANSMIT);
    queue.push(row);
    expect(() => table.remove(row)).toThrow(/take it out/);
    queue.remove(row);
    table.remove(row);
    expect(() => table.remove(row)).toThrow(/holds no flow/);
    expect(() => table.remove(NO_ROW)).toThrow(/holds no flow/);
  });

  test('iteration goes on after its row is gone', () => {
    const table = makeTable();
    for (let number = 0; number < 10; number++) table.insert(tcpFlow(number), 0);
    const met: number[] = [];
    for (let row = table.next(0); row !== NO_ROW; row = table.next(row + 1)) {
      met.push(table.word(row, ORIG_SRC));
      table.remove(row);
    }
    expect(met).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(table.size).toBe(0);
  });

  test('clear gives the memory back and leaves a table that works', () => {
    const table = makeTable(20_000);
    const empty = table.bytesUsed;
    const scratch = tcpFlow(0);
    for (let number = 0; number < 20_000; number++) {
      table.insert(withAside(tcpFlow(number, scratch), number % 2 === 0 ? K_LABELS : 0, 1), 0);
    }
    expect(table.bytesUsed).toBeGreaterThan(20_000 * 160 + 10_000 * 128);
    expect(table.bytesUsed).toBeLessThan(20_000 * (160 + 25) + 10_000 * 140);
    table.clear();
    expect([table.size, table.asideSize, table.bytesUsed]).toEqual([0, 0, empty]);
    expect([table.next(0), table.find(tcpFlow(5))]).toEqual([NO_ROW, NO_ROW]);
    expect(table.insert(tcpFlow(5), 0)).toBe(0);
  });

  test('removing flow by flow gives most of the memory back as well', () => {
    const table = makeTable(20_000);
    const scratch = tcpFlow(0);
    for (let number = 0; number < 20_000; number++) table.insert(tcpFlow(number, scratch), 0);
    const full = table.bytesUsed;
    for (let number = 0; number < 20_000; number++) table.remove(table.find(tcpFlow(number, scratch)));
    expect(table.bytesUsed).toBeLessThan(full / 4);
  });
});
