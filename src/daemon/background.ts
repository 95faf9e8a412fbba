import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';

/** Names, in the child's environment, the descriptor on which it tells its parent that it serves. */
export const READY_VARIABLE = 'CONNTRACKD_READY_FD';
const READY_FD = 3;
/** What it writes there. */
export const READY_TEXT = 'ready\n';
const STDERR = 2;

/** Signals that end the parent while it waits; the child, in its own session, would not notice. */
const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

function spawnDaemon(argv: readonly string[]): ChildProcess {
  const [script = '', ...options] = argv;
  return spawn(process.execPath, [...process.execArgv, script, ...options], {
    // A session of its own: no terminal can reach it.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, [READY_VARIABLE]: String(READY_FD) },
  });
}

/**
 * `-d`: starts the daemon as a process of its own and waits until it serves, passing on what it says meanwhile.
 *
 * A new process rather than fork(2): Node cannot fork, its threads would be missing in the copy.
 *
 * @param argv the script and its options, as process.argv without the interpreter
 * @returns the exit status: 0 when the daemon serves, 1 when it could not start
 */
export function startInBackground(argv: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawnDaemon(argv);
    const ready = child.stdio[READY_FD] as Readable;
    const errors = child.stderr as Readable;
    let serves = false;
    let said = false;
    for (const signal of ENDING) process.once(signal, () => child.kill('SIGTERM'));
    errors.on('data', (bytes: Uint8Array) => {
      said = true;
      writeSync(STDERR, bytes);
    });
    ready.on('data', (bytes: Buffer) => {
      serves ||= bytes.includes(READY_TEXT);
      if (serves) resolve(0);
    });
    child.once('error', (error) => {
      writeSync(STDERR, `conntrackd: cannot start ${process.execPath}: ${error.message}\n`);
      resolve(1);
    });
    child.once('close', (status, signal) => {
      if (!said) writeSync(STDERR, `conntrackd: the daemon ended at start (${signal ?? `status ${status}`})\n`);
      resolve(1);
    });
  });
}

/** Whether this process was started by `startInBackground`. */
export function isBackgroundChild(environment: NodeJS.ProcessEnv): boolean {
  return environment[READY_VARIABLE] !== undefined;
}

/** The link of a daemon in the background to the process that started it. */
export class ParentLink {
  private constructor(private readonly fd: number) {}

  /** Null in a process that was not started by `startInBackground`. Children of this process are not told. */
  static take(environment: NodeJS.ProcessEnv): ParentLink | null {
    const fd = Number(environment[READY_VARIABLE]);
    delete environment[READY_VARIABLE];
    return Number.isInteger(fd) && fd > STDERR ? new ParentLink(fd) : null;
  }

  /** Lets go of the terminal and of the working directory, then tells the parent that the daemon serves. */
  ready(): void {
    process.chdir('/');
    try {
      writeSync(this.fd, READY_TEXT);
    } catch {
      // The parent was killed while it waited; the daemon serves all the same.
    }
    this.close();
  }

  private close(): void {
    closeSync(this.fd);
    // The lowest free number is given out: standard error becomes /dev/null like the other two.
    closeSync(STDERR);
    openSync('/dev/null', 'w');
  }
}
