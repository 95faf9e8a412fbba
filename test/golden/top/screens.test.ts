import { describe, expect, it } from 'vitest';
import { ASCII, type Glyphs, UNICODE } from '../../../src/top/glyphs.js';
import { textOf, widthOf } from '../../../src/top/line.js';
import { PAGES, type Shown } from '../../../src/top/pages/index.js';
import { State } from '../../../src/top/state.js';
import { statsAnswer, syncAnswer, TALKERS } from '../../unit/top/answers.js';

/** Seconds of load before the screen is drawn. */
const SECONDS = 18;

function stateOf(answer: (step: number) => ReturnType<typeof syncAnswer>, glyphs: Glyphs): State {
  const state = new State(answer(0), 0, 'overview', 1, glyphs, 'node1');
  // A load that swells and ebbs, so that the charts show something.
  let step = 0;
  for (let second = 1; second <= SECONDS; second++) {
    step += second % 10;
    state.answered(answer(step), second * 1000);
  }
  state.talkers = TALKERS;
  return state;
}

/** Every page, one below the other, with a frame that shows the width. */
function screens(state: State, columns: number, rows: number): string {
  const pages = Object.keys(PAGES) as Shown[];
  return pages
    .map((page) => {
      state.page = page;
      const { lines } = state.screen(columns, rows, '10:15:31', SECONDS * 1000);
      expect(lines).toHaveLength(rows);
      for (const one of lines) expect(widthOf(one)).toBeLessThanOrEqual(columns);
      return `+${'-'.repeat(columns)}+\n${lines.map((one) => `|${textOf(one).padEnd(columns)}|\n`).join('')}`;
    })
    .join('\n');
}

describe('the screens of the live view', () => {
  it.each([
    ['80x24', 80, 24, syncAnswer, ASCII],
    ['120x40', 120, 40, syncAnswer, UNICODE],
    ['40x10', 40, 10, syncAnswer, ASCII],
    ['statistics-80x24', 80, 24, statsAnswer, ASCII],
  ] as const)('%s', async (name, columns, rows, answer, glyphs) => {
    await expect(screens(stateOf(answer, glyphs), columns, rows)).toMatchFileSnapshot(`screens/${name}.txt`);
  });

  it('never breaks, however small', () => {
    const state = stateOf(syncAnswer, ASCII);
    for (const columns of [1, 2, 5, 12, 20, 33]) for (const rows of [1, 2, 3, 5]) screens(state, columns, rows);
  });
});
