import { describe, expect, it } from 'vitest';
import { type FlowRow, FlowTable } from '../../../src/flow/table.js';
import { type ResendEvents, ResendQueue } from '../../../src/sync/resend.js';
import { tcpFlow } from '../flow/flows.js';

const SILENT: ResendEvents = { settled() {}, again() {}, controlAgain() {}, overflowed() {} };
/** Three pages of the table (src/flow/table.ts: 4096 rows each). */
const ROWS = 3 * 4096;

describe('the ring of the resend queue leads to rows that are gone', () => {
  function burst(): { table: FlowTable; queue: ResendQueue } {
    const table = new FlowTable({ limit: ROWS, seed: 1 });
    const queue = new ResendQueue(table, ROWS, SILENT);
    for (let number = 0; number < ROWS; number++) queue.addFlow(table.insert(tcpFlow(number), 0), number);
    queue.acknowledge(0, ROWS - 1, 1, 1);
    for (let row = 0; row < ROWS; row++) table.remove(row as FlowRow);
    return { table, queue };
  }

  it('when new entries take their numbers, a turn later', () => {
    const { table, queue } = burst();
    const turn = 2 ** Math.ceil(Math.log2(2 * ROWS));
    for (let number = 0; number < ROWS; number++) {
      queue.addFlow(table.insert(tcpFlow(number), 0), turn + number);
      if (number % 100 === 99) queue.acknowledge(turn + number - 99, turn + number, 1, 1);
    }
    expect(queue.length).toBe(ROWS % 100);
  });

  it('when a peer acknowledges or misses numbers of theirs once more', () => {
    const { table, queue } = burst();
    queue.addFlow(table.insert(tcpFlow(0), 0), 0);
    queue.acknowledge(1, ROWS, 1, 1);
    queue.missed(1, ROWS);
    expect(queue.length).toBe(1);
  });
});
