import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { attempt, attemptInBackground, CommandError, type CommandResult, run, start } from '../../lab/command.js';
import type { Namespace } from '../../lab/namespace.js';
import { projectRoot } from '../../lab/project.js';
import { eventually } from '../../lab/waiting.js';

/** Where control groups of machines are made: the one hierarchy, or that of systemd (boot.sh). */
const HIERARCHY = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/systemd';

/** A root file system that runs: systemd is its first process, its network is a namespace of the lab. */
export class Machine {
  private constructor(
    private readonly boot: ChildProcess,
    /** Of systemd, as this machine's processes see it. */
    private readonly init: number,
    private readonly group: string,
  ) {}

  static async start(root: string, namespace: Namespace): Promise<Machine> {
    const group = `${namespace.name}-machine`;
    // `ip netns exec` would hide the control groups; if the tests die the machine does, too.
    const words = ['nsenter', `--net=/run/netns/${namespace.name}`, 'setpriv', '--pdeathsig', 'KILL'];
    const boot = start([...words, join(projectRoot, 'test/e2e/package/boot.sh'), root, group], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    boot.stderr?.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    const init = await eventually(() => systemdUnder(boot.pid ?? 0), { withinMs: 10_000, what: 'systemd' }).catch(
      (error: Error) => {
        throw new Error(`${error.message}\n${said}`);
      },
    );
    const machine = new Machine(boot, init, group);
    const running = (): boolean => machine.attempt('systemctl', 'is-system-running').stdout.trim() === 'running';
    await eventually(running, { withinMs: 30_000, what: 'a machine without failed units' });
    return machine;
  }

  /** Runs a command inside; it has to succeed. Returns its standard output. */
  run(...words: string[]): string {
    const result = this.attempt(...words);
    if (result.status !== 0) throw new CommandError(words, result);
    return result.stdout;
  }

  attempt(...words: string[]): CommandResult {
    return attempt(this.inside(words), { timeoutMs: 120_000 });
  }

  attemptInBackground(...words: string[]): Promise<CommandResult> {
    return attemptInBackground(this.inside(words), { timeoutMs: 120_000 });
  }

  /** `apt-get`, asking nobody: there is nothing on its standard input. */
  apt(...words: string[]): string {
    const result = this.attempt('apt-get', '-y', '-q', '--no-install-recommends', ...words);
    if (result.status !== 0) throw new CommandError(['apt-get', ...words], result);
    return `${result.stdout}${result.stderr}`;
  }

  /** A property of the service: `ActiveState`. */
  property(name: string): string {
    return this.run('systemctl', 'show', 'conntrackd.service', '--value', '-p', name).trim();
  }

  /** The daemon's process, as the machine numbers it; 0 when there is none. */
  mainPid(): number {
    return Number(this.property('MainPID'));
  }

  /** What the journal has of the service since it started last. */
  journal(): string {
    const invocation = this.property('InvocationID');
    return this.run('journalctl', '--no-pager', '-o', 'cat', `_SYSTEMD_INVOCATION_ID=${invocation}`);
  }

  /** Ends everything in it. */
  async stop(): Promise<void> {
    process.kill(this.init, 'SIGKILL');
    await eventually(() => this.boot.exitCode !== null || this.boot.signalCode !== null, {
      withinMs: 10_000,
      what: 'the end of the machine',
    });
    // Its processes are gone from the group only when the kernel has finished with them.
    await eventually(() => removeGroup(join(HIERARCHY, this.group)), { withinMs: 10_000, what: 'its control group' });
  }

  private inside(words: readonly string[]): string[] {
    const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive'];
    return ['nsenter', '-t', String(this.init), '-a', ...environment, ...words];
  }
}

/** The first process of the machine that `pid` boots, once it is systemd. */
function systemdUnder(pid: number): number | undefined {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim());
  if (child === 0) return undefined;
  const program = run(['readlink', `/proc/${child}/exe`]).trim();
  return basename(program) === 'systemd' ? child : undefined;
}

function removeGroup(path: string): boolean {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroup(join(path, entry.name));
  }
  rmdirSync(path);
  return true;
}
