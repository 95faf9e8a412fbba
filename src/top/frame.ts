import { sides } from './draw.js';
import { clipped, EMPTY, type Line, line, type Span, span, widthOf } from './line.js';
import { duration } from './numbers.js';
import { PAGE_NAMES } from './page-names.js';
import { PAGES, type Shown } from './pages/index.js';
import { HEALTH_STYLES } from './pages/peers.js';
import type { View } from './view.js';

/** What the screen shows besides a page. */
export interface Frame {
  readonly page: Shown;
  readonly rows: number;
  /** Lines of the page that are above the screen. */
  readonly scrolled: number;
  /** Of this computer. */
  readonly host: string;
  /** Time of day, `10:15:31`. */
  readonly time: string;
  readonly intervalSeconds: number;
  readonly paused: boolean;
  /** Why there is no answer; null: there is. */
  readonly trouble: string | null;
}

export interface Screen {
  /** As many as the screen has rows, none wider than it. */
  readonly lines: readonly Line[];
  /** `scrolled` as it is possible. */
  readonly scrolled: number;
}

/** Below this the blank line over the page is left out. */
const SPACIOUS_ROWS = 16;

/** The whole screen: header, pages, what is wrong, the page, and what the keys do. */
export function screenOf(view: View, frame: Frame): Screen {
  const { rows, page } = frame;
  const { width } = view;
  const head = [header(view, frame), tabs(page, width), ...alert(frame), ...(rows >= SPACIOUS_ROWS ? [EMPTY] : [])];
  const room = Math.max(0, rows - head.length - 1);
  const body = PAGES[page](view);
  const scrolled = Math.max(0, Math.min(frame.scrolled, body.length - room));
  const shown = body.slice(scrolled, scrolled + room);
  const blank = Array.from({ length: Math.max(0, room - shown.length) }, () => EMPTY);
  const foot = footer(frame, width, body.length > room ? [scrolled, shown.length, body.length] : null);
  const lines = [...head, ...shown, ...blank, foot].slice(0, rows).map((one) => clipped(one, width));
  return { lines, scrolled };
}

/** Name, verdict and time, then as much more as there is room for. */
function header({ statistics, width }: View, { host, time, paused, intervalSeconds }: Frame): Line {
  const { health, role, uptimeSeconds } = statistics;
  const verdict = health === null ? span('statistics mode') : span(health, HEALTH_STYLES[health]);
  const clock: Line = paused ? [span('PAUSED', 'chosen'), span(` ${time}`)] : [span(time)];
  const every = paused ? '' : `  every ${intervalSeconds} s`;
  const fits = (spans: Line, more: number): boolean => widthOf(spans) + widthOf(clock) + more + 2 <= width;
  const named: Line = [span('conntrackd', 'strong'), span(` ${host}  `), verdict];
  if (!fits(named, 0)) return sides([verdict], clock, width);
  if (!fits(named, every.length)) return sides(named, clock, width);
  const left = [...named];
  const since = role?.role == null ? [] : [roleText(role.role, role.sinceSeconds)];
  for (const text of [`up ${duration(uptimeSeconds)}`, ...since]) {
    if (fits(left, every.length + text.length + 2)) left.push(span(`  ${text}`, 'dim'));
  }
  return sides(left, [...clock, span(every, 'dim')], width);
}

function roleText(role: string, seconds: number): string {
  return `${role} for ${duration(seconds)}`;
}

/** The pages with their keys; where room is short only the one that is shown has its name. */
function tabs(page: Shown, width: number): Line {
  const all = PAGE_NAMES.map((name, index) => ({ name: name as Shown, key: String(index + 1) }));
  all.push({ name: 'help', key: 'h' });
  const full = all.flatMap(({ name, key }) => [tab(`${key} ${name}`, name === page), span(' ')]);
  if (widthOf(full) <= width) return full;
  return all.flatMap(({ name, key }) => [tab(name === page ? `${key} ${name}` : key, name === page), span(' ')]);
}

function tab(text: string, chosen: boolean): Span {
  return span(` ${text} `, chosen ? 'chosen' : 'dim');
}

function alert({ trouble }: Frame): Line[] {
  return trouble === null ? [] : [line(trouble, 'bad')];
}

function footer(
  { page, paused }: Frame,
  width: number,
  part: readonly [scrolled: number, shown: number, all: number] | null,
): Line {
  const right = part === null ? EMPTY : line(`${part[0] + 1}-${part[0] + part[1]} of ${part[2]} lines`, 'dim');
  const keys = ['q quit', 'h help', ...(page === 'talkers' ? ['s list', 'c cache'] : [])];
  keys.push(paused ? 'p go on' : 'p pause', '+- interval');
  // Which part of the page it is counts more than the last keys, which the help has as well.
  while (keys.length > 1 && keys.join('  ').length + widthOf(right) >= width) keys.pop();
  return sides(line(keys.join('  '), 'dim'), right, width);
}
