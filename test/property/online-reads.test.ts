/**
 * Online reads of decoded parts against the reader that runs a statement for each request, and against a map, on tables with random lives:
 * writes and pushes of applications, writes of other engines, runs of materialization and of old windows again, late and future rows, corrections, deletes of
 * every kind, compactions, roll-backs, other schemas and specs. `MORAINE_WORLD` repeats one pair of tables.
 */
import { expect, test } from 'vitest';
import { type Definitions, PARTITION_STRATEGIES } from '../../features/index.js';
import type { NestedField } from '../../iceberg/index.js';
import { OnlineReader, type OnlineRequest, type OnlineValue } from '../../online/index.js';
import { numberIn } from '../support/environment.js';
import { Lab } from '../support/materialization-lab.js';
import type { Fact } from '../support/online-model.js';
import { textOf, valueOf } from '../support/online-values.js';
import { NOW_S, OnlineWorld } from '../support/online-world.js';
import { runs, seed, timeLimit } from '../support/property-runs.js';
import { Random } from '../worlds/random.js';

/** Pairs of tables: more in the long form. */
const WORLDS = numberIn('MORAINE_ONLINE_HISTORIES', /^[1-9]\d{0,6}$/) ?? runs(300);
/** Of 300 of them, in milliseconds. */
const TIME_LIMIT = 600_000;
/** Worlds that live at the same time: most of a life is waiting for files and statements. */
const LANES = 4;
const ONLY = numberIn('MORAINE_WORLD', /^\d{1,7}$/);
const SEED = seed ?? 1;
/** What a pair lives through; more in the long form. */
const STEPS = WORLDS > 300 ? 8 : 5;
const US = 1_000_000n;
const LATE_S = 4_000_000_000;
/** What tables live through, each of it in a hundred pairs already. */
const OFTEN = [
  ...['append', 'append without a partition', 'batch committed'],
  ...['push online committed', 'push offline committed', 'push online_and_offline committed'],
  ...['late row', 'row of the future', 'correction', 'row that ties'],
  ...['run full', 'run incremental', 'run nothing', 'source append', 'source delete'],
  ...['compacted binpack', 'compacted latest', 'columns', 'version 3'],
];
/** And in three hundred of them, however they are drawn. */
const SELDOM = [
  ...['batch MATERIALIZATION_REQUIRED', 'run window', 'columns anew', 'source evolve', 'view of another strategy'],
  ...['deleted by Moraine', 'deleted by positions', 'deleted by vectors'],
  ...['deleted by equality', 'deleted by equality everywhere', 'rolled back'],
  ...['spec without fields', ...PARTITION_STRATEGIES.map((strategy) => `spec ${strategy}`)],
];

test(`decoded rows answer like statements in worlds of seed ${SEED}`, {
  timeout: Math.max(timeLimit(TIME_LIMIT), (WORLDS / 300) * TIME_LIMIT),
}, async () => {
  const lab = await Lab.open({ arePointersInMemory: true });
  const counts: Counts = { told: 0, sure: 0, unsure: 0, old: 0, hits: 0, evictions: 0, carried: 0, did: new Map() };
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
    const { did, ...others } = counts;
    const text = JSON.stringify({ ...others, ...Object.fromEntries([...did].sort()) });
    process.stdout.write(`${indexes.length} pairs of online tables of seed ${SEED}: ${text}\n`);
    expect(counts.sure).toBeGreaterThan(0);
    if (indexes.length > 1)
      expect(Math.min(counts.told, counts.old, counts.hits, counts.evictions, counts.carried)).toBeGreaterThan(0);
    // Of nearly every value the map knows exactly what it is.
    if (indexes.length >= 100) {
      expect(counts.sure).toBeGreaterThan(20 * counts.unsure);
      const kinds = indexes.length >= 300 ? [...OFTEN, ...SELDOM] : OFTEN;
      expect(kinds.filter((kind) => !did.has(kind))).toEqual([]);
    }
  } finally {
    await lab.close();
  }
});

/** Comparisons, and what the reader's cache has done. */
interface Counts {
  /** Comparisons without a look at the catalog. */
  told: number;
  /** Rows of which the map knows what they are, and which of several they may be. */
  sure: number;
  unsure: number;
  /** Rows that are known to be older than the ttl. */
  old: number;
  hits: number;
  evictions: number;
  carried: number;
  /** What the tables have lived through. */
  readonly did: Map<string, number>;
}

