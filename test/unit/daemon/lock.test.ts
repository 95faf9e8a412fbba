import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { LockFile } from '../../../src/daemon/lock.js';
import { startOfProcess } from '../../../src/daemon/processes.js';

let directory: string;
let path: string;
let warnings: string[];
let children: ChildProcess[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-lock-'));
  path = join(directory, 'lock');
  warnings = [];
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

const acquire = (anonymousHolderLives = false): Promise<LockFile> =>
  LockFile.acquire({
    path,
    logger: { ...silentLogger, warning: (text) => warnings.push(text) },
    anonymousHolderLives: async () => anonymousHolderLives,
  });

const HELD = "' exists, perhaps conntrackd already running?";

/** A process that lives until the test is over. */
function startProcess(): number {
  const child = spawn('sleep', ['60']);
  children.push(child);
  return child.pid!;
}

async function deadProcess(): Promise<number> {
  const child = spawn('true');
  await new Promise((resolve) => child.once('exit', resolve));
  return child.pid!;
}

describe('the lock file', () => {
  it('names its holder, is for its owner only, and goes when released', async () => {
    const lock = await acquire();
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n${startOfProcess(process.pid)}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(warnings).toEqual([]);
    lock.release();
    expect(existsSync(path)).toBe(false);
  });

  it('of a living process is respected, in the words of the original', async () => {
    const pid = startProcess();
    writeFileSync(path, `${pid}\n${startOfProcess(pid)}\n`);
    await expect(acquire()).rejects.toThrow(`lockfile \`${path}${HELD}`);
    expect(readFileSync(path, 'utf8')).toContain(String(pid));
  });

  it('of a dead process is taken over with a warning', async () => {
    const pid = await deadProcess();
    writeFileSync(path, `${pid}\n12345\n`);
    await acquire();
    expect(readFileSync(path, 'utf8')).toContain(`${process.pid}\n`);
    expect(warnings.join()).toContain(`process ${pid} is gone`);
  });

  it('of a process whose number belongs to another one now is taken over', async () => {
    writeFileSync(path, `${startProcess()}\n1\n`);
    await acquire();
    expect(warnings).toHaveLength(1);
  });

  it('left empty by the original is taken over when nobody of its kind lives, else respected', async () => {
    writeFileSync(path, '');
    await expect(acquire(true)).rejects.toThrow(HELD);
    expect(readFileSync(path, 'utf8')).toBe('');
    await acquire(false);
    expect(warnings.join()).toContain('no conntrackd of this configuration runs');
  });

  it('that holds something else counts as one without a name', async () => {
    writeFileSync(path, 'whatever');
    await expect(acquire(true)).rejects.toThrow(HELD);
    await acquire(false);
  });

  it('that cannot be made is an error of its own', async () => {
    path = join(directory, 'missing', 'lock');
    await expect(acquire()).rejects.toThrow(`can't create lockfile \`${path}'`);
  });

  it('that somebody else took over is not removed', async () => {
    const lock = await acquire();
    writeFileSync(path, `${startProcess()}\n1\n`);
    lock.release();
    expect(existsSync(path)).toBe(true);
  });

  it('leaves nothing else behind', async () => {
    writeFileSync(path, '');
    (await acquire()).release();
    expect(existsSync(`${path}.${process.pid}`)).toBe(false);
  });
});
