/**
 * Point-in-time retrieval on random tables equals nested loops over the rows that the tables have, whichever join is used.
 * `MORAINE_WORLDS` is the number of worlds (200), made from `MORAINE_SEED`; `MORAINE_WORLD` repeats one of them alone.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { openEngine } from '../../engine/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { numberIn, runs, seed, timeLimit } from '../support/property-runs.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { actualAnswer, expectedAnswer, methodsOf } from '../worlds/answers.js';
import { makeWorld, type World } from '../worlds/world.js';

const WORLDS = numberIn('MORAINE_WORLDS', /^[1-9]\d{0,6}$/) ?? runs(200);
const ONLY = numberIn('MORAINE_WORLD', /^\d{1,7}$/);
/** The same in every run of the test command; nights go on from other seeds. */
const SEED = seed ?? 1;

/** Until scans apply row-level deletes. */
const WITH_DELETES = process.env.MORAINE_WORLD_DELETES === '1';

const indexes = ONLY === undefined ? Array.from({ length: WORLDS }, (_, index) => index) : [ONLY];

test(`${indexes.length} worlds of seed ${SEED}`, { timeout: timeLimit(300_000) }, async () => {
  const folder = temporaryFolder();
  const io = new LocalFileIO({ roots: [folder] });
  const limits = { memoryLimitBytes: 512 * 2 ** 20, threads: 2 };
  const tempDirectory = join(folder, 'tmp');
  const engine = await openEngine({ ...limits, tempDirectory, allowedDirectories: [folder] });
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const duckdb = await instance.connect();
  let entityRows = 0;
  for (const index of indexes) {
    const worldFolder = join(folder, String(index));
    const world = await makeWorld(`${SEED}/${index}`, worldFolder, duckdb, { deletes: WITH_DELETES });
    const expected = expectedAnswer(world);
    for (const method of methodsOf(world)) {
      const name = `MORAINE_SEED=${SEED} MORAINE_WORLD=${index} (${method})\n${historyOf(world)}\n`;
      const actual = await actualAnswer(world, { io, engine }, method).catch((cause: unknown) => {
        throw new Error(`${name}${String(cause)}`, { cause });
      });
      expect(actual, name).toEqual(expected);
    }
    entityRows += expected.rows.length;
    await rm(worldFolder, { recursive: true });
  }
  duckdb.disconnectSync();
  instance.closeSync();
  await engine.close();
  if (indexes.length >= 200) expect(entityRows).toBeGreaterThanOrEqual(2000);
});

/** What happened to the tables of a world. */
function historyOf({ tables }: World): string {
  return tables.flatMap(({ name, history }) => history.steps.map((step) => `${name}: ${step}`)).join('\n');
}
