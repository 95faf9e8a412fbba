/** The four levels of the original's log, as winston names them. */
export type Level = 'error' | 'warning' | 'notice' | 'info';

/** How a level is written in the log: only errors shout (spec/daemon.md). */
export const LEVEL_TEXT: Readonly<Record<Level, string>> = {
  error: 'ERROR',
  warning: 'warning',
  notice: 'notice',
  info: 'info',
};

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

const twoDigits = (value: number): string => String(value).padStart(2, '0');

function clockText(date: Date): string {
  return `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}:${twoDigits(date.getSeconds())}`;
}

/** `Sep 18 18:03:02`, local time, the day padded with a blank: what syslog puts before a message (RFC 3164 4.1.2). */
export function syslogDate(date: Date): string {
  return `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clockText(date)}`;
}

/** `Thu Sep 18 18:03:02 2008`, local time: ctime(3) without its newline. */
export function ctime(date: Date): string {
  return `${DAYS[date.getDay()]} ${syslogDate(date)} ${date.getFullYear()}`;
}

/** A line of the log, without newline: `[Thu Sep 18 18:03:02 2008] (pid=9759) [notice] text`. */
export function formatLine(level: Level, text: string, date: Date, pid: number): string {
  return `[${ctime(date)}] (pid=${pid}) [${LEVEL_TEXT[level]}] ${text}`;
}

/** The flow that belongs to the line before: `Thu Sep 18 18:03:02 2008`, tab, text (fixtures/logs/commit.txt). */
export function formatFlowOfLine(text: string, date: Date): string {
  return `${ctime(date)}\t${text}`;
}
