// Entry of `npm run bench`: the benchmarks are compiled with the rest of the project.
import { existsSync } from 'node:fs';

const main = new URL('../dist/bench/main.js', import.meta.url);
if (!existsSync(main)) {
  console.error('bench: the project is not built, run `npm run build` first');
  process.exit(1);
}
await import(main.href);
