import { describe, expect, it } from 'vitest';
import { bar, chart, facts, sides, table } from '../../../src/top/draw.js';
import { ASCII, glyphsFor, UNICODE } from '../../../src/top/glyphs.js';
import { clipped, line, printable, shortened, span, textOf, widthOf, wrapped } from '../../../src/top/line.js';
import { bytes, duration, milliseconds, percent, rate, short } from '../../../src/top/numbers.js';
import { ENTER, LEAVE, Painter, painted } from '../../../src/top/paint.js';

describe('what comes from outside', () => {
  it('never reaches the terminal as a control character, nor in another width', () => {
    const evil = 'a\x1b[2Jb\x07\r\n\u009b1mc\u202ed\u{1f525}e\u0301日\x7f';
    expect(printable(evil)).toBe('a?[2Jb????1mc?d?e???');
    expect(textOf(clipped(line(evil), 80))).toBe(printable(evil));
    expect(printable(`${UNICODE.bar}${UNICODE.heights}${UNICODE.cut}`)).toBe(
      `${UNICODE.bar}${UNICODE.heights}${UNICODE.cut}`,
    );
    for (const character of Object.values(ASCII).join('')) expect(printable(character)).toBe(character);
  });
});

describe('text', () => {
  it.each([
    ['short', 10, 'short'],
    ['2001:db8::1', 7, '200~::1'],
    ['abcdef', 4, 'ab~f'],
    ['abcdef', 1, 'a'],
    ['abcdef', 0, ''],
  ])('%s in %i columns: %s', (text, width, cut) => expect(shortened(text, width, ASCII)).toBe(cut));

  it('is broken at blanks and indented', () => {
    expect(wrapped('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrapped('one two three', 10, 2)).toEqual(['  one two', '  three']);
    expect(wrapped('unbreakable', 4, 1)).toEqual([' unbreakable']);
  });

  it('is clipped at the edge', () => {
    expect(textOf(clipped([span('abc'), span('def')], 4))).toBe('abcd');
    expect(clipped(line('abc'), 0)).toEqual([]);
  });

  it('left and right', () => {
    expect(textOf(sides(line('a'), line('b'), 5))).toBe('a   b');
    expect(textOf(sides(line('aaa'), line('bbb'), 6))).toBe('aaa');
  });

  it('of facts: as many as fit, the first always', () => {
    const pairs = [
      ['one', '1'],
      ['two', '2'],
    ] as const;
    expect(textOf(facts(pairs, 80))).toBe('one 1   two 2');
    expect(textOf(facts(pairs, 8))).toBe('one 1');
    expect(textOf(facts(pairs, 2))).toBe('one 1');
  });
});

describe('a table', () => {
  const columns = [
    { title: 'name', rank: 9, show: (row: string) => row },
    { title: 'least', rank: 1, show: () => 'xxxxx' },
    { title: 'n', rank: 5, right: true, least: 3, show: () => '7' },
  ];

  it.each([
    [40, ['name                   least    n', '2001:db8:1234:5678:9a  xxxxx    7']],
    [30, ['name                least    n', '2001:db8:~:5678:9a  xxxxx    7']],
    [20, ['name               n', '2001:db~5678:9a    7']],
    [4, ['name', '20~a']],
    [1, ['n', '2']],
  ])('in %i columns', (width, texts) => {
    const lines = table(columns, ['2001:db8:1234:5678:9a'], width, ASCII);
    for (const one of lines) expect(widthOf(one)).toBeLessThanOrEqual(width);
    expect(lines.map(textOf)).toEqual(texts);
  });

  it('has its titles without rows', () => {
    expect(table(columns, [], 40, ASCII).map(textOf)).toEqual(['name  least    n']);
  });
});

describe('bars and charts', () => {
  it.each([
    [0, 100, '....'],
    [50, 100, '##..'],
    [100, 100, '####'],
    [999, 100, '####'],
    [5, 0, '....'],
  ])('%i of %i', (part, whole, text) => expect(bar(part, whole, 4, ASCII)).toBe(text));

  it('have eighths where the terminal has', () => {
    expect(bar(9, 16, 2, UNICODE)).toBe('█▏');
    expect(bar(1, 16, 2, UNICODE)).toBe('▏·');
  });

  it('show the last values, blank where none is known', () => {
    expect(chart([1, 2, null, 4], 4, UNICODE)).toBe('▃▅ █');
    expect(chart([0, 0], 4, ASCII)).toBe('  __');
    expect(chart([], 3, ASCII)).toBe('   ');
    expect(chart([1, 2], 0, ASCII)).toBe('');
  });
});

describe('numbers', () => {
  it.each([
    [0, '0'],
    [2.44, '2.4'],
    [10.4, '10'],
    [99_999, '99999'],
    [100_000, '100k'],
    [1_234_567, '1.23M'],
    [999_999, '1.00M'],
    [12_345_678, '12.3M'],
    [4_000_000_000, '4.00G'],
    [9e18, '9000P'],
  ])('%d is %s', (value, text) => expect(short(value)).toBe(text));

  it('rates', () => {
    expect([null, 0, 0.02, 0.5, 7].map(rate)).toEqual(['-', '0', '<0.1', '0.5', '7']);
  });

  it('bytes', () => {
    expect([null, 0, 999, 1000, 12_345, 99_999, 123_456, 8_388_608].map(bytes)).toEqual([
      '-',
      '0 B',
      '999 B',
      '1.00 kB',
      '12.3 kB',
      '100.0 kB',
      '123 kB',
      '8.39 MB',
    ]);
  });

  it('durations', () => {
    expect([-1, 0.9, 59, 60, 3599, 3600, 3660, 86_400, 93_784].map(duration)).toEqual([
      '0 s',
      '0 s',
      '59 s',
      '1 min',
      '59 min',
      '1 h',
      '1 h 1 min',
      '1 d',
      '1 d 2 h',
    ]);
    expect([0, 0.0128, 1.5, 26.2, 340].map(milliseconds)).toEqual(['0', '0.013', '1.50', '26.2', '340']);
  });

  it('shares', () => {
    expect([percent(1, 0), percent(0, 9), percent(1, 1000), percent(1, 2)]).toEqual(['', '0 %', '<1 %', '50 %']);
  });
});

describe('the characters of a terminal', () => {
  it.each([
    [{ LANG: 'de_DE.UTF-8' }, UNICODE],
    [{ LANG: 'C.utf8' }, UNICODE],
    [{ LANG: 'C' }, ASCII],
    [{}, ASCII],
    [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, ASCII],
    [{ LANG: 'C', LC_CTYPE: 'C.UTF-8' }, UNICODE],
    [{ LANG: 'en_US.UTF-8', LC_ALL: '' }, UNICODE],
  ])('%j', (environment, glyphs) => expect(glyphsFor(environment)).toBe(glyphs));
});

describe('painting', () => {
  const screen = (...texts: string[]) => texts.map((text) => line(text));

  it('writes only the lines that have changed', () => {
    const painter = new Painter(true);
    expect(painter.draw(screen('one', 'two'), 10)).toBe(
      '\x1b[?2026h\x1b[0m\x1b[2J\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K\x1b[?2026l',
    );
    expect(painter.draw(screen('one', 'two'), 10)).toBe('');
    expect(painter.draw(screen('one', 'TWO'), 10)).toBe('\x1b[?2026h\x1b[2;1HTWO\x1b[K\x1b[?2026l');
    painter.forget();
    expect(painter.draw(screen('one', 'TWO'), 10)).toContain('one');
  });

  it('erases nothing behind a line that is full', () => {
    expect(new Painter(true).draw(screen('full'), 4)).not.toContain('\x1b[K');
  });

  it('has no colours with NO_COLOR', () => {
    const spans = [span('a', 'bad'), span('b', 'good'), span('c', 'chosen'), span('d')];
    expect(painted(spans, true)).toBe('\x1b[1;31ma\x1b[0m\x1b[32mb\x1b[0m\x1b[7mc\x1b[0md');
    expect(painted(spans, false)).toBe('\x1b[1ma\x1b[0mb\x1b[7mc\x1b[0md');
  });

  it('gives back all it took', () => {
    const modes = (text: string, letter: string) =>
      [...text.matchAll(/\[\?(\d+)([hl])/g)].filter(([, , set]) => set === letter).map(([, mode]) => mode);
    expect(modes(ENTER, 'h').sort()).toEqual(modes(LEAVE, 'l').sort());
    expect(modes(ENTER, 'l').sort()).toEqual(modes(LEAVE, 'h').sort());
  });
});
