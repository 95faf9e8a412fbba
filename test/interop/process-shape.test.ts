import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attempt } from '../lab/command.js';
import { type Daemon, STOP_MS } from '../lab/daemon.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { tested } from '../lab/implementation.js';
import { eventually } from '../lab/waiting.js';

/** What scripts, service managers and orchestration in the field rely on (spec/beyond.md). */
describe(`process of the daemon, ${tested.name}`, () => {
  let pair: FirewallPair;
  let daemon: Daemon;

  beforeEach(() => {
    pair = new FirewallPair();
    daemon = pair.a.prepareDaemon(tested, { mode: 'FTFW', link: pair.a.link('UDP') });
  });
  afterEach(() => pair.remove());

  /** Pids that pgrep finds, of those in the daemon's namespace. */
  function pgrep(...words: string[]): number[] {
    const inside = pair.a.namespace.pids();
    const found = attempt(['pgrep', ...words])
      .stdout.split('\n')
      .filter((line) => line !== '');
    return found.map(Number).filter((pid) => inside.includes(pid));
  }

  it('is one process, found by name and by command line', async () => {
    await daemon.start();
    expect(pgrep('-x', 'conntrackd')).toEqual([daemon.pid]);
    expect(pgrep('-f', `conntrackd -d -C ${daemon.paths.config}`)).toEqual([daemon.pid]);
    expect(pair.a.namespace.pids()).toEqual([daemon.pid]);
  });

  it('serves when -d returns, without a terminal, in a session of its own', async () => {
    const result = await daemon.startAttempt();
    expect(result.status).toBe(0);
    expect(existsSync(daemon.paths.socket)).toBe(true);
    expect(daemon.request('-s')).toMatch(/^cache internal:/);
    const [pid] = daemon.processes();
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    // proc(5) stat: state, parent, process group, session, terminal.
    expect(fields[3]).not.toBe(String(process.pid));
    expect(fields[4]).toBe('0');
  });

  it('keeps its files to its user', async () => {
    await daemon.start();
    const modes = attempt(['stat', '-c', '%a', daemon.paths.socket, daemon.paths.lock, daemon.paths.log]).stdout;
    expect(modes).toBe('600\n600\n600\n');
  });

  it('is gone within 5 seconds of -k, with its socket and lock', async () => {
    await daemon.start();
    expect(await daemon.stop()).toBeLessThan(STOP_MS);
    expect(existsSync(daemon.paths.socket)).toBe(false);
    expect(existsSync(daemon.paths.lock)).toBe(false);
    expect(pair.a.namespace.pids()).toEqual([]);
    expect(daemon.log()).toMatch(/shutdown received/);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends on %s like on -k', async (signal) => {
    await daemon.start();
    process.kill(daemon.pid, signal);
    await eventually(() => !daemon.alive(), { withinMs: STOP_MS, what: `end after ${signal}` });
    expect(existsSync(daemon.paths.socket)).toBe(false);
    expect(existsSync(daemon.paths.lock)).toBe(false);
  });

  it('refuses a second start while it runs, and goes on', async () => {
    await daemon.start();
    const second = await daemon.startAttempt();
    expect(second.status).toBe(1);
    expect(daemon.log() + second.stderr).toContain(
      `lockfile \`${daemon.paths.lock}' exists, perhaps conntrackd already`,
    );
    expect(daemon.processes()).toEqual([daemon.pid]);
    expect(daemon.request('-s')).toMatch(/^cache internal:/);
  });

  it('takes over the lock of a daemon that crashed, and says so', async () => {
    await daemon.start();
    const crashed = daemon.pid;
    await daemon.kill();
    expect(existsSync(daemon.paths.lock)).toBe(true);
    await daemon.start();
    expect(daemon.pid).not.toBe(crashed);
    expect(daemon.request('-s')).toMatch(/^cache internal:/);
    expect(daemon.log()).toMatch(/\[warning\].*lock/i);
  });

  it('says that it cannot connect, with exit code 1, when no daemon runs', () => {
    const result = daemon.requestAttempt(tested, '-s');
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("can't connect: is conntrackd running? appropriate permissions?");
  });
});
