import { defineConfig } from 'vitest/config';

/** Suites that only compute. They run in parallel. */
const pure = ['unit', 'golden', 'property', 'simulation'];
/** Suites that make network namespaces and start daemons. One file at a time: the machines they run on are small. */
const system = ['kernel', 'interop', 'e2e'];

export default defineConfig({
  test: {
    projects: [
      ...pure.map((name) => ({
        test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: 60_000 },
      })),
      ...system.map((name) => ({
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      })),
    ],
  },
});
