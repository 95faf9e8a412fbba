import { existsSync, renameSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../lab/configuration.js';
import type { Daemon } from '../../lab/daemon.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { eventually } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 8: SIGHUP, which log rotation and service managers send. Which clause takes effect without a
 * restart: test/e2e/reload.test.ts.
 */
const FLOWS = 50;
const SOON = { withinMs: 10_000, everyMs: 20 };

describe('row 8: SIGHUP', () => {
  let pair: FirewallPair;
  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  const settings = (): Settings => ({ mode: 'FTFW', link: pair.a.link('UDP') });

  async function startWithFlows(implementation: Implementation): Promise<Daemon> {
    const daemon = await pair.a.startDaemon(implementation, settings());
    pair.a.loadFlows(tcpFlows(FLOWS));
    await eventually(() => pair.a.internal().length === FLOWS, { ...SOON, what: 'flows' });
    return daemon;
  }

  const said = (daemon: Daemon, text: string): Promise<boolean> =>
    eventually(() => daemon.log().includes(text), { ...SOON, what: `'${text}' in the log` });

  it('kills the original without a word, and what it leaves keeps the next one from starting', async () => {
    const daemon = await startWithFlows(original);
    const before = daemon.log();
    process.kill(daemon.pid, 'SIGHUP');
    await eventually(() => !daemon.alive(), { ...SOON, what: 'end of the daemon' });
    expect(daemon.log()).toBe(before);
    expect([daemon.paths.lock, daemon.paths.socket].map((path) => existsSync(path))).toEqual([true, true]);
    expect((await daemon.startAttempt()).status).toBe(1);
    expect(daemon.log()).toContain('perhaps conntrackd already running?');
    rmSync(daemon.paths.lock);
    expect((await daemon.startAttempt()).status).toBe(0);
  });

  it('opens the log of ours anew, takes what changed in the file, refuses a bad one, and no flow is lost', async () => {
    const daemon = await startWithFlows(ours);
    renameSync(daemon.paths.log, `${daemon.paths.log}.1`);
    daemon.configure({ ...settings(), hashLimit: 60 });
    process.kill(daemon.pid, 'SIGHUP');
    await said(daemon, 'HashLimit in General: 60, was 262144');
    daemon.configure({ ...settings(), generalClauses: ['NoSuchClause on'] });
    process.kill(daemon.pid, 'SIGHUP');
    await said(daemon, 'the old configuration stays in force');
    // Clients read the file, too.
    daemon.configure(settings());
    expect(daemon.processes()).toEqual([daemon.pid]);
    expect(pair.a.internal()).toHaveLength(FLOWS);
    pair.a.loadFlows(tcpFlows(FLOWS, 1000));
    await eventually(() => pair.a.internal().length === 60, {
      ...SOON,
      what: 'as many flows as the new limit lets in',
    });
  });
});
