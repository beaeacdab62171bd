import { defineConfig } from 'vitest/config';

/** `npm test`: everything but the long forms and what needs another server. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/integration/**', 'node_modules/**', 'dist/**'],
    globalSetup: ['test/setup/build.ts', 'test/setup/python.ts', 'test/setup/temporal-server.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
