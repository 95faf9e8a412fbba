// Joins the compiled program and its dependencies to a few files: `npm run build:ts` does it last. To find, read and
// link some 250 modules one by one is half of what a start costs; a firewall that reboots has flows to take over.
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const projectRoot = join(import.meta.dirname, '..');
const bundle = await rolldown({ input: join(projectRoot, 'dist/src/cli/main.js'), platform: 'node' });

/**
 * One character of another alphabet, in a string of a library, and node keeps the whole file in memory with two bytes
 * for each. Outside of strings and expressions such characters only stand in comments, where nothing changes.
 */
const plainText = {
  name: 'plain-text',
  generateBundle(_options, files) {
    for (const file of Object.values(files)) {
      file.code = file.code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    }
  },
};

await bundle.write({
  dir: join(projectRoot, 'dist/src/bundle'),
  format: 'esm',
  cleanDir: true,
  // What is imported when it is needed stays apart: a client request loads neither the daemon nor the parser. Comments
  // would lie in the daemon's memory.
  comments: { legal: true, annotation: false, jsdoc: false },
  plugins: [plainText],
});
await bundle.close();
