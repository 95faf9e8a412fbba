import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launcherTable, TABLE_PATH } from './table.js';

// `npm run launcher`: run from the project's root.
const projectRoot = process.cwd();
writeFileSync(join(projectRoot, TABLE_PATH), launcherTable(projectRoot));
