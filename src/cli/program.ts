import { Command, CommanderError } from 'commander';
import { REQUESTS } from '../control/requests.js';
import { LONGEST_INTERVAL, SHORTEST_INTERVAL } from '../top/limits.js';
import { isPageName, PAGE_NAMES, type PageName } from '../top/page-names.js';
import { DEFAULT_CONFIG_PATH, UsageError } from './arguments.js';
import { LONG_OPTIONS } from './long-options.js';
import { VERSION_TEXT } from './version.js';

/** What long options ask for. */
export interface LongArguments {
  readonly check: boolean;
  readonly print: boolean;
  readonly health: boolean;
  /** Answers as JSON. */
  readonly json: boolean;
  /** Null: the configuration file tells. */
  readonly socket: string | null;
  /** Null: no live view. */
  readonly top: TopArguments | null;
  readonly immediate: 'help' | 'version' | null;
}

/** `--top`. */
export interface TopArguments {
  readonly page: PageName;
  readonly intervalSeconds: number;
  /** Null: until it is ended. */
  readonly count: number | null;
}

/** Column in which descriptions begin: that of the longest flag. */
const FLAG_WIDTH = 18;

/** The requests for people: one line per flag, in the order of the table. */
function requestHelp(): string {
  const lines = REQUESTS.filter((request) => request.flag !== '').map(
    (request) => `  ${request.flag.padEnd(FLAG_WIDTH)} ${request.does}`,
  );
  return [
    '',
    'Requests to a running daemon, carried out in the order given until one fails:',
    ...lines,
    `  ${'-x'.padEnd(FLAG_WIDTH)} after -i or -e: the same as XML`,
    '',
    'Words after requests may be abbreviated. Without options the daemon runs in the foreground.',
  ].join('\n');
}

function createProgram(): Command {
  const program = new Command('conntrackd')
    .description('Replicates the connection tracking state of Linux firewalls.')
    .usage('[options] [requests]')
    .helpOption('-h, --help', 'show this text')
    .version(VERSION_TEXT, '-v, --version', 'show the version')
    .option('-d', 'run in the background')
    .option('-C <file>', `configuration file (default: ${DEFAULT_CONFIG_PATH})`);
  for (const { name, value, does } of LONG_OPTIONS) {
    program.option(value === undefined ? `--${name}` : `--${name} <${value}>`, does);
  }
  return program.addHelpText('after', requestHelp());
}

/** What `-h` prints. */
export function helpText(): string {
  let text = '';
  createProgram()
    .configureOutput({ writeOut: (part) => (text += part) })
    .outputHelp();
  return text;
}

interface ParsedOptions {
  readonly check?: boolean;
  readonly print?: boolean;
  readonly health?: boolean;
  readonly json?: boolean;
  readonly socket?: string;
  readonly top?: boolean;
  readonly page?: string;
  readonly interval?: string;
  readonly count?: string;
}

export const TOP_ALONE = '--top goes with -C, --socket, --page, --interval and --count alone';

/** What the options of the live view say; null when it is not asked for. @throws UsageError */
function readTop({ top = false, page, interval, count }: ParsedOptions): TopArguments | null {
  if (!top) {
    if (page !== undefined || interval !== undefined || count !== undefined) {
      throw new UsageError('--page, --interval and --count need --top');
    }
    return null;
  }
  const name = page ?? 'overview';
  if (!isPageName(name)) throw new UsageError(`--page: one of ${PAGE_NAMES.join(', ')}, not \`${name}'`, false);
  const intervalSeconds = Number(interval ?? 1);
  // Not a number fails every comparison.
  if (!(intervalSeconds >= SHORTEST_INTERVAL && intervalSeconds <= LONGEST_INTERVAL)) {
    throw new UsageError(`--interval: ${SHORTEST_INTERVAL} to ${LONGEST_INTERVAL} seconds, not \`${interval}'`, false);
  }
  if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count)) {
    throw new UsageError(`--count: a number of 1 or more, not \`${count}'`, false);
  }
  return { page: name, intervalSeconds, count: count === undefined ? null : Number(count) };
}

/**
 * Reads words that begin with two dashes, and their values.
 * @throws UsageError
 */
export function readLongOptions(words: readonly string[]): LongArguments {
  const program = createProgram()
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} });
  const nothing = { check: false, print: false, health: false, json: false, socket: null, top: null };
  try {
    const options = program.parse(words, { from: 'user' }).opts<ParsedOptions>();
    const { check = false, print = false, health = false, json = false, socket = null } = options;
    if (print && !check) throw new UsageError('--print needs --check');
    if (print && json) throw new UsageError('--print is not JSON: leave out one of the two');
    const top = readTop(options);
    if (top !== null && (check || health || json)) throw new UsageError(TOP_ALONE);
    return { check, print, health, json, socket, top, immediate: null };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return { ...nothing, immediate: 'help' };
    if (error.code === 'commander.version') return { ...nothing, immediate: 'version' };
    throw new UsageError(error.message.replace(/^error: /, ''));
  }
}
