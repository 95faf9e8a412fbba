import fc from 'fast-check';
import {
  type Argument,
  type BlockName,
  type Clause,
  clausesOf,
  KEYWORDS,
  TCP_STATE_NAMES,
} from '../../grammar/clauses.js';

/**
 * Random configuration files, made from the clause table, as lists of words. They keep clear of the places where the
 * project departs from the original on purpose (spec/config.md, "Fine print").
 */

/** Clauses that the original does not know. */
const ADDITIONS: ReadonlySet<string> = new Set([
  'HealthFile',
  'Metrics',
  'NotifyFifo',
  'NotifyInstance',
  'TakeoverHold',
  'AcceptFrom',
  'KeyFile',
]);

const NAMES = [
  'eth2',
  'sync0',
  'lo',
  'ftp',
  'sip',
  'tftp',
  'daemon',
  'local3',
  'rr',
  'FIFO',
  'inet',
  'tcp',
  'sctp',
  'ghost',
  'x-1.y_z',
];
const ADDRESSES = [
  '10.0.0.1',
  '010.1.1.1',
  '1.2.3.400',
  '225.0.0.50',
  '10.0.0.0/8',
  '10.0.0.0/8',
  '1.2.3.4/33',
  '::1',
  'fe80::1',
  'ff02::1',
  '1:2:3',
  '2001:db8::/32',
  '::1/129',
  'abcd',
  '12ab',
];
const INTEGERS = ['0', '1', '30', '99', '100', '007', '65536', '4294967295'];
const PATHS = [
  '/var/run/x.ctl',
  '/a}b#c',
  '/',
  `/${'p'.repeat(106)}`,
  `/${'p'.repeat(107)}`,
  `/${'q'.repeat(255)}`,
  `/${'q'.repeat(256)}`,
];
const BOOLEANS = ['on', 'off', 'yes', 'no', 'On', 'NO'];

const VALUES: Readonly<Record<string, readonly string[]>> = {
  integer: INTEGERS,
  signed: ['+5', '-20'],
  path: PATHS,
  boolean: BOOLEANS,
  'boolean or path': [...BOOLEANS, ...PATHS],
  'boolean or name': [...BOOLEANS, ...NAMES],
  'boolean or integer': [...BOOLEANS, ...INTEGERS],
  name: NAMES,
  interface: NAMES,
  address: ADDRESSES,
};

const pick = (words: readonly string[]): fc.Arbitrary<string[]> =>
  fc.constantFrom(...words).map((word): string[] => [word]);
const joined = (parts: readonly fc.Arbitrary<string[]>[]): fc.Arbitrary<string[]> =>
  fc.tuple(...parts).map((words) => words.flat());

function argument(part: Argument): fc.Arbitrary<string[]> {
  if ('value' in part) return pick(VALUES[part.value]!);
  if ('oneOf' in part) return pick(part.oneOf);
  const tail = part.followedBy === undefined ? fc.constant([]) : pick(part.followedBy);
  return fc.oneof(
    fc.constant<string[]>([]),
    tail.map((words) => [part.optional, ...words]),
  );
}

function braced(block: BlockName): fc.Arbitrary<string[]> {
  return items(block).map((words) => ['{', ...words, '}']);
}

function clause(spelling: string, definition: Clause): fc.Arbitrary<string[]> {
  const head = fc.constant<string[]>([spelling]);
  if (definition.name === 'Mode') return mode(head);
  const values = definition.takes.map(argument);
  if (definition.valueOrBlock) return joined([head, fc.oneof(joined(values), braced(definition.opens as BlockName))]);
  if (definition.name === 'Type' && definition.opens !== undefined) return helperType();
  if (definition.opens === undefined) return joined([head, ...values]);
  return joined([head, ...values, braced(definition.opens as BlockName)]);
}

/** Not the old names: the original warns about them at the word, wherever it stands. */
function mode(head: fc.Arbitrary<string[]>): fc.Arbitrary<string[]> {
  const blocks: readonly (readonly [string, BlockName])[] = [
    ['ALARM', 'alarm'],
    ['FTFW', 'ftfw'],
    ['ftfw', 'ftfw'],
    ['NoTrack', 'notrack'],
  ];
  return fc.oneof(...blocks.map(([word, block]) => joined([head, fc.constant<string[]>([word]), braced(block)])));
}

function helperType(): fc.Arbitrary<string[]> {
  const kinds = [
    ['ftp', 'inet', 'tcp'],
    ['tftp', 'inet6', 'udp'],
    ['ftp', 'inet', 'udp'],
    ['sip', 'inet', 'udp'],
    ['rpc', 'ipv4', 'udp'],
    ['rpc', 'inet', 'sctp'],
  ];
  return joined([fc.constantFrom(...kinds).map((words) => ['Type', ...words]), braced('helperType')]);
}

function items(block: BlockName): fc.Arbitrary<string[]> {
  const lists: Partial<Record<BlockName, fc.Arbitrary<string[]>>> = {
    protocols: pick(['TCP', 'UDP', 'sctp', 'SCTP', 'ghost', 'icmp']),
    expectations: pick(['ftp', 'sip', 'h323']),
    states: fc.array(fc.constantFrom(...TCP_STATE_NAMES), { maxLength: 3 }).map((states) => [...states, 'for', 'TCP']),
  };
  const one =
    lists[block] ??
    fc
      .constantFrom(...[...clausesOf(block)].filter(([spelling]) => !ADDITIONS.has(spelling)))
      .chain(([spelling, definition]) => clause(spelling, definition));
  return fc.array(one, { maxLength: block === 'file' ? 3 : 4 }).map((words) => words.flat());
}

/** A file that follows the grammar, though its values may be nonsense. */
export const configWords: fc.Arbitrary<string[]> = items('file');

/** Words of the language in any order, and some that are not. */
export const anyWord: fc.Arbitrary<string> = fc.constantFrom(
  ...KEYWORDS.filter((keyword) => !ADDITIONS.has(keyword)),
  ...NAMES,
  ...ADDRESSES,
  ...INTEGERS,
  ...BOOLEANS,
  ...PATHS.slice(0, 2),
  '{',
  '}',
  '{',
  '}',
  '@',
  '=',
  'True',
  'Pollsecs',
  '-',
  ':',
  'FTFW',
  'alarm',
);

/** A file with a few words removed, repeated, replaced or exchanged. */
export const mutatedWords: fc.Arbitrary<string[]> = fc
  .tuple(
    configWords,
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('drop', 'double', 'replace', 'swap'), anyWord), {
      minLength: 1,
      maxLength: 2,
    }),
  )
  .map(([words, changes]) => changes.reduce((list, [at, what, word]) => changed(list, at, what, word), words));

function changed(words: readonly string[], at: number, what: string, word: string): string[] {
  if (words.length === 0) return [word];
  const index = at % words.length;
  const [before, here, after] = [words.slice(0, index), words[index]!, words.slice(index + 1)];
  if (what === 'drop') return [...before, ...after];
  if (what === 'double') return [...before, here, here, ...after];
  if (what === 'replace') return [...before, word, ...after];
  return [...before, ...after.slice(0, 1), here, ...after.slice(1)];
}

/** A line per brace or so, a comment here and there; the last line ends. */
export function toText(words: readonly string[]): string {
  return `${words.map((word, index) => word + (word === '{' || word === '}' || index % 3 === 2 ? ' # c\n' : ' ')).join('')}\n`;
}
