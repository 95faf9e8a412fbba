import {
  EmbeddedActionsParser,
  EOF,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type IToken,
  isRecognitionException,
  type ParserMethod,
  tokenLabel,
  tokenMatcher,
} from 'chevrotain';
import {
  type Argument,
  BLOCK_NAMES,
  BLOCK_TITLES,
  type BlockName,
  CLAUSES,
  type Clause,
  clausesOf,
  spellings,
} from './clauses.js';
import {
  KEYWORD_TOKENS,
  LeftBrace,
  lexer,
  Mode,
  RightBrace,
  TcpState,
  VALUE_TOKENS,
  VOCABULARY,
  wordKind,
} from './tokens.js';
import {
  type BlockNode,
  type ClauseNode,
  emptyBlock,
  MOST_PROBLEMS,
  type SyntaxProblem,
  type SyntaxResult,
  type Word,
} from './tree.js';

/**
 * Reads a file and finds every mistake in it.
 *
 * @param text one character per byte (latin1), without a byte order mark
 */
export function parseText(text: string): SyntaxResult {
  parser ??= new ConfigParser();
  return parser.parse(text, lexer.tokenize(text).tokens);
}

/** Made at first use: preparing the grammar takes some milliseconds. */
let parser: ConfigParser | undefined;

/** Chevrotain's messages carry only what was expected; src/config/diagnostics.ts words the rest. */
const expectations: Partial<IParserErrorMessageProvider> = {
  buildMismatchTokenMessage: ({ expected }) => tokenLabel(expected),
  buildNoViableAltMessage: ({ expectedPathsPerAlt }) =>
    anyOf(expectedPathsPerAlt.flat().flatMap((path) => path.slice(0, 1).map(tokenLabel))),
};

/** `a, b or c` */
export function anyOf(texts: readonly string[]): string {
  const unique = [...new Set(texts)];
  return unique.length < 2 ? unique.join('') : `${unique.slice(0, -1).join(', ')} or ${unique.at(-1)}`;
}

/**
 * The rules of conntrackd.conf, one per block and one per clause, made from the clause table.
 *
 * Chevrotain's own recovery does not know about braces and would close blocks too early, so mistakes are repaired here
 * (`repair`, `skip`): what does not belong is passed over, together with a block that follows it, up to the next clause
 * of the block or the next line that starts with a word.
 */
class ConfigParser extends EmbeddedActionsParser {
  private problems: SyntaxProblem[] = [];
  private text = '';
  /** The clause being read, for the report when its value is wrong. */
  private current: Clause | null = null;
  private readonly blockRules = new Map<BlockName, ParserMethod<[], BlockNode>>();
  private readonly clauseRules = new Map<Clause, ParserMethod<[], ClauseNode>>();
  private readonly file: ParserMethod<[], BlockNode>;

  constructor() {
    super(VOCABULARY, {
      recoveryEnabled: false,
      maxLookahead: 1,
      errorMessageProvider: expectations as IParserErrorMessageProvider,
    });
    CLAUSES.forEach((clause, index) => {
      this.clauseRules.set(clause, this.defineClause(clause, index));
    });
    for (const block of BLOCK_NAMES) if (block !== 'file') this.blockRules.set(block, this.defineBlock(block));
    this.file = this.RULE('block file', () => this.items('file'));
    this.performSelfAnalysis();
  }

  parse(text: string, tokens: IToken[]): SyntaxResult {
    this.text = text;
    this.problems = [];
    this.current = null;
    this.input = tokens;
    return { tree: this.file(), problems: this.problems };
  }

  // --- the grammar ---------------------------------------------------------------------------------------------

  /** `{ item* }` */
  private defineBlock(block: BlockName): ParserMethod<[], BlockNode> {
    return this.RULE(`block ${block}`, () => {
      const keyword = this.ACTION(() => this.LA(0));
      if (!this.ACTION(() => this.openingForgotten(block))) this.CONSUME(LeftBrace);
      const node = this.items(block);
      if (!this.ACTION(() => this.closingForgotten(block, keyword))) this.CONSUME(RightBrace);
      return node;
    });
  }

  private items(block: BlockName): BlockNode {
    const node = emptyBlock(block);
    do {
      this.MANY(() => this.guarded(node));
    } while (this.ACTION(() => this.repair(block)));
    return node;
  }

