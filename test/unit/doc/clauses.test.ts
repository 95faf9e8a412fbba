import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLOCK_TITLES, type BlockName, CLAUSES, type Clause } from '../../../grammar/clauses.js';
import { FEATURES, type FeatureName } from '../../../grammar/features.js';
import { projectRoot } from '../../lab/project.js';

interface Row {
  readonly clause: string;
  readonly blocks: string;
  readonly effect: string;
  readonly tests: string;
}

const NOT_YET = 'not yet';
/** `[file](link): "title"` */
const TEST = /\[(?<file>[^\]]+)\]\([^)]+\): "(?<title>[^"]+)"/g;

const rows: readonly Row[] = readFileSync(join(projectRoot, 'doc/clauses.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| (?!clause \||--- )/.test(line))
  .map((line) => {
    const [, clause = '', blocks = '', effect = '', tests = ''] = line.split('|').map((cell) => cell.trim());
    return { clause, blocks, effect, tests };
  });

function title({ name, blocks }: Clause): string {
  return `${name} in ${blocks.map((block) => BLOCK_TITLES[block]).join(', ')}`;
}

/** Blocks whose clauses mean nothing until a feature is there. */
const FEATURE_OF_BLOCK: Readonly<Partial<Record<BlockName, FeatureName>>> = {
  stats: 'statistics',
  helper: 'helpers',
  helperType: 'helpers',
  policy: 'helpers',
};

function isMissing({ effect, blocks }: Clause): boolean {
  const features = blocks.flatMap((block) => FEATURE_OF_BLOCK[block] ?? []);
  if (effect.kind === 'needs') features.push(effect.feature);
  return features.some((name) => !FEATURES[name].ready);
}

describe('doc/clauses.md', () => {
  it('has a row for each clause, and no other, in the order of the grammar', () => {
    expect(rows.map(({ clause, blocks }) => `${clause} in ${blocks}`)).toEqual(CLAUSES.map(title));
  });

  it.each(CLAUSES.map((clause, index) => [title(clause), clause, rows[index]] as const))('%s', (_, clause, row) => {
    expect(row!.effect).not.toBe('');
    if (clause.effect.kind === 'none') expect(row!.effect).toContain(clause.effect.reason);
    if (isMissing(clause) && row!.tests === NOT_YET) return;
    const tests = [...row!.tests.matchAll(TEST)].map(({ groups }) => groups!);
    expect(tests).not.toEqual([]);
    for (const { file, title: named } of tests) {
      expect(file).toMatch(/^test\/(interop|e2e|kernel)\//);
      expect(titlesOf(file!)).toContain(named);
    }
  });
});

/** The titles of a file's tests. */
function titlesOf(file: string): string[] {
  const text = readFileSync(join(projectRoot, file), 'utf8');
  // A title is a string of its own that ends before the test's function, whatever calls `it.each` in between.
  const strings = text.matchAll(/(?<quote>['"`])(?<title>(?:(?!\k<quote>)[^\\\n]|\\.)+)\k<quote>,\s*async \(/g);
  return [...strings].map(({ groups }) => groups!.title!);
}
