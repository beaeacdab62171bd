import { defineConfig } from 'vitest/config';

/** `.ci/nightly`: the long forms. */
export default defineConfig({
  test: {
    include: ['test/nightly/**/*.test.ts'],
    globalSetup: ['test/setup/build.ts', 'test/setup/python.ts', 'test/setup/temporal-server.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
