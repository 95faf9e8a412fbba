import { hostname } from 'node:os';
import { glyphsFor } from './glyphs.js';
import { LiveView } from './live.js';
import type { NoAnswer, TopOptions } from './options.js';
import type { PageName } from './page-names.js';
import { runPlain } from './plain.js';
import { Source } from './source.js';

export interface TopRequest {
  /** Path of the control socket. */
  readonly path: string;
  readonly page: PageName;
  readonly intervalSeconds: number;
  readonly count: number | null;
  /** Says in words why there is no answer. */
  explain(why: NoAnswer): string;
}

/** How it ended. A signal is what ended it, and the caller ends as that signal ends a process. */
export type TopEnd =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'reader gone' }
  | { readonly kind: 'no answer'; readonly why: NoAnswer };

/** Columns of a block where nobody says how many there are. */
const PLAIN_COLUMNS = 80;

/** `--top`: on a terminal the live view, elsewhere blocks of text. A daemon that does not answer at all ends it at once. */
export async function runTop(request: TopRequest): Promise<TopEnd> {
  const { path, ...rest } = request;
  const source = new Source(path);
  const first = await source.statistics();
  if (first.reply === null) return { kind: 'no answer', why: first.why };
  const options: TopOptions = { ...rest, source, glyphs: glyphsFor(process.env), host: hostname() };
  const { stdin, stdout, env } = process;
  if (stdout.isTTY && env.TERM !== undefined && env.TERM !== 'dumb') {
    const live = new LiveView(options, first.reply, stdin, stdout, !env.NO_COLOR);
    const end = await live.run();
    return typeof end === 'number' ? { kind: 'status', status: end } : { kind: 'signal', signal: end };
  }
  const end = await runPlain(options, first.reply, Number(env.COLUMNS) || PLAIN_COLUMNS, writeOut);
  return end === 'reader gone' ? { kind: 'reader gone' } : { kind: 'status', status: end === 'answered' ? 0 : 1 };
}

/** Whether somebody reads it. */
function writeOut(text: string): Promise<boolean> {
  return new Promise((resolve) => {
    process.stdout.once('error', () => resolve(false));
    process.stdout.write(text, (error) => {
      if (!error) process.stdout.removeAllListeners('error');
      resolve(!error);
    });
  });
}
