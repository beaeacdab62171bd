import { defineConfig } from 'vitest/config';
import { SHORT_LIVED_JAVA } from './test/setup/java.js';
import { LongestFirst } from './test/setup/longest-first.js';
import { IS_LONG_FORM } from './test/support/environment.js';

const settings = {
  testTimeout: 600_000,
  hookTimeout: 600_000,
  pool: 'forks',
} as const;

/** Suites of `npm test` that run on a second store, too: objects in memory, under locations that no file system has. Some at night alone. */
const ON_OBJECTS = [
  ...['materialization', 'online', 'maintenance', 'tables'],
  ...(IS_LONG_FORM ? ['features', 'training', 'logging', 'deletes', 'backfill'] : []),
].map((room) => `test/unit/${room}/**`);

/** Files that damage, link, count or bring files of a file system, or run the command. */
const OF_FILE_SYSTEMS = [
  'test/unit/features/{registry,table}-deletes.test.ts',
  'test/unit/maintenance/{compact-partitions,links,maintain-faults,own-folders,protection,sweep}.test.ts',
  'test/unit/materialization/{avro-source,carried-rows,source-files}.test.ts',
  'test/unit/online/{decoded-reads,loaded-parts,many-files,online-read,sorted-files}.test.ts',
  'test/unit/tables/{other-writers,pinned-table,plan-deletes}.test.ts',
];

/**
 * `npm run test:integration`: what needs a peer, another server or a packed installation, hundreds of runs of the command, a death at
 * every point, a second store.
 */
export default defineConfig({
  test: {
    globalSetup: [
      'test/setup/large-memory-folder.ts',
      'test/setup/build.ts',
      'test/setup/python.ts',
      'test/setup/temporal-server.ts',
    ],
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...settings,
          name: 'integration',
          env: SHORT_LIVED_JAVA,
          include: ['test/integration/**/*.test.ts'],
          isolate: false,
        },
      },
      {
        test: {
          ...settings,
          name: 'objects',
          include: ON_OBJECTS.map((folder) => `${folder}/*.test.ts`),
          exclude: OF_FILE_SYSTEMS,
          isolate: false,
          env: { MORAINE_TEST_STORE: 'objects' },
        },
      },
    ],
  },
});
