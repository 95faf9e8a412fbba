import { describe, expect, test } from 'vitest';
import { QUEUE_NONE, QUEUE_RESEND, QUEUE_TRANSMIT } from '../../../src/flow/layout.js';
import { FlowQueue } from '../../../src/flow/queue.js';
import { type FlowRow, FlowTable, NO_ROW } from '../../../src/flow/table.js';
import { tcpFlow } from './flows.js';

function setUp(): { table: FlowTable; queue: FlowQueue; rows: FlowRow[] } {
  const table = new FlowTable({ limit: 10, seed: 1 });
  const queue = new FlowQueue(table, QUEUE_TRANSMIT);
  const rows = [0, 1, 2, 3].map((number) => table.insert(tcpFlow(number), 0));
  return { table, queue, rows };
}

function listed(queue: FlowQueue): FlowRow[] {
  const rows: FlowRow[] = [];
  for (let row = queue.head; row !== NO_ROW; row = queue.after(row)) rows.push(row);
  expect(queue.length).toBe(rows.length);
  return rows;
}

describe('flow queue', () => {
  test('rows leave in the order they came', () => {
    const { queue, rows, table } = setUp();
    for (const row of [2, 0, 3]) expect(queue.push(rows[row]!)).toBe(true);
    expect(listed(queue)).toEqual([rows[2], rows[0], rows[3]]);
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual([rows[2], rows[0], rows[3], NO_ROW]);
    expect(table.queueOf(rows[2]!)).toBe(QUEUE_NONE);
    expect(queue.length).toBe(0);
  });

  test('a row that waits keeps its place', () => {
    const { queue, rows } = setUp();
    for (const row of rows) queue.push(row);
    expect(queue.push(rows[1]!)).toBe(false);
    expect(listed(queue)).toEqual(rows);
  });

  test.each([
    ['head', 0],
    ['middle', 1],
    ['tail', 3],
  ])('the %s can leave and come again', (_name, index) => {
    const { queue, rows } = setUp();
    for (const row of rows) queue.push(row);
    queue.remove(rows[index]!);
    const others = rows.filter((row) => row !== rows[index]);
    expect(listed(queue)).toEqual(others);
    queue.push(rows[index]!);
    expect(listed(queue)).toEqual([...others, rows[index]]);
  });

  test('a row waits in one queue only', () => {
    const { table, queue, rows } = setUp();
    const resend = new FlowQueue(table, QUEUE_RESEND);
    queue.push(rows[0]!);
    expect(() => resend.push(rows[0]!)).toThrow(/waits in queue 1, not in 2/);
    expect(() => resend.remove(rows[0]!)).toThrow(/does not wait in queue 2/);
    expect(() => queue.remove(rows[1]!)).toThrow(/does not wait in queue 1/);
    resend.push(queue.shift());
    expect([resend.has(rows[0]!), queue.has(rows[0]!)]).toEqual([true, false]);
    expect([listed(queue), listed(resend)]).toEqual([[], [rows[0]]]);
  });

  test('clearing the table empties its queues', () => {
    const { table, queue, rows } = setUp();
    for (const row of rows) queue.push(row);
    table.clear();
    expect([queue.head, queue.length, queue.shift()]).toEqual([NO_ROW, 0, NO_ROW]);
    const row = table.insert(tcpFlow(1), 0);
    queue.push(row);
    expect(listed(queue)).toEqual([row]);
  });

  test.each([0, 4, -1])('queue number %i is refused', (number) => {
    expect(() => new FlowQueue(new FlowTable({ limit: 1 }), number)).toThrow(/queue 1 to 3/);
  });
});
