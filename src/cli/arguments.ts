import { findRequest, findRole, isRequestOption, type Request, ROLE_OPTION, takesWord } from '../control/requests.js';
import { longOption } from './long-options.js';

/** Where the configuration is unless `-C` names another place. */
export const DEFAULT_CONFIG_PATH = '/etc/conntrackd/conntrackd.conf';

/** What was asked for with letters; long options are left to commander (program.ts). */
export interface Arguments {
  readonly action: 'help' | 'version' | 'console' | 'daemon' | 'requests';
  /** In the order given; `-x` already turned the code into that of the XML dump. */
  readonly codes: readonly number[];
  readonly configPath: string;
  /** Words that begin with two dashes, with their values. */
  readonly long: readonly string[];
  readonly warnings: readonly string[];
}

/** The command line makes no sense. */
export class UsageError extends Error {
  override name = 'UsageError';

  constructor(
    message: string,
    /** Whether the help text answers it. */
    readonly showUsage: boolean = true,
  ) {
    super(message);
  }
}

/**
 * Reads the command line with the original's conventions (spec/control.md "Command line"): options are single letters
 * given apart, of which only the letter after the dash counts; words after requests may be abbreviated; `-x` belongs
 * to the `-i` or `-e` before it.
 *
 * Written by hand: requests are run by scripts in moments that count, and must not wait for a library to load.
 */
class ArgumentReader {
  private readonly requests: Request[] = [];
  private readonly codes: number[] = [];
  private readonly long: string[] = [];
  private readonly warnings: string[] = [];
  private configPath = DEFAULT_CONFIG_PATH;
  private daemon = false;
  private immediate: 'help' | 'version' | null = null;
  private at = 0;

  constructor(private readonly words: readonly string[]) {}

  read(): Arguments {
    while (this.at < this.words.length && this.immediate === null) this.readWord(this.words[this.at++]!);
    if (this.daemon && this.codes.length > 0 && this.immediate === null) throw new UsageError('Invalid parameters');
    const { codes, configPath, long, warnings } = this;
    return { action: this.action(), codes, configPath, long, warnings };
  }

  private action(): Arguments['action'] {
    if (this.immediate !== null) return this.immediate;
    if (this.codes.length > 0) return 'requests';
    return this.daemon ? 'daemon' : 'console';
  }

  private readWord(word: string): void {
    if (/^--./.test(word)) this.readLong(word);
    else if (/^-[^-]/.test(word)) this.readOption(word.charAt(1), word);
    else throw new UsageError(`Unknown option: ${word}`);
  }

  private readLong(word: string): void {
    if (word === ROLE_OPTION || word.startsWith(`${ROLE_OPTION}=`)) {
      this.readRole(word);
      return;
    }
    this.long.push(word);
    const takesValue = longOption(word)?.value !== undefined;
    if (takesValue && this.at < this.words.length) this.long.push(this.words[this.at++]!);
  }

  private readRole(word: string): void {
    const role = word === ROLE_OPTION ? this.words[this.at++] : word.slice(ROLE_OPTION.length + 1);
    const request = findRole(role ?? '');
    if (request === undefined) throw new UsageError(`unknown role \`${role ?? ''}': primary, backup or fault`, false);
    this.requests.push(request);
    this.codes.push(request.code);
  }

  private readOption(letter: string, word: string): void {
    if (isRequestOption(letter)) this.readRequest(letter);
    else if (letter === 'x') this.readXml();
    else if (letter === 'd') this.daemon = true;
    else if (letter === 'C') this.readConfigPath();
    else if (letter === 'h') this.immediate = 'help';
    else if (letter === 'v') this.immediate = 'version';
    else if (letter === 'S') this.warnings.push(STATISTICS_MODE_WARNING);
    else throw new UsageError(`Unknown option: ${word}`);
  }

  private readConfigPath(): void {
    const path = this.words[this.at++];
    if (path === undefined) throw new UsageError('Missing config filename');
    this.configPath = path;
  }

  private readXml(): void {
    const request = this.requests.at(-1);
    if (request === undefined || request.xml === 0) throw new UsageError('Invalid parameters');
    this.codes[this.codes.length - 1] = request.xml;
  }

  private readRequest(letter: string): void {
    const request = findRequest(letter, this.readSubject(letter));
    if (request === undefined) throw new UsageError(`Unknown option: -${letter}`);
    this.requests.push(request);
    this.codes.push(request.code);
  }

  /** The word that belongs to a request, empty without one. */
  private readSubject(letter: string): string {
    const word = this.words[this.at] ?? '';
    if (word.startsWith('-') || !takesWord(letter)) return '';
    // The old name of `link` stands before it in the order of abbreviations: `-s m` still means it.
    const renamed = letter === 's' && word !== '' && 'multicast'.startsWith(word);
    if (renamed) this.warnings.push("use `link' instead of `multicast' as parameter.");
    const subject = renamed ? 'link' : word;
    if (findRequest(letter, subject) === undefined) throw unknownSubject(letter, word);
    this.at++;
    return subject;
  }
}

const STATISTICS_MODE_WARNING =
  "`-S' is deprecated, ignoring: the `Stats' clause of the configuration file chooses statistics mode.";

function unknownSubject(letter: string, word: string): UsageError {
  // Two options have a message of their own in the original; for the others the word is an option nobody knows.
  if (letter === 's' || letter === 'f') {
    return new UsageError(`unknown parameter \`${word}' for option \`-${letter}'`, false);
  }
  return new UsageError(`Unknown option: ${word}`);
}

/**
 * Reads the words after the program's name.
 * @throws UsageError
 */
export function readArguments(words: readonly string[]): Arguments {
  return new ArgumentReader(words).read();
}
