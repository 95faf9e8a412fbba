import type { ChildProcess, SpawnOptions } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError, type CommandResult, type RunOptions } from './command.js';
import type { NodePaths } from './configuration.js';
import { START_MS, STOP_MS } from './daemon.js';
import { comparableCacheLines, kernelLinesAsCached } from './flow-lines.js';
import { type Implementation, original } from './implementation.js';
import { Namespace } from './namespace.js';
import { projectRoot } from './project.js';
import { rawRequest } from './raw-request.js';
import { runTag } from './run-tag.js';
import { eventually } from './waiting.js';

/** Where Debian's package, its unit and its script expect the program. */
export const PROGRAM = '/usr/sbin/conntrackd';
export const CONFIG = '/etc/conntrackd/conntrackd.conf';
/** Where the files of Debian's example configurations are. */
export const DEBIAN_PATHS: NodePaths = {
  config: CONFIG,
  log: '/var/log/conntrackd.log',
  lock: '/var/lock/conntrack.lock',
  socket: '/var/run/conntrackd.ctl',
};

/** For machines whose tables hold what a test puts there: their own packets are not tracked. */
const UNTRACKED = `
table inet untracked {
  chain in { type filter hook prerouting priority raw; notrack; }
  chain out { type filter hook output priority raw; notrack; }
}
`;

/** Request codes of `-i`, `-e` and `-s runtime` (spec/control.md). */
const DUMP_INTERNAL = 16;
const DUMP_EXTERNAL = 17;
const RUNTIME = 30;

/** Appends what scripts log to a file of the machine: there is no system logger in the lab. */
const LOGGER = '#!/bin/sh\nprintf "%s\\n" "$*" >> /var/log/syslog\n';

/** Directories each machine has for itself. /run holds the control socket, /run/lock the lock. */
const OWN_DIRECTORIES = ['/etc/conntrackd', '/etc/keepalived', '/var/log', '/run'];

/** Mounts pairs of paths up to `--`, then becomes the command that follows. */
const MOUNT_AND_RUN = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 125; shift 2; done; shift; exec "$@"';

/**
 * A computer with conntrackd installed: a network namespace whose commands see its own /etc/conntrackd,
 * /etc/keepalived, /run and /var/log, and at /usr/sbin/conntrackd the implementation that is installed. Each command
 * gets a mount namespace of its own (ip-netns(8) exec makes one) over the same directories, so that nothing has to be
 * unmounted.
 */
export class Machine {
  readonly namespace: Namespace;
  private readonly directory: string;
  private program = '';

  constructor(role: string) {
    this.directory = mkdtempSync(join(tmpdir(), `${runTag}-`));
    for (const path of [...OWN_DIRECTORIES, '/run/lock']) mkdirSync(this.path(path), { recursive: true });
    this.write('/logger', LOGGER, 0o755);
    this.namespace = new Namespace(role);
  }

  /** None of its own packets shows in its kernel table. */
  trackNothing(): void {
    this.namespace.nft(UNTRACKED);
  }

  /** Where a file of the machine lies: `path('/etc/conntrackd/conntrackd.conf')`. */
  path(inside: string): string {
    return join(this.directory, inside);
  }

