import { type CustomPatternMatcherFunc, createToken, type IToken, Lexer, type TokenType } from 'chevrotain';
import { KEYWORDS, TCP_STATE_NAMES, type ValueKind } from './clauses.js';
import { INTERFACE_NAME, isReservedWord, kindOfName, PATTERNS, type WordKind } from './lexicon.js';
import { KINDS_OF_VALUE, VALUE_TITLES } from './values.js';

/**
 * The lexer. One token type per kind of word and one per keyword; one abstract type (category) per kind of value, so
 * that a rule says what it takes and an error what was expected.
 */

/** A category per kind of value; never matched itself. */
export const VALUE_TOKENS = new Map<ValueKind, TokenType>(
  (Object.keys(KINDS_OF_VALUE) as ValueKind[]).map((kind) => [
    kind,
    createToken({ name: kind, label: VALUE_TITLES[kind], pattern: Lexer.NA }),
  ]),
);

/** Any TCP state of the filter; a category over keywords. */
export const TcpState = createToken({ name: 'tcp state', label: 'a TCP state', pattern: Lexer.NA });

function categoriesOf(kind: WordKind): TokenType[] {
  return [...VALUE_TOKENS].filter(([value]) => KINDS_OF_VALUE[value].includes(kind)).map(([, token]) => token);
}

const interfaceName = new RegExp(INTERFACE_NAME, 'y');

/** Right after the keyword `Interface` any legal interface name is one word, also those that look like numbers. */
const matchInterface: CustomPatternMatcherFunc = (text, offset, matched) => {
  if (matched.at(-1)?.image !== 'Interface') return null;
  interfaceName.lastIndex = offset;
  const match = interfaceName.exec(text);
  return match === null || isReservedWord(match[0]) ? null : (match as RegExpExecArray & [string]);
};

const anyName = new RegExp(PATTERNS.find(([kind]) => kind === 'name')![1], 'y');

/** A word that starts with a letter, when its whole text is of the wanted kind. */
function nameOfKind(wanted: (text: string) => boolean): CustomPatternMatcherFunc {
  return (text, offset) => {
    anyName.lastIndex = offset;
    const match = anyName.exec(text);
    return match !== null && wanted(match[0]) ? (match as RegExpExecArray & [string]) : null;
  };
}

const LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];
const PRINTABLE = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));

function wordToken(kind: WordKind, label?: string): TokenType {
  return createToken({
    name: kind,
    pattern: nameOfKind((text) => kindOfName(text) === kind),
    start_chars_hint: LETTERS,
    line_breaks: false,
    categories: categoriesOf(kind),
    ...(label === undefined ? {} : { label }),
  });
}

function patternToken(kind: WordKind, source: string): TokenType {
  return createToken({
    name: kind,
    pattern: new RegExp(source),
    line_breaks: kind === 'blank' || kind === 'stray',
    categories: categoriesOf(kind),
    ...(kind === 'blank' || kind === 'comment' ? { group: Lexer.SKIPPED } : {}),
    ...(kind === '{' || kind === '}' ? { label: `\`${kind}'` } : {}),
  });
}

const InterfaceName = createToken({
  name: 'interface',
  pattern: matchInterface,
  start_chars_hint: PRINTABLE,
  line_breaks: false,
  categories: categoriesOf('interface'),
});

const TCP_STATES: ReadonlySet<string> = new Set(TCP_STATE_NAMES);

/** One token type per keyword; their text is exact, so a longer name is never cut. */
export const KEYWORD_TOKENS = new Map<string, TokenType>(
  KEYWORDS.map((keyword) => [
    keyword,
    createToken({
      name: `keyword ${keyword}`,
      label: `\`${keyword}'`,
      pattern: nameOfKind((text) => text === keyword),
      start_chars_hint: [keyword[0]!],
      line_breaks: false,
      categories: TCP_STATES.has(keyword) ? [TcpState] : [],
    }),
  ]),
);

const patternTokens = new Map(
  PATTERNS.filter(([kind]) => kind !== 'name').map(([kind, source]) => [kind, patternToken(kind, source)]),
);
export const LeftBrace = patternTokens.get('{')!;
export const RightBrace = patternTokens.get('}')!;
export const Mode = wordToken('mode', 'ALARM, FTFW or NOTRACK');

const wordTokens = [...KEYWORD_TOKENS.values(), wordToken('true'), wordToken('false'), Mode];
const nameTokens = [wordToken('hex word'), wordToken('name')];

const matchable: readonly TokenType[] = [
  InterfaceName,
  ...PATTERNS.flatMap(([kind]) => (kind === 'name' ? [...wordTokens, ...nameTokens] : [patternTokens.get(kind)!])),
];

export const VOCABULARY: TokenType[] = [...matchable, ...VALUE_TOKENS.values(), TcpState];

export const lexer = new Lexer([...VOCABULARY], { positionTracking: 'onlyOffset' });

const KEYWORD_PREFIX = 'keyword ';

/** The kind of a token as the rest of the grammar names it. */
export function wordKind(token: IToken): WordKind {
  const { name } = token.tokenType;
  return name.startsWith(KEYWORD_PREFIX) ? 'keyword' : (name as WordKind);
}
