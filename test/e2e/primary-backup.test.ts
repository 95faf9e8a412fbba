import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CommandResult } from '../lab/command.js';
import { configurationText } from '../lab/configuration.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { type Implementation, original, ours } from '../lab/implementation.js';
import { CONFIG, DEBIAN_PATHS, Machine } from '../lab/machine.js';
import { connect } from '../lab/namespace.js';
import { originalScript } from '../lab/original-script.js';
import { projectRoot } from '../lab/project.js';
import { eventually, settled } from '../lab/waiting.js';

const SCRIPT = join(projectRoot, 'scripts', 'primary-backup.sh');
const LOCK = DEBIAN_PATHS.lock;

describe('scripts/primary-backup.sh with a program that only writes down what it is asked', () => {
  const machine = new Machine('script');
  const OURS = 'Connection tracking userspace daemon v1 (TypeScript)';
  const OTHER = 'Connection tracking userspace daemon v1.4.7.';

  /** `FAIL`: requests that fail; `SLOW`: requests that take their time; `LOCKED`: -d fails while this file is there. */
  const STUB = `#!/bin/sh
if [ "$1" = -v ]; then echo "$VERSION"; exit; fi
case " $* " in *" \${SLOW:-none} "*) sleep 0.5 ;; esac
echo "$*" >> /var/log/calls
if [ "$1" = -d ] && [ -e "\${LOCKED:-/none}" ]; then exit 1; fi
for word in \${FAIL:-}; do
  case " $* " in *" $word "*) exit 1 ;; esac
done
`;

  beforeAll(() => {
    machine.installProgram(STUB);
    machine.installScript();
    machine.write(CONFIG, 'General {\n}\n');
  });
  afterEach(() => {
    for (const log of ['calls', 'syslog']) machine.write(`/var/log/${log}`, '');
  });
  afterAll(() => machine.remove());

  const call = (role: string, env: Readonly<Record<string, string>>): Promise<CommandResult> =>
    machine.attemptInBackground(['/etc/conntrackd/primary-backup.sh', role], { env: { ...process.env, ...env } });

  /** The requests made, without the `-C FILE` that each ends with. */
  function calls(config = CONFIG): string[] {
    const lines = machine.read('/var/log/calls').trimEnd().split('\n');
    return lines.map((line) => {
      expect(line.endsWith(` -C ${config}`)).toBe(true);
      return line.slice(0, -` -C ${config}`.length);
    });
  }

  it.each([
    ['this program', OURS, 'primary', ['-c -f -R -B']],
    ['another program', OTHER, 'primary', ['-c -f -R -B', '-c', '-f', '-R', '-B']],
    ['this program', OURS, 'backup', ['-s', '-t', '-n']],
    ['another program', OTHER, 'backup', ['-s', '-t', '-n']],
    ['this program', OURS, 'fault', ['-t']],
    ['another program', OTHER, 'fault', ['-t']],
  ])('%s (%s): %s', async (_title, version, role, expected) => {
    expect((await call(role, { VERSION: version })).status).toBe(0);
    expect(calls()).toEqual(expected);
    expect(machine.syslog()).toBe(`-t conntrackd-role -p daemon.notice -- now ${role}\n`);
  });

  it.each([
    ['primary', '-c', ['-c -f -R -B', '-c', '-f', '-R', '-B']],
    ['primary', '-f', ['-c -f -R -B', '-c', '-f', '-R', '-B']],
    ['primary', '-R', ['-c -f -R -B', '-c', '-f', '-R', '-B']],
    ['primary', '-B', ['-c -f -R -B', '-c', '-f', '-R', '-B']],
    ['backup', '-t', ['-s', '-t', '-n']],
    ['backup', '-n', ['-s', '-t', '-n']],
    ['fault', '-t', ['-t']],
  ])('%s goes on when %s fails, and says so', async (role, request, expected) => {
    const result = await call(role, { VERSION: OURS, FAIL: request });
    expect(result.status).toBe(1);
    expect(calls()).toEqual(expected);
    expect(machine.syslog()).toContain(`-- failed: conntrackd ${request}\n`);
    expect(machine.syslog()).toContain(`-- now ${role}, but not everything could be done\n`);
    expect(result.stderr).toContain(`conntrackd role: failed: conntrackd ${request}\n`);
  });

  it('backup starts a daemon that does not answer', async () => {
    expect((await call('backup', { VERSION: OURS, FAIL: '-s' })).status).toBe(0);
    expect(calls()).toEqual(['-s', '-d', '-t', '-n']);
    expect(machine.syslog()).toContain('-- the daemon does not answer, starting it\n');
  });

  it('backup tells when the daemon cannot be started', async () => {
    expect((await call('backup', { VERSION: OURS, FAIL: '-s -d -t -n' })).status).toBe(1);
    expect(calls()).toEqual(['-s', '-d', '-t', '-n']);
    expect(machine.syslog()).toContain('-- failed: conntrackd -d\n');
  });

  it.each([
    ['the configuration', `General {\n\tLockFile ${LOCK} # Debian's\n}\n`, {}, LOCK],
    ['nobody', 'General {\n}\n', {}, '/var/lock/conntrackd.lock'],
    ['CONNTRACKD_LOCK', `General {\n\tLockFile ${LOCK}\n}\n`, { CONNTRACKD_LOCK: '/run/mine' }, '/run/mine'],
  ])('backup removes a lock that is left over, the one that %s names', async (_title, config, env, lock) => {
    machine.write(CONFIG, config);
    const file = lock.replace('/var/lock', '/run/lock');
    machine.write(file, '');
    // What it waits for is not worth the time of the test.
    machine.write('/impatient/sleep', '#!/bin/sh\n', 0o755);
    const PATH = `${machine.path('/impatient')}:${process.env.PATH}`;
    expect((await call('backup', { PATH, VERSION: OTHER, FAIL: '-s', LOCKED: lock, ...env })).status).toBe(0);
    expect(calls()).toEqual(['-s', '-d', '-s', '-s', '-s', '-d', '-t', '-n']);
    expect(existsSync(machine.path(file))).toBe(false);
  });

  it.each([[''], ['master'], ['PRIMARY'], ['-h']])("refuses the role '%s', with status 1", async (role) => {
    const result = await call(role, { VERSION: OURS });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('usage: primary-backup.sh primary|backup|fault\n');
    expect(machine.syslog()).toContain(`-- failed: unknown role '${role}'\n`);
    expect(machine.read('/var/log/calls')).toBe('');
  });

  it('takes program and configuration from the environment', async () => {
    const env = { CONNTRACKD_BIN: machine.path('/conntrackd'), CONNTRACKD_CONFIG: '/etc/conntrackd/other.conf' };
    machine.write(env.CONNTRACKD_CONFIG, '');
    machine.write('/elsewhere', STUB, 0o755);
    expect((await call('fault', { VERSION: OURS, ...env, CONNTRACKD_BIN: machine.path('/elsewhere') })).status).toBe(0);
    expect(calls(env.CONNTRACKD_CONFIG)).toEqual(['-t']);
  });

  it('roles that come close together do not mix', async () => {
    const first = call('backup', { VERSION: OURS, SLOW: '-s' });
    // The first has its turn when it has begun to ask.
    const locked = ['flock', '--nonblock', machine.path(CONFIG), 'true'];
    await eventually(() => machine.attempt(locked).status !== 0, {
      withinMs: 5_000,
      everyMs: 5,
      what: 'the turn of backup',
    });
    const second = call('primary', { VERSION: OURS });
    expect((await first).status).toBe(0);
    expect((await second).status).toBe(0);
    expect(calls()).toEqual(['-s', '-t', '-n', '-c -f -R -B']);
  });
});

