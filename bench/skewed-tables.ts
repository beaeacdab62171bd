/** Shared by the jobs of skewed keys: feature tables and frames of three sizes, each twice the one before. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { quoteLiteral } from '../engine/index.js';
import { collectDefinitions, defineEntity, defineFeatureView, parseDefinitions } from '../features/index.js';
import type { Project } from '../project/index.js';
import type { BenchContext, BenchSize } from './job.js';
import { FEATURES, filesOf, makeFilledTable, openBenchProject, SPAN_DAYS } from './world.js';

/** Rows of the tables; a frame has a tenth of them. */
export const SKEW_ROWS: Readonly<Record<BenchSize, readonly [number, number, number]>> = {
  S: [100_000, 200_000, 400_000],
  M: [1_000_000, 2_000_000, 4_000_000],
};
const FRAME_SHARE = 10;
const ROWS_PER_ENTITY = 100;
const FILES = 10;
const TTL_DAYS = 2;

/** How keys are spread, over the table and over the frame alike. */
export const SPREADS = ['uniform', 'skewed', 'few'] as const;
export type Spread = (typeof SPREADS)[number];

/** Views: one of each table, and one of the few entities' table that has no entities. */
export type SkewView = Spread | 'none';

export const tableName = (spread: Spread, rows: number): string => `${spread}_${rows}`;
export const viewName = (view: SkewView, rows: number): string => `${view}_${rows}`;
export const skewFramePath = (folder: string, spread: Spread, rows: number): string =>
  join(folder, 'warehouse/frames', `${spread}-${rows}.parquet`);
export const filesPath = (folder: string, spread: Spread, rows: number): string =>
  join(folder, `files-${spread}-${rows}.json`);

/** Key of row `n`: random, or the same for every second row, or one of a hundred. */
function keySql(spread: Spread, rows: number, salt: number): string {
  const drawn = `hash(n + ${salt}) % ${spread === 'few' ? 100 : rows / ROWS_PER_ENTITY}`;
  return spread === 'skewed' ? `CASE WHEN n % 2 = 0 THEN 0 ELSE ${drawn} END` : drawn;
}

const COLUMNS = { entity_id: 'long', event_ts: 'timestamp', created_ts: 'timestamp', ...featureTypes() };

function featureTypes(): Readonly<Record<string, string>> {
  return Object.fromEntries(FEATURES.map((name) => [name, 'double']));
}

/** Rows of one file, which has its part of the time; each is created up to an hour after its event. */
function rowsSql(spread: Spread, rows: number, file: number): string {
  const [from, to] = [(file * rows) / FILES, ((file + 1) * rows) / FILES];
  const spanMs = (SPAN_DAYS * 86_400_000) / FILES;
  const features = FEATURES.map((name, index) => `(hash(n + ${index + 2}000000000) % 1000000)::DOUBLE / 7 AS ${name}`);
  return `SELECT entity_id, event_ts, event_ts + to_microseconds((hash(n) % 3600000)::BIGINT * 1000) AS created_ts, ${FEATURES.join(', ')}
    FROM (SELECT n, (${keySql(spread, rows, 0)})::BIGINT AS entity_id, ${features.join(', ')},
      TIMESTAMP '2026-01-01' + to_microseconds((${file * spanMs} + hash(n + 1000000000) % ${spanMs})::BIGINT * 1000) AS event_ts
      FROM range(${from}, ${to}) t(n))`;
}

function frameSql(spread: Spread, rows: number): string {
  return `SELECT (${keySql(spread, rows, 20_000_000_000)})::BIGINT AS entity_id,
    TIMESTAMP '2026-01-01' + to_microseconds((hash(n + 21000000000) % ${SPAN_DAYS * 86_400_000})::BIGINT * 1000) AS event_timestamp
    FROM range(${rows / FRAME_SHARE}) t(n)`;
}

/** Makes all tables, views and frames. */
export async function prepareSkew({ dataFolder, size }: BenchContext): Promise<void> {
  const project = await openBenchProject(dataFolder);
  mkdirSync(join(dataFolder, 'warehouse/frames'), { recursive: true });
  for (const rows of SKEW_ROWS[size]) {
    for (const spread of SPREADS) {
      await makeTable(project, spread, rows);
      const files = await filesOf(project, tableName(spread, rows));
      writeFileSync(filesPath(dataFolder, spread, rows), JSON.stringify(files));
      const path = quoteLiteral(skewFramePath(dataFolder, spread, rows));
      const engine = await project.engine();
      await engine.withConnection((connection) =>
        connection.run(`COPY (${frameSql(spread, rows)}) TO ${path} (FORMAT parquet)`),
      );
    }
  }
  await registerViews(project, SKEW_ROWS[size]);
  await project.close();
}

async function makeTable(project: Project, spread: Spread, rows: number): Promise<void> {
  const selects = Array.from({ length: FILES }, (_, file) => rowsSql(spread, rows, file));
  await makeFilledTable(project, tableName(spread, rows), COLUMNS, selects);
}

async function registerViews(project: Project, sizes: readonly number[]): Promise<void> {
  const entity = defineEntity({ name: 'thing', joinKeys: ['entity_id'] });
  const views = sizes.flatMap((rows) =>
    (['uniform', 'skewed', 'few', 'none'] as const).map((view) =>
      defineFeatureView({
        name: viewName(view, rows),
        entities: view === 'none' ? [] : [entity],
        source: {
          table: `bench.${tableName(view === 'none' ? 'few' : view, rows)}`,
          timestampField: 'event_ts',
          createdTimestampField: 'created_ts',
        },
        ttl: `${TTL_DAYS}d`,
        features: FEATURES.map((feature) => ({ name: feature, type: 'double' })),
      }),
    ),
  );
  const value = collectDefinitions([entity, ...views]);
  await (await project.registry()).apply(parseDefinitions([{ value }]), {});
}
