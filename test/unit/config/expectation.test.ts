import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.js';
import { unsupportedClauses } from '../../../src/config/support.js';

const helpers = (clause: string): readonly string[] | null | undefined =>
  parseConfig(`General { } Sync { Mode FTFW { } Options { ${clause} } }`, 'conf').config?.sync?.options.expectations;

describe('ExpectationSync', () => {
  it.each([
    ['', null],
    ['ExpectationSync off', null],
    ['ExpectationSync on', []],
    ['ExpectationSync { }', []],
    ['ExpectationSync { FTP sip }', ['ftp', 'sip']],
    ['ExpectationSync { ftp } ExpectationSync off', null],
  ])('%s', (clause, expected) => {
    expect(helpers(clause)).toEqual(expected);
  });

  it('is supported', () => {
    const { config } = parseConfig('General { } Sync { Mode FTFW { } Options { ExpectationSync { ftp } } }', 'conf');
    expect(unsupportedClauses(config!)).toEqual([]);
  });
});
