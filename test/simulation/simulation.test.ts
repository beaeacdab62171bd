/**
 * Writers, compactions, expiries, sweeps, rollbacks and readers on one table, under a scheduler that reorders, delays, fails, repeats
 * and drops what they ask for. One seed is one world; `MORAINE_SEED=7 npx vitest run test/simulation` runs the world of seed 7 alone.
 *
 *   MORAINE_SEED                the first seed (1)
 *   MORAINE_SIMULATION_SEEDS    how many (500, in `test:integration` 2,000; with MORAINE_SEED 1)
 *   MORAINE_SIMULATION_MINUTES  goes on with further seeds until so much time has passed
 */
import type * as crypto from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { numberIn } from '../support/property-runs.js';
import type { StorageTraits } from './memory-file-io.js';
import { Violation } from './model.js';
import { type Bugs, type Outcome, simulate } from './simulate.js';

vi.mock('node:crypto', async (original) => {
  const { seededBytes, seededUuid } = await import('./seeded-ids.js');
  return { ...(await original<typeof crypto>()), randomUUID: seededUuid, randomBytes: seededBytes };
});

const DEFAULT_SEEDS = 500;
const TIME_LIMIT_MS = 600_000;

const asked = numberIn('MORAINE_SEED', /^-?\d{1,10}$/);
const first = asked ?? 1;
const seeds = numberIn('MORAINE_SIMULATION_SEEDS', /^[1-9]\d{0,8}$/) ?? (asked === undefined ? DEFAULT_SEEDS : 1);
const minutes = numberIn('MORAINE_SIMULATION_MINUTES', /^\d{1,4}(\.\d+)?$/) ?? 0;

async function run(seed: number, bugs: Bugs = {}, traits: StorageTraits = {}): Promise<Outcome> {
  try {
    return await simulate(seed, bugs, traits);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const again = `MORAINE_SEED=${seed} npx vitest run test/simulation`;
    const message = `seed ${seed}: ${reason}\nTo see it again: ${again}`;
    throw error instanceof Violation ? new Violation(message, { cause: error }) : new Error(message, { cause: error });
  }
}

test(
  `whatever happens, every acknowledged batch is there once, no deleted row comes back and no live file is missing (${minutes > 0 ? `${minutes} minutes` : `${seeds} seeds`} from ${first})`,
  async () => {
    const endMs = performance.now() + minutes * 60_000;
    const sums = { seeds: 0, steps: 0, snapshots: 0, acknowledgedRuns: 0 };
    for (; sums.seeds < seeds || performance.now() < endMs; sums.seeds++) {
      const outcome = await run(first + sums.seeds);
      sums.steps += outcome.steps;
      sums.snapshots += outcome.snapshots;
      sums.acknowledgedRuns += outcome.acknowledgedRuns;
    }
    process.stdout.write(
      `simulation: ${sums.seeds} seeds ${first}..${first + sums.seeds - 1}, ${sums.steps} steps, ${sums.snapshots} snapshots, ${sums.acknowledgedRuns} acknowledged runs\n`,
    );
    // Every world has a writer whose first batch is acknowledged in the end.
    expect(sums.acknowledgedRuns).toBeGreaterThanOrEqual(sums.seeds);
  },
  TIME_LIMIT_MS + minutes * 60_000,
);

test('one seed is one run, step by step', async () => {
  const traces = async (seed: number) =>
    (await run(seed)).trace.map((line) => line.replace(/world-\d+/, 'world')).join('\n');
  for (const seed of [first, first + 1, first + 2]) expect(await traces(seed)).toBe(await traces(seed));
});

/** The first seed whose world shows the bug; null if none of the default ones does. */
async function seedThatFinds(bugs: Bugs, traits: StorageTraits = {}, seeds = DEFAULT_SEEDS): Promise<number | null> {
  for (let seed = 1; seed <= seeds; seed++) {
    const found = await run(seed, bugs, traits).catch((error: unknown) => error);
    if (found instanceof Violation) return seed;
  }
  return null;
}

test.skipIf(asked !== undefined)(
  'a store that replaces files loses nothing, since no two attempts choose one name',
  async () => {
    expect(await seedThatFinds({}, { replacesFiles: true }, 100)).toBeNull();
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
      expect(await seedThatFinds(bugs)).not.toBeNull();
    },
    TIME_LIMIT_MS,
  );

  test.each<[string, Bugs, StorageTraits]>([
    ['a sweep takes the newest listed state of a table for the newest one', { sweepsByLists: true }, { listLagMs: 0 }],
    ['a commit is taken to have failed whose files no list shows', { looksForFilesInLists: true }, { listLagMs: 0 }],
  ])(
    '%s, where lists lag; and only there',
    async (_bug, bugs, unlike) => {
      const found = await seedThatFinds(bugs);
      expect(found).not.toBeNull();
      expect(await seedThatFinds(bugs, unlike, found ?? 0)).toBeNull();
    },
    TIME_LIMIT_MS,
  );

  test(
    'files are created under one name by two attempts, where a creation replaces; an exclusive one saves the table',
    async () => {
      const bugs = { namesByJob: true };
      const found = await seedThatFinds(bugs, { replacesFiles: true });
      expect(found).not.toBeNull();
      expect(await seedThatFinds(bugs, {}, found ?? 0)).toBeNull();
    },
    TIME_LIMIT_MS,
  );
});
