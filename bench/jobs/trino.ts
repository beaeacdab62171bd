/** A materialization and a retrieval whose source Trino reads, beside DuckDB: what it costs to leave the process. */
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSqlCatalog } from '../../catalogs/index.js';
import { withHistoricalFeatures } from '../../client/index.js';
import { digestRows, quoteLiteral } from '../../engine/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, openProject, type Project } from '../../project/index.js';
import { openStorage } from '../../storage/index.js';
import { loadTable } from '../../tables/index.js';
import { startPostgres } from '../../test/support/postgres-server.js';
import { onPostgres, startTrino } from '../../test/support/trino-server.js';
import {
  type BenchContext,
  type BenchJob,
  type BenchSize,
  type BenchVariant,
  figure,
  type Measurement,
} from '../job.js';
import { cpuOf } from '../limited-workers.js';
import { BUCKET, startStore } from '../store.js';
import { digestOfTable, numberOfDigest } from '../table-digest.js';
import { type FeatureTableShape, makeTable, registerView, SHARED_SHAPES, SPAN_DAYS } from '../world.js';

const NAME = 'trino';
const VIEW = 'read_by_trino';
/** Read first, so that Trino has loaded and compiled its code. */
const WARM_UP = 'warm_up';
const CATALOG = 'lake';
const QUERY_GIGABYTES = 4;

const WARM_UP_SHAPE: FeatureTableShape = { rows: 40_000, entities: 1_000, files: 4 };
const FRAME_ROWS: Readonly<Record<BenchSize, number>> = { S: 10_000, M: 100_000 };

type Engine = 'duckdb' | 'trino';

interface Lake {
  readonly project: Project;
  /** CPU of the servers so far, in seconds. */
  readonly cpuSeconds: () => number;
}

const tablesPath = ({ dataFolder }: BenchContext): string => join(dataFolder, 'tables.json');
const framePath = ({ dataFolder }: BenchContext): string => join(dataFolder, 'frame.parquet');

/**
 * Objects stay in the store, the names of tables do not.
 * @param folder of the bucket, for new tables
 */
async function inLake<T>(
  { dataFolder, scratchFolder }: BenchContext,
  { engine, folder }: { readonly engine: Engine; readonly folder: string },
  work: (lake: Lake) => Promise<T>,
): Promise<T> {
  const warehouse = `s3://${BUCKET}/${folder}`;
  const store = await startStore(dataFolder);
  const postgres = await startPostgres();
  const database = await postgres.makeDatabase();
  const io = await openStorage({ roots: [`s3://${BUCKET}`], options: store.options });
  const names = await openSqlCatalog({ name: CATALOG, uri: database, warehouse, io });
  await names.createNamespace(['bench']);
  await names.close();
  const catalogs = { [CATALOG]: onPostgres(database, CATALOG, warehouse) };
  const trino = engine === 'trino' ? await startTrino(store, catalogs, { queryGigabytes: QUERY_GIGABYTES }) : undefined;
  const project = await openProject({
    cwd: scratchFolder,
    config: {
      catalogs: { [CATALOG]: { type: 'sql', uri: database, warehouse } },
      storage: {
        roots: [`s3://${BUCKET}`],
        options: store.options,
        cache: { directory: join(scratchFolder, 'cache') },
      },
      engine: { type: engine, memoryLimit: '4GB', threads: 2 },
      ...(trino === undefined ? {} : { trino: { uri: trino.address } }),
    },
    fileFolders: [dataFolder],
  });
  const pids = [store.pid, ...(trino === undefined ? [] : [trino.pid])];
  try {
    return await work({ project, cpuSeconds: () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0) });
  } finally {
    await project.close();
    await trino?.close();
    await postgres.close();
    await store.close();
  }
}

