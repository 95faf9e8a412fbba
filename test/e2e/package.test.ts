import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attemptInBackground, CommandError, run } from '../lab/command.js';
import { type LinkSettings, linkBlock } from '../lab/configuration.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { tcpFlows } from '../lab/flows.js';
import { original } from '../lab/implementation.js';
import { projectRoot } from '../lab/project.js';
import { runTag } from '../lab/run-tag.js';
import { eventually, settled } from '../lab/waiting.js';
import { contentsOf, differences, makeCleanRoot } from './package/clean-root.js';
import { Machine } from './package/machine.js';

/**
 * The life of the Debian package on a machine with nothing but Debian's essentials, where systemd runs: in place of
 * Debian's conntrackd, upgraded, removed, purged. Its peer is Debian's conntrackd on another node. The tests are one
 * story: each begins where the one before it ended.
 */
const NEXT_VERSION = '99.0.0';

/** Everything of this test: packages, root. */
let folder: string;
let root: string;
let packages: { readonly current: string; readonly next: string };
let pair: FirewallPair;
let machine: Machine;
/** The root before any conntrackd was on it. */
let before: Map<string, string>;

const inRoot = (path: string): string => join(root, path);
const text = (path: string): string => readFileSync(inRoot(path), 'utf8');
const CONFIGURATION = 'etc/conntrackd/conntrackd.conf';
const ROLE_SCRIPT = 'etc/conntrackd/primary-backup.sh';

/** Makes a package in this folder. Returns its path. */
async function makePackage(...options: string[]): Promise<string> {
  const words = [join(projectRoot, 'scripts/package.sh'), '--fast', '--output', folder, ...options];
  const made = await attemptInBackground(words, { timeoutMs: 240_000 });
  if (made.status !== 0) throw new CommandError(words, made);
  return made.stdout.trim().split('\n').at(-1) ?? '';
}

/** Moves a package into the root. Returns its path there. */
function carryIn(path: string): string {
  renameSync(path, inRoot(`root/${basename(path)}`));
  return `/root/${basename(path)}`;
}

/** The file an administrator wrote: `Systemd` and the paths of an ordinary installation, an own remark. */
function administratorsFile(transport: LinkSettings['transport'] = 'UDP'): string {
  return [
    '# written by hand, 2019',
    'Sync {',
    'Mode FTFW {',
    '}',
    ...linkBlock(pair.a.link(transport)),
    '}',
    'General {',
    'LogFile on',
    'LockFile /var/lock/conntrackd.lock',
    'UNIX {',
    'Path /var/run/conntrackd.ctl',
    '}',
    'Systemd on',
    '}',
    '',
  ].join('\n');
}

/** A role script of the administrator's own, as those who run the original have one. */
const OWN_SCRIPT = '#!/bin/sh\n# my own\nexec conntrackd -c\n';

const serves = (): Promise<unknown> =>
  eventually(() => machine.attempt('conntrackd', '-s').status === 0, { withinMs: 10_000, what: 'an answer to -s' });
/** What dpkg is to do with both packages: `install`; `deinstall` when only configuration is left. */
const selections = (): string[] =>
  lines(machine.run('dpkg', '--get-selections', 'conntrackd*').replaceAll(/\t+/g, ' '));
const lines = (output: string): string[] =>
  output
    .trim()
    .split('\n')
    .filter((line) => line !== '');
