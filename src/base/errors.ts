/**
 * The base of every error the project throws on purpose: a stable code for programs, a message for people that says
 * what happened and where, and, where there is something to do, the advice.
 */
export class ConntrackdError extends Error {
  override name = 'ConntrackdError';

  constructor(
    /** Stable and greppable, e.g. `LOCK_HELD`. */
    readonly code: string,
    message: string,
    /** What the administrator can do about it; empty when there is nothing. */
    readonly advice: string = '',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A system call failed. */
export class SystemError extends ConntrackdError {
  override name = 'SystemError';

  constructor(
    /** Name of the call, e.g. `bind`. */
    readonly syscall: string,
    /** Positive errno of the host, e.g. 98. */
    readonly errno: number,
    /** Symbolic name, e.g. `EADDRINUSE`. */
    readonly errnoName: string,
    /** strerror text, e.g. `Address already in use`. */
    readonly reason: string,
    /** What the call was about: an address, an interface, a path. */
    readonly target: string,
    advice = '',
  ) {
    super(errnoName, `${syscall} ${target}: ${reason} (${errnoName})`, advice);
  }
}

/** Any error in one line: what happened. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same for the log: what happened, and what to do about it. */
export function describe(error: unknown): string {
  const advice = error instanceof ConntrackdError && error.advice !== '' ? ` (${error.advice})` : '';
  return `${reasonOf(error)}${advice}`;
}
