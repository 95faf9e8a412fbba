import { ConntrackdError } from '../base/errors.js';

/** An error as one line for the log: what happened, and what to do about it. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const advice = error instanceof ConntrackdError && error.advice !== '' ? ` (${error.advice})` : '';
  return `${error.message}${advice}`;
}
