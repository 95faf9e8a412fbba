import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG_PATH, readArguments, UsageError } from '../../../src/cli/arguments.js';
import { helpText, readLongOptions } from '../../../src/cli/program.js';
import { REQUESTS } from '../../../src/control/requests.js';

const read = (line: string) => readArguments(line.split(' ').filter((word) => word !== ''));

describe('requests', () => {
  it.each([
    ['-c -f -R -B', [46, 45, 44, 22]],
    ['-i', [16]],
    ['-i -x', [24]],
    ['-i ct -x', [24]],
    ['-i exp -x -e -x -e', [47, 25, 17]],
    ['-s', [21]],
    ['-s net', [28]],
    ['-s r -s link', [30, 31]],
    ['-f int -s', [33, 21]],
    ['-s -i -x', [21, 24]],
    ['-k -C /x', [20]],
    ['-C /x -t -n', [26, 23]],
    ['--role primary', [320]],
    ['--role=backup -s', [321, 21]],
    ['-C /x --role fault', [322]],
  ])('%s', (line, codes) => {
    expect(read(line)).toMatchObject({ action: 'requests', codes, warnings: [] });
  });

  it('look only at the letter after the dash, as the original', () => {
    expect(read('-sfoo').codes).toEqual([21]);
    expect(read('-ix').codes).toEqual([16]);
  });

  it('still know the old name of link', () => {
    expect(read('-s multicast')).toMatchObject({
      codes: [31],
      warnings: ["use `link' instead of `multicast' as parameter."],
    });
    expect(read('-s m').codes).toEqual([31]);
  });

  it('take an empty word for none', () => {
    expect(readArguments(['-i', '']).codes).toEqual([16]);
  });
});

describe('the daemon', () => {
  it('runs in the foreground without options, in the background with -d', () => {
    expect(read('')).toMatchObject({ action: 'console', configPath: DEFAULT_CONFIG_PATH });
    expect(read('-d -C conf')).toMatchObject({ action: 'daemon', configPath: 'conf' });
    expect(read('-C conf -d')).toMatchObject({ action: 'daemon', configPath: 'conf' });
  });

  it('takes -S with a warning', () => {
    const { action, warnings } = read('-S -d');
    expect(action).toBe('daemon');
    expect(warnings.join()).toContain('deprecated');
  });
});

describe('help and version', () => {
  it('come before anything that follows', () => {
    expect(read('-v -k').action).toBe('version');
    expect(read('-h -z').action).toBe('help');
    expect(read('-d -k -h').action).toBe('help');
  });
});

describe('mistakes', () => {
  it.each([
    ['-z', 'Unknown option: -z', true],
    ['foo', 'Unknown option: foo', true],
    ['-', 'Unknown option: -', true],
    ['--', 'Unknown option: --', true],
    ['-i foo', 'Unknown option: foo', true],
    ['-e foo', 'Unknown option: foo', true],
    ['-c foo', 'Unknown option: foo', true],
    ['-F foo', 'Unknown option: foo', true],
    ['-R foo', 'Unknown option: foo', true],
    ['-t foo', 'Unknown option: foo', true],
    ['-B foo', 'Unknown option: foo', true],
    ['-f foo', "unknown parameter `foo' for option `-f'", false],
    ['-s foo', "unknown parameter `foo' for option `-s'", false],
    ['--role', "unknown role `': primary, backup or fault", false],
    ['--role master', "unknown role `master': primary, backup or fault", false],
    ['--role=p', "unknown role `p': primary, backup or fault", false],
    ['--role primary -x', 'Invalid parameters', true],
    ['-d --role primary', 'Invalid parameters', true],
    ['-C', 'Missing config filename', true],
    ['-d -k', 'Invalid parameters', true],
    ['-k -d', 'Invalid parameters', true],
    ['-x', 'Invalid parameters', true],
    ['-x -i', 'Invalid parameters', true],
    ['-s -x', 'Invalid parameters', true],
    ['-i -s -x', 'Invalid parameters', true],
    ['-i -x -c -x', 'Invalid parameters', true],
  ])('%s', (line, message, showUsage) => {
    let caught: unknown;
    try {
      read(line);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(UsageError);
    expect(caught).toMatchObject({ message, showUsage });
  });
});

describe('long options', () => {
  it('are set aside with their values', () => {
    expect(read('--socket /run/ctl -s --check')).toMatchObject({
      codes: [21],
      long: ['--socket', '/run/ctl', '--check'],
    });
    expect(read('--socket=/run/ctl -s').long).toEqual(['--socket=/run/ctl']);
  });

  it('are read by commander', () => {
    expect(readLongOptions(['--socket=/a', '--check', '--print'])).toEqual({
      check: true,
      print: true,
      health: false,
      json: false,
      socket: '/a',
      top: null,
      immediate: null,
    });
    expect(readLongOptions(['--top']).top).toEqual({ page: 'overview', intervalSeconds: 1, count: null });
    expect(readLongOptions(['--top', '--page', 'talkers', '--interval=0.5', '--count', '3']).top).toEqual({
      page: 'talkers',
      intervalSeconds: 0.5,
      count: 3,
    });
    expect(readLongOptions(['--help']).immediate).toBe('help');
    expect(readLongOptions(['--version']).immediate).toBe('version');
  });

  it.each([
    [['--chek'], /unknown option '--chek'.*\n.*--check/],
    [['--socket'], /argument missing/],
    [['--print'], /--print needs --check/],
    [['--check', '--print', '--json'], /--print is not JSON/],
    [['--top', '--health'], /--top goes with -C, --socket, --page, --interval and --count alone/],
    [['--top', '--json'], /--top goes with/],
    [['--page', 'peers'], /--page, --interval and --count need --top/],
    [['--top', '--page', 'nosuch'], /--page: one of overview, peers, queues, caches, talkers, latency, not `nosuch'/],
    [['--top', '--interval', '0'], /--interval: 0.1 to 86400 seconds, not `0'/],
    [['--top', '--interval', 'x'], /--interval: /],
    [['--top', '--interval='], /--interval: /],
    [['--top', '--count', '0'], /--count: a number of 1 or more, not `0'/],
    [['--top', '--count', '1e3'], /--count: /],
  ])('%s is a mistake', (words, message) => {
    expect(() => readLongOptions(words)).toThrow(message);
  });

  it('and every request stand in the help text', () => {
    const help = helpText();
    for (const { flag } of REQUESTS) expect(help).toContain(`  ${flag} `.trimEnd());
    for (const option of ['-d', '-C <file>', '-h, --help', '-v, --version', '--check', '--socket <path>', '-x']) {
      expect(help).toContain(option);
    }
  });
});
