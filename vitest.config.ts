import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longest-first.js';

/** Loading modules costs more than most tests of one room: these files share a process, and so its modules. */
const SHARED = ['unit', 'property', 'conformance', 'faults', 'interop'].map((kind) => `test/${kind}/**/*.test.ts`);

const settings = {
  testTimeout: 60_000,
  hookTimeout: 120_000,
  pool: 'forks',
} as const;

/** `npm test`: everything but the long forms and what needs another server. */
export default defineConfig({
  test: {
    globalSetup: [
      'test/setup/memory-folder.ts',
      'test/setup/build.ts',
      'test/setup/python.ts',
      'test/setup/temporal-server.ts',
    ],
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { ...settings, name: 'rooms', include: SHARED, isolate: false } },
      {
        test: {
          ...settings,
          name: 'whole',
          include: ['test/**/*.test.ts'],
          exclude: [...SHARED, 'test/integration/**', 'test/servers/**', 'node_modules/**', 'dist/**'],
        },
      },
    ],
  },
});