/** What a node and its peer have. */
interface State {
  readonly kernel: readonly string[];
  readonly internal: readonly string[];
  readonly external: readonly string[];
  readonly peerExternal: readonly string[];
}

/** A node, which changes its roles by a script, and its peer. */
class ScriptLab {
  readonly node = new Machine('node');
  readonly peer = new Machine('peer');

  constructor(
    readonly script: string,
    program: Implementation,
    modeClauses: readonly string[] = [],
  ) {
    connect(this.node.namespace, 'eth2', this.peer.namespace, 'eth2');
    [this.node, this.peer].forEach((machine, index) => {
      machine.trackNothing();
      machine.namespace.ip('addr', 'add', `192.168.100.${index + 1}/24`, 'dev', 'eth2');
      machine.install(program);
      machine.write(CONFIG, configurationOf(index, modeClauses));
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.node.startConntrackd(), this.peer.startConntrackd()]);
  }

  role(role: string): Promise<CommandResult> {
    return this.node.attemptInBackground([this.script, role]);
  }

  async state(): Promise<State> {
    return {
      kernel: this.node.kernelTable(),
      internal: await this.node.internal(),
      external: await this.node.external(),
      peerExternal: await this.peer.external(),
    };
  }

  /** Waits until caches and kernel table are as expected. */
  async becomes(expected: State): Promise<void> {
    const complaint = async (): Promise<string> => {
      const state = await this.state();
      return (Object.keys(expected) as (keyof State)[])
        .map((key) => difference(expected[key], state[key], `expected ${key}`, key))
        .filter((text) => text !== '')
        .join('\n');
    };
    expect(await settled(complaint, 15_000)).toBe('');
  }

  remove(): void {
    this.node.remove();
    this.peer.remove();
  }
}

const PURGE_SECONDS = 1;

