/** Records of ten fields in JSON Lines, for the jobs that stream them into a table, beside DuckDB's own reader and writer. */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetReader, quoteLiteral } from '../engine/index.js';
import { currentSchema, currentSnapshot, parseSchema } from '../iceberg/index.js';
import { syncPath } from '../processes/index.js';
import type { Project } from '../project/index.js';
import { localPathsOf } from '../scans/index.js';
import { loadTable, planFiles } from '../tables/index.js';
import type { BenchContext, BenchSize } from './job.js';
import { openBenchProject } from './world.js';

export const RECORDS: Readonly<Record<BenchSize, number>> = { S: 100_000, M: 1_000_000 };

/** Types of the fields, as Iceberg and as DuckDB have them. */
const FIELDS = {
  id: ['long', 'BIGINT'],
  device: ['string', 'VARCHAR'],
  at: ['timestamptz', 'TIMESTAMPTZ'],
  temperature: ['double', 'DOUBLE'],
  humidity: ['double', 'DOUBLE'],
  port: ['int', 'INTEGER'],
  ok: ['boolean', 'BOOLEAN'],
  firmware: ['string', 'VARCHAR'],
  lat: ['double', 'DOUBLE'],
  lon: ['double', 'DOUBLE'],
} as const;
const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: Object.entries(FIELDS).map(([name, [type]], index) => ({ id: index + 1, name, required: false, type })),
});
const TABLE = { namespace: ['bench'], name: 'records' } as const;
export const RECORDS_TABLE = 'bench.records';

/** The file of a data folder. @param times how many times the records of its size it has */
export const linesOf = ({ dataFolder }: Pick<BenchContext, 'dataFolder'>, times = 1): string =>
  join(dataFolder, times === 1 ? 'records.ndjson' : `records-${times}.ndjson`);

/** A file of few records, none of which is in {@link linesOf}. */
export const fewLinesOf = ({ dataFolder }: Pick<BenchContext, 'dataFolder'>): string => join(dataFolder, 'few.ndjson');
export const FEW_RECORDS = 100;
const FEW_FROM = 1_000_000_000;

const rowsSql = (from: number, to: number): string =>
  `SELECT n AS id, 'device-' || hash(n) % 5000 AS device, strftime(make_timestamp(1767225600000000 + n * 1000000), '%Y-%m-%dT%H:%M:%S.%gZ') AS at,
    (hash(n, 1) % 40000)::DOUBLE / 1000 AS temperature, CASE WHEN n % 20 <> 0 THEN (hash(n, 2) % 1000)::DOUBLE / 10 END AS humidity,
    (hash(n, 3) % 224)::INTEGER AS port, n % 7 <> 0 AS ok, 'v' || hash(n, 5) % 4 AS firmware,
    47 + (hash(n, 6) % 1000000)::DOUBLE / 1000003 AS lat, 8 + (hash(n, 7) % 1000000)::DOUBLE / 1000003 AS lon FROM range(${from}, ${to}) t(n)`;

/** Writes the records of a size, and files of so many times as many, and of few. */
export async function writeRecords(context: BenchContext, ...times: readonly number[]): Promise<void> {
  const project = await openBenchProject(context.dataFolder, '4GB', [context.dataFolder]);
  const copy = (rows: string, file: string): string => `COPY (${rows}) TO ${quoteLiteral(file)} (FORMAT json)`;
  await (await project.engine()).withConnection(async (connection) => {
    for (const each of [1, ...times])
      await connection.run(copy(rowsSql(0, each * RECORDS[context.size]), linesOf(context, each)));
    await connection.run(copy(rowsSql(FEW_FROM, FEW_FROM + FEW_RECORDS), fewLinesOf(context)));
  });
  await project.close();
}

/** Opens a project with an empty table for the records, zstd level 3. */
export async function openRecordsProject({ scratchFolder, dataFolder }: BenchContext): Promise<Project> {
  const project = await openBenchProject(scratchFolder, '4GB', [dataFolder]);
  const catalog = await project.catalog();
  await catalog.createNamespace([...TABLE.namespace]);
  const properties = new Map([
    ['write.parquet.compression-codec', 'zstd'],
    ['write.parquet.compression-level', '3'],
  ]);
  await catalog.createTable(TABLE, { schema: SCHEMA, properties });
  return project;
}

const FACTS = `count(*), sum(id), sum(epoch_us("at")), sum(round(temperature * 1000)::BIGINT), sum(round(humidity * 10)::BIGINT), sum(port), count(*) FILTER (ok),
  sum(hash(device) % 1000), sum(hash(firmware) % 1000), sum(hash(lat) % 1000), sum(hash(lon) % 1000)`;
const factsOf = (row: readonly unknown[]): Readonly<Record<string, number>> =>
  Object.fromEntries(row.map((value, index) => [`fact${index}`, Number(value)]));

/** What the table holds, read by DuckDB alone from the files that its snapshot lists. */
export async function recordFacts(project: Project): Promise<Readonly<Record<string, number>>> {
  const table = await loadTable(await project.catalog(), project.io, TABLE);
  const snapshot = currentSnapshot(table.metadata) ?? null;
  const { files } = await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
  const locations = files.map(({ file }) => file.filePath);
  const paths = await localPathsOf(project.io, locations);
  const [row = []] = await (await project.engine()).withConnection((connection) =>
    connection.rows(`SELECT ${FACTS} FROM ${parquetReader(paths)}`),
  );
  return factsOf(row);
}

/** One COPY of DuckDB from its JSON reader with the types given, zstd level 3; the file is synced, as those of a table are. @returns what the file holds */
export async function copyRecords(
  context: BenchContext,
  measure: <T>(body: () => Promise<T>) => Promise<T>,
): Promise<Readonly<Record<string, number>>> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
  const connection = await instance.connect();
  const columns = Object.entries(FIELDS).map(([name, [, type]]) => `"${name}": ${quoteLiteral(type)}`);
  const reader = `read_json(${quoteLiteral(linesOf(context))}, format = 'newline_delimited', columns = {${columns.join(', ')}})`;
  const file = join(context.scratchFolder, 'out.parquet');
  const target = quoteLiteral(file);
  await connection.run("SET TimeZone = 'UTC'");
  await measure(async () => {
    await connection.run(`COPY (FROM ${reader}) TO ${target} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)`);
    await syncPath(file);
  });
  const [row = []] = (await connection.runAndReadAll(`SELECT ${FACTS} FROM read_parquet(${target})`)).getRows();
  instance.closeSync();
  return factsOf(row);
}

/** @throws if a table does not hold what the other one does, or not so many records */
export function requireSameRecords(
  ours: Readonly<Record<string, number>> | undefined,
  theirs: Readonly<Record<string, number>> | undefined,
  size: BenchSize,
): void {
  const [left, right] = [ours, theirs].map((all) =>
    JSON.stringify(Object.entries(all ?? {}).filter(([name]) => name.startsWith('fact'))),
  );
  if (left !== right) throw new Error(`the tables differ: ${left} and ${right}`);
  if (ours?.['fact0'] !== RECORDS[size]) throw new Error(`the table has not ${RECORDS[size]} records`);
}
