import { PAGE_NAMES, type PageName } from './page-names.js';

/** What a key means. */
export type Action =
  | { readonly kind: 'page'; readonly page: PageName }
  | { readonly kind: 'scroll'; readonly lines: number | 'page' | 'back page' | 'start' }
  | { readonly kind: Simple };

type Simple =
  | 'quit'
  | 'suspend'
  | 'help'
  | 'next page'
  | 'previous page'
  | 'pause'
  | 'faster'
  | 'slower'
  | 'list'
  | 'cache'
  | 'redraw';

const simple = (kind: Simple): Action => ({ kind });
const scroll = (lines: number | 'page' | 'back page' | 'start'): Action => ({ kind: 'scroll', lines });

/** Bytes that keys send: letters, and the sequences of xterm's cursor keys in both of its modes. */
const KEYS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ...PAGE_NAMES.map((page, index): [string, Action] => [String(index + 1), { kind: 'page', page }]),
  ['q', simple('quit')],
  ['Q', simple('quit')],
  // In raw mode the terminal sends these in place of signals.
  ['\x03', simple('quit')],
  ['\x1a', simple('suspend')],
  ['h', simple('help')],
  ['?', simple('help')],
  ['\t', simple('next page')],
  ['\x1b[C', simple('next page')],
  ['\x1bOC', simple('next page')],
  ['\x1b[Z', simple('previous page')],
  ['\x1b[D', simple('previous page')],
  ['\x1bOD', simple('previous page')],
  ['p', simple('pause')],
  [' ', simple('pause')],
  ['+', simple('faster')],
  ['=', simple('faster')],
  ['-', simple('slower')],
  ['s', simple('list')],
  ['c', simple('cache')],
  ['\x0c', simple('redraw')],
  ['j', scroll(1)],
  ['\x1b[B', scroll(1)],
  ['\x1bOB', scroll(1)],
  ['k', scroll(-1)],
  ['\x1b[A', scroll(-1)],
  ['\x1bOA', scroll(-1)],
  ['\x1b[6~', scroll('page')],
  ['\x1b[5~', scroll('back page')],
  ['\x1b[H', scroll('start')],
  ['\x1b[1~', scroll('start')],
]);

/** One key: a control sequence (ECMA-48), one of the cursor keys in application mode, or a character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: keys are control characters
const KEY = /\x1b\[[0-9;?]*[ -/]*[@-~]|\x1bO[A-Z]|[\s\S]/g;

/** The actions of what was typed; keys without a meaning have none. */
export function actionsOf(typed: string): Action[] {
  return [...typed.matchAll(KEY)].map(([key]) => KEYS.get(key)).filter((action) => action !== undefined);
}
