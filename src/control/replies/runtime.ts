import type { DaemonStatistics, NetlinkStatistics } from '../statistics.js';
import { formatLines, type Line, NARROW, WIDE } from './columns.js';

/** What the control socket itself counts. */
export interface ControlCounters {
  /** Clients that did not send the four bytes of a request. */
  readFailed: number;
  /** Clients that sent more than a request. */
  unknownRequest: number;
}

const NETLINK: readonly Line<NetlinkStatistics>[] = [
  ['\tevents received:\t', WIDE, (netlink) => netlink.eventsReceived],
  ['\tevents filtered:\t', WIDE, (netlink) => netlink.eventsFiltered],
  ['\tevents unknown type:\t\t', NARROW, (netlink) => netlink.eventsUnknownType],
  ['\tcatch event failed:\t\t', NARROW, (netlink) => netlink.catchEventFailed],
  ['\tdump unknown type:\t\t', NARROW, (netlink) => netlink.dumpUnknownType],
  ['\tnetlink overrun:\t\t', NARROW, (netlink) => netlink.overrun],
  ['\tflush kernel table:\t\t', NARROW, (netlink) => netlink.flushes],
  ['\tresync with kernel table:\t', NARROW, (netlink) => netlink.resyncs],
  ['\tcurrent buffer size (in bytes):\t', NARROW, (netlink) => netlink.bufferSize],
];

/** Not counted but known: this daemon has no children and no select loop, so nothing of the kind can fail. */
const NEVER = () => 0;

const RUNTIME: readonly Line<ControlCounters>[] = [
  ['\tchild process failed:\t\t', NARROW, NEVER],
  ['\t\tchild process segfault:\t', NARROW, NEVER],
  ['\t\tchild process termsig:\t', NARROW, NEVER],
  ['\tselect failed:\t\t\t', NARROW, NEVER],
  ['\twait failed:\t\t\t', NARROW, NEVER],
  ['\tlocal read failed:\t\t', NARROW, (control) => control.readFailed],
  ['\tlocal unknown request:\t\t', NARROW, (control) => control.unknownRequest],
];

/** `1 day 1 h 1 min`: days and hours only when there are any, minutes always. */
export function formatUptime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const dayText = days === 0 ? '' : `${days} ${days === 1 ? 'day' : 'days'} `;
  return `${dayText}${hours === 0 ? '' : `${hours} h `}${minutes} min`;
}

/** `-s runtime`. */
export function formatRuntime(statistics: DaemonStatistics, control: ControlCounters): string {
  return [
    `daemon uptime: ${formatUptime(statistics.uptimeSeconds)}\n\n`,
    `netlink stats:\n${formatLines(NETLINK, statistics.netlink)}\n`,
    `runtime stats:\n${formatLines(RUNTIME, control)}\n`,
  ].join('');
}
