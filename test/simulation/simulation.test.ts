/**
 * Writers, compactions, expiries, sweeps, rollbacks and readers on one table, under a scheduler that reorders, delays, fails, repeats
 * and drops what they ask for. One seed is one world; see `seeds.ts`.
 */
import type * as crypto from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { StorageTraits } from './memory-file-io.js';
import { asked, first, forEachSeed, named, seedsText, seedThatFinds, TIME_LIMIT_MS, timeLimitMs } from './seeds.js';
import { type Bugs, type Outcome, simulate } from './simulate.js';

vi.mock('node:crypto', async (original) => {
  const { seededBytes, seededUuid } = await import('./seeded-ids.js');
  return { ...(await original<typeof crypto>()), randomUUID: seededUuid, randomBytes: seededBytes };
});

const DEFAULT_SEEDS = 500;

const run = (seed: number, bugs: Bugs = {}, traits: StorageTraits = {}): Promise<Outcome> =>
  named(seed, () => simulate(seed, bugs, traits));

test(
  `whatever happens, every acknowledged batch is there once, no deleted row comes back and no live file is missing (${seedsText(DEFAULT_SEEDS)})`,
  async () => {
    const sums = { steps: 0, snapshots: 0, acknowledgedRuns: 0 };
    const seeds = await forEachSeed(DEFAULT_SEEDS, async (seed) => {
      const outcome = await run(seed);
      sums.steps += outcome.steps;
      sums.snapshots += outcome.snapshots;
      sums.acknowledgedRuns += outcome.acknowledgedRuns;
    });
    process.stdout.write(
      `simulation: ${seeds} seeds ${first}..${first + seeds - 1}, ${sums.steps} steps, ${sums.snapshots} snapshots, ${sums.acknowledgedRuns} acknowledged runs\n`,
    );
    // Every world has a writer whose first batch is acknowledged in the end.
    expect(sums.acknowledgedRuns).toBeGreaterThanOrEqual(seeds);
  },
  timeLimitMs,
);

test('one seed is one run, step by step', async () => {
  const traces = async (seed: number) =>
    (await run(seed)).trace.map((line) => line.replace(/world-\d+/, 'world')).join('\n');
  for (const seed of [first, first + 1, first + 2]) expect(await traces(seed)).toBe(await traces(seed));
});

/** The first seed whose world shows the bug; null if none of the default ones does. */
const seedOf = (bugs: Bugs, traits: StorageTraits = {}, seeds = DEFAULT_SEEDS): Promise<number | null> =>
  seedThatFinds(seeds, (seed) => run(seed, bugs, traits));

test.skipIf(asked !== undefined)(
  'a store that replaces files loses nothing, since no two attempts choose one name',
  async () => {
    expect(await seedOf({}, { replacesFiles: true }, 100)).toBeNull();
  },
  TIME_LIMIT_MS,
);

describe.skipIf(asked !== undefined)('a planted bug is found', () => {
  test.each<[string, Bugs]>([
    ['the commit does not look for its key', { skipsKeyLookup: true }],
    ['a rewrite does not look at deletes that arrived meanwhile', { skipsDeletesOnRewrite: true }],
    ['a rewrite does not look at files that left meanwhile', { skipsRemovedFilesOnRewrite: true }],
    ['files are cleaned up after an unknown outcome', { cleansUpAfterUnknown: true }],
    ['a sweep goes by what is visible and ignores leases', { ignoresLeases: true }],
    ['a snapshot is tagged while an expiry that has not seen the tag may land', { tagsWithoutFences: true }],
  ])(
    '%s',
    async (_bug, bugs) => {
      expect(await seedOf(bugs)).not.toBeNull();
    },
    TIME_LIMIT_MS,
  );

  test.each<[string, Bugs, StorageTraits]>([
    ['a sweep takes the newest listed state of a table for the newest one', { sweepsByLists: true }, { listLagMs: 0 }],
    ['a commit is taken to have failed whose files no list shows', { looksForFilesInLists: true }, { listLagMs: 0 }],
  ])(
    '%s, where lists lag; and only there',
    async (_bug, bugs, unlike) => {
      const found = await seedOf(bugs);
      expect(found).not.toBeNull();
      expect(await seedOf(bugs, unlike, found ?? 0)).toBeNull();
    },
    TIME_LIMIT_MS,
  );

  test(
    'files are created under one name by two attempts, where a creation replaces; an exclusive one saves the table',
    async () => {
      const bugs = { namesByJob: true };
      const found = await seedOf(bugs, { replacesFiles: true });
      expect(found).not.toBeNull();
      expect(await seedOf(bugs, {}, found ?? 0)).toBeNull();
    },
    TIME_LIMIT_MS,
  );
});
