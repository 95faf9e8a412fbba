import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError, type CommandResult } from './command.js';
import { configurationText, type NodePaths, pathsIn, type Settings } from './configuration.js';
import type { Implementation } from './implementation.js';
import type { Namespace } from './namespace.js';
import { rawExchange, rawRequest } from './raw-request.js';
import { runTag } from './run-tag.js';
import { eventually, nowMs } from './waiting.js';

/** Most milliseconds a daemon may take from its start to its socket, and from `-k` to its end (spec/beyond.md: 5 s). */
export const START_MS = 10_000;
export const STOP_MS = 5_000;

/** One conntrackd in a namespace, with its own directory for configuration, log, lock and socket. */
export class Daemon {
  readonly directory: string;
  readonly paths: NodePaths;
  pid = 0;

  constructor(
    readonly namespace: Namespace,
    readonly implementation: Implementation,
    readonly settings: Settings,
  ) {
    this.directory = mkdtempSync(join(tmpdir(), `${runTag}-`));
    this.paths = pathsIn(this.directory);
    this.configure(settings);
  }

  /** Writes the configuration; takes effect at the next start. */
  configure(settings: Settings): void {
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(this.paths.config, configurationText(settings, this.paths));
  }

  /** Starts it with `-d` and waits until it serves. @throws Error with its log when it does not */
  async start(): Promise<void> {
    const result = await this.startAttempt();
    if (result.status !== 0) throw this.failure(new CommandError(this.commandLine(['-d']), result).message);
    await this.found();
  }

  /** Waits for the socket and the process of a daemon that something else has started. */
  async found(): Promise<void> {
    await eventually(() => existsSync(this.paths.socket), { withinMs: START_MS, what: 'control socket' });
    const pid = await eventually(() => this.processes()[0], { withinMs: START_MS, what: 'daemon process' }).catch(
      (error: Error) => {
        throw this.failure(error.message);
      },
    );
    this.pid = pid;
  }

  /** Starts it with `-d`, whatever comes of it. */
  startAttempt(): Promise<CommandResult> {
    return this.namespace.attemptInBackground(this.commandLine(['-d']), { timeoutMs: START_MS });
  }

  /** The processes that run this daemon's configuration; forks of the first come later in the list. */
  processes(): number[] {
    const mine = this.namespace.pids().filter((pid) => this.runsThis(commandLineOf(pid)));
    return mine.filter((pid) => !mine.includes(parentOf(pid)));
  }

  private runsThis(words: readonly string[]): boolean {
    // A node process may show its whole command line as one word once it has set its title.
    const all = words.join(' ').split(' ');
    return all.includes('-d') && all.includes(this.paths.config) && !all.includes('exec');
  }

  /** Asks it to stop with `-k` and waits for its end. Returns how many milliseconds that took. */
  async stop(): Promise<number> {
    const from = nowMs();
    this.request('-k');
    await this.gone(STOP_MS);
    return nowMs() - from;
  }

  /** Ends it without warning: no clean-up, as in a crash. */
  async kill(): Promise<void> {
    for (const pid of this.processes()) process.kill(pid, 'SIGKILL');
    await this.gone(STOP_MS);
  }

  private async gone(withinMs: number): Promise<void> {
    await eventually(() => !this.alive(), { withinMs, everyMs: 20, what: `end of daemon ${this.pid}` });
  }

  alive(): boolean {
    return this.pid !== 0 && existsSync(`/proc/${this.pid}`) && !isZombie(this.pid);
  }

  /** A client request of the same implementation; it has to succeed. Returns its standard output. */
  request(...words: string[]): string {
    return this.requestBy(this.implementation, ...words);
  }

  /** A client request made with the program of either implementation. */
  requestBy(implementation: Implementation, ...words: string[]): string {
    const result = this.requestAttempt(implementation, ...words);
    if (result.status !== 0) throw this.failure(new CommandError(words, result).message);
    return result.stdout;
  }

  requestAttempt(implementation: Implementation, ...words: string[]): CommandResult {
    return this.namespace.attempt(this.commandLine(words, implementation));
  }

  private commandLine(words: readonly string[], implementation = this.implementation): string[] {
    return [implementation.program, ...words, '-C', this.paths.config];
  }

  /** Writes bytes to the control socket and returns all it answers; the daemon's reply to a code without any client. */
  raw(bytes: Uint8Array, timeoutMs = 10_000): Promise<string> {
    return rawExchange(this.paths.socket, bytes, timeoutMs);
  }

  /** The reply to a request code (spec/control.md): a native-endian 32-bit integer. */
  rawRequest(code: number, timeoutMs = 10_000): Promise<string> {
    return rawRequest(this.paths.socket, code, timeoutMs);
  }

  log(): string {
    return existsSync(this.paths.log) ? readFileSync(this.paths.log, 'utf8') : '';
  }

  /** Resident memory in bytes. */
  residentBytes(): number {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  }

  /** Kills what still runs and removes the directory. */
  remove(): void {
    for (const pid of this.processes()) process.kill(pid, 'SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private failure(message: string): Error {
    return new Error(`${this.implementation.name} in ${this.namespace.name}: ${message}\nlog:\n${this.log()}`);
  }
}

function commandLineOf(pid: number): string[] {
  return readProcess(pid, 'cmdline').split('\0');
}

function parentOf(pid: number): number {
  return Number(afterName(pid)[1] ?? 0);
}

function isZombie(pid: number): boolean {
  return afterName(pid)[0] === 'Z';
}

/** The fields of proc(5) stat after the bracketed name: state, parent, ... */
function afterName(pid: number): string[] {
  const stat = readProcess(pid, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** '' when the process has ended meanwhile. */
function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
