import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Firewall } from '../../test/lab/firewall-pair.js';
import { original } from '../../test/lab/implementation.js';
import { projectRoot } from '../../test/lab/project.js';
import type { Sample } from './measures.js';
import { Session, type SessionContext, timeCommand } from './session.js';

/** Where Debian's package has the original's script, and where that looks for program and configuration. */
const ORIGINAL_SCRIPT = '/usr/share/doc/conntrackd/examples/sync/primary-backup.sh';
const PROGRAM = '/usr/sbin/conntrackd';
const CONFIGURATION = '/etc/conntrackd/conntrackd.conf';
/** Flows of a small takeover, in which starting programs is what takes the time. */
const FEW_FLOWS = 100;

/** A small takeover with the original's script. */
export function takeoverSession({ tested }: SessionContext): Promise<Sample> {
  return Session.run(FEW_FLOWS, async (session) => {
    const { a, b } = session;
    await b.start(tested, FEW_FLOWS);
    await a.start(original, FEW_FLOWS);
    await session.greet();
    await a.load.run('create', FEW_FLOWS);
    await session.quiet();
    await session.mustHold(b, 'external', FEW_FLOWS);
    const times: number[] = [];
    for (let repeat = 0; repeat < 5; repeat++) times.push(takeOver(b.firewall, "the original's"));
    session.record('failoverScript', times.sort((x, y) => x - y)[2]!);
  });
}

/**
 * Makes the firewall the primary one by a script: each its own, or the original's unchanged, whichever daemon runs.
 * @returns milliseconds
 */
export function takeOver(firewall: Firewall, script: 'its own' | "the original's"): number {
  const own = firewall.daemon.implementation.name === 'ours' && script === 'its own';
  return own ? byOurScript(firewall) : byOriginalScript(firewall);
}

function byOurScript({ namespace, daemon }: Firewall): number {
  const env = {
    ...process.env,
    CONNTRACKD_BIN: daemon.implementation.program,
    CONNTRACKD_LOCK: daemon.paths.lock,
    CONNTRACKD_CONFIG: daemon.paths.config,
  };
  const words = [join(projectRoot, 'scripts', 'primary-backup.sh'), 'primary'];
  return timeCommand(() => namespace.run(words, { env, timeoutMs: 300_000 }));
}

/** The script finds what it looks for where it looks, in a mount namespace of its own; it is only run. */
function byOriginalScript({ namespace, daemon }: Firewall): number {
  const { program } = daemon.implementation;
  const bound = isElf(program) ? program : wrapper(program, daemon.directory);
  const mount = `mount --bind "$1" ${PROGRAM} && mount --bind "$2" ${CONFIGURATION} && exec sh "$3" primary`;
  const words = ['unshare', '--mount', 'sh', '-c', mount, 'sh', bound, daemon.paths.config, ORIGINAL_SCRIPT];
  return timeCommand(() => namespace.run(words, { timeoutMs: 300_000 }));
}

/** A program that finds its other files by its own place cannot be put elsewhere: a shell calls it. */
function wrapper(program: string, directory: string): string {
  const path = join(directory, 'conntrackd');
  writeFileSync(path, `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 });
  return path;
}

function isElf(path: string): boolean {
  const start = Buffer.alloc(4);
  const file = openSync(path, 'r');
  readSync(file, start, 0, 4, 0);
  closeSync(file);
  return start.equals(Buffer.from('\x7fELF', 'latin1'));
}
