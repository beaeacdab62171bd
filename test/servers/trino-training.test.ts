/** Training sets and backfills whose sources Trino reads, on tables with deletes and evolved schemas and specs: the same digests as DuckDB's. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import {
  commitTrainingWindows,
  planTrainingBackfill,
  stageSegment,
  stageTrainingWindow,
  storeTrainingBackfillPlan,
} from '../../backfill/index.js';
import { ensureNamespace } from '../../catalogs/index.js';
import { readableScanSql } from '../../engine/index.js';
import type { Definitions } from '../../features/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import { commitWindows, materializeDirect, type StagedWindow } from '../../materialization/index.js';
import { datasetDeps, materializationDeps, type Project } from '../../project/index.js';
import type { EngineType } from '../../reduction/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { stageRows } from '../../staging/index.js';
import { listFiles } from '../../storage/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { parseTrainingSetRequest, planTrainingSet } from '../../training/index.js';
import { PackedWorlds } from '../support/packed-worlds.js';
import { seed } from '../support/property-runs.js';
import { saveInShards } from '../support/training-shards.js';
import { queryTrino } from '../support/trino-server.js';
import { onlineRows, openTrinoProject, viewDefinitions } from '../support/trino-worlds.js';

const SEED = String(seed ?? 1);
/** Every row and every moment of the frame is in them. */
const [START_US, END_US, STEP_US] = [-5_000_000n, 5_000_000n, 5_000_000n];
const WINDOWS = 2;

/** The seed of property tests comes with a shorter one. */
const TIMEOUT_MS = 600_000;

