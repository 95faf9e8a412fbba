import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../../lab/project.js';

interface Package {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly integrity?: string;
}

/**
 * Every package that is part of an installed conntrackd, with its version. Each was looked at before it was put here: what
 * it does, who publishes it, that it runs nothing at installation. A change of this list is a change to be reviewed like
 * one of the code. Known flaws in them: `npm audit --omit=dev`, which needs the network and is therefore no test.
 */
const LISTED = readFileSync(join(projectRoot, 'test/unit/packages/production-packages.txt'), 'utf8').trim().split('\n');

const lock = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Package>>;
};
const production = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);

it('what is installed beside the program is what is listed', () => {
  const found = production.map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')} ${version}`);
  expect(found.sort()).toEqual([...LISTED].sort());
});

it('each package is pinned by its hash and runs nothing at installation', () => {
  for (const [path, { integrity, hasInstallScript }] of production) {
    expect(integrity, path).toMatch(/^sha512-/);
    expect(hasInstallScript, path).toBeUndefined();
  }
});

it('package.json names exact versions', () => {
  const { dependencies } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const [name, version] of Object.entries(dependencies)) expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
});
