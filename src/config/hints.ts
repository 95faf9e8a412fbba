import {
  BLOCK_NAMES,
  BLOCK_TITLES,
  CLAUSES,
  type Clause,
  clausesOf,
  spellings,
  TCP_STATE_NAMES,
} from '../../grammar/clauses.js';
import { isReservedWord } from '../../grammar/lexicon.js';
import type { SyntaxProblem } from '../../grammar/tree.js';
import { SYSLOG_FACILITIES } from './model.js';

/**
 * Advice for a syntax error: first the slips seen in real files (spec/config.md, "Real files"), then misplaced and
 * misspelt clauses. Empty when nothing sensible can be said.
 */
export function hintFor(problem: SyntaxProblem, text: string): string {
  for (const rule of RULES) {
    const hint = rule(problem, text);
    if (hint !== '') return hint;
  }
  return '';
}

type Rule = (problem: SyntaxProblem, text: string) => string;

const RULES: readonly Rule[] = [
  unclosedBlock,
  badBytes,
  punctuation,
  statsInGeneral,
  listOfStates,
  booleanOfAnotherLanguage,
  signOfNice,
  value,
  unitAfterNumber,
  misplaced,
  misspelt,
];

function unclosedBlock({ openedBy, found }: SyntaxProblem, text: string): string {
  if (openedBy === null) return '';
  const line = text.slice(0, openedBy.offset).split('\n').length;
  const where = found.text === '' ? 'the file ends' : `\`${found.text}' begins`;
  return `the block \`${openedBy.text}' of line ${line} is not closed when ${where}; is a \`}' missing?`;
}

function badBytes({ found }: SyntaxProblem, text: string): string {
  if (found.kind !== 'bad byte') return '';
  if (text.includes('\0')) return 'the file holds zero bytes; save it as plain text (UTF-8), not as UTF-16';
  const bytes = [...found.text].map((character) => `0x${character.charCodeAt(0).toString(16)}`).join(' ');
  return `only ASCII is allowed outside comments and paths; these bytes are ${bytes}`;
}

const PUNCTUATION: Readonly<Record<string, string>> = {
  '=': "a clause and its value have only a blank between them, no `='",
  ':': "a clause and its value have only a blank between them, no `:'",
  ';': "a clause ends where the next begins, without `;'; comments start with `#'",
  ',': 'values are separated by blanks',
  '"': 'values stand without quotes',
  "'": 'values stand without quotes',
  '}': "a `}' too many here or above",
};

