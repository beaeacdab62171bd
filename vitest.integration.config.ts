import { defineConfig } from 'vitest/config';

/** `npm run test:integration`: what needs a peer, another server or a packed installation, and hundreds of runs of the command. */
export default defineConfig({
  test: {
    include: ['test/integration/**/*.test.ts'],
    globalSetup: ['test/setup/build.ts', 'test/setup/python.ts', 'test/setup/temporal-server.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
