import type { ValueKind } from './clauses.js';
import type { WordKind } from './lexicon.js';
import type { Word } from './tree.js';

const BOOLEAN: readonly WordKind[] = ['true', 'false'];
/** 1 to 4 hexadecimal digits are a name wherever a name may stand; the original refuses them (spec/config.md). */
const NAME: readonly WordKind[] = ['name', 'hex word'];

/** The words each kind of value is written with. */
export const KINDS_OF_VALUE: Readonly<Record<ValueKind, readonly WordKind[]>> = {
  integer: ['integer'],
  signed: ['signed'],
  path: ['path'],
  boolean: BOOLEAN,
  'boolean or path': [...BOOLEAN, 'path'],
  'boolean or name': [...BOOLEAN, ...NAME],
  'boolean or integer': [...BOOLEAN, 'integer'],
  name: NAME,
  interface: ['interface'],
  // Either family after either keyword: the original's grammar does not tell them apart, its checks do.
  address: ['ipv4', 'ipv6', 'hex word', 'hex number'],
};

/** How to say what was expected. */
export const VALUE_TITLES: Readonly<Record<ValueKind, string>> = {
  integer: 'a number',
  signed: 'a number with its sign (+5, -5)',
  path: 'an absolute path, without quotes',
  boolean: 'on or off (yes or no)',
  'boolean or path': 'on, off or an absolute path, without quotes',
  'boolean or name': 'on, off or a name',
  'boolean or integer': 'on, off or a number',
  name: 'a name',
  interface: 'the name of a network interface',
  address: 'an IP address',
};

export function accepts(kind: ValueKind, word: Word): boolean {
  return KINDS_OF_VALUE[kind].includes(word.kind);
}
