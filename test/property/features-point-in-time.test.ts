/**
 * Point-in-time retrieval on random tables equals nested loops over the rows that the tables have, whichever join is used, and so do the
 * shards of a training set on what parts have left of the tables.
 * `MORAINE_WORLDS` is the number of worlds (60), made from `MORAINE_SEED`; `MORAINE_WORLD` repeats one of them alone.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { openEngine } from '../../engine/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { numberIn } from '../support/environment.js';
import { runs, seed, timeLimit } from '../support/property-runs.js';
import { temporaryFolder } from '../support/temp-folder.js';
import {
  type Answer,
  actualAnswer,
  askingDeps,
  expectedAnswer,
  METHODS,
  type Product,
  requestOf,
} from '../worlds/answers.js';
import { type Dimension, dimensionsOf, LEAST_OF_200 } from '../worlds/dimensions.js';
import { answerInParts } from '../worlds/parts.js';
import { makeWorld, type World } from '../worlds/world.js';

const WORLDS = numberIn('MORAINE_WORLDS', /^[1-9]\d{0,6}$/) ?? runs(60);
const ONLY = numberIn('MORAINE_WORLD', /^\d{1,7}$/);
/** The same in every run of the test command; nights go on from other seeds. */
const SEED = seed ?? 1;

const indexes = ONLY === undefined ? Array.from({ length: WORLDS }, (_, index) => index) : [ONLY];
/** Worlds at a time: writing and joining one takes more than one core only now and then. */
const LANES = 2;

/** Views that were read in parts. */
let reducedViews = 0;

test(`${indexes.length} worlds of seed ${SEED}`, { timeout: timeLimit(300_000) }, async () => {
  const folder = temporaryFolder();
  const io = new LocalFileIO({ roots: [folder] });
  const limits = { memoryLimitBytes: 512 * 2 ** 20, threads: LANES };
  const tempDirectory = join(folder, 'tmp');
  const engine = await openEngine({ ...limits, tempDirectory, allowedDirectories: [folder] });
  const instance = await DuckDBInstance.create(':memory:', { threads: String(LANES) });
  const waiting = [...indexes];
  const seen: Dimension[] = [];
  let entityRows = 0;
  const lane = async (): Promise<void> => {
    const duckdb = await instance.connect();
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      const world = await checkWorld(index, join(folder, String(index)), duckdb, { io, engine });
      entityRows += world.frame.rows.length;
      seen.push(...dimensionsOf(world));
    }
    duckdb.disconnectSync();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  instance.closeSync();
  await engine.close();
  if (ONLY === undefined) expect(reducedViews).toBeGreaterThan(WORLDS / 6);
  if (indexes.length < 200) return;
  expect(entityRows).toBeGreaterThanOrEqual(2000);
  // Rare features may be rarer by chance from another seed: only the worlds of the test command must have all of them.
  if (seed !== undefined) return;
  const counts = Object.keys(LEAST_OF_200).map((one) => [one, seen.filter((dimension) => dimension === one).length]);
  const rare = counts.filter(([one, count]) => Number(count) < LEAST_OF_200[one as Dimension]);
  expect(rare, JSON.stringify(counts)).toEqual([]);
});

/** Compares the answers to a world's request. Of three joins a world is given to two in turn, all of them when it is repeated alone. */
async function checkWorld(index: number, folder: string, duckdb: DuckDBConnection, product: Product): Promise<World> {
  const world = await makeWorld(`${SEED}/${index}`, folder, duckdb, { deletes: true, varied: true, avro: true });
  const expected = expectedAnswer(world);
  const left = ONLY === undefined ? METHODS[index % METHODS.length] : undefined;
  for (const method of METHODS.filter((one) => one !== left)) {
    const name = `MORAINE_SEED=${SEED} MORAINE_WORLD=${index} (${method})\n${historyOf(world)}\n`;
    const actual = await actualAnswer(world, product, method).catch((cause: unknown) => {
      throw new Error(`${name}${String(cause)}`, { cause });
    });
    expect(actual, name).toEqual(expected);
  }
  if (index % 2 === 0 || ONLY !== undefined) await checkParts(index >> 1, world, folder, product, expected);
  await rm(folder, { recursive: true });
  return world;
}

/** Compares what one to three shards answer, in any order of rows; half of the parts know the times of the entity rows. */
async function checkParts(turn: number, world: World, folder: string, product: Product, expected: Answer) {
  const name = `${world.seed} (parts)\n${historyOf(world)}\n`;
  const request = requestOf(world, METHODS[turn % METHODS.length]);
  const options = { folder: join(folder, 'parts'), shards: 1 + (turn % 3), knowsTimes: turn % 2 === 0 };
  const actual = await answerInParts(askingDeps(world, product), request, options).catch((cause: unknown) => {
    throw new Error(`${name}${String(cause)}`, { cause });
  });
  expect(sorted(actual.rows), name).toEqual(sorted(expected.rows));
  reducedViews += actual.reducedViews;
}

function sorted(rows: Answer['rows']): readonly string[] {
  return rows.map((row) => inspect(row, { depth: null, maxArrayLength: null, maxStringLength: null })).sort();
}

/** The events in the tables of a world. */
function historyOf({ tables }: World): string {
  return tables.flatMap(({ name, history }) => history.steps.map((step) => `${name}: ${step}`)).join('\n');
}
