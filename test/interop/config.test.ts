import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/index.js';
import { configWords, mutatedWords, toText } from '../property/config-generator.js';

/**
 * The same files through Debian's conntrackd and through this parser. A client request (`-s`) reads the configuration
 * and then fails to connect, so no daemon starts and nothing of the system is touched.
 */
const ORIGINAL = '/usr/sbin/conntrackd';
const hasOriginal = (() => {
  try {
    return execFileSync(ORIGINAL, ['-v'], { encoding: 'latin1' }).includes('1.4.7');
  } catch {
    return false;
  }
})();

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-config-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Verdict {
  readonly error: string | null;
  readonly warnings: readonly string[];
}

const CANNOT_CONNECT = "can't connect: is conntrackd running? appropriate permissions?";

function original(text: string): Verdict {
  const file = join(directory, 'conf');
  writeFileSync(file, text, 'latin1');
  const { stderr } = spawnSync(ORIGINAL, ['-C', file, '-s'], { encoding: 'latin1', timeout: 10_000 });
  const lines = [...stderr.matchAll(/^\[[^\]]*\] \(pid=\d+\) \[(ERROR|warning)\] (.*)$/gm)];
  const errors = lines.filter(([, level]) => level === 'ERROR').map(([, , message]) => message!);
  return {
    error: errors.find((message) => message !== CANNOT_CONNECT) ?? null,
    warnings: lines.filter(([, level]) => level === 'warning').map(([, , message]) => message!),
  };
}

const protocols = hasOriginal ? readFileSync('/etc/protocols', 'utf8') : '';

/** Warnings the original does not have. */
const OURS = /IPv4 and IPv6 addresses in one link|is no port/;
/** The original looks for interfaces, here `lo` is the only one sure to exist. */
const interfaceExists = (name: string) => name === 'lo';
/** It also reads the address of a Multicast block after `Interface` as an interface (observed). */
const BROKEN_THERE = /is an invalid interface$/;

/** Not concluded here when a Policy holds a syntax error as well, which is then reported. */
const EMPTY_POLICY = 'Helper policy configuration empty, fix your configuration file, please';

function ours(text: string) {
  const { config, diagnostics } = parseConfig(Buffer.from(text, 'latin1'), 'conf', { protocols, interfaceExists });
  const messages = (severity: string) =>
    diagnostics.filter((one) => one.severity === severity).map(({ message }) => message);
  return { accepted: config !== null, errors: messages('error'), warnings: messages('warning') };
}

function comparable(warnings: readonly string[]): string[] {
  return warnings.filter((message) => !OURS.test(message) && !BROKEN_THERE.test(message)).sort();
}

/** Same verdict; the original's one error is among ours; on acceptance the same warnings. */
function expectSame(text: string): void {
  const theirs = original(text);
  const mine = ours(text);
  expect({ text, accepted: mine.accepted, errors: mine.errors }).toMatchObject({
    accepted: theirs.error === null,
    ...(theirs.error === null || theirs.error === EMPTY_POLICY
      ? {}
      : { errors: expect.arrayContaining([theirs.error]) }),
  });
  if (theirs.error === null) expect(comparable(mine.warnings), text).toEqual(comparable(theirs.warnings));
}

/** Interface names with odd characters, and hexadecimal words where a name may stand: refused there, names here. */
const LEGAL_HERE = /\bInterface\s+(?:# c\n)?[^A-Za-z{}#]|\babcd\b(?!\/)/;

/** A Type in the block of a Type is accepted there, to no effect that anybody could want. */
const LEGAL_THERE = /\bType\b[^{}]*\{(?:[^{}]|\{[^{}]*\})*\bType\b/;

describe.skipIf(!hasOriginal)('the original accepts and refuses the same files', () => {
  it('files that follow the grammar', () => {
    fc.assert(
      fc.property(configWords, (words) => expectSame(toText(words))),
      { numRuns: 400 },
    );
  });

  it('files with a mistake or two', () => {
    const text = mutatedWords
      .map(toText)
      .filter((candidate) => !LEGAL_HERE.test(candidate) && !LEGAL_THERE.test(candidate));
    fc.assert(fc.property(text, expectSame), { numRuns: 600 });
  });

  it('words without blanks between them', () => {
    const pieces = fc.constantFrom(
      'a',
      'F',
      'g',
      '0',
      '9',
      '12',
      '.',
      '-',
      '_',
      ':',
      '::',
      '/',
      'on',
      'ftfw',
      'UDP',
      'General',
      'fe80',
      '10.0.0.1',
      '}',
      '"',
      'abc',
    );
    const word = fc.array(pieces, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(word, (text) => expectSame(`${text}\n`)),
      { numRuns: 500 },
    );
  });
});
