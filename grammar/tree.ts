import type { BlockName, Clause } from './clauses.js';
import type { WordKind } from './lexicon.js';

/** A word of the file with its place: `offset` counts bytes from the start of the text the parser was given. */
export interface Word {
  readonly text: string;
  readonly offset: number;
  readonly kind: WordKind;
}

/** One clause as written: keyword, the words after it, the block after those. */
export interface ClauseNode {
  readonly clause: Clause;
  readonly keyword: Word;
  readonly values: readonly Word[];
  readonly body: BlockNode | null;
}

/** A block as written. Lists (protocol names, helpers, TCP states) stand in `words`, all else in `clauses`. */
export interface BlockNode {
  readonly block: BlockName;
  readonly clauses: ClauseNode[];
  readonly words: Word[];
}

/** A place where the file does not follow the grammar. */
export interface SyntaxProblem {
  /** What was found; at the end of the file a word with empty text. */
  readonly found: Word;
  /** What could have stood there, for people. */
  readonly expected: string;
  /** The block around it. */
  readonly block: BlockName;
  /** The clause whose value or brace is wrong; null when the word itself does not belong into the block. */
  readonly clause: Clause | null;
  /** The keyword of the block that was left open, when that is the problem. */
  readonly openedBy: Word | null;
}

export interface SyntaxResult {
  readonly tree: BlockNode;
  /** At most MOST_PROBLEMS and one more. Then the rest of the file was not looked at. */
  readonly problems: readonly SyntaxProblem[];
}

/** A file with more mistakes is no configuration: further ones cost time and say nothing new. */
export const MOST_PROBLEMS = 100;

export function emptyBlock(block: BlockName): BlockNode {
  return { block, clauses: [], words: [] };
}