async function prepare(context: BenchContext): Promise<void> {
  const { size } = context;
  await inLake(context, { engine: 'duckdb', folder: 'tables' }, async ({ project }) => {
    const [catalog, engine] = [await project.catalog(), await project.engine()];
    const made: Record<string, string> = {};
    for (const [name, shape] of [[VIEW, SHARED_SHAPES[size]] as const, [WARM_UP, WARM_UP_SHAPE] as const]) {
      await makeTable(project, name, shape);
      made[name] = (await loadTable(catalog, project.io, { namespace: ['bench'], name })).metadataLocation;
    }
    writeFileSync(tablesPath(context), JSON.stringify(made));
    const frame = `SELECT (hash(n + 20000000000) % ${SHARED_SHAPES[size].entities})::BIGINT AS entity_id,
      TIMESTAMP '2026-01-01' + to_microseconds((hash(n + 21000000000) % ${SPAN_DAYS * 86_400_000})::BIGINT * 1000) AS event_timestamp
      FROM range(${FRAME_ROWS[size]}) t(n)`;
    await engine.withConnection((connection) =>
      connection.run(`COPY (${frame}) TO ${quoteLiteral(framePath(context))} (FORMAT parquet)`),
    );
  });
}

/** What is measured: it gives a digest of its rows. */
type Work = (project: Project, view: string, context: BenchContext) => Promise<() => Promise<number>>;

const materialize: Work = async (project, view) => {
  await materializeDirect(await materializationDeps(project), { view });
  return () => digestOfTable(project, { namespace: ['moraine_online'], name: view });
};

const retrieve: Work = async (project, view, context) => {
  const request = { features: [view], entities: { file: framePath(context) } };
  const digest = await withHistoricalFeatures(project, request, async ({ connection, select, schema }) =>
    numberOfDigest((await digestRows(connection, select, schema)).digest),
  );
  return () => Promise.resolve(digest);
};

/** Work by an engine, after the same on a small table. */
const by =
  (engine: Engine, work: Work): BenchVariant =>
  async (context, measure) => {
    const folder = `run-${randomUUID()}`;
    const figures = await inLake(context, { engine, folder }, async ({ project, cpuSeconds }) => {
      const catalog = await project.catalog();
      const made = JSON.parse(readFileSync(tablesPath(context), 'utf8')) as Readonly<Record<string, string>>;
      for (const [name, location] of Object.entries(made)) {
        await catalog.registerTable({ namespace: ['bench'], name }, location);
        await registerView(project, name);
      }
      await work(project, WARM_UP, context);
      const before = cpuSeconds();
      const digest = await measure(() => work(project, VIEW, context));
      const servers = cpuSeconds() - before;
      return { servers, digest: await digest() };
    });
    rmSync(join(context.dataFolder, 'store', BUCKET, folder), { recursive: true, force: true });
    return figures;
  };

const WORKS = { materialization: materialize, retrieval: retrieve } as const;

export const trino: BenchJob = {
  name: NAME,
  title:
    'A materialization, and a retrieval for a hundredth as many entity rows, whose source Trino reads, on tables in an S3 server; floor: DuckDB reads it. CPU of all processes.',
  runs: 1,
  prepare,
  variants: Object.fromEntries(
    Object.entries(WORKS).flatMap(([name, work]) =>
      (['duckdb', 'trino'] as const).map((engine) => [`${name} by ${engine}`, by(engine, work)] as const),
    ),
  ),
  figures(medians, size) {
    const of = (variant: string): Measurement => {
      const found = medians[variant];
      if (found === undefined) throw new Error(`${variant} was not measured`);
      return found;
    };
    const cpu = ({ cpuSeconds, extra }: Measurement): number => cpuSeconds + (extra['servers'] ?? Number.NaN);
    return Object.keys(WORKS).flatMap((name) => {
      const [ours, theirs] = [of(`${name} by duckdb`), of(`${name} by trino`)];
      const equal = ours.extra['digest'] === theirs.extra['digest'];
      return [
        figure(NAME, size, `${name}, wall`, theirs.wallSeconds, 's', { floor: ours.wallSeconds }),
        figure(NAME, size, `${name}, CPU of all processes`, cpu(theirs), 's', { floor: cpu(ours) }),
        figure(NAME, size, `${name}, CPU of our process`, theirs.cpuSeconds, 's', { floor: ours.cpuSeconds }),
        figure(NAME, size, `${name}, runs with equal digests`, equal ? 2 : 0, 'runs', { atLeast: 2 }),
      ];
    });
  },
};