function configurationOf(index: number, clauses: readonly string[]): string {
  const address = (of: number): string => `192.168.100.${of + 1}`;
  const link = { transport: 'UDP', device: 'eth2', address: address(index), destination: address(1 - index) } as const;
  return configurationText(
    { mode: 'FTFW', modeClauses: [`PurgeTimeout ${PURGE_SECONDS}`, ...clauses], link },
    DEBIAN_PATHS,
  );
}

const OWN_FLOWS = mixedFlows(40);
const MORE_FLOWS = mixedFlows(40, 500);
const PEER_FLOWS = mixedFlows(120, 1000);

/**
 * The project's script and the one that Debian's package ships, run as it is, each with this program and with the
 * original at /usr/sbin/conntrackd: whichever runs, the same is left behind, but for what no longer is.
 */
describe.concurrent.each([
  ["Debian's script, the original", originalScript(), original],
  ["Debian's script, this program", originalScript(), ours],
  ["this project's script, the original", SCRIPT, original],
  ["this project's script, this program", SCRIPT, ours],
])('%s', (_title, script, program) => {
  it('backup, fault and primary do what they are for', async () => {
    const lab = new ScriptLab(script, program);
    try {
      await lab.start();
      lab.node.loadFlows(OWN_FLOWS);
      lab.peer.loadFlows(PEER_FLOWS);
      const own = lab.node.kernelTable();
      const others = lab.peer.kernelTable();
      await lab.becomes({ kernel: own, internal: own, external: others, peerExternal: own });

      expect((await lab.role('backup')).status).toBe(0);
      // The node's own flows are gone after PurgeTimeout. The peer does not hear of that: they have not ended.
      await lab.becomes({ kernel: [], internal: [], external: others, peerExternal: own });
      lab.node.loadFlows(MORE_FLOWS);
      const more = lab.node.kernelTable();
      const heard = [...own, ...more].sort();
      await lab.becomes({ kernel: more, internal: more, external: others, peerExternal: heard });

      expect((await lab.role('fault')).status).toBe(0);
      await lab.becomes({ kernel: [], internal: [], external: others, peerExternal: heard });

      lab.node.loadFlows(OWN_FLOWS);
      await lab.becomes({ kernel: own, internal: own, external: others, peerExternal: heard });
      expect((await lab.role('primary')).status).toBe(0);
      const all = [...own, ...others].sort();
      // By its bulk this program tells the peer that the flows of in between are gone; the original has no way to.
      const everything = program === ours ? all : [...heard, ...others].sort();
      await lab.becomes({ kernel: all, internal: all, external: [], peerExternal: everything });

      // Primary again, with nothing to commit, changes nothing.
      expect((await lab.role('primary')).status).toBe(0);
      await lab.becomes({ kernel: all, internal: all, external: [], peerExternal: everything });

      expect((await lab.role('nothing')).status).toBe(1);
      await lab.becomes({ kernel: all, internal: all, external: [], peerExternal: everything });
    } finally {
      lab.remove();
    }
  });

  it('backup leaves the kernel of an active node alone that has no external cache', async () => {
    const lab = new ScriptLab(script, program, ['DisableExternalCache on']);
    const table = (machine: Machine): string[] => machine.kernelTable();
    const equal = (expected: readonly string[], machine: Machine): Promise<string> =>
      settled(() => difference(expected, table(machine), 'expected', machine.namespace.role), 15_000);
    try {
      await lab.start();
      lab.node.loadFlows(OWN_FLOWS);
      const own = table(lab.node);
      expect(await equal(own, lab.peer)).toBe('');

      expect((await lab.role('backup')).status).toBe(0);
      expect(await equal([], lab.node)).toBe('');
      // What is told afterwards arrives, so that nothing told before is still under way.
      lab.node.loadFlows(MORE_FLOWS);
      expect(await equal([...own, ...table(lab.node)].sort(), lab.peer)).toBe('');
    } finally {
      lab.remove();
    }
  });

  it('backup starts a daemon that was stopped, and one that crashed', async () => {
    const lab = new ScriptLab(script, program);
    try {
      await lab.start();
      lab.peer.loadFlows(PEER_FLOWS);
      const others = lab.peer.kernelTable();
      const back = { kernel: [], internal: [], external: others, peerExternal: [] };
      await lab.becomes(back);

      await lab.node.stopConntrackd();
      expect((await lab.role('backup')).status).toBe(0);
      const pid = await lab.node.conntrackdServes();
      await lab.becomes(back);

      lab.node.kill('conntrackd');
      expect(existsSync(lab.node.path(LOCK.replace('/var/lock', '/run/lock')))).toBe(true);
      expect((await lab.role('backup')).status).toBe(0);
      expect(await lab.node.conntrackdServes()).not.toBe(pid);
      await lab.becomes(back);
      // The daemon that it started does not hold up the next change of roles.
      expect(lab.node.attempt(['flock', '--nonblock', CONFIG, 'true']).status).toBe(0);
    } finally {
      lab.remove();
    }
  });
});
