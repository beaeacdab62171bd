/** Nessie shows Trino the newest state of a table alone: what becomes of runs and retrievals whose source moves on while they are under way. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { stageSegment } from '../../backfill/index.js';
import { ensureNamespace } from '../../catalogs/index.js';
import { deleteTableRows } from '../../client/delete-table-rows.js';
import type { Connection } from '../../engine/index.js';
import { getHistoricalFeatures, type HistoricalRequest } from '../../features/index.js';
import { materializeDirect, planMaterialization, reducePart } from '../../materialization/index.js';
import { datasetDeps, enginesOf, materializationDeps } from '../../project/index.js';
import type { TrinoEngine } from '../../reduction/index.js';
import { stageRows } from '../../staging/index.js';
import { listFiles } from '../../storage/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { parseTrainingSetRequest, planTrainingSet } from '../../training/index.js';
import { failureOf } from '../support/error-code.js';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { SmallProject } from '../support/small-project.js';
import { saveInShards } from '../support/training-shards.js';
import { onNessie, startTrino, type TrinoServer } from '../support/trino-server.js';
import { onlineRows, rowsOf } from '../support/trino-worlds.js';

let s3: S3Server;
let nessie: NessieServer;
let trino: TrinoServer;
const folders: string[] = [];
beforeAll(async () => {
  s3 = await startS3Server();
  await s3.makeBucket('lake');
  nessie = await startNessie(s3, 's3://lake/nessie');
  trino = await startTrino(s3, { lake: onNessie(nessie, 'main') });
  process.env['LAKE_SECRET'] = s3.options['s3.secret-access-key'];
});
const opened: SmallProject[] = [];
afterAll(async () => {
  await Promise.all(opened.map(({ project }) => project.close()));
  await trino.close();
  await nessie.close();
  await s3.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const SENSORS = 20;
/** When the source gets more rows: before Trino is asked whether it has the planned state, or after it has said so. */
const MOMENTS = ['before Trino is asked', 'before Trino reads'] as const;
type Moment = (typeof MOMENTS)[number];

/** A project in Nessie whose source has rows that Trino is to read. */
async function projectOn(view: string) {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-test-'));
  folders.push(folder);
  const config = stringify({
    catalogs: { lake: { type: 'rest', uri: nessie.uriOf('main') } },
    storage: { roots: ['s3://lake'], options: { ...s3.options, 's3.secret-access-key': '${LAKE_SECRET}' } },
    engine: { type: 'trino' },
    trino: { uri: trino.address, staging: `${view}_staging` },
  });
  const small = await SmallProject.createIn(folder, { config, view, hasOwnTable: true });
  opened.push(small);
  await small.append(100, 0, SENSORS);
  const engines = await enginesOf(small.project);
  const real = engines.trino ?? expect.unreachable();
  /** Engines with a Trino before whose first reduction, or first query of one, the source gets rows. */
  const overtaken = (moment: Moment, seconds: number) => {
    let isFirst = true;
    const overtake = async () => {
      if (!isFirst) return;
      isFirst = false;
      await small.append(100, seconds, SENSORS);
    };
    const reduce: TrinoEngine['reduce'] = async (connection, ...rest) => {
      if (moment === 'before Trino is asked') await overtake();
      return await real.reduce(
        moment === 'before Trino reads' ? beforeQuery(connection, overtake) : connection,
        ...rest,
      );
    };
    return { ...engines, trino: { reduce } as TrinoEngine };
  };
  return { small, overtaken };
}

/** The list of files is dropped from the connection once it is in a table of Trino's. */
function beforeQuery(connection: Connection, work: () => Promise<void>): Connection {
  return new Proxy(connection, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return async (...args: readonly unknown[]) => {
        if (name === 'run' && String(args[0]).startsWith('DROP TABLE reduced_files')) await work();
        return (await Reflect.apply(value, target, args)) as unknown;
      };
    },
  });
}

