import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { FlowScratch } from '../flow/scratch.js';

/** `read` says so when every flow was handed over. */
export const NO_MORE_FLOWS = -1;

/** The kernel's table, read a few flows at a time, as fast as its reader wants them. */
export interface FlowReader {
  /** Begins a dump, giving up one under way. @throws SystemError when the kernel refuses */
  open(): void;
  /**
   * Hands over the next flows, some hundred at most; each is valid until `each` returns.
   *
   * @returns how many, NO_MORE_FLOWS at the end
   * @throws SystemError when the kernel refuses
   */
  read(each: (flow: FlowScratch) => void): number;
  /** After the end: the table changed meanwhile and flows may have been passed over. */
  readonly interrupted: boolean;
  close(): void;
}

/** Interrupted dumps in a row before the last is taken as it is: a table that never rests must not be sent for ever. */
const MOST_RESTARTS = 10;

/**
 * The bulk of a node without an internal cache: the kernel's flows straight to the wire. A request during a bulk makes
 * another one follow, since whoever asked may need what was passed already.
 */
export class KernelBulk {
  /** A bulk is under way. */
  active = false;
  private again = false;
  private restarts = 0;

  constructor(
    private readonly reader: FlowReader,
    private readonly logger: Logger,
    private readonly each: (flow: FlowScratch) => void,
  ) {}

  start(): void {
    if (this.active) {
      this.again = true;
      return;
    }
    this.restarts = 0;
    this.open();
  }

  /** Sends the next flows. @returns how many */
  next(): number {
    try {
      const count = this.reader.read(this.each);
      if (count !== NO_MORE_FLOWS) return count;
    } catch (error) {
      this.fail(error);
      return 0;
    }
    this.end();
    return 0;
  }

  private open(): void {
    try {
      this.reader.open();
      this.active = true;
    } catch (error) {
      this.fail(error);
    }
  }

  private end(): void {
    this.active = false;
    if (this.reader.interrupted && this.restarts < MOST_RESTARTS) this.restarts++;
    else if (this.again) {
      this.again = false;
      this.restarts = 0;
    } else return;
    this.open();
  }

  private fail(error: unknown): void {
    this.active = false;
    this.again = false;
    this.logger.error(`bulk update from the kernel's table: ${describe(error)}`);
  }
}
