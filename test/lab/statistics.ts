/**
 * The numbers of `conntrackd -s` and its relatives, by path: section title, then label, e.g.
 * `statistic(text, 'cache external', 'current active connections')`.
 */

/** The lines of a section: from the line that starts with `title` to the next empty line. */
function section(text: string, title: string): string[] {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.trimStart().startsWith(title));
  if (first < 0) throw new Error(`no section '${title}' in:\n${text}`);
  const end = lines.findIndex((line, index) => index > first && line === '');
  return lines.slice(first, end < 0 ? lines.length : end);
}

/**
 * The first number after `label` (`current active connections:`), or before it where the number comes first
 * (`1140 Bytes sent`), in the section that starts with `title`.
 * @throws Error when section or label is missing
 */
export function statistic(text: string, title: string, label: string): number {
  for (const line of section(text, title)) {
    const after = new RegExp(`${escaped(label)}[^:]*:\\s*(\\d+)`).exec(line);
    if (after) return Number(after[1]);
    const before = new RegExp(`(\\d+)\\s+${escaped(label)}`).exec(line);
    if (before) return Number(before[1]);
  }
  throw new Error(`no '${label}' under '${title}' in:\n${text}`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Flows in the internal and external cache by `-s`. */
export function activeConnections(text: string, cache: 'internal' | 'external' | 'stats'): number {
  return statistic(text, `cache ${cache}:`, 'current active connections');
}

/** What the original shows, too: without the verdict on the peers, and the warnings, that follow it. */
export function originalPart(text: string): string {
  return text.replace(/^(health|warnings): [\s\S]*/m, '');
}

/** A text with every number replaced, the blanks that pad it included: its shape. */
export function shapeOf(text: string): string {
  return text.replace(/ *\d+/g, '#');
}