/** States of the statements that have written staged rows of a view, the oldest first. */
async function inserts(view: string): Promise<readonly unknown[]> {
  const of = `query LIKE 'INSERT INTO "lake"."${view}_staging"."rows%'`;
  return (await trino.query(`SELECT state FROM system.runtime.queries WHERE ${of} ORDER BY created`)).flat();
}

async function leftOvers({ project, view }: SmallProject): Promise<readonly string[]> {
  const catalog = await project.catalog();
  await ensureNamespace(catalog, [`${view}_staging`]);
  const names = (await catalog.listTables([`${view}_staging`])).map(({ name }) => name);
  return names;
}

test.each(MOMENTS)(
  'a materialization whose source moves on %s is planned again, and has all rows once',
  async (moment) => {
    const view = `run_${MOMENTS.indexOf(moment)}`;
    const { small, overtaken } = await projectOn(view);
    const deps = await materializationDeps(small.project);
    const { plan } = await materializeDirect({ ...deps, engines: overtaken(moment, 1000) }, { view });
    expect(plan.reduction).toEqual({ engine: 'trino', parts: 1 });
    const rows = await small.onlineRows();
    expect(rows).toHaveLength(SENSORS);
    expect(rows).toEqual(await small.recomputed());
    expect(await small.runKeys()).toHaveLength(1);
    expect(await inserts(view)).toEqual(moment === 'before Trino reads' ? ['FAILED', 'FINISHED'] : ['FINISHED']);
    expect(await leftOvers(small)).toEqual([]);
  },
);

test('a step of a run says that its plan is stale, and is not tried again; a window of a backfill plans again', async () => {
  const view = 'steps';
  const { small, overtaken } = await projectOn(view);
  const deps = await materializationDeps(small.project);
  const { planLocation } = await planMaterialization(deps, { view, attemptId: 'a' });
  await small.append(100, 1000, SENSORS);
  const failure = await failureOf(reducePart(deps, planLocation ?? '', 0));
  expect(failure.code).toBe('PLAN_STALE');
  expect(failure.message).toMatch(
    /does not have snapshot \d+ of table lake\/demo\.steps any more, which has newer ones/,
  );

  const engines = overtaken('before Trino is asked', 2000);
  const staged = await stageSegment({ ...deps, engines }, { view, startUs: 0n, endUs: 10_000_000_000n });
  // The newest row of each sensor.
  expect(staged).toMatchObject({ kind: 'staged', rows: BigInt(SENSORS) });
  expect(await inserts(view)).toEqual(['FINISHED']);
});

test('earlier states are read by DuckDB, also where the run asks for Trino', async () => {
  const view = 'earlier';
  const { small } = await projectOn(view);
  const { project } = small;
  const deps = await materializationDeps(project);
  const run = async (startUs: bigint, endUs: bigint) =>
    (await materializeDirect(deps, { view, engine: 'trino', startUs, endUs })).plan;
  const [first, second] = [() => run(0n, 500_000_000n), () => run(500_000_000n, 5_000_000_000n)];
  expect((await first()).reduction?.engine).toBe('trino');
  await small.append(100, 1000, SENSORS);
  expect((await second()).reduction?.engine).toBe('trino');
  await deleteTableRows(project, small.table, 'reading = 1099');
  // Of the first window the buckets are rebuilt from the state that it was read at.
  const { kind, reduction } = await second();
  expect([kind, reduction]).toEqual(['rebuild-buckets', null]);
  const newest = new Map<number, number>();
  for (const row of (await onlineRows(project, view)).rows) {
    const [, sensor, reading] = /sensor: "(\d+)".* reading: (\d+)/.exec(row)?.map(Number) ?? expect.unreachable(row);
    newest.set(Number(sensor), Math.max(Number(reading), newest.get(Number(sensor)) ?? 0));
  }
  // The deleted row was the newest of the last sensor.
  const expected = Array.from({ length: SENSORS }, (_, sensor) => (sensor === 19 ? 1079 : 1080 + sensor));
  expect(expected.map((_, sensor) => newest.get(sensor))).toEqual(expected);
});