function punctuation({ found, block }: SyntaxProblem): string {
  if (found.kind === 'path' && /^\/[/*]/.test(found.text)) return "comments start with `#'";
  if (found.text === '}' && block !== 'file') return '';
  return PUNCTUATION[found.text] ?? '';
}

function statsInGeneral({ found, block }: SyntaxProblem): string {
  if (found.text !== 'Stats' || block !== 'general') return '';
  return "`Stats' is a block of its own: close `General' with `}' before it";
}

function listOfStates({ found, block }: SyntaxProblem): string {
  if (block !== 'states') return '';
  if (/^(?:tcp|udp)$/i.test(found.text))
    return "write `for TCP', in capitals; states of other protocols cannot be filtered";
  if (found.text === '}') return "end the list of states with `for TCP'";
  return nearest(found.text, TCP_STATE_NAMES);
}

const YES = /^(?:true|enabled?|1|t|y)$/i;
const NO = /^(?:false|disabled?|none|0|f|n)$/i;

function booleanOfAnotherLanguage({ found, clause }: SyntaxProblem): string {
  if (!takes(clause, 'boolean')) return '';
  if (YES.test(found.text)) return `write \`on' or \`yes' instead of \`${found.text}'`;
  if (NO.test(found.text)) return `write \`off' or \`no' instead of \`${found.text}'`;
  return '';
}

function signOfNice({ found, clause }: SyntaxProblem): string {
  if (clause === null || !takes(clause, 'signed') || found.kind !== 'integer') return '';
  return `write the sign (+${found.text}), or remove the line: ${clause.name} has no effect any more`;
}

/** The value is of the wrong kind. */
function value({ found, clause }: SyntaxProblem): string {
  if (clause === null) return '';
  if (takes(clause, 'path') && (found.kind === 'name' || found.text === '.')) return "a path starts with `/'";
  if (takes(clause, 'name') || takes(clause, 'interface')) {
    if (isReservedWord(found.text)) return `\`${found.text}' is a word of this language and cannot be a name`;
    if (clause.key === 'syslog') return `the facility is one of ${SYSLOG_FACILITIES.join(', ')}`;
  }
  if (clause.name === 'Mode') return nearest(found.text.toUpperCase(), ['ALARM', 'FTFW', 'NOTRACK']);
  return fixedWordOf(clause, found.text);
}

function fixedWordOf(clause: Clause, text: string): string {
  const words = clause.takes.flatMap((argument) =>
    'oneOf' in argument
      ? argument.oneOf
      : 'optional' in argument
        ? [argument.optional, ...(argument.followedBy ?? [])]
        : [],
  );
  return nearest(text, words);
}

/** `60s` is read as 60 and a word `s`. */
function unitAfterNumber({ found }: SyntaxProblem, text: string): string {
  return /[0-9]/.test(text[found.offset - 1] ?? '') && found.text !== ''
    ? 'numbers stand alone, without unit or fraction'
    : '';
}

/** A clause that exists, but not here. */
function misplaced({ found, block }: SyntaxProblem): string {
  const homes = BLOCK_NAMES.filter((name) => clausesOf(name).has(found.text));
  if (homes.length === 0 || homes.includes(block)) return '';
  const places = homes.map((home) => (home === 'file' ? 'the top level of the file' : `\`${BLOCK_TITLES[home]}'`));
  const where = `\`${found.text}' belongs into ${places.join(', ')}`;
  return block === 'file' ? `${where}; is there a \`}' too many above?` : where;
}

function misspelt({ found, block }: SyntaxProblem): string {
  if (!/^[A-Za-z]/.test(found.text)) return '';
  const here = nearest(found.text, [...clausesOf(block).keys()]);
  if (here !== '') return here;
  const everywhere = CLAUSES.flatMap(spellings);
  const name = closest(found.text, everywhere);
  if (name === null) return '';
  const home = BLOCK_NAMES.find((candidate) => clausesOf(candidate).has(name))!;
  return `did you mean \`${name}'? It belongs into ${home === 'file' ? 'the top level' : `\`${BLOCK_TITLES[home]}'`}`;
}

function nearest(text: string, words: readonly string[]): string {
  const name = closest(text, words);
  if (name === null) return '';
  const sameLetters = name.toLowerCase() === text.toLowerCase();
  return `did you mean \`${name}'?${sameLetters ? ' Upper and lower case differ' : ''}`;
}

/** The closest word, when it is close enough to be meant: a third of the letters may differ. */
function closest(text: string, words: readonly string[]): string | null {
  const ranked = words
    .filter((word) => word.length > 2)
    .map((word) => ({ word, distance: editDistance(text.toLowerCase(), word.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.floor(best.word.length / 3) ? best.word : null;
}

/**
 * Letters to change, add, drop or exchange with their neighbour (optimal string alignment). Words longer than any
 * clause are not compared.
 */
function editDistance(one: string, other: string): number {
  if (one.length > 64) return one.length;
  let before: number[] = [];
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 0; i < one.length; i++) {
    const current = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const replaced = previous[j]! + (one[i] === other[j] ? 0 : 1);
      const exchanged = i > 0 && j > 0 && one[i] === other[j - 1] && one[i - 1] === other[j];
      const cheapest = Math.min(replaced, previous[j + 1]! + 1, current[j]! + 1);
      current.push(exchanged ? Math.min(cheapest, before[j - 1]! + 1) : cheapest);
    }
    before = previous;
    previous = current;
  }
  return previous[other.length]!;
}

function takes(clause: Clause | null, kind: string): boolean {
  return clause?.takes.some((argument) => 'value' in argument && argument.value.includes(kind)) ?? false;
}
