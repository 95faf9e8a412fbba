import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { launcherTable, TABLE_PATH } from '../../../scripts/launcher/table.js';
import { projectRoot } from '../../lab/project.js';

describe('the table of the native client', () => {
  it('is what the tables in TypeScript and the first line of bin/conntrackd say (npm run launcher)', () => {
    expect(readFileSync(join(projectRoot, TABLE_PATH), 'utf8')).toBe(launcherTable(projectRoot));
  });
});
