/**
 * IPv4 and IPv6 addresses: text to network-order words and back. The text is that of glibc's inet_ntop, which
 * RFC 5952 describes; the words are those of a flow's row, a little-endian load of the bytes on the wire.
 */

/** Most bytes `writeIpv6` writes: eight groups of four digits, seven colons (less in every form with dots). */
export const LONGEST_ADDRESS = 39;
/** Bytes behind an address that writing it may spoil. */
export const SPOILED = 3;

/** Decimal digits of a byte and a dot behind them as a little-endian word, so that one store writes an octet. */
const OCTETS: Uint32Array = Uint32Array.from({ length: 256 }, (_, value) => {
  const text = `${value}.`;
  let packed = 0;
  for (let i = 0; i < text.length; i++) packed |= text.charCodeAt(i) << (8 * i);
  return packed;
});

const COLON = 0x3a;
const HEX_DIGITS: Uint8Array = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/**
 * Writes an IPv4 address as `192.0.2.1`. May spoil up to three bytes behind the text.
 *
 * @param word the address in raw network order
 * @returns the offset after the text
 */
export function writeIpv4(out: DataView, at: number, word: number): number {
  const first = word & 0xff;
  const second = (word >>> 8) & 0xff;
  const third = (word >>> 16) & 0xff;
  const fourth = word >>> 24;
  out.setUint32(at, OCTETS[first]!, true);
  const at2 = at + lengthWithDot(first);
  out.setUint32(at2, OCTETS[second]!, true);
  const at3 = at2 + lengthWithDot(second);
  out.setUint32(at3, OCTETS[third]!, true);
  const at4 = at3 + lengthWithDot(third);
  out.setUint32(at4, OCTETS[fourth]!, true);
  return at4 + lengthWithDot(fourth) - 1;
}

function lengthWithDot(octet: number): number {
  return octet > 99 ? 4 : octet > 9 ? 3 : 2;
}

/** The 16-bit group `index` (0 to 7) of an IPv6 address, in host order. */
function groupOf(words: Uint32Array, from: number, index: number): number {
  const half = words[from + (index >> 1)]! >>> ((index & 1) * 16);
  return ((half & 0xff) << 8) | ((half >>> 8) & 0xff);
}

/** The longest run of zero groups, first of equals, of at least two: start in the high byte, length in the low one. */
function longestZeros(words: Uint32Array, from: number): number {
  let best = 1;
  let length = 0;
  for (let index = 0; index < 8; index++) {
    length = groupOf(words, from, index) === 0 ? length + 1 : 0;
    if (length > (best & 0xff)) best = ((index + 1 - length) << 8) | length;
  }
  return (best & 0xff) > 1 ? best : 0;
}

/**
 * Writes an IPv6 address as inet_ntop does: lower case, the longest run of zeros as `::`, and dots for the last four
 * bytes of `::a.b.c.d` and `::ffff:a.b.c.d`. May spoil up to three bytes behind the text.
 *
 * @param words four words from index `from`, raw network order
 * @returns the offset after the text
 */
export function writeIpv6(out: DataView, at: number, words: Uint32Array, from: number): number {
  const zeros = longestZeros(words, from);
  const start = zeros === 0 ? -1 : zeros >> 8;
  const length = zeros & 0xff;
  const dotted = start === 0 && (length === 6 || (length === 5 && groupOf(words, from, 5) === 0xffff));
  const groups = dotted ? 6 : 8;
  let next = at;
  for (let index = 0; index < groups; index++) {
    if (index === start) {
      out.setUint16(next++, (COLON << 8) | COLON);
      index += length - 1;
      if (index >= groups - 1 && !dotted) return next + 1;
      continue;
    }
    if (index > 0) out.setUint8(next++, COLON);
    next = writeGroup(out, next, groupOf(words, from, index));
  }
  if (!dotted) return next;
  out.setUint8(next++, COLON);
  return writeIpv4(out, next, words[from + 3]!);
}

function writeGroup(out: DataView, at: number, group: number): number {
  let next = at;
  if (group > 0xfff) out.setUint8(next++, HEX_DIGITS[group >>> 12]!);
  if (group > 0xff) out.setUint8(next++, HEX_DIGITS[(group >>> 8) & 0xf]!);
  if (group > 0xf) out.setUint8(next++, HEX_DIGITS[(group >>> 4) & 0xf]!);
  out.setUint8(next++, HEX_DIGITS[group & 0xf]!);
  return next;
}

const scratchText = new DataView(new ArrayBuffer(LONGEST_ADDRESS + SPOILED));

function textOf(end: number): string {
  return String.fromCharCode(...new Uint8Array(scratchText.buffer, 0, end));
}

/** The text of an IPv4 address in raw network order. */
export function ipv4Text(word: number): string {
  return textOf(writeIpv4(scratchText, 0, word));
}

/** The text of the IPv6 address in `words[from..from+3]`, raw network order. */
export function ipv6Text(words: Uint32Array, from = 0): string {
  return textOf(writeIpv6(scratchText, 0, words, from));
}

/** The word, in raw network order, of an IPv4 address in dotted form (four decimal numbers), or null. */
export function parseIpv4(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  let word = 0;
  for (let i = 0; i < 4; i++) {
    const digits = match[i + 1]!;
    const octet = Number(digits);
    // inet_pton takes no leading zeros: they mean octal to some and nothing to others.
    if (octet > 255 || (digits.length > 1 && digits.startsWith('0'))) return null;
    word |= octet << (8 * i);
  }
  return word >>> 0;
}

/** The four words, in raw network order, of an IPv6 address in any form of RFC 4291 2.2, or null. */
export function parseIpv6(text: string): Uint32Array | null {
  const gap = text.indexOf('::');
  if (gap >= 0 && text.indexOf('::', gap + 1) >= 0) return null;
  const head = parseGroups(gap < 0 ? text : text.slice(0, gap), gap < 0);
  const tail = gap < 0 ? [] : parseGroups(text.slice(gap + 2), true);
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const words = new Uint32Array(4);
  groups.forEach((group, index) => {
    const swapped = ((group & 0xff) << 8) | (group >>> 8);
    words[index >> 1]! |= swapped << ((index & 1) * 16);
  });
  return words;
}

/** Groups between colons; a dotted IPv4 address may be the last when `last` says the address ends here. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const word = last && index === parts.length - 1 ? parseIpv4(part) : null;
    if (word === null) return null;
    groups.push(((word & 0xff) << 8) | ((word >>> 8) & 0xff), ((word >>> 8) & 0xff00) | (word >>> 24));
  }
  return groups;
}
