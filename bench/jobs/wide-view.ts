/** Some and all features of a view with a thousand, beside a view of five and beside raw DuckDB; each size is twice the one before. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { bucketSql, parquetReader, quoteLiteral, registerBucketFunctions } from '../../engine/index.js';
import { collectDefinitions, defineEntity, defineFeatureView, parseDefinitions } from '../../features/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, type Project } from '../../project/index.js';
import {
  type BenchContext,
  type BenchJob,
  type BenchSize,
  type BenchVariant,
  type Figure,
  figure,
  type Measurement,
} from '../job.js';
import { asofSql, runRaw, writeAnswer } from '../retrieval.js';
import { filesOf, makeFilledTable, openBenchProject } from '../world.js';

const NAME = 'wide-view';
const ROWS: Readonly<Record<BenchSize, readonly [number, number, number]>> = {
  S: [5000, 10_000, 20_000],
  M: [25_000, 50_000, 100_000],
};
const STEPS = [0, 1, 2] as const;
type Step = (typeof STEPS)[number];
const WIDTHS = { wide: 1000, narrow: 5 } as const;
type Width = keyof typeof WIDTHS;
/** One row in so many has the entity and the time of the row before it. */
const TIE_EVERY = 1000;
const FILES = 4;
/** As many as there are by default. */
const BUCKETS = 16;

const featuresOf = (width: number): readonly string[] => Array.from({ length: width }, (_, index) => `f${index}`);
const nameOf = (width: Width, rows: number): string => `${width}_${rows}`;
const framePath = (folder: string, rows: number): string => join(folder, 'warehouse/frames', `${rows}.parquet`);
const filesPath = (folder: string, rows: number): string => join(folder, `files-${rows}.json`);

function rowsSql(width: Width, rows: number, file: number): string {
  const drawn = `(n - (n % ${TIE_EVERY} = 1)::BIGINT)`;
  const features = featuresOf(WIDTHS[width]).map(
    (name, index) => `(hash(n + ${index + 2}000000000) % 1000000)::DOUBLE / 7 AS ${name}`,
  );
  return `SELECT (hash(${drawn}) % ${rows / 10})::BIGINT AS entity_id,
    TIMESTAMP '2026-01-01' + to_seconds((hash(${drawn} + 1000000000) % 2592000)::BIGINT) AS event_ts, ${features.join(', ')}
    FROM range(${(file * rows) / FILES}, ${((file + 1) * rows) / FILES}) t(n)`;
}

function frameSql(rows: number): string {
  return `SELECT (hash(n + 20000000000) % ${rows / 10})::BIGINT AS entity_id,
    TIMESTAMP '2026-01-01' + to_seconds((hash(n + 21000000000) % 2592000)::BIGINT) AS event_timestamp FROM range(${rows / 10}) t(n)`;
}

async function prepare({ dataFolder, size }: BenchContext): Promise<void> {
  const project = await openBenchProject(dataFolder);
  mkdirSync(join(dataFolder, 'warehouse/frames'), { recursive: true });
  const engine = await project.engine();
  for (const rows of ROWS[size]) {
    for (const width of ['wide', 'narrow'] as const) await makeTable(project, width, rows);
    writeFileSync(filesPath(dataFolder, rows), JSON.stringify(await filesOf(project, nameOf('wide', rows))));
    const copy = `COPY (${frameSql(rows)}) TO ${quoteLiteral(framePath(dataFolder, rows))} (FORMAT parquet)`;
    await engine.withConnection((connection) => connection.run(copy));
  }
  await registerViews(project, ROWS[size]);
  await project.close();
}

async function makeTable(project: Project, width: Width, rows: number): Promise<void> {
  const features = featuresOf(WIDTHS[width]).map((name) => [name, 'double'] as const);
  const columns = Object.fromEntries<string>([['entity_id', 'long'], ['event_ts', 'timestamp'], ...features]);
  const selects = Array.from({ length: FILES }, (_, file) => rowsSql(width, rows, file));
  await makeFilledTable(project, nameOf(width, rows), columns, selects);
}

async function registerViews(project: Project, sizes: readonly number[]): Promise<void> {
  const entity = defineEntity({ name: 'thing', joinKeys: ['entity_id'] });
  const views = sizes.flatMap((rows) =>
    (['wide', 'narrow'] as const).map((width) =>
      defineFeatureView({
        name: nameOf(width, rows),
        entities: [entity],
        online: true,
        source: { table: `bench.${nameOf(width, rows)}`, timestampField: 'event_ts' },
        features: featuresOf(WIDTHS[width]).map((name) => ({ name, type: 'double' as const })),
      }),
    ),
  );
  await (await project.registry()).apply(parseDefinitions([{ value: collectDefinitions([entity, ...views]) }]), {});
}

function ours(step: Step, width: Width, features: number): BenchVariant {
  return async (context, measure) => {
    const rows = ROWS[context.size][step];
    const project = await openBenchProject(context.dataFolder);
    await project.engine();
    const view = nameOf(width, rows);
    const asked = featuresOf(features).map((name) => `${view}:${name}`);
    const request = { features: asked, entities: { file: framePath(context.dataFolder, rows) } };
    await measure(() => writeAnswer(project, request));
    await project.close();
    return undefined;
  };
}

