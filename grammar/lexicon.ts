import { KEYWORDS, MODE_BLOCKS } from './clauses.js';

/**
 * The words of the language as regular expressions over text with one character per byte (latin1).
 *
 * The original's lexer takes the longest match of all patterns. Here the first match in the order of `PATTERNS` wins,
 * and the order and the look-aheads make that the same word; test/interop/config.test.ts compares both.
 */

const HEX = '[0-9A-Fa-f]{1,4}';
/** Up to 7 groups, each with or without its colon, around `::`. So loose is the original; inet_pton judges later. */
const IPV6_SHORT = `(?:${HEX}:?){0,7}::(?:${HEX}:?){0,7}(?:/[0-9]+)?`;
const IPV6_FULL = `${HEX}(?::${HEX}){1,7}(?:/[0-9]+)?`;
/** A lone group with a prefix length (`abcd/12`) is an IPv6 word too. */
const IPV6_GROUP = `${HEX}/[0-9]+`;

export type WordKind =
  | 'blank'
  | 'comment'
  | 'interface'
  | 'path'
  | 'ipv6'
  | 'ipv4'
  | 'hex number'
  | 'integer'
  | 'signed'
  | 'keyword'
  | 'true'
  | 'false'
  | 'mode'
  | 'hex word'
  | 'name'
  | '{'
  | '}'
  | 'bad byte'
  | 'stray';

/**
 * In order of precedence. Words (letters first) all match `name`; which of keyword, boolean, mode, hex word or name it
 * is follows from its text (`kindOfName`).
 */
export const PATTERNS: readonly (readonly [WordKind, string])[] = [
  ['blank', '[ \\t\\r\\n]+'],
  ['comment', '#[^\\n]*'],
  // To the next white space or quote; `}`, `#` and `;` belong to it (spec/config.md, "Reading").
  ['path', '/[^ \\t\\r\\n\\v\\f"\\0]*'],
  ['ipv6', `${IPV6_SHORT}|${IPV6_FULL}|${IPV6_GROUP}`],
  ['ipv4', '[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+(?:/[0-9]+)?'],
  // 1 to 4 hexadecimal digits with a letter: an IPv6 word there, never a number (`HashSize 12ab` is an error).
  ['hex number', '(?=[0-9]{1,3}[A-Fa-f])[0-9A-Fa-f]{1,4}'],
  ['integer', '[0-9]+'],
  ['signed', '[-+][0-9]+'],
  ['name', '[A-Za-z][A-Za-z0-9._-]*'],
  ['{', '\\{'],
  ['}', '\\}'],
  ['bad byte', '[\\x00\\x80-\\xff]+'],
  ['stray', '[^]'],
];

const HEX_WORD = /^[A-Fa-f][0-9A-Fa-f]{0,3}$/;
const TRUE = /^(?:on|yes)$/i;
const FALSE = /^(?:off|no)$/i;
const keywords: ReadonlySet<string> = new Set(KEYWORDS);
const modes: ReadonlySet<string> = new Set(Object.keys(MODE_BLOCKS));

/** What a word of the pattern `name` is. */
export function kindOfName(text: string): 'keyword' | 'true' | 'false' | 'mode' | 'hex word' | 'name' {
  if (keywords.has(text)) return 'keyword';
  if (TRUE.test(text)) return 'true';
  if (FALSE.test(text)) return 'false';
  if (modes.has(text.toLowerCase())) return 'mode';
  return HEX_WORD.test(text) ? 'hex word' : 'name';
}

const INTERFACE_CHARACTER = '[^\\x00-\\x20\\x7f-\\xff{}#"\'/:;=]';

/**
 * A name after `Interface`. The kernel takes any byte but `/`, `:` and blanks (net/core/dev.c, dev_valid_name); taken
 * here is what can be told from the language around it and holds a letter or digit. Keywords, booleans and modes are refused as in the original.
 */
export const INTERFACE_NAME = `(?=${INTERFACE_CHARACTER}*[A-Za-z0-9])${INTERFACE_CHARACTER}+`;

export function isReservedWord(text: string): boolean {
  const kind = kindOfName(text);
  return kind !== 'name' && kind !== 'hex word';
}
