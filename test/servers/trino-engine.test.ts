/** Runs that Trino reduces: the same answers as DuckDB's, on random worlds, and what becomes of failures. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSqlCatalog } from '../../catalogs/index.js';
import { type Connection, digestRows, readableScanSql } from '../../engine/index.js';
import { type Definitions, getHistoricalFeatures, parseDefinitions } from '../../features/index.js';
import { currentSchema, currentSnapshot, type Schema } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, openProject, type Project } from '../../project/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { openStorage } from '../../storage/index.js';
import { loadTable } from '../../tables/index.js';
import { numberIn } from '../support/environment.js';
import { type PackedShape, PackedWorlds } from '../support/packed-worlds.js';
import { startPostgres } from '../support/postgres-server.js';
import { seed } from '../support/property-runs.js';
import { PUT_FOLDER } from '../support/put-file.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { onPostgres, startTrino, type TrinoServer } from '../support/trino-server.js';
import { fromDuckDb } from '../worlds/values.js';

/** Worlds in each table; 200 in the long form. */
const WORLDS = numberIn('MORAINE_TRINO_WORLDS', /^[1-9]\d{0,3}$/) ?? 20;
const SEED = String(seed ?? 1);

let s3: Pick<S3Server, 'options'>;
let database: string;
let trino: Pick<TrinoServer, 'address'>;
let closeAll = (): Promise<void> => Promise.resolve();
beforeAll(async () => {
  const dev = process.env['MORAINE_DEV_SERVERS'];
  if (dev !== undefined) {
    const found = JSON.parse(readFileSync(dev, 'utf8'));
    s3 = { options: found.options };
    database = found.database;
    trino = { address: found.trino };
    return;
  }
  const store = await startS3Server();
  await store.makeBucket('lake');
  const postgres = await startPostgres();
  database = await postgres.makeDatabase();
  const io = await openStorage({ roots: ['s3://lake'], options: store.options });
  const names = await openSqlCatalog({ name: 'door', uri: database, warehouse: 's3://lake/door', io });
  await names.createNamespace(['shop']);
  await names.close();
  const engine = await startTrino(store, { door: onPostgres(database, 'door', 's3://lake/door') });
  [s3, trino] = [store, engine];
  closeAll = async () => {
    await engine.close();
    await postgres.close();
    await store.close();
  };
});
afterAll(() => closeAll());

const opened: Project[] = [];
afterAll(() => Promise.all(opened.map((project) => project.close())));

async function open(type: 'duckdb' | 'trino', namespace: string): Promise<Project> {
  const project = await openProject({
    cwd: temporaryFolder(),
    fileFolders: [PUT_FOLDER],
    config: {
      catalogs: { door: { type: 'sql', uri: database, warehouse: 's3://lake/door' } },
      storage: { roots: ['s3://lake'], options: { ...s3.options } },
      engine: { type },
      trino: { uri: trino.address, catalogs: { door: 'door' } },
      online: { namespace },
    },
  });
  opened.push(project);
  return project;
}

/** The long form has all shapes, and more rounds of changes. */
const IS_LONG = WORLDS >= 100;
const ROUNDS = IS_LONG ? 4 : 2;
const ALL_SHAPES: readonly PackedShape[] = [
  { key: 'long', time: 'timestamptz' },
  { key: 'string', time: 'timestamp' },
  { key: 'decimal', time: 'timestamptz' },
  { key: 'date', time: 'timestamp' },
  { key: 'uuid', time: 'timestamptz' },
  { key: 'binary', time: 'timestamp' },
];

/** Views on a table: with a ttl and without, of all columns and of some. */
function definitionsOf(table: string, columns: readonly string[]): Definitions {
  const source = { table, timestampField: 'at', createdTimestampField: 'created' };
  const entities = [
    { name: 'world', joinKeys: ['w'] },
    { name: 'entity', joinKeys: ['Entity Key'] },
  ];
  const value = {
    entities,
    featureViews: [
      { name: 'whole', entities: ['world', 'entity'], source, online: true },
      {
        name: 'young',
        entities: ['entity', 'world'],
        ttl: '2s',
        source: { table, timestampField: 'at' },
        features: [{ name: columns[0] ?? '' }],
        online: true,
      },
      { name: 'of_worlds', entities: ['world'], source, online: true, onlineBuckets: 2 },
    ],
  };
  return parseDefinitions([{ value }]);
}

const SHAPES = IS_LONG || process.env['MORAINE_DEV_SERVERS'] !== undefined ? ALL_SHAPES : ALL_SHAPES.slice(0, 3);

