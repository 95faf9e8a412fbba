/**
 * The four levels of the original's log (spec/daemon.md). What a level goes to (file, console, syslog) is the
 * business of src/log.
 */
export interface Logger {
  info(text: string): void;
  notice(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  /**
   * A line without time stamp, pid and level: the flow that belongs to the error line before it, as the original
   * prints it (fixtures/logs/commit.txt).
   */
  raw(text: string): void;
}

/** A logger that keeps nothing; for parts that must run without one, such as benchmarks. */
export const silentLogger: Logger = {
  info: () => {},
  notice: () => {},
  warning: () => {},
  error: () => {},
  raw: () => {},
};
