import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LoadGenerator } from '../../bench/end-to-end/load.js';
import { type Daemon, START_MS } from '../lab/daemon.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { HeldClients } from '../lab/held-clients.js';
import { tested } from '../lab/implementation.js';
import { activeConnections, statistic } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';
import { CODE, equal, expectConverged, expectHeld, expectPrompt } from './faults-pair.js';

const FLOWS = 600;
/** User and group `nobody` of Debian. */
const NOBODY = 65_534;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

/** Starts a prepared daemon through another command, whatever comes of it. */
function startThrough(daemon: Daemon, words: readonly string[]): Promise<{ status: number; stderr: string }> {
  const command = [...words, daemon.implementation.program, '-C', daemon.paths.config, '-d'];
  return daemon.namespace.attemptInBackground(command, { timeoutMs: START_MS });
}

describe('a full disk', () => {
  /** Most that the disk takes, in bytes: a few pages. */
  const DISK = 32_768;
  const MOUNT = `mount -t tmpfs -o size=${DISK} tmpfs "$0" && exec "$@"`;

  it('under the log loses lines of it and nothing else; how many is written once there is room', async () => {
    const daemon = pair.a.prepareDaemon(tested, { mode: 'FTFW', link: pair.a.link('UDP') });
    const disk = join(daemon.directory, 'disk');
    mkdirSync(disk);
    appendFileSync(daemon.paths.config, `General {\n LogFile ${disk}/log\n}\n`);
    const started = await startThrough(daemon, ['unshare', '--mount', 'sh', '-c', MOUNT, disk]);
    expect(started).toMatchObject({ status: 0, stderr: '' });
    await daemon.found();
    await pair.b.startDaemon(tested, { mode: 'FTFW', link: pair.b.link('UDP') });
    const inside = `/proc/${daemon.pid}/root${disk}`;
    expect(() => writeFileSync(`${inside}/filler`, Buffer.alloc(DISK))).toThrow('ENOSPC');
    const log = () => readFileSync(`${inside}/log`, 'utf8');
    // The rest of the page that holds the end of the log.
    await eventually(
      async () => {
        const before = log().length;
        await daemon.rawRequest(CODE.commit);
        return log().length === before;
      },
      { withinMs: 20_000, everyMs: 0, what: 'end of the log' },
    );
    pair.a.loadFlows(mixedFlows(FLOWS));
    pair.b.loadFlows(mixedFlows(FLOWS, 30_000));
    await daemon.rawRequest(CODE.commit);
    await expectPrompt(daemon);
    rmSync(`${inside}/filler`);
    pair.a.flushKernelTable();
    pair.a.loadFlows(mixedFlows(FLOWS));
    await daemon.rawRequest(CODE.commit);
    expect(log()).toMatch(/\[warning\] \d+ lines could not be written here\n/);
    expect(log()).toContain('Committed');
    await expectPrompt(daemon);
  });
});

