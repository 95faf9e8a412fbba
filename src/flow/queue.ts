import { ConntrackdError } from '../base/errors.js';
import { CACHE, NEXT, PREV, QUEUE_MASK, QUEUE_NONE, QUEUE_SHIFT } from './layout.js';
import { type FlowRow, NO_ROW } from './row.js';
import type { FlowTable } from './table.js';

/**
 * A first-in, first-out queue of rows, linked through the rows themselves: any number of flows may wait without a byte
 * more of memory, and a row leaves from the middle at no cost.
 *
 * ```
 * head -> row <-NEXT/PREV-> row <-> row <- tail        (links are row number + 1; 0 = end)
 *         CACHE bits 2-3 of each = number of this queue
 * ```
 * A row is in at most one queue of its table.
 */
export class FlowQueue {
  readonly #table: FlowTable;
  readonly #queue: number;
  #head: FlowRow = NO_ROW;
  #tail: FlowRow = NO_ROW;
  #length = 0;

  /**
   * @param queue QUEUE_TRANSMIT or QUEUE_RESEND; one FlowQueue per table and number
   * @throws ConntrackdError FLOW_QUEUE_NUMBER
   */
  constructor(table: FlowTable, queue: number) {
    if (queue === QUEUE_NONE || queue >>> 0 > QUEUE_MASK >>> QUEUE_SHIFT) {
      throw new ConntrackdError('FLOW_QUEUE_NUMBER', `a row can wait in queue 1 to 3, not ${queue}`);
    }
    this.#table = table;
    this.#queue = queue;
    table.onClear(() => this.#forget());
  }

  get length(): number {
    return this.#length;
  }

  /** The row that has waited longest, NO_ROW when none waits. */
  get head(): FlowRow {
    return this.#head;
  }

  /** The row behind `row`, which waits in this queue; NO_ROW at the end. */
  after(row: FlowRow): FlowRow {
    return (this.#table.word(row, NEXT) - 1) as FlowRow;
  }

  /** Whether `row` waits in this queue. */
  has(row: FlowRow): boolean {
    return this.#table.queueOf(row) === this.#queue;
  }

  /**
   * Puts `row` at the tail. One that waits here already keeps its place: its message is built when it leaves, so it
   * carries the newest state (spec/sync.md "Sending").
   * @returns whether the row was put there
   * @throws ConntrackdError FLOW_IN_OTHER_QUEUE
   */
  push(row: FlowRow): boolean {
    const table = this.#table;
    const current = table.queueOf(row);
    if (current === this.#queue) return false;
    if (current !== QUEUE_NONE) {
      throw new ConntrackdError('FLOW_IN_OTHER_QUEUE', `row ${row} waits in queue ${current}, not in ${this.#queue}`);
    }
    const tail = this.#tail;
    table.setWord(row, NEXT, 0);
    table.setWord(row, PREV, tail + 1);
    if (tail === NO_ROW) this.#head = row;
    else table.setWord(tail, NEXT, row + 1);
    this.#tail = row;
    this.#setQueue(row, this.#queue);
    this.#length++;
    return true;
  }

  /**
   * Takes `row` out, wherever it stands.
   * @throws ConntrackdError FLOW_IN_OTHER_QUEUE when it does not wait here
   */
  remove(row: FlowRow): void {
    const table = this.#table;
    if (!this.has(row)) {
      throw new ConntrackdError('FLOW_IN_OTHER_QUEUE', `row ${row} does not wait in queue ${this.#queue}`);
    }
    const next = (table.word(row, NEXT) - 1) as FlowRow;
    const previous = (table.word(row, PREV) - 1) as FlowRow;
    if (previous === NO_ROW) this.#head = next;
    else table.setWord(previous, NEXT, next + 1);
    if (next === NO_ROW) this.#tail = previous;
    else table.setWord(next, PREV, previous + 1);
    table.setWord(row, NEXT, 0);
    table.setWord(row, PREV, 0);
    this.#setQueue(row, QUEUE_NONE);
    this.#length--;
  }

  /** Takes the head out and returns it; NO_ROW when none waits. */
  shift(): FlowRow {
    const row = this.#head;
    if (row !== NO_ROW) this.remove(row);
    return row;
  }

  #setQueue(row: FlowRow, queue: number): void {
    this.#table.setWord(row, CACHE, (this.#table.word(row, CACHE) & ~QUEUE_MASK) | (queue << QUEUE_SHIFT));
  }

  #forget(): void {
    this.#head = NO_ROW;
    this.#tail = NO_ROW;
    this.#length = 0;
  }
}