  write(inside: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.path(inside)), { recursive: true });
    writeFileSync(this.path(inside), text);
    chmodSync(this.path(inside), mode);
  }

  /** '' when there is no such file. */
  read(inside: string): string {
    return existsSync(this.path(inside)) ? readFileSync(this.path(inside), 'utf8') : '';
  }

  /** Puts a conntrackd at /usr/sbin/conntrackd, as a package does; running ones stay what they are. */
  install(implementation: Implementation): void {
    this.installProgram(implementation === original ? '' : `#!/bin/sh\nexec '${implementation.program}' "$@"\n`);
  }

  /** Puts a shell script at /usr/sbin/conntrackd; '' for what the package put there. */
  installProgram(script: string): void {
    this.program = script === '' ? '' : this.path('/conntrackd');
    // Written anew under the same name, it would change under those who have it mounted.
    rmSync(this.path('/conntrackd'), { force: true });
    if (script !== '') this.write('/conntrackd', script, 0o755);
  }

  /** Installs the role script of the project, or another one. */
  installScript(source = join(projectRoot, 'scripts', 'primary-backup.sh')): void {
    copyFileSync(source, this.path('/etc/conntrackd/primary-backup.sh'));
    chmodSync(this.path('/etc/conntrackd/primary-backup.sh'), 0o755);
  }

  private inside(commandLine: readonly string[]): string[] {
    const mounts = OWN_DIRECTORIES.flatMap((path) => [this.path(path), path]);
    const program = this.program === '' ? [] : [this.program, PROGRAM];
    const logger = [this.path('/logger'), '/usr/bin/logger'];
    // First the files: their directory may be below one of those that follow.
    return ['sh', '-c', MOUNT_AND_RUN, 'machine', ...program, ...logger, ...mounts, '--', ...commandLine];
  }

  /** Starts a command and leaves it running. */
  start(commandLine: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.namespace.start(this.inside(commandLine), options);
  }

  run(commandLine: readonly string[], options: RunOptions = {}): string {
    return this.namespace.run(this.inside(commandLine), options);
  }

  attempt(commandLine: readonly string[], options: RunOptions = {}): CommandResult {
    return this.namespace.attempt(this.inside(commandLine), options);
  }

  attemptInBackground(commandLine: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return this.namespace.attemptInBackground(this.inside(commandLine), options);
  }

  /** The role script with these words. */
  changeRole(...words: string[]): Promise<CommandResult> {
    return this.attemptInBackground(['/etc/conntrackd/primary-backup.sh', ...words]);
  }

  /** Processes of that name (proc(5) comm) whose parent has another. */
  processes(name: string): number[] {
    const named = this.namespace.pids().filter((pid) => nameOf(pid) === name);
    return named.filter((pid) => !named.includes(parentOf(pid)));
  }

  /** Starts conntrackd as its unit does and waits until it serves. */
  async startConntrackd(): Promise<void> {
    const words = [PROGRAM, '-d'];
    const result = await this.attemptInBackground(words, { timeoutMs: START_MS });
    if (result.status !== 0) throw new Error(`${new CommandError(words, result).message}\n${this.log()}`);
    await this.conntrackdServes();
  }

  /** Waits for a daemon that something else starts. Returns its pid. */
  conntrackdServes(withinMs = START_MS): Promise<number> {
    const serves = async (): Promise<number | false> => {
      const [pid, ...others] = this.processes('conntrackd');
      // A client that is asking just now has the same name.
      if (pid === undefined || others.length > 0) return false;
      return (await this.ask(RUNTIME)) !== '' && pid;
    };
    return eventually(serves, { withinMs, what: `conntrackd of ${this.namespace.role}` });
  }

  /** Stops conntrackd as its unit does: SIGTERM to its pid. */
  async stopConntrackd(): Promise<void> {
    for (const pid of this.processes('conntrackd')) process.kill(pid, 'SIGTERM');
    await eventually(() => this.processes('conntrackd').length === 0, { withinMs: STOP_MS, what: 'end of conntrackd' });
  }

  /** Kills all processes of these names at once. */
  kill(...names: string[]): void {
    const pids = this.namespace.pids().filter((pid) => names.includes(nameOf(pid)));
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  }

  /** A request to the daemon; it has to succeed. */
  request(...words: string[]): string {
    return this.run([PROGRAM, ...words]);
  }

  async internal(): Promise<string[]> {
    return comparableCacheLines(await this.ask(DUMP_INTERNAL));
  }

  async external(): Promise<string[]> {
    return comparableCacheLines(await this.ask(DUMP_EXTERNAL));
  }

  private ask(code: number): Promise<string> {
    return rawRequest(this.path('/run/conntrackd.ctl'), code);
  }

  /** The kernel table in the form of comparable cache lines. */
  kernelTable(): string[] {
    return kernelLinesAsCached(this.namespace.attempt(['conntrack', '-L']).stdout);
  }

  /** Puts flows into the kernel table: lines for `conntrack -R` (flows.ts). */
  loadFlows(lines: string): void {
    this.write('/flows', lines);
    this.namespace.run(['conntrack', '-R', this.path('/flows')]);
  }

  /** What scripts said through logger(1), its arguments included. */
  syslog(): string {
    return this.read('/var/log/syslog');
  }

  /** conntrackd's log. */
  log(): string {
    return this.read('/var/log/conntrackd.log');
  }

  remove(): void {
    this.namespace.remove();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** '' when the process has ended meanwhile. */
function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return '';
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
