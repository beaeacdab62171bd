import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longest-first.js';

/** `npm run test:servers`: catalogs and engines that are large servers of their own. */
export default defineConfig({
  test: {
    globalSetup: ['test/setup/build.ts', 'test/setup/python.ts', 'test/setup/temporal-server.ts'],
    include: ['test/servers/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