describe('missing permissions', () => {
  /** A user with the given capabilities and no other right. */
  function asNobody(...capabilities: string[]): string[] {
    const list = capabilities.map((name) => `+${name}`).join(',');
    const granted = capabilities.length === 0 ? [] : ['--inh-caps', list, '--ambient-caps', list];
    return ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', ...granted];
  }

  let daemon: Daemon;
  let mine: string;

  beforeEach(() => {
    daemon = pair.a.prepareDaemon(tested, { mode: 'FTFW', link: pair.a.link('UDP') });
    chmodSync(daemon.directory, 0o755);
    chmodSync(daemon.paths.config, 0o644);
    // Where it may write, and beside it the directory of its files, where it may not.
    mine = join(daemon.directory, 'mine');
    mkdirSync(mine);
    chownSync(mine, NOBODY, NOBODY);
  });

  const files = { LogFile: 'log', LockFile: 'lock', Path: 'ctl' } as const;

  /** All files where it may write, except one. */
  function configure(except?: keyof typeof files): void {
    const place = (clause: keyof typeof files) =>
      `${clause} ${clause === except ? daemon.directory : mine}/${files[clause]}`;
    appendFileSync(
      daemon.paths.config,
      `General {\n ${place('LogFile')}\n ${place('LockFile')}\n UNIX {\n ${place('Path')}\n }\n}\n`,
    );
  }

  function expectNothingLeft(): void {
    expect(pair.a.namespace.pids()).toEqual([]);
    for (const name of ['lock', 'ctl']) expect(existsSync(join(mine, name))).toBe(false);
  }

  it.each([
    ['LogFile', /can't open logfile `.*\/log'.*Permission denied/],
    ['LockFile', /can't create lockfile `.*\/lock': EACCES/],
    ['Path', /can't open unix socket! .*\/ctl.*EACCES/],
  ] as const)('of %s: it says so and leaves nothing behind', async (clause, message) => {
    configure(clause);
    const started = await startThrough(daemon, asNobody('net_admin'));
    expect(started.status).toBe(1);
    const log = join(mine, 'log');
    const said = started.stderr + (existsSync(log) ? readFileSync(log, 'utf8') : '');
    expect(said).toMatch(message);
    expectNothingLeft();
  });

  it('of the kernel: without CAP_NET_ADMIN it says what it lacks', async () => {
    configure();
    const started = await startThrough(daemon, asNobody());
    expect(started.status).toBe(1);
    expect(started.stderr + readFileSync(join(mine, 'log'), 'utf8')).toMatch(
      /bind netlink .*EPERM.*it needs CAP_NET_ADMIN/,
    );
    expectNothingLeft();
  });

  it('CAP_NET_ADMIN is all that it needs', async () => {
    configure();
    expect(await startThrough(daemon, asNobody('net_admin'))).toMatchObject({ status: 0 });
    const socket = join(mine, 'ctl');
    await eventually(() => existsSync(socket), { withinMs: START_MS, what: 'control socket' });
    expect(readFileSync(join(mine, 'log'), 'utf8')).not.toContain('[ERROR]');
  });
});

describe('a full kernel table', () => {
  const IGNORED = 'Filter From Userspace {\n Address Ignore {\n IPv4_address 10.0.0.0/8\n }\n }';

  it('fails a commit flow by flow; with room again the next one brings all', async () => {
    // One number for all namespaces, which only the host may change; each has its own count.
    const most = Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8'));
    await pair.start(equal, { mode: 'FTFW', generalClauses: [IGNORED] });
    pair.a.loadFlows(tcpFlows(FLOWS));
    await expectHeld(pair.b.daemon, 'external', FLOWS);
    const load = new LoadGenerator(pair.b.namespace);
    try {
      const filling = await load.run('create', most + 1).then(
        () => 'took all',
        (error: Error) => error.message,
      );
      expect(filling).toMatch(/^(took all|the kernel refused)/);
      await pair.b.daemon.rawRequest(CODE.commit, 30_000);
      await expectPrompt(pair.b.daemon);
      expect(pair.b.daemon.log()).toContain(`${FLOWS} entries found no room in the kernel conntrack table`);
      expect(pair.b.daemon.log()).toContain(`${FLOWS} entries can't be committed`);
      pair.b.flushKernelTable();
      await pair.b.daemon.rawRequest(CODE.commit, 30_000);
      expect(pair.b.kernelCount()).toBe(FLOWS);
      await expectPrompt(pair.b.daemon);
    } finally {
      load.close();
    }
  });
});

describe('HashLimit', () => {
  it('refuses what is too much, counts it, and takes new flows when old ones have ended', async () => {
    await pair.start(equal, { mode: 'FTFW', hashLimit: FLOWS });
    pair.a.loadFlows(tcpFlows(3 * FLOWS));
    await expectHeld(pair.a.daemon, 'internal', FLOWS);
    await expectHeld(pair.b.daemon, 'external', FLOWS);
    const caches = pair.a.daemon.request('-s', 'cache');
    expect(statistic(caches, 'cache:internal', 'no space left in cache')).toBe(2 * FLOWS);
    pair.a.flushKernelTable();
    await expectHeld(pair.b.daemon, 'external', 0);
    pair.a.loadFlows(tcpFlows(FLOWS, 10_000));
    await expectConverged(pair);
  });
});

describe('the control socket', () => {
  const CLIENTS = 100;
  const clients = new HeldClients();

  afterEach(() => clients.hangUp());

  it(`serves, and so does replication, while ${CLIENTS} clients say nothing, half a request, or never read`, async () => {
    await pair.start(equal, { mode: 'FTFW' });
    pair.a.loadFlows(mixedFlows(5 * FLOWS));
    await expectConverged(pair);
    const before = pair.a.daemon.residentBytes();
    for (const bytes of [[], [CODE.stats, 0], [CODE.internal, 0, 0, 0]]) {
      for (let index = 0; index < CLIENTS; index++) await clients.connect(pair.a.daemon.paths.socket, bytes);
      await expectPrompt(pair.a.daemon);
      pair.a.conntrack('-U', '-s', '198.18.0.0/15', '-p', 'tcp', '--dport', '80', '-m', String(bytes.length + 1));
      await expectConverged(pair);
    }
    expect(pair.a.daemon.residentBytes() - before).toBeLessThan(64 << 20);
    const external = activeConnections(await expectPrompt(pair.b.daemon), 'external');
    expect(external).toBe(5 * FLOWS);
  });
});
