/**
 * Online reads of decoded parts against the reader that runs a statement for each request, and against a map, on tables with random lives:
 * late and future rows, corrections, deletes, compactions, roll-backs, other schemas and specs. `MORAINE_WORLD` repeats one pair of tables.
 */
import { expect, test } from 'vitest';
import { OnlineReader, type OnlineRequest } from '../../online/index.js';
import { numberIn } from '../support/environment.js';
import { Lab } from '../support/materialization-lab.js';
import { NOW_S, OnlineWorld } from '../support/online-world.js';
import { runs, seed, timeLimit } from '../support/property-runs.js';
import { Random } from '../worlds/random.js';

const WORLDS = runs(300);
/** Worlds that live at the same time: most of a life is waiting for files and statements. */
const LANES = 4;
const ONLY = numberIn('MORAINE_WORLD', /^\d{1,7}$/);
const SEED = seed ?? 1;
const STEPS = 10;
const US = 1_000_000n;
const LATE_S = 4_000_000_000;

test(`decoded rows answer like statements in worlds of seed ${SEED}`, { timeout: timeLimit(480_000) }, async () => {
  const lab = await Lab.open();
  const counts = { compared: 0, told: 0, model: 0, hits: 0, evictions: 0 };
  try {
    const indexes = ONLY === undefined ? Array.from({ length: WORLDS }, (_, index) => index) : [ONLY];
    const left = indexes.values();
    let isFailed = false;
    const lane = async (): Promise<void> => {
      for (const index of left) {
        if (isFailed) return;
        await checkWorld(lab, index, counts).catch((error: unknown) => {
          isFailed = true;
          throw error;
        });
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    expect(counts.model).toBeGreaterThan(0);
    if (indexes.length > 1) expect(Math.min(counts.told, counts.hits, counts.evictions)).toBeGreaterThan(0);
  } finally {
    await lab.close();
  }
});

async function checkWorld(lab: Lab, index: number, counts: Record<string, number>): Promise<void> {
  const random = new Random(`online/${SEED}/${index}`);
  const worlds = [new OnlineWorld(lab, random, `first_${index}`), new OnlineWorld(lab, random, `second_${index}`)];
  const definitions = {
    entities: new Map(worlds.map(({ name, joinKeys }) => [`entity_${name}`, { name: `entity_${name}`, joinKeys }])),
    featureViews: new Map(worlds.map(({ name, view }) => [name, view])),
    featureServices: new Map(),
  };
  const { catalog, io, engine } = lab;
  const deps = { catalog, io, engine, definitions: () => Promise.resolve(definitions), readTimeoutMs: 60_000 };
  const decoding = new OnlineReader({
    ...deps,
    cacheBytes: random.pick([4_000, 20_000, 2 ** 26]),
    queueTimeoutMs: 60_000,
  });
  const stating = new OnlineReader({ ...deps, cacheBytes: 0, queueTimeoutMs: 60_000 });
  try {
    for (const world of worlds) await world.create();
    for (let step = 0; step < STEPS; step += 1) {
      const world = random.pick(worlds);
      const hasCommitted = await world.step();
      // As the service does of its own writes: then reads need not look at the catalog to have them.
      const isTold = hasCommitted && random.chance(0.5);
      if (isTold) await decoding.committed(world.name, await world.table());
      if (random.chance(0.2)) continue;
      if (isTold) await compare(random, [world], decoding, stating, counts, 60_000);
      if (!isTold || random.chance(0.25)) await compare(random, worlds, decoding, stating, counts);
    }
  } catch (cause) {
    const steps = worlds.map(
      ({ name, keyKind, strategy, steps: those }) => `${name} (${keyKind}, ${strategy})\n${those.join('\n')}`,
    );
    throw new Error(`MORAINE_SEED=${SEED} MORAINE_WORLD=${index}\n${steps.join('\n')}\n${String(cause)}`, { cause });
  } finally {
    const { hits, evictions } = decoding.cacheStats;
    counts['hits'] = (counts['hits'] ?? 0) + hits;
    counts['evictions'] = (counts['evictions'] ?? 0) + evictions;
    await decoding.close();
    await stating.close();
  }
}

async function compare(
  random: Random,
  worlds: readonly OnlineWorld[],
  decoding: OnlineReader,
  stating: OnlineReader,
  counts: Record<string, number>,
  maxStalenessMs = 0,
): Promise<void> {
  const names = worlds.map(({ name }) => name);
  const numbers = random.chance(0.3) ? [random.int(0, 11)] : random.shuffle([...(worlds[0]?.entities ?? []), 3, 3]);
  // At the last, which is in this century, files of before a compaction may stand for those after it.
  const nowS = random.pick([NOW_S, NOW_S, 250, 5_000, 30_000, ...(maxStalenessMs > 0 ? [LATE_S, LATE_S, LATE_S] : [])]);
  const isOne = random.chance(0.3) || worlds[0]?.keyKind !== worlds[1]?.keyKind;
  const asked = isOne ? [random.pick(worlds)] : worlds;
  const request: OnlineRequest = {
    features: asked.map(({ name }) => name),
    fullFeatureNames: true,
    entities: numbers.map((number) => asked[0]?.entity(number) ?? {}),
    nowUs: BigInt(nowS) * US,
    minSnapshots: new Map(
      asked.flatMap(({ name, history }) => {
        const snapshot = history.at(-1);
        return snapshot === undefined ? [] : [[name, snapshot] as const];
      }),
    ),
  };
  const expected = await stating.getOnlineFeatures(request);
  const found = await decoding.getOnlineFeatures({ ...request, maxStalenessMs });
  // Each reader has looked at the catalog itself.
  expect({ ...found, stalenessMs: 0 }).toEqual({ ...expected, stalenessMs: 0 });
  expect(Object.is(found, expected)).toBe(false);
  counts['compared'] = (counts['compared'] ?? 0) + 1;
  if (maxStalenessMs > 0) counts['told'] = (counts['told'] ?? 0) + 1;
  for (const world of asked) {
    if (!names.includes(world.name)) continue;
    for (const [place, number] of numbers.entries()) {
      if (world.older.has(number) && nowS < NOW_S) continue;
      const fact = world.expected(number, nowS);
      if (fact === undefined) continue;
      const timestamp =
        found.rows[place]?.[found.features.findIndex(({ view }) => view === world.name)]?.eventTimestampUs;
      expect(timestamp).toBe(fact === null ? null : BigInt(fact.at) * US);
      const text = found.features.findIndex(({ view, feature }) => view === world.name && feature === 's');
      const value = found.rows[place]?.[text]?.value;
      expect(typeof value === 'string' ? `'${value}'` : value).toBe(fact?.values[1] ?? null);
      counts['model'] = (counts['model'] ?? 0) + 1;
    }
  }
}