/** Every sensor at moments between those of its rows, and after them all. */
const FRAME = 'SELECT i % 25 AS sensor, make_timestamptz((i * 40) * 1000000) AS event_timestamp FROM range(100) t(i)';

test.each(MOMENTS)(
  'a retrieval whose source moves on %s is answered from the state that it has pinned',
  async (moment) => {
    const view = `retrieval_${MOMENTS.indexOf(moment)}`;
    const { small, overtaken } = await projectOn(view);
    const deps = await datasetDeps(small.project);
    const answer = async (engines: typeof deps.engines, engine: HistoricalRequest['engine']) =>
      await getHistoricalFeatures(
        { ...deps, engines },
        { entities: { query: { sql: FRAME } }, features: [{ view }], ...(engine === undefined ? {} : { engine }) },
        async ({ connection, select, schema, joins }) => ({
          ...(await rowsOf(connection, select, schema)),
          engines: [...joins.values()].map((join) => join.engine),
        }),
      );
    const { engines, ...expected } = await answer(deps.engines, 'duckdb');
    expect(engines).toEqual(['duckdb']);
    expect(await answer(deps.engines, undefined)).toEqual({ ...expected, engines: ['trino'] });
    expect(await answer(overtaken(moment, 1000), undefined)).toEqual({ ...expected, engines: ['duckdb'] });
    // The next one reads what came meanwhile.
    const next = await answer(deps.engines, undefined);
    expect(next.engines).toEqual(['trino']);
    expect(next.digest).not.toBe(expected.digest);
    expect(await leftOvers(small)).toEqual([]);
  },
);

/** A table with the rows of {@link FRAME}. */
async function makeLabels({ project }: SmallProject): Promise<void> {
  const identifier = { namespace: ['demo'], name: 'set_labels' };
  const column = (id: number, name: string, kind: 'long' | 'timestamptz') =>
    ({ id, name, required: false, type: { kind } }) as const;
  const fields = [column(1, 'sensor', 'long'), column(2, 'event_timestamp', 'timestamptz')];
  const catalog = await project.catalog();
  await catalog.createTable(identifier, { schema: { schemaId: 0, identifierFieldIds: [], fields }, formatVersion: 2 });
  const table = await loadTable(catalog, project.io, identifier);
  const files = await (await project.engine()).withConnection((connection) =>
    stageRows(connection, table, { select: FRAME, namePrefix: 'labels' }),
  );
  await commitAppend(table, { files });
}

test('a training set in shards whose source moves on after its plan has the rows of the plan', async () => {
  const view = 'sets';
  const { small } = await projectOn(view);
  const deps = await datasetDeps(small.project);
  await makeLabels(small);
  const save = async (name: string, engine: 'duckdb' | 'trino', meanwhile: () => Promise<void>) => {
    const request = { name, features: [view], entities: { table: 'demo.set_labels' }, to: `demo.${name}`, engine };
    const { planLocation, parts } = await planTrainingSet(deps, { ...parseTrainingSetRequest(request), shards: 2 });
    expect(parts).toBe(engine === 'trino' ? 1 : 0);
    await meanwhile();
    return await saveInShards(deps, { planLocation, parts, shards: 2 });
  };
  const nothing = () => Promise.resolve();
  const expected = await save('first', 'duckdb', nothing);
  expect(expected.rows).toBe(100n);
  expect(await save('second', 'trino', nothing)).toEqual(expected);
  expect(await inserts(view)).toEqual(['FINISHED']);
  expect(await save('third', 'trino', () => small.append(100, 1000, SENSORS))).toEqual(expected);
  expect(await inserts(view)).toEqual(['FINISHED']);
  expect((await save('fourth', 'trino', nothing)).digest).not.toBe(expected.digest);
  expect(await inserts(view)).toEqual(['FINISHED', 'FINISHED']);
  const files: string[] = [];
  for await (const { location } of listFiles(small.project.io, 's3://lake/nessie')) files.push(location);
  expect(files.filter((file) => file.includes('reduced'))).toEqual([]);
});
