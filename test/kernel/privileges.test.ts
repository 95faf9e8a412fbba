import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attempt } from '../lab/command.js';
import type { Settings } from '../lab/configuration.js';
import type { Daemon } from '../lab/daemon.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { mixedFlows } from '../lab/flows.js';
import { ours } from '../lab/implementation.js';
import { eventually } from '../lab/waiting.js';

/** Bits of linux/capability.h. */
const NET_ADMIN = 1n << 12n;
const NET_RAW = 1n << 13n;
const SYS_NICE = 1n << 23n;
/** SIGRTMAX - 1, by which threads are asked to give up theirs, in a mask of signals. */
const ASKING = 1n << 62n;
const NOBODY = 65_534;

let pair: FirewallPair;
let firewall: Firewall;

beforeEach(() => {
  pair = new FirewallPair();
  firewall = pair.a;
});
afterEach(() => pair.remove());

const settings = (clauses: readonly string[] = []): Settings => ({
  mode: 'FTFW',
  link: firewall.link('UDP'),
  generalClauses: clauses,
});

interface ThreadStatus {
  readonly name: string;
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
  readonly noNewPrivileges: string;
  readonly blocked: bigint;
}

/** What proc(5) says of each thread. */
function threads(pid: number): ThreadStatus[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)$`, 'm').exec(text)![1]!;
    const set = (name: string): bigint => BigInt(`0x${field(name)}`);
    return {
      name: field('Name'),
      effective: set('CapEff'),
      permitted: set('CapPrm'),
      inheritable: set('CapInh'),
      bounding: set('CapBnd'),
      ambient: set('CapAmb'),
      noNewPrivileges: field('NoNewPrivs'),
      blocked: set('SigBlk'),
    };
  });
}

describe('privileges of a daemon that serves', () => {
  it('started by root: what it needs is left to each thread, and nothing can be had back', async () => {
    const daemon = await firewall.startDaemon(ours, settings());
    const all = threads(daemon.pid);
    const kept = NET_ADMIN | NET_RAW | SYS_NICE;
    expect(all.length).toBeGreaterThan(4);
    // The runtime's thread that waits for SIGUSR1 hears nothing else; it runs no code of the daemon.
    const asked = all.filter(({ blocked }) => (blocked & ASKING) === 0n);
    expect(all.length - asked.length).toBeLessThanOrEqual(1);
    for (const { name, effective, permitted, inheritable, bounding, ambient } of asked) {
      expect({ name, effective, permitted, inheritable, ambient }).toEqual({
        name,
        effective: kept,
        permitted: kept,
        inheritable: 0n,
        ambient: 0n,
      });
      expect(bounding & ~kept, name).toBe(0n);
    }
    expect(all.find(({ name }) => name === 'conntrackd')!.noNewPrivileges).toBe('1');
    // All that needs them goes on.
    firewall.loadFlows(mixedFlows(100));
    daemon.request('-R');
    await eventually(() => firewall.internal().length > 0, { withinMs: 5000, what: 'flows' });
    process.kill(daemon.pid, 'SIGHUP');
    await eventually(() => readFileSync(daemon.paths.log, 'utf8').includes('configuration unchanged'), {
      withinMs: 5000,
      what: 'the reload',
    });
    expect(readFileSync(daemon.paths.log, 'utf8')).not.toMatch(/warning|error/i);
  });

  it('started as nobody with CAP_NET_ADMIN alone: it works, and says what it could not have', async () => {
    const daemon = firewall.prepareDaemon(ours, settings());
    attempt(['chown', '-R', String(NOBODY), daemon.directory]);
    const words = [
      ...[
        'setpriv',
        `--reuid=${NOBODY}`,
        '--clear-groups',
        '--inh-caps=-all,+net_admin',
        '--ambient-caps=-all,+net_admin',
      ],
      ...['--', ours.program, '-d', '-C', daemon.paths.config],
    ];
    const result = await firewall.namespace.attemptInBackground(words, { timeoutMs: 10_000 });
    expect(result.status, result.stderr).toBe(0);
    await daemon.found();
    for (const { name, effective, permitted } of threads(daemon.pid)) {
      expect({ name, effective, permitted }).toEqual({ name, effective: NET_ADMIN, permitted: NET_ADMIN });
    }
    firewall.loadFlows(mixedFlows(100));
    daemon.request('-R');
    await eventually(() => firewall.internal().length > 0, { withinMs: 5000, what: 'flows' });
    // Root may ask a daemon of another user.
    expect(daemon.request('-s')).toContain('cache internal:');
  });
});

describe('the control socket', () => {
  /** Asks as that user, with the socket's mode opened as an administrator might. */
  function askAs(daemon: Daemon, user: number, request: string): { status: number; output: string } {
    attempt(['chmod', '755', daemon.directory]);
    attempt(['chmod', '666', daemon.paths.socket]);
    const words = ['setpriv', `--reuid=${user}`, '--clear-groups', '--inh-caps=-all', '--'];
    const result = firewall.namespace.attempt([...words, ours.program, request, '--socket', daemon.paths.socket]);
    return { status: result.status, output: result.stdout };
  }

  it("lets root and the daemon's user in; others may look where its mode was opened, and change nothing", async () => {
    const daemon = await firewall.startDaemon(ours, settings());
    const mode = attempt(['stat', '-c', '%a %U', daemon.paths.socket]).stdout.trim();
    expect(mode).toBe('600 root');
    firewall.loadFlows(mixedFlows(20));
    expect(askAs(daemon, NOBODY, '-s').output).toContain('cache internal:');
    expect(askAs(daemon, NOBODY, '-F').output).toContain('refused');
    expect(askAs(daemon, NOBODY, '-k').output).toContain('refused');
    expect(daemon.alive()).toBe(true);
    expect(firewall.kernelCount()).toBe(20);
    expect(readFileSync(daemon.paths.log, 'utf8')).toContain(`user ${NOBODY} may not ask for KILL`);
    expect(askAs(daemon, 0, '-F').output).toBe('');
    await eventually(() => firewall.kernelCount() === 0, { withinMs: 5000, what: 'the flush' });
  });
});
