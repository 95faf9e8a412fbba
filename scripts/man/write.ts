import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documents } from './documents.js';

// `npm run man`: run from the project's root.
const projectRoot = process.cwd();
for (const [path, text] of documents(projectRoot)) writeFileSync(join(projectRoot, path), text);
