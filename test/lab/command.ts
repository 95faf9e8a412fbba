import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';

/** What a finished command left behind. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command of the lab failed; the message shows the command line, its status and what it wrote. */
export class CommandError extends Error {
  override name = 'CommandError';

  constructor(
    readonly commandLine: readonly string[],
    readonly result: CommandResult,
  ) {
    super(`${commandLine.join(' ')}: exit status ${result.status}\n${result.stderr}${result.stdout}`.trimEnd());
  }
}

export interface RunOptions {
  /** Written to the command's standard input. */
  readonly input?: string;
  /** The command is killed after this many milliseconds; default 60 seconds. */
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Dumps of large tables are tens of megabytes; Node's own default is one. */
const MAX_OUTPUT_BYTES = 1 << 30;

/**
 * Runs a command to its end and returns its status and output whatever the status is.
 * @throws Error when it cannot be started or runs too long
 */
export function attempt(commandLine: readonly string[], options: RunOptions = {}): CommandResult {
  const [program, ...rest] = commandLine;
  const done = spawnSync(program ?? '', rest, {
    encoding: 'utf8',
    input: options.input ?? '',
    timeout: options.timeoutMs ?? 60_000,
    maxBuffer: MAX_OUTPUT_BYTES,
    ...(options.env ? { env: options.env } : {}),
  });
  if (done.error) throw new Error(`${commandLine.join(' ')}: ${done.error.message}`, { cause: done.error });
  return { status: done.status ?? 128, stdout: done.stdout, stderr: done.stderr };
}

/** Runs a command that has to succeed. Returns its standard output. @throws CommandError on another status than 0 */
export function run(commandLine: readonly string[], options: RunOptions = {}): string {
  const result = attempt(commandLine, options);
  if (result.status !== 0) throw new CommandError(commandLine, result);
  return result.stdout;
}

/** As `attempt`, without blocking: for commands that run while the test goes on. */
export function attemptInBackground(commandLine: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const child = start(commandLine, {
    timeout: options.timeoutMs ?? 60_000,
    ...(options.env ? { env: options.env } : {}),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A command that reads nothing may have ended before its input does.
  child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  child.stdin?.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({
        status: status ?? 128,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }),
    );
  });
}

/** Starts a command and leaves it running; the caller stops it. */
export function start(commandLine: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const [program, ...rest] = commandLine;
  return spawn(program ?? '', rest, options);
}
