import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../lab/project.js';

function markdownIn(directory: string): string[] {
  return readdirSync(join(projectRoot, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(directory, name));
}

const PAGES = ['README.md', 'CHANGELOG.md', ...markdownIn('doc'), ...markdownIn('examples')];

/** A page without its code blocks. */
function proseOf(page: string): string {
  return readFileSync(join(projectRoot, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
}

interface Link {
  /** Path in the project; the page itself for a link within it. */
  readonly target: string;
  /** What follows `#`; '' without one. */
  readonly anchor: string;
}

/** Links of a page that point into the project. */
function linksOf(page: string): Link[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path = '', anchor = ''] = link.split('#');
      const target = path === '' ? page : relative(projectRoot, join(projectRoot, dirname(page), path));
      return { target, anchor };
    });
}

/** The anchors that renderers give to a page's headings. */
function anchorsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe.each(PAGES)('%s', (page) => {
  it('links to files that exist', () => {
    const targets = linksOf(page).map(({ target }) => target);
    expect(targets.filter((target) => !existsSync(join(projectRoot, target)))).toEqual([]);
  });

  it('links to headings that exist', () => {
    const links = linksOf(page).filter(({ target, anchor }) => anchor !== '' && target.endsWith('.md'));
    expect(links.filter(({ target, anchor }) => !anchorsOf(target).includes(anchor))).toEqual([]);
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
    expect(ranks).toHaveLength(10);
    for (const folder of ranks.flatMap(([, folders]) => folders!.split(', '))) {
      expect([folder, existsSync(join(projectRoot, folder))]).toEqual([folder, true]);
    }
  });
});
