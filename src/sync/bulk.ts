import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';

const FIRST_ROW = 0 as FlowRow;

/**
 * Walks over every entry of the internal cache, a few at a time. A request during a walk makes another one follow, since
 * whoever asked may need what was passed already.
 */
export class BulkCursor {
  private at: FlowRow = NO_ROW;
  private again = false;

  constructor(private readonly table: FlowTable) {}

  get active(): boolean {
    return this.at !== NO_ROW;
  }

  /** @returns false when a walk is under way, which another one will follow */
  start(): boolean {
    if (this.active) {
      this.again = true;
      return false;
    }
    this.at = this.table.next(FIRST_ROW);
    return true;
  }

  stop(): void {
    this.at = NO_ROW;
    this.again = false;
  }

  /** The next entry, NO_ROW at the end. Entries that come or go meanwhile do no harm. */
  next(): FlowRow {
    if (this.at === NO_ROW) return NO_ROW;
    const row = this.table.next(this.at);
    if (row === NO_ROW) return this.wrap();
    this.at = (row + 1) as FlowRow;
    return row;
  }

  private wrap(): FlowRow {
    this.at = NO_ROW;
    if (!this.again) return NO_ROW;
    this.again = false;
    this.start();
    return this.next();
  }
}