const internalCount = (): number => lines(machine.run('conntrackd', '-i')).length;
const externalCount = (): number => lines(machine.run('conntrackd', '-e')).length;
/** Every flow of the peer that it still tells. */
const FLOWS = 20;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), `${runTag}-packages-`));
  root = join(folder, 'root');
  const rootMade = makeCleanRoot(root);
  const current = await makePackage();
  const next = await makePackage('--version', NEXT_VERSION);
  await rootMade;
  packages = { current: carryIn(current), next: carryIn(next) };
  pair = new FirewallPair();
  machine = await Machine.start(root, pair.a.namespace);
  before = contentsOf(root);
}, 300_000);
afterAll(async () => {
  await machine?.stop();
  pair?.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

describe('in place of the original', () => {
  it("is installed over Debian's conntrackd without a question, and keeps the configuration", () => {
    machine.apt('install', 'conntrackd');
    writeFileSync(inRoot(CONFIGURATION), administratorsFile());
    writeFileSync(inRoot(ROLE_SCRIPT), OWN_SCRIPT, { mode: 0o755 });
    machine.run('systemctl', 'restart', 'conntrackd');
    machine.apt('install', packages.current);
    expect(selections()).toEqual(['conntrackd deinstall', 'conntrackd-ts install']);
    expect(text(CONFIGURATION)).toBe(administratorsFile());
    expect(text(ROLE_SCRIPT)).toBe(OWN_SCRIPT);
    expect(machine.run('conntrackd', '-v')).toContain('TypeScript');
    expect(machine.run('conntrackd', '--check')).toContain('no errors');
    // Nothing of Debian's wants its place back.
    expect(machine.apt('--simulate', 'dist-upgrade')).toContain('0 upgraded, 0 newly installed, 0 to remove');
  });

  it('needs no compiler, no npm and no Node.js there', () => {
    for (const program of ['cc', 'gcc', 'make', 'python3', 'npm', 'node']) {
      expect(machine.attempt('sh', '-c', `command -v ${program}`).stdout).toBe('');
    }
  });

  it('runs as the service of the same name, at boot as well', async () => {
    await serves();
    expect(machine.property('ActiveState')).toBe('active');
    expect(machine.property('StatusErrno')).toBe('0');
    expect(machine.run('systemctl', 'is-enabled', 'conntrackd').trim()).toBe('enabled');
    expect(machine.run('cat', `/proc/${machine.mainPid()}/comm`).trim()).toBe('conntrackd');
  });

  it('is the only one who rotates its logs', () => {
    expect(existsSync(inRoot('etc/logrotate.d/conntrackd'))).toBe(false);
    expect(machine.attempt('logrotate', '-d', '/etc/logrotate.conf').stderr).not.toMatch(/error|duplicate/);
  });

  it('replicates with a peer that still has the original', async () => {
    await pair.b.startDaemon(original, { mode: 'FTFW', link: pair.b.link('UDP') });
    pair.b.loadFlows(tcpFlows(FLOWS));
    const file = join(root, 'root/flows');
    writeFileSync(file, tcpFlows(FLOWS, 1000));
    machine.run('conntrack', '-R', '/root/flows');
    expect(machine.run('conntrackd', '-i')).toContain('ESTABLISHED');
    const complaint = (): string =>
      internalCount() === FLOWS && externalCount() === FLOWS && pair.b.external().length === FLOWS
        ? ''
        : `${internalCount()} internal, ${externalCount()} external, ${pair.b.external().length} at the peer`;
    expect(await settled(complaint, 15_000)).toBe('');
  });
});

describe('the unit', () => {
  const status = (): string => machine.run('cat', `/proc/${machine.mainPid()}/status`);
  /** Restarts the service with lines added to its unit. Returns its journal. */
  const withLines = (...added: string[]): string => {
    const folder = inRoot('etc/systemd/system/conntrackd.service.d');
    run(['mkdir', '-p', folder]);
    writeFileSync(join(folder, 'test.conf'), `[Service]\n${added.join('\n')}\n`);
    machine.run('systemctl', 'daemon-reload');
    machine.attempt('systemctl', 'reset-failed', 'conntrackd');
    machine.attempt('systemctl', 'restart', 'conntrackd');
    return machine.journal();
  };
  const withoutLines = (): void => {
    rmSync(inRoot('etc/systemd/system/conntrackd.service.d'), { recursive: true });
    machine.run('systemctl', 'daemon-reload');
    machine.attempt('systemctl', 'reset-failed', 'conntrackd');
    machine.run('systemctl', 'restart', 'conntrackd');
  };

  it('is sound, and exposes little', () => {
    expect(machine.run('systemd-analyze', 'verify', '--man=no', 'conntrackd.service')).toBe('');
    // Of 100, less is better: systemd's own services have 20 to 40, a service without restrictions has 96.
    machine.run('systemd-analyze', 'security', '--no-pager', '--threshold=25', 'conntrackd.service');
  });

  it('leaves the daemon two capabilities, no way to more, and the calls of an ordinary service', () => {
    // linux/capability.h: CAP_NET_ADMIN is bit 12, CAP_SYS_NICE bit 23.
    const capabilities = ((1 << 12) | (1 << 23)).toString(16).padStart(16, '0');
    expect(status()).toMatch(new RegExp(`^CapEff:\\t${capabilities}$`, 'm'));
    expect(status()).toMatch(new RegExp(`^CapBnd:\\t${capabilities}$`, 'm'));
    expect(status()).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status()).toMatch(/^Seccomp:\t2$/m);
  });

  it('lets it write to /run and /var/log, and nowhere else', () => {
    const inside = ['nsenter', '-t', String(machine.mainPid()), '-m'];
    for (const folder of ['/etc', '/etc/conntrackd', '/usr', '/var/lib', '/proc/sys/net/ipv4', '/home']) {
      expect(machine.attempt(...inside, 'touch', `${folder}/x`).status).not.toBe(0);
    }
    for (const folder of ['/run', '/run/lock', '/var/log']) machine.run(...inside, 'rm', '-f', `${folder}/x`);
    machine.run(...inside, 'touch', '/var/log/x');
    machine.run('rm', '/var/log/x');
  });

  it('allows all that the daemon does: real-time priority, link, takeover, log', () => {
    const log = text('var/log/conntrackd.log');
    // A node that has just started says that it has not got everything yet.
    expect(log.replace(/^.*\[warning\] health: behind: .*$/gm, '')).not.toMatch(/\[(warning|ERROR)\]/);
    machine.run('conntrackd', '-c', '-f', '-R', '-B');
    expect(text('var/log/conntrackd.log')).toMatch(/Committed \d+ new entries/);
    // proc(5) stat, field 41: SCHED_RR is 2 (linux/sched.h).
    const fields = machine.run('cat', `/proc/${machine.mainPid()}/stat`).split(') ')[1]!.split(' ');
    expect(fields[41 - 3]).toBe('2');
  });

  it.each(['TCP', 'Multicast'] as const)('is enough for links by %s', (transport) => {
    writeFileSync(inRoot(CONFIGURATION), administratorsFile(transport));
    machine.run('systemctl', 'restart', 'conntrackd');
    expect(machine.journal()).toContain('initialization completed');
    expect(machine.journal()).not.toMatch(/\[(warning|ERROR)\]/);
    // The unit limits the process before it starts: it has nothing to give up, and nothing to complain of.
    expect(machine.journal()).not.toContain('privileges:');
    expect(machine.run('conntrackd', '-s', 'link')).toContain('status=RUNNING');
    writeFileSync(inRoot(CONFIGURATION), administratorsFile());
    machine.run('systemctl', 'restart', 'conntrackd');
  });

  it('gives no capability that is not needed', () => {
    expect(withLines('CapabilityBoundingSet=', 'CapabilityBoundingSet=CAP_NET_ADMIN')).toContain(
      'scheduler configuration failed',
    );
    withLines('Restart=no', 'CapabilityBoundingSet=', 'CapabilityBoundingSet=CAP_SYS_NICE');
    expect(machine.property('ActiveState')).toBe('failed');
    withoutLines();
    expect(machine.property('ActiveState')).toBe('active');
  });

  it('ends a daemon that hangs, and starts it again over its lock', async () => {
    withLines('WatchdogSec=2');
    const pid = machine.mainPid();
    machine.run('sh', '-c', `kill -STOP ${pid}`);
    await eventually(() => machine.property('NRestarts') === '1' && machine.property('ActiveState') === 'active', {
      withinMs: 20_000,
      what: 'a new daemon',
    });
    expect(machine.mainPid()).not.toBe(pid);
    await serves();
    withoutLines();
  });

  it('keeps a daemon that does not hang alive', async () => {
    withLines('WatchdogSec=1');
    const pid = machine.mainPid();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect([machine.mainPid(), machine.property('NRestarts')]).toEqual([pid, '0']);
    withoutLines();
  });

  it('reloads by a signal, without a restart', async () => {
    const pid = machine.mainPid();
    machine.run('systemctl', 'reload', 'conntrackd');
    await eventually(() => text('var/log/conntrackd.log').includes('SIGHUP'), { withinMs: 5000, what: 'its answer' });
    expect(machine.mainPid()).toBe(pid);
  });
});

describe('logrotate', () => {
  it('takes the log away, and the daemon goes on in a new one', async () => {
    const log = inRoot('var/log/conntrackd.log');
    const inode = statSync(log).ino;
    const pid = machine.mainPid();
    machine.run('logrotate', '--force', '/etc/logrotate.d/conntrackd-ts');
    await eventually(() => existsSync(log) && readFileSync(log, 'utf8').includes('SIGHUP'), {
      withinMs: 5000,
      what: 'a new log',
    });
    expect(statSync(`${log}.1`).ino).toBe(inode);
    expect(statSync(log).mode & 0o777).toBe(0o600);
    expect(machine.mainPid()).toBe(pid);
  });

  it('does so for a daemon that was started by hand', async () => {
    machine.run('systemctl', 'stop', 'conntrackd');
    machine.run('conntrackd', '-d');
    const log = inRoot('var/log/conntrackd.log');
    machine.run('logrotate', '--force', '/etc/logrotate.d/conntrackd-ts');
    await eventually(() => existsSync(log) && readFileSync(log, 'utf8').includes('SIGHUP'), {
      withinMs: 5000,
      what: 'a new log',
    });
    machine.run('conntrackd', '-k');
    machine.run('systemctl', 'start', 'conntrackd');
  });
});

describe('from then on', () => {
  it('an upgrade restarts it with all flows, its own and those of the peer', async () => {
    const pid = machine.mainPid();
    machine.apt('install', packages.next);
    await serves();
    expect(machine.run('dpkg-query', '--show', 'conntrackd-ts').trim()).toBe(`conntrackd-ts\t${NEXT_VERSION}`);
    expect(machine.mainPid()).not.toBe(pid);
    expect(text(CONFIGURATION)).toBe(administratorsFile());
    expect(text(ROLE_SCRIPT)).toBe(OWN_SCRIPT);
    const complaint = (): string =>
      internalCount() >= FLOWS && externalCount() === FLOWS ? '' : `${internalCount()} and ${externalCount()}`;
    expect(await settled(complaint, 10_000)).toBe('');
  });

  it('an upgrade whose configuration is refused leaves the daemon that runs alone', () => {
    const pid = machine.mainPid();
    const elsewhere = administratorsFile().replace('LogFile on', 'LogFile /srv/log/conntrackd');
    writeFileSync(inRoot(CONFIGURATION), `${elsewhere}Nonsense\n`);
    const said = machine.apt('install', '--reinstall', packages.next);
    expect(said).toContain('was not restarted');
    expect(said).toContain('/srv/log/conntrackd: let the service write there');
    expect(machine.mainPid()).toBe(pid);
    writeFileSync(inRoot(CONFIGURATION), administratorsFile());
  });

  it("Debian's conntrackd can take its place again, and lose it again", () => {
    machine.run('systemctl', 'disable', 'conntrackd');
    machine.apt('install', 'conntrackd', 'conntrackd-ts-');
    expect(machine.run('conntrackd', '-v')).not.toContain('TypeScript');
    expect(machine.attempt('systemctl', 'is-enabled', 'conntrackd').stdout.trim()).toBe('disabled');
    expect(text('lib/systemd/system/conntrackd.service')).not.toContain('ReadWritePaths');
    expect(existsSync(inRoot('etc/logrotate.d/conntrackd'))).toBe(true);
    machine.apt('install', packages.next);
    expect(machine.run('conntrackd', '-v')).toContain('TypeScript');
    expect(machine.attempt('systemctl', 'is-enabled', 'conntrackd').stdout.trim()).toBe('disabled');
    expect(text('lib/systemd/system/conntrackd.service')).toContain('ReadWritePaths');
    machine.run('systemctl', 'enable', '--now', 'conntrackd');
  });

  it('what Debian left may be purged: configuration, service and its place at boot stay', () => {
    const pid = machine.mainPid();
    machine.apt('purge', 'conntrackd');
    expect(selections()).toEqual(['conntrackd-ts install']);
    expect(text(CONFIGURATION)).toBe(administratorsFile());
    expect(machine.mainPid()).toBe(pid);
    expect(machine.run('systemctl', 'is-enabled', 'conntrackd').trim()).toBe('enabled');
  });

  it('removed, it stops and leaves the configuration', () => {
    const pid = machine.mainPid();
    machine.apt('remove', 'conntrackd-ts');
    expect(machine.attempt('sh', '-c', `kill -0 ${pid}`).status).not.toBe(0);
    expect(existsSync(inRoot('usr/sbin/conntrackd'))).toBe(false);
    expect(existsSync(inRoot(CONFIGURATION))).toBe(true);
    expect(existsSync(inRoot('run/conntrackd.ctl'))).toBe(false);
  });

  it('purged, nothing of it is left, and what is the administrator’s is', () => {
    machine.apt('purge', 'conntrackd-ts');
    machine.apt('autoremove', '--purge');
    expect(differences(before, contentsOf(root))).toEqual([
      '+ etc/conntrackd',
      `+ ${CONFIGURATION}`,
      `+ ${ROLE_SCRIPT}`,
    ]);
    rmSync(inRoot('etc/conntrackd'), { recursive: true });
    expect(machine.run('dpkg-divert', '--list', '*conntrackd*')).toBe('');
  });
});

describe('on a machine that never had a conntrackd', () => {
  it('does not start when the policy of the machine forbids it', () => {
    writeFileSync(inRoot('usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    machine.apt('install', packages.current);
    expect(machine.property('ActiveState')).toBe('inactive');
    rmSync(inRoot('usr/sbin/policy-rc.d'));
  });

  it('brings a configuration with which it starts and counts flows, and the role script', async () => {
    expect(text(CONFIGURATION)).toBe(readFileSync(join(projectRoot, 'packaging/conntrackd.conf'), 'utf8'));
    expect(text(ROLE_SCRIPT)).toBe(readFileSync(join(projectRoot, 'scripts/primary-backup.sh'), 'utf8'));
    machine.run('systemctl', 'start', 'conntrackd');
    await serves();
    expect(machine.run('conntrackd', '-s')).toContain('current active connections');
    expect(machine.run('systemctl', 'is-enabled', 'conntrackd').trim()).toBe('enabled');
  });

  it('renews the role script as long as nobody has changed it', () => {
    const configure = (): string =>
      machine.run(
        ...['env', 'DPKG_MAINTSCRIPT_PACKAGE=conntrackd-ts', 'DPKG_MAINTSCRIPT_NAME=postinst'],
        ...['/var/lib/dpkg/info/conntrackd-ts.postinst', 'configure', '0.0.1'],
      );
    const current = text(ROLE_SCRIPT);
    // What an older version of the package would have left.
    writeFileSync(inRoot(ROLE_SCRIPT), OWN_SCRIPT);
    const record = '/var/lib/conntrackd-ts/primary-backup.sh';
    machine.run('sh', '-c', `sha256sum </${ROLE_SCRIPT} >${record}`);
    configure();
    expect(text(ROLE_SCRIPT)).toBe(current);
    writeFileSync(inRoot(ROLE_SCRIPT), `${current}# mine\n`);
    configure();
    expect(text(ROLE_SCRIPT)).toBe(`${current}# mine\n`);
  });

  it('purged at once, leaves nothing at all', () => {
    machine.apt('purge', 'conntrackd-ts');
    expect(machine.property('ActiveState')).toBe('inactive');
    expect(differences(before, contentsOf(root))).toEqual([]);
  });
});
