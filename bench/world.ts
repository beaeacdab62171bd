/** A project in a folder with a feature table of a chosen shape: what most jobs read. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Engine } from '../engine/index.js';
import {
  collectDefinitions,
  defineEntity,
  defineFeatureView,
  type PartitionStrategy,
  parseDefinitions,
} from '../features/index.js';
import { currentSchema, currentSnapshot, parseSchema } from '../iceberg/index.js';
import { openProject, type Project } from '../project/index.js';
import { localPathsOf } from '../scans/index.js';
import { stageRows } from '../staging/index.js';
import { commitAppend, loadTable, planFiles, type Table } from '../tables/index.js';

export const FEATURES = ['f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8'] as const;
export const BUCKETS = 256;

/** How the feature table looks. */
export interface FeatureTableShape {
  readonly rows: number;
  readonly entities: number;
  readonly files: number;
  /** How long a row of the view stays valid; for ever unless given. */
  readonly ttlDays?: number;
  /** Every so many rows, one has the entity and the time of the row before it; none by default. */
  readonly tieEvery?: number;
  /** Each file has the rows of its part of the time, as a table that is appended to; otherwise every file has rows of all of it. */
  readonly inTimeOrder?: boolean;
}

/** The feature tables of jobs that spread their work over processes, by the size of the bench. */
export const SHARED_SHAPES = {
  S: { rows: 1_000_000, entities: 50_000, files: 16 },
  M: { rows: 10_000_000, entities: 500_000, files: 16 },
} as const satisfies Record<string, FeatureTableShape>;

/** The time that the rows of a table spread over, from 2026-01-01. */
export const SPAN_DAYS = 30;

/**
 * Opens the project of a job's folder: local warehouse, SQLite catalog, 2 threads.
 * @param roots further folders in which tables may lie
 * @param online buckets of online tables, and memory for their decoded rows
 */
export async function openBenchProject(
  folder: string,
  memoryLimit = '4GB',
  roots: readonly string[] = [],
  online: {
    readonly buckets?: number;
    readonly partitionStrategy?: PartitionStrategy;
    readonly cache?: { readonly maxSize: string };
  } = {},
): Promise<Project> {
  return openProject({
    cwd: folder,
    config: {
      catalog: 'local',
      catalogs: { local: benchCatalog(folder) },
      ...(roots.length === 0 ? {} : { storage: { roots: [join(folder, 'warehouse'), ...roots] } }),
      engine: { memoryLimit, threads: 2 },
      online: { buckets: BUCKETS, ...online },
    },
  });
}

/** The catalog of the project of a folder. */
export const benchCatalog = (folder: string) =>
  ({ type: 'sql', uri: `sqlite:///${folder}/catalog.db`, warehouse: join(folder, 'warehouse') }) as const;

const COLUMNS = {
  entity_id: 'long',
  event_ts: 'timestamp',
  ...Object.fromEntries(FEATURES.map((name) => [name, 'double'])),
};

/** Makes the table `bench.NAME` and registers the view NAME on it. */
export async function makeFeatureTable(project: Project, name: string, shape: FeatureTableShape): Promise<void> {
  await makeTable(project, name, shape);
  await registerView(project, name, shape.ttlDays);
}

/** Makes the table `bench.NAME`: random entities and times over 30 days, eight features. */
export async function makeTable(project: Project, name: string, shape: FeatureTableShape): Promise<void> {
  const perFile = Math.ceil(shape.rows / shape.files);
  const selects: string[] = [];
  for (let from = 0; from < shape.rows; from += perFile) {
    selects.push(featureRowsSql(from, Math.min(from + perFile, shape.rows), shape));
  }
  await makeFilledTable(project, name, COLUMNS, selects);
}

/**
 * Makes the table `bench.NAME` and fills it in one commit.
 * @param columns types by name
 * @param selects the rows of each file
 */
export async function makeFilledTable(
  project: Project,
  name: string,
  columns: Readonly<Record<string, string>>,
  selects: readonly string[],
): Promise<void> {
  const catalog = await project.catalog();
  if (!(await catalog.namespaceExists(['bench']))) await catalog.createNamespace(['bench']);
  const fields = Object.entries(columns).map(([column, type], index) => ({
    id: index + 1,
    name: column,
    required: false,
    type,
  }));
  const identifier = { namespace: ['bench'], name };
  await catalog.createTable(identifier, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
  const table = await loadTable(catalog, project.io, identifier);
  await commitAppend(table, { files: await writeFiles(await project.engine(), table, selects) });
}

async function writeFiles(engine: Engine, table: Table, selects: readonly string[]) {
  return engine.withConnection(async (connection) => {
    const files = [];
    for (const select of selects) {
      files.push(...(await stageRows(connection, table, { select, namePrefix: randomUUID() })));
    }
    return files;
  });
}

function featureRowsSql(from: number, to: number, shape: FeatureTableShape): string {
  const { rows, entities, tieEvery, inTimeOrder = false } = shape;
  const drawn = tieEvery === undefined ? 'n' : `(n - (n % ${tieEvery} = 1)::BIGINT)`;
  // As many entities as rows: each row is an entity of its own. Otherwise they are drawn.
  const entity = to - from >= entities || entities < 1_000_000 ? `(hash(${drawn}) % ${entities})::BIGINT` : 'n::BIGINT';
  const features = FEATURES.map((name, index) => `(hash(n + ${index + 2}000000000) % 1000000)::DOUBLE / 7 AS ${name}`);
  const spanMs = SPAN_DAYS * 86_400_000;
  const first = inTimeOrder ? Math.floor((from / rows) * spanMs) : 0;
  const milliseconds = inTimeOrder ? Math.floor(((to - from) / rows) * spanMs) : spanMs;
  return `SELECT ${entity} AS entity_id,
    TIMESTAMP '2026-01-01' + to_microseconds(${first}000 + (hash(${drawn} + 1000000000) % ${milliseconds})::BIGINT * 1000) AS event_ts,
    ${features.join(', ')} FROM range(${from}, ${to}) t(n)`;
}

/** Registers the view NAME on the table `bench.NAME`. */
export async function registerView(project: Project, name: string, ttlDays?: number): Promise<void> {
  const entity = defineEntity({ name: `${name}_entity`, joinKeys: ['entity_id'] });
  const view = defineFeatureView({
    name,
    entities: [entity],
    source: { table: `bench.${name}`, timestampField: 'event_ts' },
    ...(ttlDays === undefined ? {} : { ttl: `${ttlDays}d` as const }),
    online: true,
    features: FEATURES.map((feature) => ({ name: feature, type: 'double' })),
  });
  await (await project.registry()).apply(parseDefinitions([{ value: collectDefinitions([entity, view]) }]), {});
}

/** The Parquet files of `bench.NAME`, for statements in raw DuckDB. */
export async function filesOf(project: Project, name: string): Promise<readonly string[]> {
  const table = await loadTable(await project.catalog(), project.io, { namespace: ['bench'], name });
  const { metadata } = table;
  const plan = await planFiles(table, { snapshot: currentSnapshot(metadata) ?? null, schema: currentSchema(metadata) });
  return localPathsOf(
    project.io,
    plan.files.map(({ file }) => file.filePath),
  );
}
