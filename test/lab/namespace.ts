import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, attemptInBackground, type CommandResult, type RunOptions, run, start } from './command.js';
import { belongsToDeadRun, runTag } from './run-tag.js';

let counter = 0;
const alive = new Set<Namespace>();

/**
 * A network namespace of the lab, called `ctlab-PID-START-N-ROLE` (run-tag.ts). Works as root, and in user namespaces
 * made by `unshare --user --map-root-user --net --mount` with a tmpfs on /run.
 */
export class Namespace {
  readonly name: string;
  private removed = false;

  constructor(readonly role: string) {
    counter += 1;
    this.name = `${runTag}-${counter}-${role}`;
    run(['ip', 'netns', 'add', this.name]);
    alive.add(this);
    tearDownAtExit();
    this.ip('link', 'set', 'lo', 'up');
  }

  /** The command line that runs `commandLine` inside. */
  inside(commandLine: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...commandLine];
  }

  /** Runs a command inside to its end; it has to succeed. */
  run(commandLine: readonly string[], options: RunOptions = {}): string {
    return run(this.inside(commandLine), options);
  }

  /** Runs a command inside to its end, whatever its status. */
  attempt(commandLine: readonly string[], options: RunOptions = {}): CommandResult {
    return attempt(this.inside(commandLine), options);
  }

  attemptInBackground(commandLine: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return attemptInBackground(this.inside(commandLine), options);
  }

  /** Starts a command inside and leaves it running; it is killed with the namespace at the latest. */
  start(commandLine: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return start(this.inside(commandLine), options);
  }

  /** `ip` in this namespace. */
  ip(...words: string[]): string {
    return run(['ip', '-n', this.name, ...words]);
  }

  /** Loads an nft ruleset. */
  nft(ruleset: string): void {
    this.run(['nft', '-f', '-'], { input: ruleset });
  }

  /** Sets kernel parameters of this namespace: `{'net.ipv4.ip_forward': 1}`. */
  sysctl(settings: Readonly<Record<string, number>>): void {
    const script = Object.entries(settings)
      .map(([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`)
      .join(' && ');
    this.run(['sh', '-c', script]);
  }

  /** The processes that live in it. */
  pids(): number[] {
    return pidsOf(this.name);
  }

  /** Kills what runs inside and removes the namespace with its links. Harmless when repeated. */
  remove(): void {
    if (this.removed) return;
    this.removed = true;
    alive.delete(this);
    removeByName(this.name);
  }
}

function pidsOf(name: string): number[] {
  return attempt(['ip', 'netns', 'pids', name])
    .stdout.split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

function removeByName(name: string): void {
  for (const pid of pidsOf(name)) killQuietly(pid);
  attempt(['ip', 'netns', 'delete', name]);
}

/** A process may end between being listed and being killed. */
function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A veth pair between two namespaces. */
export function connect(one: Namespace, nameInOne: string, other: Namespace, nameInOther: string): void {
  one.ip('link', 'add', nameInOne, 'type', 'veth', 'peer', 'name', nameInOther, 'netns', other.name);
  one.ip('link', 'set', nameInOne, 'up');
  other.ip('link', 'set', nameInOther, 'up');
}

/** Removes what runs that are gone left behind: namespaces with their processes, and directories. Returns their names. */
export function sweep(): string[] {
  const namespaces = attempt(['ip', 'netns', 'list'])
    .stdout.split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter(belongsToDeadRun);
  for (const name of namespaces) removeByName(name);
  const directories = readdirSync(tmpdir()).filter(belongsToDeadRun);
  for (const name of directories) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  return [...namespaces, ...directories];
}

/** Removes every namespace this process made and has not removed yet. */
export function removeAll(): void {
  for (const namespace of [...alive]) namespace.remove();
}

/** Namespaces that `--keep` leaves behind on purpose are no longer this process's to remove. */
export function keepAll(): void {
  alive.clear();
}

let watching = false;

function tearDownAtExit(): void {
  if (watching) return;
  watching = true;
  process.once('exit', removeAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      removeAll();
      // The handler is gone by now, so this ends the process the way the sender meant.
      process.kill(process.pid, signal);
    });
  }
}
