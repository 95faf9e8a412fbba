import { beforeEach, describe, expect, it } from 'vitest';
import { ASCII } from '../../../src/top/glyphs.js';
import { actionsOf } from '../../../src/top/keys.js';
import { textOf } from '../../../src/top/line.js';
import { isStatistics, isTalkers } from '../../../src/top/source.js';
import { State } from '../../../src/top/state.js';
import { statsAnswer, syncAnswer, TALKERS } from './answers.js';

let state: State;

beforeEach(() => {
  state = new State(syncAnswer(0), 0, 'overview', 1, ASCII, 'node1');
});

/** Presses keys, as a terminal sends them. */
function press(typed: string): void {
  for (const action of actionsOf(typed)) state.act(action, 10);
}

function screen(rows = 24, nowMs = 0): string[] {
  return state.screen(80, rows, '10:15:31', nowMs).lines.map(textOf);
}

describe('keys', () => {
  it.each([
    ['1', 'overview'],
    ['2', 'peers'],
    ['3', 'queues'],
    ['4', 'caches'],
    ['5', 'talkers'],
    ['6', 'latency'],
    ['\t', 'peers'],
    ['\t\t\x1b[D', 'peers'],
    ['\x1b[Z', 'latency'],
    ['\x1bOC\x1bOC', 'queues'],
    ['h', 'help'],
    ['4hh', 'caches'],
    ['4?\t', 'overview'],
    ['h\x1b[D', 'latency'],
    ['xyz\x1b[99~\x1b', 'overview'],
  ])('%j show %s', (typed, page) => {
    press(typed);
    expect(state.page).toBe(page);
  });

  it('change the interval, within limits', () => {
    press('+');
    expect(state.intervalSeconds).toBe(0.5);
    press('++++++');
    expect(state.intervalSeconds).toBe(0.2);
    press('-'.repeat(20));
    expect(state.intervalSeconds).toBe(60);
  });

  it('pause, which the screen says', () => {
    press('p');
    expect(screen()[0]).toContain('PAUSED');
    press(' ');
    expect(screen()[0]).not.toContain('PAUSED');
  });

  it('are left to the terminal where they end or stop', () => {
    expect(actionsOf('q\x03\x1a\x0c').map(({ kind }) => kind)).toEqual(['quit', 'quit', 'suspend', 'redraw']);
  });

  it('choose list and cache of the talkers', () => {
    state.talkers = TALKERS;
    press('5');
    expect(screen()[3]).toContain('internal cache by source');
    press('s');
    expect(screen()[3]).toContain('internal cache by destination');
    press('ss');
    expect(screen()[3]).toContain('by source');
    press('c');
    expect(screen().join('\n')).toContain('no flows');
    press('c');
    expect(screen()[3]).toContain('internal cache');
  });

  it('move a page that is longer than the screen, and no further', () => {
    press('2');
    const top = screen(12);
    press('\x1b[B');
    expect(screen(12)[2]).toBe(top[3]);
    press('\x1b[6~'.repeat(20));
    const end = screen(12);
    expect(end.at(-1)).toMatch(/18-26 of 26 lines$/);
    press('k');
    expect(screen(12)[3]).toBe(end[2]);
    press('\x1b[H');
    expect(screen(12)).toEqual(top);
    press('jj');
    screen(50);
    expect(screen(12)).toEqual(top);
  });
});

describe('a daemon that does not answer', () => {
  it('is said above what it answered last, until it answers again', () => {
    state.unanswered("can't connect", 5000);
    state.unanswered("can't connect", 65_000);
    expect(screen(24, 65_500)[2]).toBe("no answer for 1 min: can't connect");
    expect(screen(24, 65_500).join('\n')).toContain('internal');
    expect(state.isAnswered).toBe(false);
    state.answered(syncAnswer(3), 66_000);
    expect(screen().join('\n')).not.toContain('no answer');
    expect(state.isAnswered).toBe(true);
  });
});

describe('an answer', () => {
  it('is one of the known format with all that is shown', () => {
    expect(isStatistics(syncAnswer(0))).toBe(true);
    expect(isStatistics(statsAnswer(0))).toBe(true);
    for (const name of Object.keys(syncAnswer(0))) {
      expect(isStatistics({ ...syncAnswer(0), [name]: undefined }), name).toBe(false);
    }
    for (const other of [null, 5, [], {}, { ...syncAnswer(0), format: 2 }, { ...syncAnswer(0), caches: {} }]) {
      expect(isStatistics(other)).toBe(false);
    }
    expect(isTalkers(TALKERS)).toBe(true);
    for (const other of [null, {}, { format: 2, caches: [] }, { format: 1 }]) expect(isTalkers(other)).toBe(false);
  });
});
