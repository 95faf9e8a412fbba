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

  /** Numbers a whole turn of the ring later meet the slots of those rows. */
  const turn = 2 ** Math.ceil(Math.log2(2 * ROWS));

  it('when a new entry takes the number of one, a turn later', () => {
    const { table, queue } = burst();
    queue.addFlow(table.insert(tcpFlow(0), 0), turn + ROWS - 1);
    expect(queue.length).toBe(1);
  });

  it('when a range that is acknowledged, or missed, spans their slots', () => {
    const { table, queue } = burst();
    queue.addFlow(table.insert(tcpFlow(0), 0), turn);
    queue.addFlow(table.insert(tcpFlow(1), 0), turn + ROWS);
    queue.missed(turn + 1, turn + ROWS - 1, 1);
    queue.acknowledge(turn, turn + ROWS, 1, 1);
    expect(queue.length).toBe(0);
  });
});