async function checkWorld(lab: Lab, index: number, counts: Counts): Promise<void> {
  const random = new Random(`online/${SEED}/${index}`);
  const worlds = [new OnlineWorld(lab, random, `first_${index}`), new OnlineWorld(lab, random, `second_${index}`)];
  const entities = new Map(
    worlds.map(({ name, joinKeys }) => [`entity_${name}`, { name: `entity_${name}`, joinKeys }]),
  );
  const define = (): Definitions => {
    return {
      entities,
      featureViews: new Map(worlds.map(({ name, view }) => [name, view])),
      featureServices: new Map(),
    };
  };
  let known = define();
  const definitions = (): Promise<Definitions> => {
    // Others only if a view is another one.
    if (worlds.some(({ name, view }) => known.featureViews.get(name) !== view)) known = define();
    return Promise.resolve(known);
  };
  const { catalog, io, engine } = lab;
  const deps = { catalog, io, engine, definitions, readTimeoutMs: 60_000 };
  const decoding = new OnlineReader({
    ...deps,
    cacheBytes: random.pick([4_000, 20_000, 2 ** 26, 2 ** 26]),
    partRows: random.pick([1, 3, undefined]),
    queueTimeoutMs: 60_000,
  });
  const stating = new OnlineReader({ ...deps, cacheBytes: 0, queueTimeoutMs: 60_000 });
  try {
    for (const world of worlds) await world.create();
    for (let step = 0; step < STEPS; step += 1) {
      // One of the two lives longer, so that more of what happens comes after something else.
      const world = worlds[random.chance(0.75) ? 0 : 1] as OnlineWorld;
      // Of many small files that are all decoded a compaction makes few.
      const isCrowded = random.chance(0.12);
      if (isCrowded) {
        await world.step('appends');
        await compare(random, [world], decoding, stating, counts, { isWhole: true });
      }
      const hasCommitted = await world.step(isCrowded ? 'compaction' : undefined);
      // As the service does of its own writes: then reads need not look at the catalog to have them.
      const isTold = hasCommitted && random.chance(0.5);
      if (isTold) await decoding.committed(world.name, await world.table());
      if (random.chance(0.2)) continue;
      if (isTold) await compare(random, [world], decoding, stating, counts, { maxStalenessMs: 60_000 });
      if (!isTold || random.chance(0.25)) await compare(random, worlds, decoding, stating, counts);
    }
  } catch (cause) {
    const steps = worlds.map(({ name, keyKind, steps: those }) => `${name} (${keyKind})\n${those.join('\n')}`);
    throw new Error(`MORAINE_SEED=${SEED} MORAINE_WORLD=${index}\n${steps.join('\n')}\n${String(cause)}`, { cause });
  } finally {
    const { hits, evictions, carried } = decoding.cacheStats;
    counts.carried += carried;
    counts.hits += hits;
    counts.evictions += evictions;
    for (const [what, count] of worlds.flatMap(({ did }) => [...did]))
      counts.did.set(what, (counts.did.get(what) ?? 0) + count);
    await decoding.close();
    await stating.close();
  }
}

async function compare(
  random: Random,
  worlds: readonly OnlineWorld[],
  decoding: OnlineReader,
  stating: OnlineReader,
  counts: Counts,
  { maxStalenessMs = 0, isWhole = false } = {},
): Promise<void> {
  const numbers =
    !isWhole && random.chance(0.3) ? [random.int(0, 11)] : random.shuffle([...(worlds[0]?.entities ?? []), 3, 3]);
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
  if (maxStalenessMs > 0) counts.told += 1;
  for (const world of asked) {
    const places = found.features.flatMap(({ view }, place) => (view === world.name ? [place] : []));
    const names = places.map((place) => found.features[place]?.feature);
    expect(names).toEqual(world.shown.map(({ name }) => name));
    for (const [row, number] of numbers.entries()) {
      const facts = world.expected(number, nowS);
      const isOld = (fact: Fact): boolean => world.isTooOld(fact.at, nowS);
      const texts = facts.map((fact) => answerOf(fact, world.shown, fact !== null && isOld(fact)));
      const text = places.map((place) => valueText(found.rows[row]?.[place])).join('; ');
      if (new Set(texts).size > 1) counts.unsure += 1;
      else counts.sure += 1;
      if (facts.every((fact) => fact !== null && isOld(fact))) counts.old += 1;
      expect(texts, `entity ${number} of ${world.name} at ${nowS}`).toContain(text);
    }
  }
}

/** All that is answered of a row, as text. @param isOld older than the ttl */
function answerOf(fact: Fact | null, features: readonly NestedField[], isOld: boolean): string {
  const eventTimestampUs = fact === null ? null : BigInt(fact.at) * US;
  const values = features.map((field): OnlineValue => {
    if (isOld) return { status: 'OUTSIDE_MAX_AGE', value: null, eventTimestampUs };
    const value = fact === null ? null : valueOf(fact.values, field);
    const status = fact === null ? 'NOT_FOUND' : value === null ? 'NULL_VALUE' : 'PRESENT';
    return { status, value, eventTimestampUs };
  });
  return values.map(valueText).join('; ');
}

function valueText(value: OnlineValue | undefined): string {
  return value === undefined ? 'nothing' : `${value.status} ${textOf(value.value)} ${value.eventTimestampUs}`;
}
