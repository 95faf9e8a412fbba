import type { BlockName, Clause, Limits } from '../../grammar/clauses.js';
import type { BlockNode, ClauseNode, Word } from '../../grammar/tree.js';
import type { Diagnostics } from './diagnostics.js';
import type { UsedClause } from './model.js';
import { type Protocols, TRACKED_PROTOCOLS } from './protocols.js';
import type { Settings, SettingValue } from './settings.js';

/** What a configuration is checked against besides itself. Absent parts are not checked. */
export interface Environment {
  /** The content of /etc/protocols. Without it names beyond the tracked protocols are passed over in silence. */
  readonly protocols?: string;
  readonly interfaceExists?: (name: string) => boolean;
}

/** Handles a clause whose value is more than a value. */
export type ClauseHandler = (node: ClauseNode) => void;

const MOST_INTEGER = 0xffff_ffff;

/** Turns clauses into values and says what is wrong with them. One per file. */
export class Reader {
  readonly used: UsedClause[] = [];

  constructor(
    readonly diagnostics: Diagnostics,
    readonly environment: Environment,
    readonly protocols: Protocols = TRACKED_PROTOCOLS,
    /** Blocks in which something was passed over for its mistakes: no conclusions from what they lack. */
    readonly brokenBlocks: ReadonlySet<BlockName> = new Set(),
  ) {}

  /**
   * Goes through a block. Clauses without a handler set their key in `settings`.
   *
   * @param handlers by clause name
   */
  block(node: BlockNode, settings: Settings, handlers: Readonly<Record<string, ClauseHandler>> = {}): void {
    for (const clause of node.clauses) this.clause(clause, settings, handlers);
  }

  private clause(node: ClauseNode, settings: Settings, handlers: Readonly<Record<string, ClauseHandler>>): void {
    this.note(node);
    const { clause } = node;
    const handler = handlers[clause.name];
    if (clause.deprecated !== undefined) this.warn(clause.deprecated, node.keyword);
    else if (handler !== undefined) handler(node);
    else if (clause.key !== undefined) this.scalar(node, settings, clause.key);
  }

  /** Sets a key to the clause's one value, unless that is refused. */
  scalar(node: ClauseNode, settings: Settings, key: string): void {
    const value = this.value(node.clause, node.values[0]!);
    if (value !== null) settings.set(key, value);
  }

  error(message: string, place: Word, hint = ''): void {
    this.diagnostics.add('error', message, place, { hint });
  }

  warn(message: string, place: Word, hint = ''): void {
    this.diagnostics.add('warning', message, place, { hint });
  }

  /** A number, or null when it does not fit (the original wraps it to 32 bits). */
  integer(clause: Clause, word: Word): number | null {
    const number = Number(word.text);
    if (number > MOST_INTEGER) {
      this.error(`${clause.name} ${word.text} does not fit into 32 bits`, word, `the most is ${MOST_INTEGER}`);
      return null;
    }
    return this.withinLimits(clause.limits, number, word) ? number : null;
  }

  /** A word as people wrote it: names and paths may hold UTF-8. */
  textOf(word: Word): string {
    return /[\x80-\xff]/.test(word.text) ? decodeBytes(word.text) : word.text;
  }

  /** The value, undefined for "the default", null when refused. */
  private value(clause: Clause, word: Word): SettingValue | undefined | null {
    switch (word.kind) {
      case 'true':
        return clause.on ?? true;
      case 'false':
        return false;
      case 'integer': {
        const number = this.integer(clause, word);
        return number === 0 && clause.zeroIsDefault ? undefined : number;
      }
      default:
        return this.fits(clause, word) ? this.textOf(word) : null;
    }
  }

  /** Whether a path or name is short enough. */
  fits({ limits }: Clause, word: Word): boolean {
    if (limits?.mostBytes === undefined || word.text.length <= limits.mostBytes) return true;
    this.error(limits.message, word, `it has ${word.text.length}, the most is ${limits.mostBytes}`);
    return false;
  }

  private withinLimits(limits: Limits | undefined, number: number, word: Word): boolean {
    if (limits === undefined) return true;
    const fits = number >= (limits.least ?? 0) && number <= (limits.most ?? MOST_INTEGER);
    if (!fits) this.error(limits.message, word);
    return fits;
  }

  private note({ clause, keyword, values }: ClauseNode): void {
    const position = this.diagnostics.source.position(keyword.offset, keyword.text.length);
    const source = this.diagnostics.source.line(position.line);
    this.used.push({ clause, words: values.map((word) => this.textOf(word)), position, source });
  }
}

const utf8 = new TextDecoder();

/** Text with one character per byte as UTF-8. */
function decodeBytes(text: string): string {
  return utf8.decode(Uint8Array.from(text, (character) => character.charCodeAt(0)));
}
