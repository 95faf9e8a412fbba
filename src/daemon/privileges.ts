import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SystemError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Config } from '../config/model.js';
import { limitCapabilities, refuseNewPrivileges } from '../native/index.js';

/** Numbers of linux/capability.h. */
const CAP_DAC_OVERRIDE = 1;
const CAP_NET_BIND_SERVICE = 10;
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;
const CAP_SYS_NICE = 23;

/** Ports below it need CAP_NET_BIND_SERVICE: net.ipv4.ip_unprivileged_port_start, ip-sysctl. */
const FIRST_FREE_PORT = 1024;

/**
 * What a daemon that runs still needs: the kernel's table and link buffers (NET_ADMIN), a link opened anew and bound to
 * its interface (NET_RAW, before Linux 5.7), and another Scheduler after SIGHUP (SYS_NICE). With files in folders of
 * other users it opens them again only with DAC_OVERRIDE, with a link on a low port that one only with NET_BIND_SERVICE.
 */
export function capabilitiesNeeded(config: Config): number[] {
  const needed = [CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_NICE];
  const ports = config.sync?.channels.map(({ port }) => port) ?? [];
  if (ports.some((port) => port < FIRST_FREE_PORT)) needed.push(CAP_NET_BIND_SERVICE);
  if (filesOf(config).some((path) => !isOurs(dirname(path)) || !isOurs(path))) needed.push(CAP_DAC_OVERRIDE);
  return needed;
}

/** Gives up what is not needed any more. What is refused is said, and does not keep the daemon from its work. */
export function dropPrivileges(config: Config, log: Logger): void {
  attempt(log, () => refuseNewPrivileges());
  const needed = capabilitiesNeeded(config);
  // The unit has done it already, and forbids the system call.
  if (isWithin(needed, readFileSync('/proc/self/status', 'latin1'))) return;
  attempt(log, () => {
    const silent = limitCapabilities(needed);
    // One is to be expected: Node's thread that waits for SIGUSR1 hears nothing else, and runs none of our code.
    if (silent > 1) log.info(`${silent} threads of the runtime have not given up their capabilities yet`);
  });
}

/**
 * Whether a process has, and can get, nothing beyond those capabilities.
 *
 * @param status its /proc/PID/status, proc(5)
 */
export function isWithin(capabilities: readonly number[], status: string): boolean {
  const allowed = capabilities.reduce((set, capability) => set | (1n << BigInt(capability)), 0n);
  const set = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? 'f'.repeat(16)}`);
  // What a program would get that this one started, and what root's programs can get at all.
  if (set('CapInh') !== 0n || set('CapAmb') !== 0n) return false;
  return [set('CapPrm'), set('CapBnd')].every((held) => (held & ~allowed) === 0n);
}

function attempt(log: Logger, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log.info(`privileges: ${error.message}`);
  }
}

function filesOf({ general, stats, sync }: Config): string[] {
  const keys = sync?.channels.map(({ keyFile }) => keyFile) ?? [];
  const files = [general.logFile, general.lockFile, general.unixPath, stats?.logFile, ...keys];
  return files.filter((path) => typeof path === 'string');
}

/** A file that is not there is nobody else's. */
function isOurs(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined || found.uid === process.geteuid?.();
}
