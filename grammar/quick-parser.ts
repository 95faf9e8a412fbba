import { type Argument, type BlockName, type Clause, clausesOf, TCP_STATE_NAMES } from './clauses.js';
import { INTERFACE_NAME, isReservedWord, kindOfName, PATTERNS, type WordKind } from './lexicon.js';
import { type BlockNode, type ClauseNode, emptyBlock, type Word } from './tree.js';
import { accepts } from './values.js';

/**
 * The tree of a file without a mistake, or null.
 *
 * Loading the parser generator costs some 200 ms, which a failover script would pay for each request only to learn the
 * socket's path. This walk over the clause table takes the same language in under a millisecond but cannot explain
 * anything: for a file with a mistake it gives up, and the real parser says what is wrong. A property test holds the
 * two to the same trees.
 *
 * @param text one character per byte
 */
export function parseQuickly(text: string): BlockNode | null {
  const words = splitWords(text);
  if (words === null) return null;
  const walk = new Walk(words);
  const tree = walk.block('file');
  return walk.failed || !walk.atEnd() ? null : tree;
}

const anyWord = new RegExp(PATTERNS.map(([, source]) => `(${source})`).join('|'), 'y');
const interfaceName = new RegExp(INTERFACE_NAME, 'y');

function splitWords(text: string): Word[] | null {
  const words: Word[] = [];
  let offset = 0;
  while (offset < text.length) {
    const word = wordAt(text, offset, words.at(-1));
    if (word.kind === 'stray' || word.kind === 'bad byte') return null;
    if (word.kind !== 'blank' && word.kind !== 'comment') words.push(word);
    offset += word.text.length;
  }
  return words;
}

function wordAt(text: string, offset: number, previous: Word | undefined): Word {
  if (previous?.kind === 'keyword' && previous.text === 'Interface') {
    interfaceName.lastIndex = offset;
    const name = interfaceName.exec(text)?.[0];
    if (name !== undefined && !isReservedWord(name)) return { text: name, offset, kind: 'interface' };
  }
  anyWord.lastIndex = offset;
  const match = anyWord.exec(text)!;
  const pattern = PATTERNS[match.findIndex((group, index) => index > 0 && group !== undefined) - 1]!;
  const kind: WordKind = pattern[0] === 'name' ? kindOfName(match[0]) : pattern[0];
  return { text: match[0], offset, kind };
}

const tcpStates: ReadonlySet<string> = new Set(TCP_STATE_NAMES);

/** One pass over the words. `failed` sticks: after it nothing the walk returns has a meaning. */
class Walk {
  failed = false;
  private at = 0;

  constructor(private readonly words: readonly Word[]) {}

  atEnd(): boolean {
    return this.at === this.words.length;
  }

  /** The items of a block, without its braces. */
  block(name: BlockName): BlockNode {
    const node = emptyBlock(name);
    while (!this.failed && !this.atEnd() && this.peek()!.kind !== '}') this.item(node);
    return node;
  }

  private item(node: BlockNode): void {
    if (node.block === 'states') this.states(node);
    else if (node.block === 'protocols') node.words.push(...this.take((word) => accepts('name', word) || isLink(word)));
    else if (node.block === 'expectations') node.words.push(...this.take((word) => accepts('name', word)));
    else this.clause(node);
  }

  private states(node: BlockNode): void {
    while (this.peek() !== undefined && tcpStates.has(this.peek()!.text)) node.words.push(this.words[this.at++]!);
    this.take((word) => word.text === 'for');
    this.take((word) => word.text === 'TCP');
  }

  private clause(node: BlockNode): void {
    const keyword = this.words[this.at++]!;
    const clause = keyword.kind === 'keyword' ? clausesOf(node.block).get(keyword.text) : undefined;
    if (clause === undefined) this.failed = true;
    else node.clauses.push(this.rest(clause, keyword));
  }

  private rest(clause: Clause, keyword: Word): ClauseNode {
    if (clause.valueOrBlock && this.peek()?.kind === '{') {
      return { clause, keyword, values: [], body: this.braced(clause.opens as BlockName) };
    }
    const values = clause.takes.flatMap((argument) => this.argument(argument));
    if (clause.opens === undefined || clause.valueOrBlock) return { clause, keyword, values, body: null };
    const opens = typeof clause.opens === 'string' ? clause.opens : clause.opens[values[0]?.text.toLowerCase() ?? ''];
    return { clause, keyword, values, body: opens === undefined ? null : this.braced(opens) };
  }

  private braced(name: BlockName): BlockNode {
    this.take((word) => word.kind === '{');
    const node = this.block(name);
    this.take((word) => word.kind === '}');
    return node;
  }

  private argument(argument: Argument): Word[] {
    if ('value' in argument) return this.take((word) => accepts(argument.value, word));
    if ('oneOf' in argument) return this.take((word) => isOneOf(argument.oneOf, word));
    if (this.peek()?.text !== argument.optional) return [];
    const words = this.take(() => true);
    const { followedBy } = argument;
    return followedBy === undefined ? words : [...words, ...this.take((word) => isOneOf(followedBy, word))];
  }

  private peek(): Word | undefined {
    return this.words[this.at];
  }

  private take(wanted: (word: Word) => boolean): Word[] {
    const word = this.words[this.at];
    if (word === undefined || !wanted(word)) {
      this.failed = true;
      return [];
    }
    this.at++;
    return [word];
  }
}

function isLink(word: Word): boolean {
  return word.kind === 'keyword' && (word.text === 'TCP' || word.text === 'UDP');
}

/** Modes are written in any case, all other fixed words exactly. */
function isOneOf(words: readonly string[], word: Word): boolean {
  return words.includes(word.kind === 'mode' ? word.text.toLowerCase() : word.text);
}
