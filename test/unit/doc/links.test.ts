import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../lab/project.js';

function markdownIn(directory: string): string[] {
  return readdirSync(join(projectRoot, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(directory, name));
}

const PAGES = ['README.md', ...markdownIn('doc')];

/** Links of a page that point into the project, without anchors. */
function linksOf(page: string): string[] {
  const text = readFileSync(join(projectRoot, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
}

describe.each(PAGES)('%s', (page) => {
  it('links to files that exist', () => {
    const targets = linksOf(page).map((target) => relative(projectRoot, join(projectRoot, dirname(page), target)));
    expect(targets.filter((target) => !existsSync(join(projectRoot, target)))).toEqual([]);
  });
});

describe('doc/architecture.md', () => {
  const text = readFileSync(join(projectRoot, 'doc/architecture.md'), 'utf8');

  it('names for each of the nine stops files that exist, under their own path', () => {
    const stops = [...text.matchAll(/^\| (\d) \| (\[[^|]+) \|/gm)];
    expect(stops.map(([, number]) => Number(number))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const [, , files] of stops) {
      const links = [...files!.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)];
      expect(links.length).toBeGreaterThan(0);
      for (const [, shown, target] of links) {
        expect(shown).toBe(target);
        expect(statSync(join(projectRoot, target!)).isFile()).toBe(true);
      }
    }
  });

  it('names folders of the layers that exist', () => {
    const ranks = [...text.matchAll(/^\| \d \| ((?:(?:src\/\w+|grammar)(?:, )?)+) \|/gm)];
    expect(ranks).toHaveLength(9);
    for (const folder of ranks.flatMap(([, folders]) => folders!.split(', '))) {
      expect([folder, existsSync(join(projectRoot, folder))]).toEqual([folder, true]);
    }
  });
});
