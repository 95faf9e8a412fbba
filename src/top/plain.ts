import type { StatisticsReply } from '../control/json.js';
import { textOf } from './line.js';
import { TALKERS_SECONDS, type TopOptions } from './options.js';
import { PAGES } from './pages/index.js';
import { State } from './state.js';

/** How it ended. */
export type PlainEnd = 'answered' | 'unanswered' | 'reader gone';

/** Without a terminal: one block of text for each interval, which a pipe or a file takes. */
export async function runPlain(
  options: TopOptions,
  first: StatisticsReply,
  width: number,
  write: (text: string) => Promise<boolean>,
): Promise<PlainEnd> {
  const { page, intervalSeconds, glyphs, host, source, count } = options;
  const state = new State(first, performance.now(), page, intervalSeconds, glyphs, host);
  let talkersMs = Number.NEGATIVE_INFINITY;
  for (let shown = 0; shown !== count; shown++) {
    // The first block has rates, too.
    await new Promise((resolve) => setTimeout(resolve, intervalSeconds * 1000));
    const answer = await source.statistics();
    if (answer.reply !== null) state.answered(answer.reply, performance.now());
    else state.unanswered(options.explain(answer.why), performance.now());
    if (page === 'talkers' && state.isAnswered && performance.now() - talkersMs >= TALKERS_SECONDS * 1000) {
      state.talkers = (await source.talkers()).reply ?? state.talkers;
      talkersMs = performance.now();
    }
    if (!(await write(blockOf(state, options, width, new Date())))) return 'reader gone';
  }
  return state.isAnswered ? 'answered' : 'unanswered';
}

/** A line of what, where and when, the page, and a blank line. */
function blockOf(state: State, { page, host }: TopOptions, width: number, now: Date): string {
  const title = `${now.toISOString()} ${host} ${page}`;
  if (!state.isAnswered) return `${title}: ${state.troubleText(performance.now())}\n\n`;
  const lines = PAGES[page](state.view(width)).map(textOf);
  return `${[title, ...lines].join('\n')}\n\n`;
}
