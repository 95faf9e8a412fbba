// Joins the compiled program and its dependencies to a few files: `npm run build:ts` does it last. To find, read and
// link some 250 modules one by one is half of what a start costs; a firewall that reboots has flows to take over.
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const projectRoot = join(import.meta.dirname, '..');
const bundle = await rolldown({ input: join(projectRoot, 'dist/src/cli/main.js'), platform: 'node' });
// What is imported when it is needed stays apart: a client request loads neither the daemon nor the parser.
await bundle.write({ dir: join(projectRoot, 'dist/src/bundle'), format: 'esm', cleanDir: true });
await bundle.close();
