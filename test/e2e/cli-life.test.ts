import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configurationText, type NodePaths, pathsIn } from '../lab/configuration.js';
import { compiled } from '../lab/project.js';
import { eventually, nowMs } from '../lab/waiting.js';

/**
 * Ends of a daemon that must not happen, but do: its parts hang, or have a bug. The life cycle is the real one, with
 * parts that misbehave in place of those behind the control socket.
 */
let directory: string;
let paths: NodePaths;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-life-'));
  paths = pathsIn(directory);
  const link = { transport: 'UDP', device: 'lo', address: '127.0.0.1', destination: '127.0.0.1' } as const;
  writeFileSync(paths.config, configurationText({ mode: 'FTFW', link }, paths));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

/** A script that runs a daemon with these parts; `context` is the DaemonContext. */
function scriptWith(daemon: string): string {
  const script = join(directory, 'conntrackd.mjs');
  writeFileSync(
    script,
    `import { runDaemon } from ${JSON.stringify(pathToFileURL(compiled('src/daemon/run')).href)};
const never = new Promise(() => {});
const compose = async (config, log, context) => (${daemon});
await runDaemon({ configPath: ${JSON.stringify(paths.config)}, argv: process.argv.slice(1) }, compose);
`,
  );
  return script;
}

interface Ended {
  readonly status: number | null;
  readonly afterMs: number;
}

/** Starts it and waits for its socket. */
async function start(daemon: string): Promise<{ child: ChildProcess; ended: Promise<Ended> }> {
  const child = spawn(process.execPath, [scriptWith(daemon)], { stdio: 'ignore' });
  children.push(child);
  const from = nowMs();
  const ended = new Promise<Ended>((resolve) => {
    child.once('exit', (status) => resolve({ status, afterMs: nowMs() - from }));
  });
  await eventually(() => existsSync(paths.socket), { withinMs: 10_000, what: 'control socket' });
  return { child, ended };
}

const log = (): string => readFileSync(paths.log, 'utf8');
const serving = (): Promise<unknown> =>
  eventually(() => log().includes('-- starting in console mode --'), { withinMs: 10_000, what: 'its start' });

function expectNothingLeft(): void {
  expect(existsSync(paths.socket)).toBe(false);
  expect(existsSync(paths.lock)).toBe(false);
}

const SERVICE = "{ mode: 'sync' }";

describe('a daemon', () => {
  it('whose parts do not stop ends within five seconds all the same', async () => {
    const { child, ended } = await start(`{ service: ${SERVICE}, start: async () => {}, stop: () => never }`);
    await serving();
    const from = nowMs();
    child.kill('SIGTERM');
    expect((await ended).status).toBe(0);
    expect(nowMs() - from).toBeLessThan(5000);
    expect(log()).toContain('[warning] not everything could be closed');
    expectNothingLeft();
  });

  it('that is told to stop while it starts does so', async () => {
    const { child, ended } = await start(`{ service: ${SERVICE}, start: () => never, stop: async () => {} }`);
    child.kill('SIGTERM');
    expect((await ended).status).toBe(0);
    expect(log()).toContain('---- shutdown received ----');
    expect(log()).not.toContain('initialization completed');
    expectNothingLeft();
  });

  it.each([
    ['an exception', "setTimeout(() => { throw new Error('oops') }, 200)"],
    ['a rejection nobody handles', "setTimeout(() => Promise.reject(new Error('oops')), 200)"],
  ])('with %s logs where, cleans up and ends with status 1', async (_name, bug) => {
    const { ended } = await start(`{ service: ${SERVICE}, start: async () => { ${bug} }, stop: async () => {} }`);
    expect((await ended).status).toBe(1);
    expect(log()).toContain('[ERROR] this is a bug, stopping: oops');
    expect(log()).toMatch(/\tat .*conntrackd\.mjs/);
    expect(log()).not.toContain('shutdown received');
    expectNothingLeft();
  });

  it('that cannot start cleans up and ends with status 1', async () => {
    const daemon = `{ service: ${SERVICE}, start: async () => { throw new Error('no kernel') }, stop: async () => {} }`;
    const child = spawn(process.execPath, [scriptWith(daemon)], { stdio: 'ignore' });
    children.push(child);
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(1);
    expect(log()).toContain('[ERROR] no kernel');
    expect(log()).toContain('[ERROR] conntrackd cannot start, please review your configuration');
    expectNothingLeft();
  });
});
