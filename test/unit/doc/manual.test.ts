import { describe, expect, it } from 'vitest';
import { REQUESTS } from '../../../src/control/requests.js';
import { blocksOf, type CommandStep, isAsShown, stepsOf, type Walk } from '../../lab/manual-blocks.js';
import { manual } from '../../lab/project.js';

const WALKS: readonly Walk[] = ['pair', 'upgrade'];

describe('doc/manual.md', () => {
  const text = manual();
  const commandsOf = (walk: Walk): CommandStep[] => stepsOf(text, walk).filter((step) => step.kind === 'command');

  it('has no console block and no file that is left out of the walks', () => {
    const marked = blocksOf(text).filter(({ info }) => /^console\b|\b(file|node|walk)=/.test(info));
    const lines = WALKS.flatMap((walk) => stepsOf(text, walk)).map(({ line }) => line);
    const followed = marked.filter(({ line, lines: { length } }) =>
      lines.some((one) => one >= line && one <= line + length),
    );
    expect(followed.map(({ line }) => line)).toEqual(marked.map(({ line }) => line));
  });

  it('types every line that begins with # in a console block', () => {
    const typed = text.split('```').filter((block) => block.startsWith('console'));
    const lines = typed.flatMap((block) => block.split('\n').filter((line) => line.startsWith('# ')));
    expect(lines.length).toBeGreaterThan(60);
    expect(WALKS.flatMap(commandsOf)).toHaveLength(lines.length);
  });

  it.each(REQUESTS.filter(({ flag }) => flag !== '').map(({ flag }) => flag))('shows conntrackd %s at work', (flag) => {
    expect(commandsOf('pair').map(({ command }) => command)).toContain(`conntrackd ${flag}`);
  });

  it('names only nodes of its picture', () => {
    const nodes = new Set(WALKS.flatMap((walk) => stepsOf(text, walk)).flatMap((step) => step.nodes));
    expect([...nodes].sort()).toEqual(['client', 'node1', 'node2', 'server']);
  });
});

describe('blocks that make no sense', () => {
  it.each([
    ['a console on no node', '```console\n# true\n```', 'line 1: on which node?'],
    ['a file on no node', '```conf file=/etc/x\nx\n```', 'line 1: on which node?'],
    ['no end', 'text\n```sh\n', 'line 2: the block does not end'],
    ['neither file nor console', '```sh node=node1\ntrue\n```', 'line 1: neither a file nor a console'],
    ['output of nothing', '```console node=node1\nhello\n```', 'line 2: output before the first command'],
  ])('%s', (_, text, message) => {
    expect(() => stepsOf(text, 'pair')).toThrow(message);
  });
});

describe('output as the manual shows it', () => {
  it.each([
    ['other numbers', ['a 3 b'], 'a 17 b\n'],
    ['another distance', ['a   b'], ' a\tb\n'],
    ['lines left out', ['...', 'b', '...'], 'a\nb\nc\n'],
    ['no lines left out', ['...', 'b', '...'], 'b\n'],
    ['text left out', ['<a>...</a>'], '<a>b</a>\n'],
    [
      'a date and a pid',
      ['[Fri Nov  1 10:15:31 2025] (pid=7) [notice] x'],
      '[Sat Dec 12 01:02:03 2026] (pid=88) [notice] x\n',
    ],
    ['seconds', ['taken 0.000519 seconds'], 'taken 12.000001 seconds\n'],
    ['an age', ['[active since 0s]'], '[active since 12s]\n'],
    ['a time of day', ['10:15:01'], '23:59:59\n'],
  ])('%s', (_, shown, output) => {
    expect(isAsShown(shown, output)).toBe(true);
  });

  it.each([
    ['zero is zero', ['failed: 0'], 'failed: 1\n'],
    ['a number is not zero', ['recv 5'], 'recv 0\n'],
    ['an address is that address', ['src=10.0.0.1 x'], 'src=10.0.0.2 x\n'],
    ['a name is that name', ['eth2 up'], 'eth3 up\n'],
    ['a line too many', ['a'], 'a\nb\n'],
    ['a line missing', ['a', 'b'], 'a\n'],
    ['nothing', ['a'], ''],
    ['a dot is a dot', ['a.b'], 'axb\n'],
  ])('%s', (_, shown, output) => {
    expect(isAsShown(shown, output)).toBe(false);
  });
});
