import { ConntrackdError } from '../base/errors.js';
import { TIMER_NEXT, TIMER_PREV } from './layout.js';
import { type FlowRow, NO_ROW } from './row.js';
import type { FlowTable } from './table.js';

/**
 * One deadline per row of a table, to the second: arming, moving and cancelling cost the same whatever number of rows
 * waits, and no memory beyond the slots.
 *
 * ```
 *   slots      [ .. | s | s+1 | .. ]      one per second (or per few seconds, see `secondsPerSlot`); wraps around
 *                     |
 *                   first row <-TIMER_NEXT/TIMER_PREV-> row <-> row
 * ```
 * TIMER_NEXT is row + 1, 0 at the end. TIMER_PREV is row + 1 too, but of a slot's first row it is SLOT | slot: so a row
 * knows where it hangs without a word for its deadline, and a row whose TIMER_PREV is 0 is not armed. One wheel per
 * table.
 */

/** Marks a TIMER_PREV that names a slot. Row numbers stay below it (MOST_ROWS). */
const SLOT = 0x80000000;

/**
 * Most slots (1 MiB). Spans beyond half of that many seconds (36 hours) share slots of several seconds, so that a
 * deadline comes at most one 131,072th of the span late.
 */
const MOST_SLOTS = 2 ** 18;

export class TimerWheel {
  /** Seconds that share a slot; 1 unless the span is longer than 36 hours. */
  readonly secondsPerSlot: number;
  readonly #table: FlowTable;
  /** First row + 1 of each slot, 0 = empty. */
  #slots: Int32Array;
  #mask: number;
  /** Number, not wrapped, of the slot being emptied; all before it are empty. */
  #turn: number;
  #armed = 0;

  /** @param spanSeconds the longest time a row is armed for */
  constructor(table: FlowTable, spanSeconds: number, nowSeconds: number) {
    if (!(spanSeconds >= 1)) {
      throw new ConntrackdError('TIMER_SPAN', `a timer wheel spans at least a second, not ${spanSeconds}`);
    }
    this.#table = table;
    this.secondsPerSlot = Math.ceil((spanSeconds * 2) / MOST_SLOTS);
    // Twice the span: a wheel that is turned late still has a slot for a row armed for the whole span from now.
    const slots = 2 ** Math.ceil(Math.log2((spanSeconds / this.secondsPerSlot) * 2 + 2));
    this.#slots = new Int32Array(Math.min(slots, MOST_SLOTS));
    this.#mask = this.#slots.length - 1;
    this.#turn = Math.floor(nowSeconds / this.secondsPerSlot);
    table.onClear(() => this.#forget());
  }

  /**
   * Makes room for deadlines up to `spanSeconds` ahead, as far as MOST_SLOTS slots of the present width go; what is armed
   * stays so. A slot holds the rows of one turn only, so each list moves as a whole.
   */
  widen(spanSeconds: number): void {
    const wanted = 2 ** Math.ceil(Math.log2((spanSeconds / this.secondsPerSlot) * 2 + 2));
    const count = Math.min(wanted, MOST_SLOTS);
    if (count <= this.#slots.length) return;
    const slots = new Int32Array(count);
    for (let turn = this.#turn; turn < this.#turn + this.#slots.length; turn++) {
      const first = this.#slots[turn & this.#mask]!;
      const slot = turn & (count - 1);
      slots[slot] = first;
      if (first !== 0) this.#table.setWord((first - 1) as FlowRow, TIMER_PREV, (SLOT | slot) >>> 0);
    }
    this.#slots = slots;
    this.#mask = count - 1;
  }

  /** Rows armed. */
  get length(): number {
    return this.#armed;
  }

  isArmed(row: FlowRow): boolean {
    return this.#table.word(row, TIMER_PREV) !== 0;
  }

  /**
   * Lets `row` expire at `deadlineSeconds` (monotonic clock); one that is armed already is moved. A deadline that is
   * not in the future expires with the next second, one beyond the wheel's last slot with that slot.
   */
  arm(row: FlowRow, deadlineSeconds: number): void {
    if (this.isArmed(row)) this.cancel(row);
    const due = Math.ceil(deadlineSeconds / this.secondsPerSlot);
    const turn = Math.min(Math.max(due, this.#turn + 1), this.#turn + this.#mask);
    const slot = turn & this.#mask;
    const table = this.#table;
    const first = this.#slots[slot]!;
    table.setWord(row, TIMER_NEXT, first);
    table.setWord(row, TIMER_PREV, (SLOT | slot) >>> 0);
    if (first !== 0) table.setWord((first - 1) as FlowRow, TIMER_PREV, row + 1);
    this.#slots[slot] = row + 1;
    this.#armed++;
  }

  /** Disarms `row`; nothing happens when it is not armed. */
  cancel(row: FlowRow): void {
    const table = this.#table;
    const previous = table.word(row, TIMER_PREV);
    if (previous === 0) return;
    const next = table.word(row, TIMER_NEXT);
    if (previous >= SLOT) this.#slots[previous - SLOT] = next;
    else table.setWord((previous - 1) as FlowRow, TIMER_NEXT, next);
    if (next !== 0) table.setWord((next - 1) as FlowRow, TIMER_PREV, previous);
    table.setWord(row, TIMER_NEXT, 0);
    table.setWord(row, TIMER_PREV, 0);
    this.#armed--;
  }

  /**
   * Hands rows whose deadline is `nowSeconds` or earlier to `expired`, each disarmed before the call; earlier seconds
   * first, within a second in no order. The callback may arm, cancel and remove rows, the one it got included.
   * Call it at least once in `spanSeconds`, whether rows are armed or not.
   * @param budget most rows handed over in this call; call again when that many came
   * @returns how many rows were handed over
   */
  advance(nowSeconds: number, expired: (row: FlowRow) => void, budget = Number.POSITIVE_INFINITY): number {
    const due = Math.floor(nowSeconds / this.secondsPerSlot);
    let handed = 0;
    while (handed < budget) {
      const row = (this.#slots[this.#turn & this.#mask]! - 1) as FlowRow;
      if (row !== NO_ROW) {
        this.cancel(row);
        handed++;
        expired(row);
        continue;
      }
      if (this.#turn >= due) break;
      this.#turn = this.#armed === 0 ? due : this.#turn + 1;
    }
    return handed;
  }

  #forget(): void {
    this.#slots.fill(0);
    this.#armed = 0;
  }
}