/** Each run materializes from nothing: the online table of the run before is dropped first. */
function materialized(step: Step): BenchVariant {
  return async (context, measure) => {
    const project = await openBenchProject(context.dataFolder, '4GB', [], { buckets: BUCKETS });
    const deps = await materializationDeps(project);
    const view = nameOf('wide', ROWS[context.size][step]);
    const online = { namespace: ['moraine_online'], name: view };
    const catalog = await project.catalog();
    if (await catalog.tableExists(online)) await catalog.dropTable(online);
    const { commit } = await measure(() => materializeDirect(deps, { view }));
    await project.close();
    return { rows: Number(commit?.rows ?? 0) };
  };
}

/** The newest row per entity, of tied rows any, in the same buckets. */
function rawMaterialized(step: Step): BenchVariant {
  return async (context, measure) => {
    const files = JSON.parse(readFileSync(filesPath(context.dataFolder, ROWS[context.size][step]), 'utf8')) as string[];
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
    const connection = await instance.connect();
    registerBucketFunctions(connection);
    await connection.run(`SET partitioned_write_max_open_files = ${BUCKETS * 2}`);
    const source = parquetReader(files);
    const bucket = bucketSql({ kind: 'long' }, 'entity_id', BUCKETS);
    const newest = `SELECT r.*, ${bucket} AS bucket FROM ${source} AS r JOIN newest ON entity_id = k AND event_ts = t
      QUALIFY row_number() OVER (PARTITION BY entity_id) = 1`;
    await measure(async () => {
      await connection.run(
        `CREATE TEMP TABLE newest AS SELECT entity_id AS k, max(event_ts) AS t FROM ${source} GROUP BY 1`,
      );
      await connection.run(
        `COPY (${newest}) TO '${context.scratchFolder}/out' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (bucket))`,
      );
    });
    instance.closeSync();
    return undefined;
  };
}

function raw(step: Step): BenchVariant {
  return (context, measure) => {
    const rows = ROWS[context.size][step];
    const frame = framePath(context.dataFolder, rows);
    const select = (files: string): string => asofSql(frame, files, featuresOf(WIDTHS.wide));
    return runRaw(context, measure, select, filesPath(context.dataFolder, rows));
  };
}

const WAYS = {
  'five of five': (step: Step) => ours(step, 'narrow', WIDTHS.narrow),
  'five of a thousand': (step: Step) => ours(step, 'wide', WIDTHS.narrow),
  'a thousand': (step: Step) => ours(step, 'wide', WIDTHS.wide),
  'raw a thousand': raw,
  'a thousand materialized': materialized,
  'raw a thousand materialized': rawMaterialized,
} as const;
type Way = keyof typeof WAYS;

const variantName = (way: Way, step: Step): string => `${way} ${step}`;

export const wideView: BenchJob = {
  name: NAME,
  title:
    'Five and all features of a view with 1,000, beside a view of five and a raw ASOF join, and its materialization, beside raw DuckDB; each size is twice the one before.',
  runs: 3,
  data: 'wide-views',
  prepare,
  variants: Object.fromEntries(
    STEPS.flatMap((step) => Object.entries(WAYS).map(([way, make]) => [variantName(way as Way, step), make(step)])),
  ),
  figures(medians, size) {
    const of = (way: Way, step: Step): Measurement => {
      const median = medians[variantName(way, step)];
      if (median === undefined) throw new Error(`${way} was not measured`);
      return median;
    };
    const beside = (way: Way, floor: Way, step: Step, atMost: number): readonly Figure[] => {
      const what = `${ROWS[size][step]} rows, ${way}`;
      const [measured, least] = [of(way, step), of(floor, step)];
      return [
        figure(NAME, size, `${what}, CPU over ${floor}`, measured.cpuSeconds, 's', { floor: least.cpuSeconds, atMost }),
        figure(NAME, size, `${what}, peak memory over ${floor}`, measured.peakMb, 'MB', {
          floor: least.peakMb,
          atMost,
        }),
      ];
    };
    const growth = (way: Way): Figure => {
      const exponent =
        Math.log(of(way, 2).cpuSeconds / of(way, 0).cpuSeconds) / Math.log(ROWS[size][2] / ROWS[size][0]);
      return figure(NAME, size, `${way}, growth of CPU with rows`, exponent, 'exponent', { atMost: 1.2 });
    };
    return [
      ...STEPS.flatMap((step) => beside('five of a thousand', 'five of five', step, 1.3)),
      growth('five of a thousand'),
      ...STEPS.flatMap((step) => beside('a thousand', 'raw a thousand', step, 2)),
      growth('a thousand'),
      ...STEPS.flatMap((step) => beside('a thousand materialized', 'raw a thousand materialized', step, 2)),
      growth('a thousand materialized'),
    ];
  },
};
