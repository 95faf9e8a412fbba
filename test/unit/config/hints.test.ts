import { describe, expect, it } from 'vitest';
import { type Diagnostic, formatDiagnostic, parseConfig } from '../../../src/config/index.js';

function errorsOf(text: string): Diagnostic[] {
  return parseConfig(text, 'conf').diagnostics.filter(({ severity }) => severity === 'error');
}

/** The file must have this one error. */
function hint(text: string): string {
  const errors = errorsOf(text);
  expect(errors.map(({ message }) => message)).toHaveLength(1);
  return errors[0]!.hint;
}

const general = (text: string) => `General {\n\t${text}\n}\n`;
const filter = (text: string) => general(`Filter {\n${text}\n}`);

describe('the slips of real files have their own hints', () => {
  it.each([
    [
      'Stats inside General',
      general('Stats {\nLogFile on\n}\nHashSize 5'),
      "`Stats' is a block of its own: close `General' with `}' before it",
    ],
    [
      'NetlinkEventsReliable inside Stats',
      'Stats {\nNetlinkEventsReliable on\n}',
      "`NetlinkEventsReliable' belongs into `General'",
    ],
    ['Pollsecs', general('Pollsecs 5'), "did you mean `PollSecs'? Upper and lower case differ"],
    ['Logfile', general('Logfile /var/log/x'), "did you mean `LogFile'? Upper and lower case differ"],
    ['Lockfile', general('Lockfile /var/lock/x'), "did you mean `LockFile'? Upper and lower case differ"],
    [
      'IPv4_destination_address',
      'Sync {\nUDP {\nIPv4_destination_address 10.0.0.1\n}\n}',
      "did you mean `IPv4_Destination_Address'? Upper and lower case differ",
    ],
    ['True', general('Systemd True'), "write `on' or `yes' instead of `True'"],
    ['False', general('NetlinkEventsReliable False'), "write `off' or `no' instead of `False'"],
    ['states without for TCP', filter('State Accept {\nESTABLISHED\n}'), "end the list of states with `for TCP'"],
    [
      'for tcp',
      filter('State Accept {\nESTABLISHED for tcp\n}'),
      "write `for TCP', in capitals; states of other protocols cannot be filtered",
    ],
    [
      'mixed transports',
      'Sync {\nUDP {\nPort 1\n}\nTCP {\nPort 1\n}\n}',
      "all links must be of one kind; line 2 has `UDP'",
    ],
  ])('%s', (_name, text, expected) => {
    expect(hint(text)).toBe(expected);
  });
});

describe('other hints', () => {
  it.each([
    ['a near miss', general('HashSizes 5'), "did you mean `HashSize'?"],
    [
      'a clause of another block',
      general('CommitTimeout 5'),
      "`CommitTimeout' belongs into `Sync', `Mode ALARM', `Mode FTFW', `Mode NOTRACK'",
    ],
    [
      'a near miss of another block',
      general('ResendQueSize 5'),
      "did you mean `ResendQueueSize'? It belongs into `Mode FTFW'",
    ],
    ['an equals sign', general('HashSize = 5'), "a clause and its value have only a blank between them, no `='"],
    [
      'a semicolon',
      general('HashSize 5;'),
      "a clause ends where the next begins, without `;'; comments start with `#'",
    ],
    ['quotes', general('LogFile "/var/log/x"'), 'values stand without quotes'],
    ['a comment of C', general('// HashSize'), "comments start with `#'"],
    ['a relative path', general('LockFile lock'), "a path starts with `/'"],
    ['a unit', general('NetlinkOverrunResync 60s'), 'numbers stand alone, without unit or fraction'],
    ['Nice without a sign', general('Nice 5'), 'write the sign (+5), or remove the line: Nice has no effect any more'],
    [
      'a reserved word as interface',
      'Sync {\nUDP {\nInterface on\n}\n}',
      "`on' is a word of this language and cannot be a name",
    ],
    ['an unknown mode', 'Sync {\nMode FTWF {\n}\n}', "did you mean `FTFW'?"],
    [
      'other bytes',
      general('HashSize\u00a05'),
      'only ASCII is allowed outside comments and paths; these bytes are 0xc2 0xa0',
    ],
    ['a brace too many', 'General {\n}\n}\n', "a `}' too many here or above"],
    [
      'a block left open',
      'General {\nUNIX {\nPath /x\n}\nSync {\n}\n',
      "the block `General' of line 1 is not closed when `Sync' begins; is a `}' missing?",
    ],
    [
      'a block left open to the end',
      'General {\nUNIX {\nPath /x\n}\n',
      "the block `General' of line 1 is not closed when the file ends; is a `}' missing?",
    ],
    [
      'a clause outside',
      'General {\n}\nHashLimit 5\nLogFile on\n',
      "`HashLimit' belongs into `General'; is there a `}' too many above?",
    ],
  ])('%s', (_name, text, expected) => {
    expect(hint(text)).toBe(expected);
  });
});

it('a file in UTF-16', () => {
  const text = Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from('General {\n}\n', 'utf16le')]);
  const [error] = parseConfig(text, 'conf').diagnostics;
  expect(error!.message).toBe("parsing config file in line (1), symbol '\\xff\\xfe': syntax error");
  expect(error!.hint).toBe('the file holds zero bytes; save it as plain text (UTF-8), not as UTF-16');
});

describe('all errors of a file in one run', () => {
  it('goes on after each', () => {
    const text = [
      'General {',
      '\tHashSize many',
      '\tFrob 1',
      '\tGrob 2',
      '\tUNIX Path /x }',
      '\tPollSecs 0',
      '\tLogFile abc',
      '}',
      'Sync {',
      '\tMode FOO { CommitTimeout 5 }',
      '\tMode FTFW { RefreshTime 5',
      '\t\tACKWindowSize }',
      '\tUDP { Port 99999999999 }',
      '}',
    ].join('\n');
    expect(errorsOf(text).map(({ line, message }) => [line, message])).toEqual([
      [2, "parsing config file in line (2), symbol 'many': syntax error"],
      [3, "parsing config file in line (3), symbol 'Frob': syntax error"],
      [4, "parsing config file in line (4), symbol 'Grob': syntax error"],
      [5, "parsing config file in line (5), symbol 'Path': syntax error"],
      [6, "`PollSecs' clause must be > 0"],
      [7, "parsing config file in line (7), symbol 'abc': syntax error"],
      [10, "parsing config file in line (10), symbol 'FOO': syntax error"],
      [11, "parsing config file in line (11), symbol 'RefreshTime': syntax error"],
      [12, "parsing config file in line (12), symbol '}': syntax error"],
      [13, 'Port 99999999999 does not fit into 32 bits'],
    ]);
  });

  it('shows the line with a caret', () => {
    const [error] = errorsOf('General {\n\tHashSizes 5\n}');
    expect(formatDiagnostic(error!).split('\n')).toEqual([
      "[ERROR] parsing config file in line (2), symbol 'HashSizes': syntax error",
      '  at conf:2:2',
      '  2 | \tHashSizes 5',
      '    | \t^^^^^^^^^',
      '  expected: a clause of General',
      "  hint: did you mean `HashSize'?",
    ]);
  });

  it('keeps control characters off the terminal', () => {
    const [error] = errorsOf('General {\n\x1b[31mHashSize\n}');
    expect(formatDiagnostic(error!)).not.toContain('\x1b');
  });

  it('stops counting in a file that is no configuration, and says so', () => {
    const errors = errorsOf('@\n'.repeat(10_000));
    expect(errors).toHaveLength(101);
    expect(JSON.stringify(errors.at(-1))).toContain('there are more errors');
  });
});
