/** The feature table of the bench of online reads: ten features of mixed types, one value in twenty null. */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { readableScanSql } from '../engine/index.js';
import { collectDefinitions, defineEntity, defineFeatureView, parseDefinitions } from '../features/index.js';
import { materializeDirect } from '../materialization/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { openScan } from '../scans/index.js';
import { stageRows } from '../staging/index.js';
import { commitAppend, loadTable, planFiles, selectSnapshot } from '../tables/index.js';
import type { BenchSize } from './job.js';
import { makeFilledTable } from './world.js';

export const ONLINE_VIEW = 'profile';
export const ENTITIES: Readonly<Record<BenchSize, number>> = { S: 100_000, M: 1_000_000 };
const FILES = 8;

/** Names, types and SQL of the features by a number `h`. */
const FEATURES: readonly (readonly [name: string, type: string, sql: string])[] = [
  ['d1', 'double', `(h % 1000000)::DOUBLE / 4`],
  ['d2', 'double', `(h % 777777)::DOUBLE / 4`],
  ['f1', 'float', `(h % 1000)::FLOAT / 4`],
  ['n1', 'long', `(h % 4611686018427387904)::BIGINT`],
  ['n2', 'long', `(h % 100)::BIGINT`],
  ['i1', 'int', `(h % 1000000)::INTEGER`],
  ['b1', 'boolean', `h % 2 = 0`],
  ['s1', 'string', `'segment-' || (h % 50)`],
  ['s2', 'string', `'a longer text of customer ' || (h % 1000000)`],
  ['m1', 'decimal(18, 2)', `(h % 1000000)::DECIMAL(18, 2) / 100`],
];

export const FEATURE_NAMES: readonly string[] = FEATURES.map(([name]) => name);

/** Every value of a row as an integer that JavaScript and DuckDB agree on, summed. */
const CHECKSUM_SQL = [
  `coalesce((d1 * 4)::HUGEINT, 1)`,
  `coalesce((d2 * 4)::HUGEINT, 1)`,
  `coalesce((f1 * 4)::HUGEINT, 1)`,
  `coalesce(n1::HUGEINT, 1)`,
  `coalesce(n2::HUGEINT, 1)`,
  `coalesce(i1::HUGEINT, 1)`,
  `coalesce(b1::INTEGER::HUGEINT, 3)`,
  `coalesce(('0x' || substr(md5(s1), 1, 8))::BIGINT::HUGEINT, 1)`,
  `coalesce(('0x' || substr(md5(s2), 1, 8))::BIGINT::HUGEINT, 1)`,
  `coalesce((m1 * 100)::HUGEINT, 1)`,
].join(' + ');

export const sleep = (ms: number): Promise<void> => wait(ms);

/** Makes the source, and the view on it. */
export async function makeOnlineSource(project: Project, size: BenchSize): Promise<void> {
  const columns = {
    entity_id: 'long',
    event_ts: 'timestamp',
    ...Object.fromEntries(FEATURES.map(([name, type]) => [name, type])),
  };
  const each = ENTITIES[size] / FILES;
  const selects = Array.from({ length: FILES }, (_, file) =>
    rowsSql(`range(${file * each}, ${(file + 1) * each})`, 'n', 0),
  );
  await makeFilledTable(project, ONLINE_VIEW, columns, selects);
  const entity = defineEntity({ name: 'profile_entity', joinKeys: ['entity_id'] });
  const view = defineFeatureView({
    name: ONLINE_VIEW,
    entities: [entity],
    source: { table: `bench.${ONLINE_VIEW}`, timestampField: 'event_ts' },
    online: true,
  });
  await (await project.registry()).apply(parseDefinitions([{ value: collectDefinitions([entity, view]) }]), {});
}

/** A row of every entity that is newer than those of {@link makeOnlineSource}, with the event time under its name in online tables. */
export function newerRowsSql(size: BenchSize): string {
  const rows = rowsSql(`range(${ENTITIES[size]})`, 'n', 1);
  const typed = FEATURES.map(([name, type]) => `${name}::${type === 'string' ? 'VARCHAR' : type} AS ${name}`).join(
    ', ',
  );
  return `SELECT entity_id, event_ts AS event_timestamp, ${typed} FROM (${rows})`;
}

