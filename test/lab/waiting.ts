/** Milliseconds on a clock that never goes back. */
export function nowMs(): number {
  return performance.now();
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface WaitOptions {
  /** Milliseconds until the wait is given up. */
  readonly withinMs: number;
  /** Milliseconds between two looks; default 50. */
  readonly everyMs?: number;
  /** What is awaited, for the error: "the standby's socket". */
  readonly what: string;
}

/**
 * Looks again and again until `look` returns something other than undefined, false, null; returns that.
 * @throws Error naming what did not happen, with the last error `look` threw as its cause
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, undefined | false | null>> {
  const deadline = nowMs() + options.withinMs;
  let failure: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false && seen !== null) return seen as Exclude<T, undefined | false | null>;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (nowMs() >= deadline) break;
    await sleep(options.everyMs ?? 50);
  }
  const reason = failure instanceof Error ? `: ${failure.message}` : '';
  throw new Error(`${options.what}: not within ${options.withinMs} ms${reason}`, { cause: failure });
}

/**
 * Repeats a comparison until it finds nothing to complain about. Returns its last complaint, '' when all is well, so
 * that a test can write `expect(await settled(...)).toBe('')` and show the complaint when it fails.
 */
export async function settled(
  complaint: () => string | Promise<string>,
  withinMs: number,
  everyMs = 200,
): Promise<string> {
  const deadline = nowMs() + withinMs;
  for (;;) {
    const text = await complaint();
    if (text === '' || nowMs() >= deadline) return text;
    await sleep(everyMs);
  }
}
