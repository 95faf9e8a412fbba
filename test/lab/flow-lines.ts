/**
 * Flow lines of `conntrack -L`, `conntrackd -i` and `conntrackd -e` brought to a form in which they can be compared:
 * what differs for reasons of time or place is left out, the rest is sorted.
 */

/** The reply tuple: from the second `src=` to the field after its ports, key or ICMP triple. */
const REPLY_TUPLE =
  /( src=\S+ dst=\S+(?: (?:sport|dport|srckey|dstkey|type|code|id)=\S+)*(?: \[UNREPLIED\])?) src=\S+ dst=\S+(?: (?:sport|dport|srckey|dstkey|type|code|id)=\S+)*/;

/** The seconds after the protocol's number: `tcp      6 599 ESTABLISHED`. Cache lines have none. */
const TIMEOUT = /^(\S+ +\d+ )\d+ /;

function sortedLines(text: string, normalise: (line: string) => string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(normalise)
    .sort();
}

/** Lines of `conntrack -L`: timeout and reference count left out. */
export function kernelLines(text: string): string[] {
  return sortedLines(text, (line) =>
    line
      .replace(TIMEOUT, '$1')
      .replace(/ (?:use|secctx|delta-time)=\S+/g, '')
      .trimEnd(),
  );
}

/** Kernel lines reduced to what a cache line shows, so that kernel and caches can be compared. */
export function kernelLinesAsCached(text: string): string[] {
  return kernelLines(text)
    .map((line) => cachedForm(line))
    .sort();
}

/** Lines of `conntrackd -i` or `-e` as they are, but for their age. */
export function cacheLines(text: string): string[] {
  return sortedLines(text, withoutAge);
}

/**
 * Lines of an internal or external cache reduced to what both show: a peer's flow has no reply tuple
 * (spec/findings.md 35), and a mark of zero is shown only when a dump reported it (spec/findings.md 7).
 */
export function comparableCacheLines(text: string): string[] {
  return sortedLines(text, (line) => cachedForm(withoutAge(line)));
}

function withoutAge(line: string): string {
  return line.replace(/ \[(?:active since|expires in) -?\d+s\]/g, '').trimEnd();
}

function cachedForm(line: string): string {
  return line.replace(REPLY_TUPLE, '$1').replace(/ mark=0(?= |$)/, '');
}

/** How many lines of each kind a difference shows before it only counts. */
const LINES_SHOWN = 8;

/**
 * What two sorted lists do not share, for people; '' when they are equal.
 * Repeated lines count: two lists are equal only when each line occurs as often in both.
 */
export function difference(
  expected: readonly string[],
  actual: readonly string[],
  expectedName = 'expected',
  actualName = 'actual',
): string {
  const onlyExpected = without(expected, actual);
  const onlyActual = without(actual, expected);
  if (onlyExpected.length === 0 && onlyActual.length === 0) return '';
  return [
    `${expectedName} has ${expected.length} lines, ${actualName} ${actual.length}`,
    ...listed(`only in ${expectedName}`, onlyExpected),
    ...listed(`only in ${actualName}`, onlyActual),
  ].join('\n');
}

function listed(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const shown = lines.slice(0, LINES_SHOWN).map((line) => `  ${line}`);
  const more = lines.length - shown.length;
  return [`${title}: ${lines.length}`, ...shown, ...(more > 0 ? [`  ... and ${more} more`] : [])];
}

/** `lines` less those of `others`, one for one. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}
