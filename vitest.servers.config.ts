import { defineConfig } from 'vitest/config';
import { SHORT_LIVED_JAVA } from './test/setup/java.js';
import { LongestFirst } from './test/setup/longest-first.js';

const settings = {
  testTimeout: 600_000,
  hookTimeout: 600_000,
  pool: 'forks',
  env: SHORT_LIVED_JAVA,
} as const;

const ON_ONE_TRINO = ['test/servers/trino-{demo,reads,runs,training,types}.test.ts'];

/** `npm run test:servers`: catalogs and engines that are large servers of their own. */
export default defineConfig({
  test: {
    globalSetup: [
      'test/setup/large-memory-folder.ts',
      'test/setup/build.ts',
      'test/setup/python.ts',
      'test/setup/temporal-server.ts',
    ],
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { ...settings, name: 'servers', include: ['test/servers/**/*.test.ts'], exclude: ON_ONE_TRINO } },
      { test: { ...settings, name: 'one-trino', include: ON_ONE_TRINO, globalSetup: ['test/setup/trino.ts'] } },
    ],
  },
});
