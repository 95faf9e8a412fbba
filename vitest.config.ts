import { defineConfig } from 'vitest/config';

/** Suites that only compute. They run in parallel. */
const pure = ['unit', 'golden', 'property', 'simulation'];
/**
 * Suites that make network namespaces and start daemons, and how many files of each may run at a time. The machines
 * they run on are small; the interop suite mostly waits, so that three files share two cores well.
 */
const system = { kernel: 1, interop: 3, e2e: 2 };

const setupFiles = ['test/support/property-seed.ts'];

export default defineConfig({
  test: {
    projects: [
      ...pure.map((name) => ({
        test: { name, setupFiles, include: [`test/${name}/**/*.test.ts`], testTimeout: 60_000 },
      })),
      ...Object.entries(system).map(([name, maxWorkers], index) => ({
        test: {
          name,
          // Projects with different numbers of workers run one after the other, or not at all.
          sequence: { groupOrder: index + 1 },
          setupFiles,
          include: [`test/${name}/**/*.test.ts`],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          maxWorkers,
        },
      })),
    ],
  },
});
