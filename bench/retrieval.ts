/** Shared by the jobs of point-in-time retrieval: a feature table, entity frames, our retrieval, and raw statements over the same files. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type HistoricalFeaturesRequest, withHistoricalFeatures } from '../client/index.js';
import { parquetReader, quoteLiteral } from '../engine/index.js';
import type { Project } from '../project/index.js';
import { makePositionDeletes, makeVectors } from './deletes.js';
import type { BenchContext, BenchSize } from './job.js';
import {
  FEATURES,
  type FeatureTableShape,
  filesOf,
  makeFeatureTable,
  openBenchProject,
  registerView,
  SPAN_DAYS,
} from './world.js';

/** Name of the data folder; see `BenchJob.data`. */
export const RETRIEVAL_DATA = 'retrieval';
/** The view and its table. */
export const VIEW = 'plain';
/** Views of tables with the same data files and one row in fifty deleted, by the kind of their deletes. */
export const DELETED_VIEWS = ['position', 'vector'] as const;

const SHAPES: Readonly<Record<BenchSize, FeatureTableShape>> = {
  S: { rows: 500_000, entities: 10_000, files: 10, ttlDays: 2, tieEvery: 100, inTimeOrder: true },
  M: { rows: 10_000_000, entities: 100_000, files: 60, ttlDays: 2, tieEvery: 100, inTimeOrder: true },
};

/** Entity frames: their rows at size M (a twentieth at size S), and the days at the table's end that their times are of. */
const FRAMES = {
  '1k of a day': { rows: 1000, days: 1 },
  '1k': { rows: 1000, days: SPAN_DAYS },
  '10k of a day': { rows: 10_000, days: 1 },
  '10k': { rows: 10_000, days: SPAN_DAYS },
  '100k': { rows: 100_000, days: SPAN_DAYS },
  '1m': { rows: 1_000_000, days: SPAN_DAYS },
} as const;
export type FrameName = keyof typeof FRAMES;
const FRAME_DIVISOR: Readonly<Record<BenchSize, number>> = { S: 20, M: 1 };

export const frameRows = (size: BenchSize, frame: FrameName): number => FRAMES[frame].rows / FRAME_DIVISOR[size];
export const framePath = (folder: string, frame: FrameName): string =>
  join(folder, 'warehouse/frames', `${frame}.parquet`);

type Measure = <T>(body: () => Promise<T>) => Promise<T>;

/** Makes the feature table, its copies with deletes, and the frames. */
export async function prepareRetrieval(context: BenchContext): Promise<void> {
  const { dataFolder, size } = context;
  const project = await openBenchProject(dataFolder);
  await makeFeatureTable(project, VIEW, SHAPES[size]);
  writeFileSync(join(dataFolder, 'files.json'), JSON.stringify(await filesOf(project, VIEW)));
  await makePositionDeletes(project, { name: 'position', of: VIEW });
  await makeVectors(project, { name: 'vector', of: VIEW });
  for (const view of DELETED_VIEWS) await registerView(project, view, SHAPES[size].ttlDays);
  mkdirSync(join(dataFolder, 'warehouse/frames'));
  const engine = await project.engine();
  await engine.withConnection(async (connection) => {
    for (const [name, { days }] of Object.entries(FRAMES)) {
      const frame = name as FrameName;
      const rows = frameSql(SHAPES[size], frameRows(size, frame), days);
      await connection.run(`COPY (${rows}) TO ${quoteLiteral(framePath(dataFolder, frame))} (FORMAT parquet)`);
    }
  });
  await project.close();
}

/** Random entities, of which one in a hundred is unknown, at random times of the table's last days. */
function frameSql({ entities }: FeatureTableShape, rows: number, days: number): string {
  return `SELECT (hash(n + 20000000000) % ${Math.ceil(entities * 1.01)})::BIGINT AS entity_id,
    TIMESTAMP '2026-01-01' + to_days(${SPAN_DAYS - days}) +
      to_microseconds((hash(n + 21000000000) % ${days * 86_400_000})::BIGINT * 1000) AS event_timestamp,
    n::DOUBLE AS label FROM range(${rows}) t(n)`;
}

/** Retrieves all eight features for a frame and writes the answer as one Parquet file. */
export async function retrieve(
  context: BenchContext,
  measure: Measure,
  options: { readonly frame: FrameName; readonly view?: string; readonly memoryLimit?: string },
): Promise<Readonly<Record<string, number>>> {
  const { frame, view = VIEW } = options;
  const project = await openBenchProject(context.dataFolder, options.memoryLimit);
  await project.engine();
  const request = { features: [view], entities: { file: framePath(context.dataFolder, frame) } };
  const rows = await measure(() => writeAnswer(project, request));
  await project.close();
  return { rows };
}

/** Retrieves features and writes the answer as one Parquet file. @returns its rows */
export async function writeAnswer(project: Project, request: HistoricalFeaturesRequest): Promise<number> {
  return await withHistoricalFeatures(project, request, async ({ connection, select, rowCount }) => {
    const answer = quoteLiteral(join(connection.tempDirectory, 'answer.parquet'));
    await connection.run(`COPY (${select}) TO ${answer} (FORMAT parquet, COMPRESSION zstd)`);
    return rowCount;
  });
}

/**
 * Runs a statement of raw DuckDB over the table's files, with its result written as one Parquet file.
 * @param list a file with the paths, as JSON
 */
export async function runRaw(
  context: BenchContext,
  measure: Measure,
  select: (files: string) => string,
  list = join(context.dataFolder, 'files.json'),
): Promise<undefined> {
  const files = JSON.parse(readFileSync(list, 'utf8')) as string[];
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
  const connection = await instance.connect();
  const answer = quoteLiteral(join(context.scratchFolder, 'answer.parquet'));
  const statement = select(parquetReader(files));
  await measure(() => connection.run(`COPY (${statement}) TO ${answer} (FORMAT parquet, COMPRESSION zstd)`));
  instance.closeSync();
  return undefined;
}

/** The join that everybody writes by hand: which of several rows of one time wins is left open, rows never expire, and the order is any. */
export function asofSql(frame: string, files: string, features: readonly string[] = FEATURES): string {
  return `SELECT e.*, ${features.map((name) => `f.${name}`).join(', ')} FROM ${parquetReader([frame])} AS e
    ASOF LEFT JOIN ${files} AS f ON e.entity_id = f.entity_id AND e.event_timestamp >= f.event_ts`;
}

/** Reads every value of the table and keeps nothing. */
export function readAllSql(files: string): string {
  return `SELECT ${['entity_id', 'event_ts', ...FEATURES].map((name) => `max(${name}) AS ${name}`).join(', ')} FROM ${files}`;
}