test.each(SHAPES.map((shape) => [`${shape.key} keys, ${shape.time}`, shape] as const))(
  `answers of both engines on ${WORLDS} packed worlds: %s`,
  async (_, shape) => {
    const run = `p${Date.now().toString(36)}_${shape.key}`;
    const [duckdb, onTrino] = [await open('duckdb', `${run}_duckdb`), await open('trino', `${run}_trino`)];
    const lab = { io: duckdb.io, catalog: await duckdb.catalog(), engine: await duckdb.engine() };
    const worlds = new PackedWorlds(lab, run, shape, { worlds: WORLDS, seed: SEED });
    await worlds.create();
    await worlds.append();
    for (let round = 0; round < ROUNDS; round++) {
      for (let step = 0; step < 3; step++) await worlds.step();
      const history = `${SEED}: ${worlds.steps.join('; ')}`;
      await compareRetrieval([duckdb, onTrino], worlds, history);
      await compareMaterialization([duckdb, onTrino], worlds, history);
    }
  },
  3_600_000,
);

async function viewDefinitions(worlds: PackedWorlds): Promise<Definitions> {
  const { metadata } = await worlds.table();
  const { namespace, name } = worlds.identifier;
  const amount = currentSchema(metadata).fields.find(({ id }) => id === worlds.idOf(5))?.name ?? '';
  return definitionsOf(`${namespace.join('.')}.${name}`, [amount]);
}

async function compareRetrieval(projects: readonly Project[], worlds: PackedWorlds, history: string): Promise<void> {
  const definitions = await viewDefinitions(worlds);
  const table = await worlds.table();
  const digests = projects.map(async (project) => {
    const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(definitions) };
    const answers: ({ readonly engines: readonly string[] } & Awaited<ReturnType<typeof rowsOf>>)[] = [];
    for (const knownAsOf of [false, true]) {
      const features = knownAsOf ? [{ view: 'whole' }] : [{ view: 'whole' }, { view: 'young' }, { view: 'of_worlds' }];
      const entities = { query: { sql: frameSql(table.identifier.name) } };
      answers.push(
        await getHistoricalFeatures(deps, { entities, features, knownAsOf, fullFeatureNames: true }, async (found) => ({
          engines: [...found.joins.values()].map(({ engine }) => engine),
          ...(await rowsOf(found.connection, found.select, found.schema)),
        })),
      );
    }
    return answers;
  });
  const [ours = [], theirs = []] = await Promise.all(digests);
  const rowsIn = (answers: typeof ours) => answers.map(({ rows, digest }) => ({ rows, digest }));
  expect(rowsIn(theirs), history).toEqual(rowsIn(ours));
  expect(theirs.flatMap(({ engines }) => engines)).toEqual(['trino', 'trino', 'trino', 'trino']);
}

/** Every entity of every world at moments around those of its rows. */
function frameSql(table: string): string {
  const moments = `(SELECT unnest(range(-4000000, 5000000, 750000)) AS us)`;
  return `SELECT DISTINCT w, "Entity Key", make_timestamptz(us) AS event_timestamp FROM packed.${table} CROSS JOIN ${moments}`;
}

async function compareMaterialization(
  projects: readonly Project[],
  worlds: PackedWorlds,
  history: string,
): Promise<void> {
  const definitions = await viewDefinitions(worlds);
  for (const view of ['whole', 'of_worlds']) {
    const rows: unknown[] = [];
    for (const project of projects) {
      const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(definitions) };
      const { plan } = await materializeDirect(deps, { view });
      rows.push({ kind: plan.kind, ...(await onlineRows(project, view)) });
    }
    expect(rows[1], history).toEqual(rows[0]);
  }
}

/** The digest of rows, and each of them, sorted, as a text. */
async function rowsOf(connection: Connection, select: string, schema: Schema) {
  const { digest } = await digestRows(connection, select, schema);
  const rows = await connection.rows(select);
  const names = schema.fields.map(({ name }) => name);
  const text = (row: readonly unknown[]) =>
    row.map((value, index) => `${names[index]}: ${show(fromDuckDb(value as never))}`).join(', ');
  return { digest, rows: rows.map(text).sort() };
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'bigint' ? String(each) : Object.is(each, -0) ? '-0' : each instanceof Map ? [...each] : each,
  );

async function onlineRows(project: Project, name: string) {
  const namespace = project.config.online.namespace.split('.');
  const table = await loadTable(await project.catalog(), project.io, { namespace, name });
  const schema = currentSchema(table.metadata);
  const source = { table, schema, snapshot: currentSnapshot(table.metadata) ?? null };
  return await (await project.engine()).withConnection(async (connection) => {
    const { scan } = await openScan(connection, source, await planSource(source));
    const rows = await readableScanSql(connection, { ...scan, schema });
    return await rowsOf(connection, `SELECT * FROM ${rows}`, schema);
  });
}
