/** Newest row per entity into 256 buckets, beside the fastest raw statements that write the same rows. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { bucketSql, parquetReader, registerBucketFunctions } from '../../engine/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { BUCKETS, FEATURES, type FeatureTableShape, filesOf, makeFeatureTable, openBenchProject } from '../world.js';

const NAME = 'materialize';

const SHAPES: Readonly<Record<BenchSize, { readonly large: FeatureTableShape; readonly small: FeatureTableShape }>> = {
  S: { large: { rows: 1_000_000, entities: 20_000, files: 10 }, small: { rows: 200_000, entities: 20_000, files: 2 } },
  M: {
    large: { rows: 10_000_000, entities: 100_000, files: 60 },
    small: { rows: 1_000_000, entities: 100_000, files: 6 },
  },
};

async function prepare(context: BenchContext): Promise<void> {
  const project = await openBenchProject(context.dataFolder);
  const shapes = SHAPES[context.size];
  await makeFeatureTable(project, 'large', shapes.large);
  await makeFeatureTable(project, 'small', shapes.small);
  writeFileSync(join(context.dataFolder, 'files.json'), JSON.stringify(await filesOf(project, 'large')));
  await project.close();
}

type Measure = <T>(body: () => Promise<T>) => Promise<T>;

/** Each run materializes from nothing: the online table of the run before is dropped first. */
async function ours(context: BenchContext, measure: Measure, view: string) {
  const project = await openBenchProject(context.dataFolder);
  const deps = await materializationDeps(project);
  const online = { namespace: ['moraine_online'], name: view };
  const catalog = await project.catalog();
  if (await catalog.tableExists(online)) await catalog.dropTable(online);
  const { commit } = await measure(() => materializeDirect(deps, { view }));
  const rows = Number(commit?.rows ?? 0);
  await project.close();
  return { rows };
}

const TUPLE = FEATURES.join(', ');

/** Two statements that compute the newest row per entity with the same tie-break. */
const NEWEST: Readonly<Record<'arg-max' | 'max-join-back', (source: string) => { setup: string; select: string }>> = {
  'arg-max': (source) => ({
    setup: 'SELECT 1',
    select: `SELECT entity_id, newest.* FROM (SELECT entity_id,
      arg_max({event_ts: event_ts, ${FEATURES.map((f) => `${f}: ${f}`).join(', ')}}, (event_ts, ${TUPLE})) AS newest
      FROM ${source} GROUP BY entity_id)`,
  }),
  'max-join-back': (source) => ({
    setup: `CREATE TEMP TABLE newest AS SELECT entity_id AS k, max(event_ts) AS t FROM ${source} GROUP BY 1`,
    select: `SELECT entity_id, event_ts, ${TUPLE} FROM ${source} JOIN newest ON entity_id = k AND event_ts = t
      WHERE event_ts >= (SELECT min(t) FROM newest)
      QUALIFY row_number() OVER (PARTITION BY entity_id ORDER BY ${FEATURES.map((f) => `${f} DESC`).join(', ')}) = 1`,
  }),
};

async function floor(context: BenchContext, measure: Measure, method: keyof typeof NEWEST) {
  const files = JSON.parse(readFileSync(join(context.dataFolder, 'files.json'), 'utf8')) as string[];
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
  const connection = await instance.connect();
  registerBucketFunctions(connection);
  await connection.run(`SET partitioned_write_max_open_files = ${BUCKETS * 2}`);
  await connection.run(`SET preserve_insertion_order = false`);
  const { setup, select } = NEWEST[method](parquetReader(files));
  const bucket = bucketSql({ kind: 'long' }, 'entity_id', BUCKETS);
  await measure(async () => {
    await connection.run(setup);
    await connection.run(
      `COPY (SELECT *, ${bucket} AS bucket FROM (${select})) TO '${context.scratchFolder}/out'
       (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (bucket))`,
    );
  });
  instance.closeSync();
  return undefined;
}

export const materialize: BenchJob = {
  name: NAME,
  title:
    'Newest row per entity of a table with eight features into 256 buckets; floor: the faster of two raw DuckDB statements.',
  runs: 3,
  prepare,
  variants: {
    ours: (context, measure) => ours(context, measure, 'large'),
    'ours, a tenth of the rows': (context, measure) => ours(context, measure, 'small'),
    'floor arg_max': (context, measure) => floor(context, measure, 'arg-max'),
    'floor max and join back': (context, measure) => floor(context, measure, 'max-join-back'),
  },
  figures(medians, size) {
    const large = medians['ours'];
    const small = medians['ours, a tenth of the rows'];
    const floors = [medians['floor arg_max'], medians['floor max and join back']];
    if (large === undefined || small === undefined) throw new Error('a variant was not measured');
    const cpu = Math.min(...floors.map((one) => one?.cpuSeconds ?? Number.POSITIVE_INFINITY));
    const wall = Math.min(...floors.map((one) => one?.wallSeconds ?? Number.POSITIVE_INFINITY));
    return [
      figure(NAME, size, 'CPU', large.cpuSeconds, 's', { floor: cpu, atMost: 1.3 }),
      figure(NAME, size, 'wall', large.wallSeconds, 's', { floor: wall }),
      figure(NAME, size, 'peak memory, large over small', large.peakMb, 'MB', { floor: small.peakMb, atMost: 1.3 }),
    ];
  },
};
