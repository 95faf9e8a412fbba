import { readdirSync, readFileSync, statSync } from 'node:fs';

/** The name of the main thread, by which scripts look for the daemon (`pgrep -x conntrackd`). */
export const THREAD_NAME = 'conntrackd';

function readProc(path: string): string | null {
  try {
    return readFileSync(`/proc/${path}`, 'latin1');
  } catch {
    return null;
  }
}

/** When a process started, in clock ticks since boot (proc(5) stat, field 22); null when there is no such process. */
export function startOfProcess(pid: number): string | null {
  const stat = readProc(`${pid}/stat`);
  if (stat === null) return null;
  // The second field is the name in parentheses and may hold anything; the third one follows the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? null : (fields[22 - 3] ?? null);
}

export function isConntrackd(pid: number): boolean {
  return readProc(`${pid}/comm`)?.trimEnd() === THREAD_NAME;
}

function networkNamespace(pid: number | 'self'): number {
  return statSync(`/proc/${pid}/ns/net`, { throwIfNoEntry: false })?.ino ?? 0;
}

/**
 * Processes called conntrackd in this process's network namespace, but for itself and its parent: with `-d` that is the
 * command, which waits until this one serves (native/launcher/node.cc).
 */
export function otherConntrackds(): number[] {
  const own = networkNamespace('self');
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).filter((pid) => {
    if (pid === process.pid || pid === process.ppid || !isConntrackd(pid)) return false;
    try {
      return networkNamespace(pid) === own;
    } catch {
      // It may belong to another user or have ended meanwhile: assume the former.
      return startOfProcess(pid) !== null;
    }
  });
}
