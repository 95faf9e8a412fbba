/**
 * Addresses as the original reads them: IPv4 by inet_aton's rules for four numbers (a leading 0 means octal), IPv6 by
 * inet_pton's (spec/config.md, "Warnings, then go on"). All bytes in network order.
 */

/** Four bytes, or null. `010.1.1.1` is 8.1.1.1. */
export function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const numbers = parts.map((part) => (/^0[0-7]*$/.test(part) ? Number.parseInt(part, 8) : decimal(part)));
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : null;
}

function decimal(text: string): number {
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

/** Sixteen bytes, or null. */
export function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0]!);
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  // `::` stands for at least one group, as in inet_pton.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]));
}

function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const groups = text.split(':');
  return groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : null;
}

/** `172.16.0.1` or, for 16 bytes, the text inet_ntop gives. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bytes[2 * index]! << 8) | bytes[2 * index + 1]!).toString(16),
  );
  const { start, length } = longestRunOfZeros(groups);
  if (length < 2) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

function longestRunOfZeros(groups: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== '0') start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  });
  return best;
}
