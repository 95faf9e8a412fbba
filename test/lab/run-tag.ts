import { readFileSync } from 'node:fs';

/**
 * What every namespace and directory of the lab is called, so that the leftovers of a run that died can be told from
 * what is in use: `ctlab-PID-START`, the process that made it and that process's start time; a later process with the
 * same pid is not taken for it.
 */
const PREFIX = 'ctlab';

/** Field 22 of proc(5) stat: clock ticks from boot to the start of the process; '' when there is no such process. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold blanks, so count from the last bracket on.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** The tag of this process. */
export const runTag = `${PREFIX}-${process.pid}-${startTime(process.pid)}`;

/** Whether `name` carries the tag of a process that is gone. */
export function belongsToDeadRun(name: string): boolean {
  const [prefix, pid = '', started = ''] = name.split('-');
  return prefix === PREFIX && startTime(Number(pid)) !== started;
}
