/** The steps of the demo, each one thing that a user of Moraine does. */

import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import {
  appendFile,
  applyDefinitions,
  getOnlineFeatures,
  type RunProgress,
  withHistoricalFeatures,
} from '../client/index.js';
import { formatTimeUs } from '../config/index.js';
import {
  type Connection,
  parquetReader,
  quoteLiteral,
  readableScanSql,
  streamSink,
  writeRows,
} from '../engine/index.js';
import { parseDefinitions } from '../features/index.js';
import { currentSchema, currentSnapshot } from '../iceberg/index.js';
import type { OnlineRequest, OnlineResponse } from '../online/index.js';
import { makeFolders } from '../processes/index.js';
import type { Project } from '../project/index.js';
import { openScan, planSource } from '../scans/index.js';
import { loadTable } from '../tables/index.js';
import { type LocalRun, startMaterialization, waitForRun } from '../workers/index.js';
import { HOURLY_SQL } from './expected.js';

/** The first read of a table of many small files fetches each of them from its store. */
const READ_TIMEOUT_MS = 300_000;

/** Rows of two airports' last hours reach the feature table late: after the first materialization. */
export const LATE_ROWS = `origin IN ('SFO', 'HNL') AND event_ts > TIMESTAMP '2001-06-30 18:00:00'`;

/** A relation over a table's current snapshot, for SQL in the project's engine, and its columns. */
export async function tableRows(project: Project, connection: Connection, name: string) {
  const { catalog, identifier } = await project.resolveTable(name);
  const table = await loadTable(catalog, project.io, identifier);
  const schema = currentSchema(table.metadata);
  const source = { table, snapshot: currentSnapshot(table.metadata) ?? null, schema };
  const { scan } = await openScan(connection, source, await planSource(source));
  return { relation: await readableScanSql(connection, { ...scan, schema }), schema };
}

/** Writes the result of SQL over a table as a Parquet file of the project's data folder. */
async function exportSql(project: Project, file: string, sql: (relation: string) => string, table: string) {
  const path = join(project.config.directory, 'data', file);
  await makeFolders(join(project.config.directory, 'data'));
  const engine = await project.engine();
  await engine.withConnection(async (connection) => {
    const { relation } = await tableRows(project, connection, table);
    await connection.run(`COPY (${sql(relation)}) TO ${quoteLiteral(path)} (FORMAT parquet)`);
  });
  return path;
}

export async function writeFlights(project: Project, file: string) {
  return appendFile(project, 'demo.flights', file, { create: true, partition: 'month(date)' });
}

/** The hourly features of every airport; the late rows go to a file of their own. */
export async function computeHourly(project: Project) {
  const onTime = await exportSql(
    project,
    'airport_hourly.parquet',
    (flights) => `SELECT * FROM (${HOURLY_SQL(flights)}) WHERE NOT (${LATE_ROWS}) ORDER BY origin, event_ts`,
    'demo.flights',
  );
  const lateFile = await exportSql(
    project,
    'late_rows.parquet',
    (flights) => `SELECT * FROM (${HOURLY_SQL(flights)}) WHERE ${LATE_ROWS} ORDER BY origin, event_ts`,
    'demo.flights',
  );
  const appended = await appendFile(project, 'demo.airport_hourly', onTime, {
    create: true,
    partition: 'month(event_ts)',
  });
  return { appended, lateFile };
}

export async function applyFile(project: Project, value: unknown, file: string) {
  return applyDefinitions(project, parseDefinitions([{ value, file }]));
}

/** Materializes a view as a workflow and waits for it. */
export async function materializeView(local: LocalRun, view: string, onProgress: (progress: RunProgress) => void) {
  const run = await startMaterialization(local, local.settings, { view });
  return waitForRun(local.client, run, { onProgress });
}

/** Reads airports online, as of a time in microseconds or now. */
export async function readOnline(
  project: Project,
  airports: readonly string[],
  nowUs?: bigint,
): Promise<OnlineResponse> {
  return readAirports(project, { service: 'departures' }, airports, nowUs);
}

/** Reads features of airports online. */
export function readAirports(
  project: Project,
  features: Pick<OnlineRequest, 'service' | 'view'>,
  airports: readonly string[],
  nowUs?: bigint,
): Promise<OnlineResponse> {
  return getOnlineFeatures(project, {
    ...features,
    entities: airports.map((origin) => ({ origin })),
    readTimeoutMs: READ_TIMEOUT_MS,
    ...(nowUs === undefined ? {} : { nowUs }),
  });
}

/** So many flights, spread over the half year, with their departure time and label. */
export async function makeFrame(project: Project, count: number): Promise<string> {
  return exportSql(
    project,
    'training_flights.parquet',
    (flights) => `
      SELECT row_number() OVER (ORDER BY hash(date, delay, distance, origin, destination), date, origin, destination, delay, distance) - 1 AS row_id,
             origin, date AS event_timestamp, delay AS label_delay
      FROM ${flights} QUALIFY row_id < ${count} ORDER BY row_id`,
    'demo.flights',
  );
}

/** The training set, written as Parquet and then as the table `demo.training_set`; its rows come back as text in the frame's order. */
export async function makeTrainingSet(project: Project, frame: string) {
  const out = join(project.config.directory, 'data', 'training_set.parquet');
  const set = await withHistoricalFeatures(
    project,
    { service: 'departures', entities: { file: frame } },
    async ({ connection, select, schema, snapshots }) => {
      const output = createWriteStream(out);
      await writeRows(connection, select, schema, 'parquet', streamSink(output));
      await finished(output.end());
      const rows = await connection.rows(
        `SELECT row_id::VARCHAR, mean_delay::VARCHAR, share_delayed::VARCHAR, longest_delay::VARCHAR, flights::VARCHAR
         FROM ${parquetReader([out])}`,
      );
      return { rows: rows as (string | null)[][], snapshots };
    },
  );
  await appendFile(project, 'demo.training_set', out, { create: true });
  return set;
}

/** One line for each airport: every value with its status. */
export function describeOnline(response: OnlineResponse, airports: readonly string[]): string[] {
  return response.rows.map((row, index) => {
    const values = row.map((value, column) => {
      const name = response.features[column]?.name ?? '';
      const shown = value.value === null ? '' : ` ${shownValue(value.value)}`;
      return `${name}${shown} ${value.status}`;
    });
    const time = row[0]?.eventTimestampUs ?? null;
    return `${airports[index] ?? ''}: ${values.join(', ')}${time === null ? '' : ` (of ${formatTimeUs(time)})`}`;
  });
}

function shownValue(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value);
}
