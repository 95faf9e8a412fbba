import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLAUSES, spellings } from '../../../grammar/clauses.js';
import { documents } from '../../../scripts/man/documents.js';
import { plain, prose, word } from '../../../scripts/man/mdoc.js';
import { EXPECTATION_CONTENT, FLOW_CONTENT } from '../../../scripts/man/wire-document.js';
import { readArguments } from '../../../src/cli/arguments.js';
import { LONG_OPTIONS } from '../../../src/cli/long-options.js';
import { REQUESTS } from '../../../src/control/requests.js';
import { EXPECTATION_DATA_BYTES } from '../../../src/wire/expectation.js';
import { FLOW_ATTRIBUTES } from '../../../src/wire/tables.js';
import { attempt } from '../../lab/command.js';
import { projectRoot } from '../../lab/project.js';

const made = documents(projectRoot);
const committed = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
const pages = [...made.keys()].filter((path) => path.startsWith('doc/man/'));

/** Macros of mdoc(7) that the pages may begin a line with. */
const MACROS = new Set(
  ['Dd', 'Dt', 'Os', 'Sh', 'Nm', 'Nd', 'Op', 'Ar', 'Fl', 'Pp', 'Bl', 'It', 'El', 'Bd', 'Ed', 'Xr', 'Ql'].map(
    (name) => `.${name}`,
  ),
);

/** What there is of the programs that show the pages; scripts/test.sh installs both. */
const RENDERERS = [
  { program: 'mandoc', options: ['-T', 'lint', '-W', 'warning'] },
  { program: 'groff', options: ['-m', 'mdoc', '-T', 'ascii', '-w', 'w', '-z'] },
].filter(({ program }) => attempt(['which', program]).status === 0);

describe('documents made from the tables', () => {
  it.each([...made.keys()])('%s is what `npm run man` makes', (path) => {
    expect(committed(path)).toBe(made.get(path));
  });

  it('every attribute is described, and nothing else', () => {
    expect(Object.keys(FLOW_CONTENT)).toEqual(FLOW_ATTRIBUTES.map(({ name }) => name));
    expect(EXPECTATION_CONTENT).toHaveLength(EXPECTATION_DATA_BYTES.length);
  });
});

describe.each(pages)('%s', (path) => {
  const lines = committed(path).split('\n');

  it('begins as a page of mdoc(7) must', () => {
    const [comment, date, title, system, section, name] = lines;
    expect(comment).toMatch(/^\.\\"/);
    expect(date).toMatch(/^\.Dd [A-Z][a-z]+ \d{1,2}, \d{4}$/);
    expect(title).toMatch(/^\.Dt CONNTRACKD(\.CONF 5| 8)$/);
    expect([system, section]).toEqual(['.Os', '.Sh NAME']);
    expect(name).toMatch(/^\.Nm /);
  });

  it('uses known macros only, and no empty lines', () => {
    const requests = lines.filter((line) => line.startsWith('.') && !line.startsWith('.\\"'));
    expect(requests.map((line) => line.split(' ')[0]!).filter((macro) => !MACROS.has(macro))).toEqual([]);
    expect(lines.slice(0, -1)).not.toContain('');
    expect(lines.filter((line) => line.startsWith("'"))).toEqual([]);
  });

  it('closes every list and display, items stand in lists', () => {
    const open: string[] = [];
    for (const line of lines) {
      const [macro] = line.split(' ');
      if (macro === '.Bl' || macro === '.Bd') open.push(macro);
      else if (macro === '.El') expect(open.pop()).toBe('.Bl');
      else if (macro === '.Ed') expect(open.pop()).toBe('.Bd');
      else if (macro === '.It') expect(open.at(-1)).toBe('.Bl');
      else if (macro === '.Sh') expect(open).toEqual([]);
    }
    expect(open).toEqual([]);
  });

  it('quotes in pairs and opens what it closes', () => {
    for (const line of lines.filter((one) => one.startsWith('.') && !one.startsWith('.\\"'))) {
      expect((line.match(/"/g) ?? []).length % 2, line).toBe(0);
      expect((line.match(/\bOo\b/g) ?? []).length, line).toBe((line.match(/\bOc\b/g) ?? []).length);
    }
  });

  it.each(RENDERERS)('$program has no warning', ({ program, options }) => {
    const { status, stdout, stderr } = attempt([program, ...options, join(projectRoot, path)]);
    expect({ status, text: stdout + stderr }).toEqual({ status: 0, text: '' });
  });

  it('is plain ASCII without trailing blanks', () => {
    expect(lines.filter((line) => /[^\t -~]| $/.test(line))).toEqual([]);
  });
});

describe('the pages are whole', () => {
  const command = committed('doc/man/conntrackd.8');
  const configuration = committed('doc/man/conntrackd.conf.5');

  it('every request and every option is on conntrackd(8)', () => {
    for (const { flag } of REQUESTS.filter((request) => request.flag !== '')) {
      const [option, subject] = flag.split(' ');
      const title = `.It Fl ${option!.slice(1).replace('-', '\\-')}${subject === undefined ? '' : ` Cm \\&${subject}`}\n`;
      expect(command, flag).toContain(title);
    }
    for (const { name } of LONG_OPTIONS) expect(command).toContain(`.It Fl \\-${name}`);
  });

  it('has what an administrator looks for', () => {
    const sections = [...command.matchAll(/^\.Sh (.+)$/gm)].map(([, title]) => title);
    for (const title of [
      'OPTIONS',
      'REQUESTS',
      'SIGNALS',
      'ENVIRONMENT',
      'FILES',
      'EXIT STATUS',
      'EXAMPLES',
      'SEE ALSO',
    ]) {
      expect(sections).toContain(title);
    }
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) expect(command).toContain(signal);
  });

  it('every option of conntrackd(8) is one that the program takes', () => {
    const letters = [...command.matchAll(/^\.It Fl ([A-Za-z])\b/gm)].map(([, letter]) => letter!);
    expect(new Set(letters).size).toBeGreaterThan(10);
    for (const letter of letters) {
      const before = letter === 'x' ? ['-i'] : [];
      expect(() => readArguments([...before, `-${letter}`, ...(letter === 'C' ? ['file'] : [])])).not.toThrow();
    }
  });

  it('every spelling of every clause is on conntrackd.conf(5)', () => {
    for (const clause of CLAUSES) {
      expect(configuration).toContain(`.It Ic \\&${clause.name}`);
      for (const name of spellings(clause)) expect(configuration).toContain(name);
    }
  });
});

describe('text on a page', () => {
  it.each([
    ['.Sh in the beginning', '\\&.Sh in the beginning'],
    ["'quoted", "\\&'quoted"],
    ['back\\slash', 'back\\eslash'],
  ])('%s is no request', (text, expected) => {
    expect(plain(text)).toBe(expected);
  });

  it('a word that is a macro stays a word', () => {
    expect(word('Ar')).toBe('\\&Ar');
    expect(word('two words')).toBe('"\\&two words"');
  });

  it('words in backquotes are literal, sentences begin lines', () => {
    expect(prose('One `on`. Two.')).toEqual(['One', '.Ql \\&on .', 'Two.']);
  });
});
