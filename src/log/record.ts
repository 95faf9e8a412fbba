import type { Level } from './format.js';

/** What the transports get from winston. */
export interface LogRecord {
  readonly level: Level;
  /** The bare text. */
  readonly message: string;
  /** The line as file and console show it, without newline. */
  readonly line: string;
  readonly date: Date;
}