  private item(node: BlockNode): void {
    if (node.block === 'protocols') this.add(node.words, this.protocol());
    else if (node.block === 'expectations') this.add(node.words, this.CONSUME(VALUE_TOKENS.get('name')!));
    else if (node.block === 'states') this.states(node);
    else node.clauses.push(this.anyClause(node.block));
  }

  private protocol(): IToken {
    return this.OR([
      { ALT: () => this.CONSUME(KEYWORD_TOKENS.get('TCP')!) },
      { ALT: () => this.CONSUME(KEYWORD_TOKENS.get('UDP')!) },
      { ALT: () => this.CONSUME(VALUE_TOKENS.get('name')!) },
    ]);
  }

  /** `SYN_SENT ESTABLISHED for TCP`; the list may be empty. */
  private states(node: BlockNode): void {
    this.MANY1(() => this.add(node.words, this.CONSUME(TcpState)));
    this.CONSUME(KEYWORD_TOKENS.get('for')!);
    this.CONSUME(KEYWORD_TOKENS.get('TCP')!);
  }

  private anyClause(block: BlockName): ClauseNode {
    const clauses = [...new Set(clausesOf(block).values())];
    return this.OR(clauses.map((clause, index) => ({ ALT: () => this.subrule(index, this.clauseRules.get(clause)!) })));
  }

  private defineClause(clause: Clause, index: number): ParserMethod<[], ClauseNode> {
    return this.RULE(`${clause.name} ${index}`, () => {
      const keyword = this.word(this.keyword(spellings(clause)));
      this.ACTION(() => {
        this.current = clause;
      });
      return clause.valueOrBlock ? this.valueOrBlock(clause, keyword) : this.valuesAndBlock(clause, keyword);
    });
  }

  private valuesAndBlock(clause: Clause, keyword: Word): ClauseNode {
    const values = this.values(clause);
    const body = clause.opens === undefined ? null : this.body(clause.opens, values[0]);
    return { clause, keyword, values, body };
  }

  private valueOrBlock(clause: Clause, keyword: Word): ClauseNode {
    return this.OR1([
      { ALT: () => ({ clause, keyword, values: this.values(clause), body: null }) },
      { ALT: () => ({ clause, keyword, values: [], body: this.body(clause.opens!, undefined) }) },
    ]);
  }

  private values(clause: Clause): Word[] {
    return clause.takes.flatMap((argument, position) => this.argument(argument, position));
  }

  /** Where the word before decides which block follows, a gate chooses: all blocks start with a brace. */
  private body(opens: NonNullable<Clause['opens']>, word: Word | undefined): BlockNode {
    if (typeof opens === 'string') return this.SUBRULE(this.blockRules.get(opens)!);
    const wanted = this.ACTION(() => opens[word!.text.toLowerCase()]);
    const blocks = [...new Set(Object.values(opens))];
    return this.OR2({
      DEF: blocks.map((block) => ({
        GATE: () => block === wanted,
        ALT: () => this.SUBRULE1(this.blockRules.get(block)!),
      })),
      IGNORE_AMBIGUITIES: true,
    });
  }

  private argument(argument: Argument, position: number): Word[] {
    if ('value' in argument) return [this.word(this.consume(position, VALUE_TOKENS.get(argument.value)!))];
    if ('oneOf' in argument) return [this.word(this.fixedWord(argument.oneOf))];
    const words: Word[] = [];
    this.OPTION(() => {
      this.add(words, this.CONSUME1(KEYWORD_TOKENS.get(argument.optional)!));
      if (argument.followedBy !== undefined) this.add(words, this.fixedWord(argument.followedBy));
    });
    return words;
  }

  private fixedWord(words: readonly string[]): IToken {
    return KEYWORD_TOKENS.has(words[0]!) ? this.keyword(words, 3) : this.CONSUME(Mode);
  }

  private keyword(words: readonly string[], index = 4): IToken {
    return this.or(
      index,
      words.map((word) => ({ ALT: () => this.consume(index, KEYWORD_TOKENS.get(word)!) })),
    );
  }

  private word(token: IToken): Word {
    return this.ACTION(() => toWord(token));
  }

  private add(words: Word[], token: IToken): void {
    this.ACTION(() => words.push(toWord(token)));
  }

  // --- repair --------------------------------------------------------------------------------------------------

  /** One item. A mistake in it is noted and passed over, and the block goes on. */
  private guarded(node: BlockNode): void {
    try {
      this.item(node);
    } catch (error) {
      if (!(error instanceof Error) || !isRecognitionException(error)) throw error;
      const { token, message } = error as IRecognitionException;
      this.note(token, message, node.block, this.current);
      this.skip(node.block);
    }
  }

