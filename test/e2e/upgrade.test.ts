import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Daemon } from '../lab/daemon.js';
import { Namespace } from '../lab/namespace.js';
import { projectRoot } from '../lab/project.js';
import { eventually } from '../lab/waiting.js';

/** The program as it is installed: the native one, and what it starts, beside it. */
let prefix: string;
let here: Namespace;
let daemon: Daemon;

beforeAll(() => {
  prefix = mkdtempSync('/tmp/installed-');
  const library = join(prefix, 'lib/conntrackd');
  mkdirSync(join(prefix, 'sbin'));
  for (const path of ['bin', 'dist/src/bundle', 'build/Release/conntrackd.node', 'package.json'])
    cpSync(join(projectRoot, path), join(library, path), { recursive: true });
  cpSync(join(projectRoot, 'build/Release/conntrackd'), join(prefix, 'sbin/conntrackd'));
  here = new Namespace('upgrade');
  here.ip('link', 'set', 'lo', 'up');
  const link = { transport: 'UDP', device: 'lo', address: '127.0.0.1', destination: '127.0.0.2' } as const;
  daemon = new Daemon(here, { name: 'ours', program: join(prefix, 'sbin/conntrackd') }, { mode: 'FTFW', link });
});
afterAll(() => {
  daemon.remove();
  here.remove();
  rmSync(prefix, { recursive: true });
});

describe('a daemon as installed', () => {
  it('is started by the node beside it, if there is one', async () => {
    symlinkSync(process.execPath, join(prefix, 'lib/conntrackd/node'));
    const { status, stderr } = here.attempt(['env', 'PATH=/nowhere', join(prefix, 'sbin/conntrackd'), '-v']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    rmSync(join(prefix, 'lib/conntrackd/node'));
  });

  it('says so when there is no node', () => {
    for (const words of [['--check'], ['-d', '-C', daemon.paths.config]]) {
      const result = here.attempt(['env', 'PATH=/nowhere', join(prefix, 'sbin/conntrackd'), ...words]);
      expect(result.status).toBe(1);
      expect(result.stderr).toBe('conntrackd: cannot start node: No such file or directory\n');
    }
  });

  it('lives on when its files are replaced, also at a SIGHUP with a mistake in the configuration', async () => {
    await daemon.start();
    const bundle = join(prefix, 'lib/conntrackd/dist/src/bundle');
    for (const name of readdirSync(bundle)) rmSync(join(bundle, name));
    writeFileSync(daemon.paths.config, 'General {\n  NoSuchClause on\n}\n');
    process.kill(daemon.pid, 'SIGHUP');
    const told = () => daemon.log().includes('the program was replaced since this process started');
    await eventually(told, { withinMs: 5000, what: 'word of the mistake' });
    daemon.configure(daemon.settings);
    expect(daemon.request('-s')).toMatch(/^cache internal:/);
    await daemon.stop();
  });
});
