import { PAGE_NAMES } from '../top/page-names.js';

/** Options that the original does not have. One letter is for what it has, two dashes for what is new. */
export interface LongOption {
  readonly name: string;
  /** What its value is called in the help text; absent when it takes none. */
  readonly value?: string;
  readonly does: string;
}

export const LONG_OPTIONS: readonly LongOption[] = [
  { name: 'check', does: 'check the configuration file, report everything that is wrong with it, and end' },
  { name: 'print', does: 'with --check: print the configuration with its defaults' },
  {
    name: 'health',
    does: 'show how it stands with the peers; status 0 in sync, 1 no answer, 2 behind, 3 peer gone, 4 never seen',
  },
  { name: 'json', does: 'with -s, -i, -e, --health or --check: answers as JSON, dumps an object a line' },
  {
    name: 'top',
    does: 'show rates, peers, queues, caches and talkers, anew each second; on a terminal keys choose, the key h tells which',
  },
  { name: 'page', value: 'name', does: `with --top: the page to begin with: ${PAGE_NAMES.join(', ')}` },
  { name: 'interval', value: 'seconds', does: 'with --top: time between two answers, 0.1 or more; 1 if not given' },
  { name: 'count', value: 'number', does: 'with --top: show so many answers and end' },
  { name: 'socket', value: 'path', does: 'control socket of the daemon; the configuration file is not read' },
];

/** The entry of a word as typed, `--socket` or `--socket=PATH`; the latter brings its value along and needs no other. */
export function longOption(word: string): LongOption | undefined {
  return LONG_OPTIONS.find((option) => word === `--${option.name}`);
}