  /** Called where a block goes on or ends. True when something that does not belong was passed over. */
  private repair(block: BlockName): boolean {
    const next = this.LA(1);
    if (next.tokenType === EOF || this.endsBlock(block, next)) return false;
    this.note(next, itemsOf(block), block, null);
    // A comment in the manner of C: nothing on its line is meant.
    const isComment = next.image.startsWith('//');
    do this.skipOne();
    while (isComment && this.LA(1).tokenType !== EOF && !this.isFirstOfLine(this.LA(1)));
    this.skip(block);
    return true;
  }

  /** Without `{`, but the block's first item is there: go on as if it had been written. */
  private openingForgotten(block: BlockName): boolean {
    const next = this.LA(1);
    if (!startsItem(block, next)) return false;
    this.note(next, tokenLabel(LeftBrace), block, this.current);
    return true;
  }

  private closingForgotten(block: BlockName, keyword: IToken): boolean {
    const next = this.LA(1);
    if (tokenMatcher(next, RightBrace)) return false;
    this.note(next, `${itemsOf(block)}, or \`}'`, block, null, toWord(keyword));
    return true;
  }

  /** `}`, or `General`, `Sync`, ... inside a block: the brace was forgotten. `Stats` in General is a known slip. */
  private endsBlock(block: BlockName, next: IToken): boolean {
    if (block === 'file') return false;
    if (tokenMatcher(next, RightBrace)) return true;
    const isSlip = block === 'general' && next.image === 'Stats';
    return clausesOf('file').has(next.image) && !isSlip && tokenMatcher(this.LA(2), LeftBrace);
  }

  private skip(block: BlockName): void {
    while (this.problems.length > MOST_PROBLEMS ? this.LA(1).tokenType !== EOF : !this.resumes(block)) this.skipOne();
  }

  private resumes(block: BlockName): boolean {
    const next = this.LA(1);
    if (next.tokenType === EOF || startsItem(block, next) || this.endsBlock(block, next)) return true;
    if (!this.isFirstOfLine(next)) return false;
    const kind = wordKind(next);
    // Outside all blocks a run of known clauses has one cause, a brace too many: one report is enough.
    return kind === 'name' || kind === 'stray' || kind === 'bad byte' || (kind === 'keyword' && block !== 'file');
  }

  private isFirstOfLine(token: IToken): boolean {
    const lineStart = this.text.lastIndexOf('\n', token.startOffset) + 1;
    return this.text.slice(lineStart, token.startOffset).trim() === '';
  }

  /** Passes over a token, or over a whole block when it opens one. */
  private skipOne(): void {
    let depth = 0;
    do {
      const token = this.LA(1);
      if (tokenMatcher(token, LeftBrace)) depth++;
      if (tokenMatcher(token, RightBrace)) depth--;
      this.SKIP_TOKEN();
    } while (depth > 0 && this.LA(1).tokenType !== EOF);
  }

  /** Notes a problem, once for each place. After too many, `skip` passes over the rest of the file. */
  private note(token: IToken, expected: string, block: BlockName, clause: Clause | null, openedBy: Word | null = null) {
    const found =
      token.tokenType === EOF ? { text: '', offset: this.text.length, kind: 'stray' as const } : toWord(token);
    if (this.problems.at(-1)?.found.offset === found.offset || this.problems.length > MOST_PROBLEMS) return;
    this.problems.push({ found, expected, block, clause, openedBy });
  }
}

function toWord(token: IToken): Word {
  return { text: token.image, offset: token.startOffset, kind: wordKind(token) };
}

function startsItem(block: BlockName, token: IToken): boolean {
  if (block === 'protocols') return tokenMatcher(token, VALUE_TOKENS.get('name')!) || /^(?:TCP|UDP)$/.test(token.image);
  if (block === 'expectations') return tokenMatcher(token, VALUE_TOKENS.get('name')!);
  if (block === 'states') return tokenMatcher(token, TcpState) || token.image === 'for';
  return wordKind(token) === 'keyword' && clausesOf(block).has(token.image);
}

function itemsOf(block: BlockName): string {
  if (block === 'protocols') return 'the name of a protocol';
  if (block === 'expectations') return 'the name of a helper';
  if (block === 'states') return "TCP states followed by `for TCP'";
  if (block === 'file') return anyOf([...clausesOf(block).keys()].map((name) => `\`${name}'`));
  return `a clause of ${BLOCK_TITLES[block]}`;
}