/**
 * Makes the source and the view's online table, and adds runs of newer rows on top, each materialized.
 * @param stepS seconds of event time between two runs
 */
export async function makeOnlineTable(
  project: Project,
  size: BenchSize,
  added: { readonly runs: number; readonly rows: number; readonly stepS?: number },
): Promise<void> {
  await makeOnlineSource(project, size);
  const deps = await materializationDeps(project);
  await materializeDirect(deps, { view: ONLINE_VIEW });
  for (let run = 0; run < added.runs; run += 1) {
    await appendFeatures(project, size, run, added.rows, added.stepS);
    await materializeDirect(deps, { view: ONLINE_VIEW });
  }
}

/** Appends newer rows of random entities to the source. @param stepS seconds of event time between two runs */
export async function appendFeatures(
  project: Project,
  size: BenchSize,
  run: number,
  rows: number,
  stepS = 1,
): Promise<void> {
  const table = await loadTable(await project.catalog(), project.io, { namespace: ['bench'], name: ONLINE_VIEW });
  const select = rowsSql(`range(${rows})`, entityOfRun(size, run), run + 1, stepS);
  const engine = await project.engine();
  const files = await engine.withConnection((connection) =>
    stageRows(connection, table, { select, namePrefix: randomUUID() }),
  );
  await commitAppend(table, { files });
}

const entityOfRun = (size: BenchSize, run: number): string =>
  `(hash(n + ${run}::BIGINT * 100000) % ${ENTITIES[size]})::BIGINT`;

/** The entities of the first rows that {@link appendFeatures} has appended in a run. */
export async function entitiesOfRun(
  project: Project,
  size: BenchSize,
  run: number,
  count: number,
): Promise<readonly number[]> {
  const engine = await project.engine();
  const select = `SELECT ${entityOfRun(size, run)} FROM range(${count}) t(n)`;
  return await engine.withConnection(async (connection) =>
    (await connection.rows(select)).map(([entity]) => Number(entity)),
  );
}

function rowsSql(range: string, entity: string, run: number, stepS = 1): string {
  const features = FEATURES.map(
    ([name, , sql], place) =>
      `CASE WHEN hash(n * 10 + ${place} + ${run}::BIGINT) % 20 = 0 THEN NULL ELSE (SELECT ${sql} FROM (SELECT hash(n * 100 + ${place} + ${run}::BIGINT * 7) AS h)) END AS ${name}`,
  );
  return `SELECT ${entity} AS entity_id, TIMESTAMP '2026-01-01' + to_seconds(${run}::BIGINT * ${stepS}) + to_milliseconds(n % 1000) AS event_ts,
    ${features.join(', ')} FROM ${range} t(n)`;
}

/** The checksum of the newest values of all entities, by DuckDB, from the online table. */
export async function checksumOfTable(project: Project): Promise<bigint> {
  const table = await loadTable(await project.catalog(), project.io, {
    namespace: ['moraine_online'],
    name: ONLINE_VIEW,
  });
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const plan = await planFiles(table, { schema, snapshot });
  const engine = await project.engine();
  return await engine.withConnection(async (connection) => {
    const { scan } = await openScan(connection, { table, snapshot, schema }, plan);
    const rows = await readableScanSql(connection, { ...scan, schema, extras: { sequenceNumber: 'seq' } });
    const newest = `SELECT * FROM ${rows} QUALIFY row_number() OVER (PARTITION BY entity_id ORDER BY event_timestamp DESC, seq DESC, (${CHECKSUM_SQL}) DESC) = 1`;
    const [row] = await connection.rows(`SELECT CAST(sum(${CHECKSUM_SQL}) AS VARCHAR) FROM (${newest})`);
    return BigInt(String(row?.[0]));
  });
}