const lake = inject('trinoLake');
let duckdb: Project;
let onTrino: Project;
let worlds: PackedWorlds;
let definitions: Definitions;
let labels: string;
const folder = mkdtempSync(join(tmpdir(), 'moraine-test-'));
const run = `t${Date.now().toString(36)}`;
beforeAll(async () => {
  duckdb = await openTrinoProject(lake, 'duckdb', `${run}_duckdb`, { cwd: folder });
  onTrino = await openTrinoProject(lake, 'trino', `${run}_trino`, { cwd: folder });
  const lab = { io: duckdb.io, catalog: await duckdb.catalog(), engine: await duckdb.engine() };
  worlds = new PackedWorlds(lab, run, { key: 'string', time: 'timestamptz' }, { worlds: 10, seed: SEED });
  await worlds.create();
  await worlds.append();
  for (const kind of ['delete', 'schema', 'spec'] as const) await worlds.step(kind);
  await worlds.append();
  definitions = await viewDefinitions(worlds);
  labels = await makeLabels();
});
afterAll(async () => {
  await duckdb.close();
  await onTrino.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A table with every entity of every world at moments around those of its rows. */
async function makeLabels(): Promise<string> {
  const [catalog, table] = [await duckdb.catalog(), await worlds.table()];
  const source = { table, schema: currentSchema(table.metadata), snapshot: currentSnapshot(table.metadata) ?? null };
  const kept = source.schema.fields.filter(({ name }) => name === 'w' || name === 'Entity Key');
  const time = { id: 100, name: 'event_timestamp', required: false, type: { kind: 'timestamptz' } } as const;
  const identifier = { namespace: ['packed'], name: `${run}_labels` };
  await ensureNamespace(catalog, identifier.namespace);
  await catalog.createTable(identifier, { schema: { ...source.schema, fields: [...kept, time] }, formatVersion: 2 });
  const made = await loadTable(catalog, duckdb.io, identifier);
  await (await duckdb.engine()).withConnection(async (connection) => {
    const { scan } = await openScan(connection, source, await planSource(source));
    const rows = await readableScanSql(connection, { ...scan, schema: source.schema });
    const moments = '(SELECT make_timestamptz(unnest(range(-4000000, 5000000, 750000))) AS event_timestamp)';
    const select = `SELECT DISTINCT w, "Entity Key", event_timestamp FROM ${rows} CROSS JOIN ${moments}`;
    const files = await stageRows(connection, made, { select, namePrefix: randomUUID() });
    await commitAppend(made, { files });
  });
  return `packed.${identifier.name}`;
}

const depsOf = async (project: Project) => ({
  ...(await datasetDeps(project)),
  definitions: () => Promise.resolve(definitions),
});

/** How many reductions Trino has written for a project. */
async function reductionsOf({ config }: Project): Promise<number> {
  const of = `query LIKE 'INSERT INTO "door"."${config.online.namespace}_staging"%' AND state = 'FINISHED'`;
  const [row] = await queryTrino(lake.trino, `SELECT count(*) FROM system.runtime.queries WHERE ${of}`);
  return Number(row?.[0]);
}

let saved = 0;
/** A request for a training set of its own name. */
function trainingSet(engine?: EngineType) {
  saved += 1;
  const name = `${run}_set_${saved}`;
  return parseTrainingSetRequest({
    ...{
      name,
      features: ['whole', 'young'],
      entities: { table: labels },
      to: `packed.${name}`,
      fullFeatureNames: true,
    },
    ...(engine === undefined ? {} : { engine }),
  });
}

async function saveSharded(project: Project, shards: number, engine?: EngineType) {
  const deps = await depsOf(project);
  const { planLocation, parts } = await planTrainingSet(deps, { ...trainingSet(engine), shards });
  return await saveInShards(deps, { planLocation, parts, shards });
}

/** Tables in the staging namespace of a project, and files in its folder. */
async function leftOvers(project: Project): Promise<readonly string[]> {
  const namespace = `${project.config.online.namespace}_staging`;
  const names = (await (await project.catalog()).listTables([namespace])).map(({ name }) => name);
  for await (const { location } of listFiles(project.io, `s3://lake/door/${namespace}`)) names.push(location);
  return names;
}

async function saveInWindows(project: Project) {
  const deps = await depsOf(project);
  const request = trainingSet();
  const range = { startUs: START_US, endUs: END_US, stepUs: STEP_US };
  const plan = await planTrainingBackfill(deps, { trainingSet: request, ...range });
  await storeTrainingBackfillPlan(deps, plan);
  for (let startUs = START_US; startUs < END_US; startUs += STEP_US) {
    const staged = await stageTrainingWindow(deps, plan, { startUs, endUs: startUs + STEP_US });
    if (staged !== null) await commitTrainingWindows(deps, plan, [staged]);
  }
  const { rows, digest } = (await deps.datasets.get(request.name)).record;
  return { rows, digest };
}

test(
  'a training set: one shard, three shards and windows, by both engines',
  async () => {
    const expected = await saveSharded(duckdb, 1);
    expect(expected.rows).toBeGreaterThan(100n);
    expect(await saveSharded(duckdb, 3)).toEqual(expected);
    expect(await reductionsOf(duckdb)).toBe(0);

    // Two views, each once for all shards.
    expect(await saveSharded(onTrino, 3)).toEqual(expected);
    expect(await reductionsOf(onTrino)).toBe(2);
    // From four shards on parts read the entity rows, too.
    expect(await saveSharded(onTrino, 5)).toEqual(expected);
    expect(await reductionsOf(onTrino)).toBe(4);
    expect(await saveInWindows(onTrino)).toEqual(expected);
    expect(await reductionsOf(onTrino)).toBe(4 + 2 * WINDOWS);
    expect(await leftOvers(onTrino)).toEqual([]);
    // What is asked for counts before what the project says.
    expect(await saveSharded(duckdb, 1, 'trino')).toEqual(expected);
    expect(await reductionsOf(duckdb)).toBe(2);
  },
  TIMEOUT_MS,
);

async function backfill(project: Project, view: string): Promise<void> {
  const deps = await materializationDeps(project);
  const own = { ...deps, definitions: () => Promise.resolve(definitions) };
  const windows: StagedWindow[] = [];
  for (let startUs = START_US; startUs < END_US; startUs += STEP_US) {
    const request = { view, startUs, endUs: startUs + STEP_US };
    const staged = await stageSegment(own, request);
    if (staged.kind === 'staged') windows.push(staged.window);
    if (staged.kind === 'alone') await materializeDirect(own, { ...request, isBackfill: true });
  }
  await commitWindows(own, windows);
}

test(
  'a backfill, and the same again after rows were deleted: two windows each, by both engines',
  async () => {
    const reductions = await reductionsOf(onTrino);
    for (const project of [duckdb, onTrino]) await backfill(project, 'whole');
    const first = await onlineRows(onTrino, 'whole');
    expect(first).toEqual(await onlineRows(duckdb, 'whole'));
    expect(first.rows.length).toBeGreaterThan(20);
    expect(await reductionsOf(onTrino)).toBe(reductions + WINDOWS);

    await worlds.step('delete');
    definitions = await viewDefinitions(worlds);
    for (const project of [duckdb, onTrino]) await backfill(project, 'whole');
    const second = await onlineRows(onTrino, 'whole');
    expect(second).toEqual(await onlineRows(duckdb, 'whole'));
    expect(second.digest).not.toBe(first.digest);
    expect(await reductionsOf(onTrino)).toBeGreaterThan(reductions + WINDOWS);
  },
  TIMEOUT_MS,
);
