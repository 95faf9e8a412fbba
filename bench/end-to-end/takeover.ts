import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Firewall } from '../../test/lab/firewall-pair.js';
import { type Implementation, original } from '../../test/lab/implementation.js';
import { projectRoot } from '../../test/lab/project.js';
import { ArrivalWatch } from './arrival.js';
import type { MeasureKey, Sample } from './measures.js';
import { BULK } from './node.js';
import { Session, type SessionContext, timeCommand } from './session.js';

/** Where Debian's package has the original's script, and where that looks for program and configuration. */
const ORIGINAL_SCRIPT = '/usr/share/doc/conntrackd/examples/sync/primary-backup.sh';
const PROGRAM = '/usr/sbin/conntrackd';
const CONFIGURATION = '/etc/conntrackd/conntrackd.conf';
/** Flows of a small takeover, in which starting programs is what takes the time. */
const FEW_FLOWS = 100;

/** An address that comes to the node that takes over, as keepalived moves it. */
const VIRTUAL_ADDRESS = ['198.51.100.254/32', 'dev', 'lo'];

/**
 * Takeovers: small ones by the original's script, and of many flows, each daemon in its own way. Whose active firewall
 * has died waits for them: the limits are on those of a dead peer. With both daemons on one machine the kernel does more
 * (floors.ts, KernelCosts): that is noted beside.
 */
export async function takeoverSession(context: SessionContext): Promise<Sample> {
  return { ...(await smallTakeovers(context)), ...(await takeoverOfDead(context)), ...(await changesOfRoles(context)) };
}

function smallTakeovers({ tested }: SessionContext): Promise<Sample> {
  return Session.run(FEW_FLOWS, async (session) => {
    await replicate(session, tested);
    const times: number[] = [];
    for (let repeat = 0; repeat < 5; repeat++) {
      times.push(timeCommand(() => byOriginalScript(session.b.firewall)));
    }
    session.record('failoverScript', times.sort((x, y) => x - y)[2]!);
  });
}

/** The moment when the last flow is in the kernel counts. */
function takeoverOfDead({ tested, flows }: SessionContext): Promise<Sample> {
  return Session.run(flows, async (session) => {
    await replicate(session, tested);
    await session.peerDies();
    await measureTakeover('takeover', session);
  });
}

/** The same with the peer alive; then the moment when all that belongs to a change of roles is done. */
function changesOfRoles({ tested, flows }: SessionContext): Promise<Sample> {
  return Session.run(flows, async (session) => {
    await replicate(session, tested);
    await measureTakeover('takeoverBeside', session);
    await replicateAgain(session);
    measureFailover('failoverBeside', session);
    await replicateAgain(session);
    await session.peerDies();
    measureFailover('failover', session);
    await session.quiet();
  });
}

async function measureTakeover(key: MeasureKey, session: Session): Promise<void> {
  const { b, flows } = session;
  const { namespace } = b.firewall;
  const watch = new ArrivalWatch(namespace);
  try {
    const moves = (): void => {
      namespace.ip('addr', 'add', ...VIRTUAL_ADDRESS);
      if (b.daemon.implementation === original) byOriginalScript(b.firewall);
      else byRole(b.firewall);
    };
    session.record(key, await watch.after(flows, moves));
  } finally {
    watch.close();
  }
}

function measureFailover(key: MeasureKey, session: Session): void {
  const { firewall, daemon } = session.b;
  const own = daemon.implementation === original ? byOriginalScript : byOurScript;
  const took = timeCommand(() => own(firewall));
  session.record(key, took);
}

/** After a takeover, which leaves the flows in the kernel only: as before it. */
async function replicateAgain(session: Session): Promise<void> {
  const { a, b, flows } = session;
  await session.quiet();
  await b.load.run('destroy', flows);
  await session.quiet();
  await a.time(BULK);
  await session.quiet();
  await session.mustHold(b, 'external', flows);
}

/** The original has the flows; the daemon under test, which is to take over, has heard of all of them. */
async function replicate(session: Session, tested: Implementation): Promise<void> {
  const { a, b, flows } = session;
  await b.start(tested, flows);
  await a.start(original, flows);
  await session.greet();
  await a.load.run('create', flows);
  await session.quiet();
  await session.mustHold(b, 'external', flows);
}

/** What keepalived has the daemon do at MASTER; by the FIFO it would take no program at all. */
function byRole({ namespace, daemon }: Firewall): void {
  namespace.run([daemon.implementation.program, '--role', 'primary', '-C', daemon.paths.config], {
    timeoutMs: 300_000,
  });
}

function byOurScript({ namespace, daemon }: Firewall): void {
  const env = {
    ...process.env,
    CONNTRACKD_BIN: daemon.implementation.program,
    CONNTRACKD_LOCK: daemon.paths.lock,
    CONNTRACKD_CONFIG: daemon.paths.config,
  };
  const words = [join(projectRoot, 'scripts', 'primary-backup.sh'), 'primary'];
  namespace.run(words, { env, timeoutMs: 300_000 });
}

/** The script finds what it looks for where it looks, in a mount namespace of its own; it is only run. */
function byOriginalScript({ namespace, daemon }: Firewall): void {
  const { program } = daemon.implementation;
  const bound = isElf(program) ? program : wrapper(program, daemon.directory);
  const mount = `mount --bind "$1" ${PROGRAM} && mount --bind "$2" ${CONFIGURATION} && exec sh "$3" primary`;
  const words = ['unshare', '--mount', 'sh', '-c', mount, 'sh', bound, daemon.paths.config, ORIGINAL_SCRIPT];
  namespace.run(words, { timeoutMs: 300_000 });
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
