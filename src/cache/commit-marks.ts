import type { FlowRow, FlowTable } from '../flow/table.js';

/**
 * What a commit notes of an entry of the external cache, in the eight bits of its row that the internal cache uses for
 * generations: bits 0-2 its rank, bits 3-5 what is to be done with it. An entry that comes during the commit, or takes
 * the row of one that went, has neither: zero.
 */
const RANK_MASK = 7;
const TASK_SHIFT = 3;

export class CommitMarks {
  constructor(private readonly table: FlowTable) {}

  rank(row: FlowRow): number {
    return this.table.generation(row) & RANK_MASK;
  }

  task(row: FlowRow): number {
    return this.table.generation(row) >>> TASK_SHIFT;
  }

  set(row: FlowRow, rank: number, task: number): void {
    this.table.setGeneration(row, rank | (task << TASK_SHIFT));
  }
}
