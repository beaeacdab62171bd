/** Upserts of random keys into a table of many rows, beside raw DuckDB, which finds the same positions and writes the same rows and position deletes. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type Engine, parquetReader, quoteLiteral } from '../../engine/index.js';
import { currentSchema, currentSnapshot, type DataFile, parseSchema } from '../../iceberg/index.js';
import { localPath } from '../../locations/index.js';
import { syncPath } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import { IcebergSink, type SinkRecords } from '../../sink/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable, planFiles, type Table } from '../../tables/index.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { openBenchProject } from '../world.js';

const NAME = 'sink-upsert';
const ROWS: Readonly<Record<BenchSize, number>> = { S: 1_000_000, M: 10_000_000 };
const ROWS_OF_FILE = 500_000;
const SHARE = 0.01;
const BATCHES = 3;

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'seen', required: true, type: 'timestamptz' },
    { id: 3, name: 'device', required: false, type: 'string' },
    { id: 4, name: 'value', required: false, type: 'double' },
    { id: 5, name: 'port', required: false, type: 'int' },
  ],
});
const TABLE = { namespace: ['bench'], name: 'state' } as const;
const PROPERTIES = new Map([
  ['write.parquet.compression-codec', 'zstd'],
  ['write.parquet.compression-level', '3'],
]);

/** Keys in an order without order: the multiplier has no divisor in common with the number of rows. */
const keySql = (rows: number): string => `(n * 7368787) % ${rows}`;

/** Rows at places `n` of a relation. Each version of a row is a day later, with another value. */
const rowsSql = (rows: number, places: string, version: number): string =>
  `SELECT (${keySql(rows)})::BIGINT AS id, make_timestamptz(${1_767_225_600 + version * 86_400}000000 + n) AS seen, 'device-' || hash(n) % 5000 AS device,
    (hash(n, ${version}) % 1000000)::DOUBLE / 7 AS value, (hash(n, 3) % 224)::INTEGER AS port FROM ${places}`;

/** Rows of a batch: drawn from the whole table, other ones for each batch. */
function batchSql(rows: number, batch: number): string {
  const count = rows * SHARE;
  const drawn = `SELECT n FROM range(${rows}) t(n) ORDER BY hash(n, 99), n LIMIT ${count} OFFSET ${batch * count}`;
  return rowsSql(rows, `(${drawn})`, batch + 1);
}

const batchFile = ({ dataFolder }: BenchContext, batch: number): string =>
  join(dataFolder, 'batches', `${batch}.parquet`);

async function createTable(project: Project): Promise<Table> {
  const catalog = await project.catalog();
  await catalog.createNamespace([...TABLE.namespace]);
  await catalog.createTable(TABLE, { schema: SCHEMA, properties: PROPERTIES });
  return await loadTable(catalog, project.io, TABLE);
}

async function prepare(context: BenchContext): Promise<void> {
  mkdirSync(join(context.dataFolder, 'batches'));
  const rows = ROWS[context.size];
  const project = await openBenchProject(context.dataFolder, '4GB', [context.dataFolder]);
  const table = await createTable(project);
  await (await project.engine()).withConnection(async (connection) => {
    const files: DataFile[] = [];
    for (let from = 0; from < rows; from += ROWS_OF_FILE) {
      const select = rowsSql(rows, `range(${from}, ${Math.min(from + ROWS_OF_FILE, rows)}) t(n)`, 0);
      files.push(...(await stageRows(connection, table, { select, namePrefix: `base-${from}`, sortBy: [] })));
    }
    await commitAppend(table, { files });
    for (let batch = 0; batch < BATCHES; batch++)
      await connection.run(
        `COPY (${batchSql(rows, batch)}) TO ${quoteLiteral(batchFile(context, batch))} (FORMAT parquet)`,
      );
  });
  await project.close();
}

/** The files that every run begins with. */
async function baseFiles(context: BenchContext): Promise<readonly DataFile[]> {
  const project = await openBenchProject(context.dataFolder, '4GB', [context.dataFolder]);
  const table = await loadTable(await project.catalog(), project.io, TABLE);
  const { files } = await planFiles(table, { snapshot: currentSnapshot(table.metadata), schema: SCHEMA });
  await project.close();
  return files.map(({ file }) => file);
}

/** A batch as a source that has its rows already gives it. */
function recordsOf(context: BenchContext, batch: number): SinkRecords {
  const count = ROWS[context.size] * SHARE;
  const sql = `SELECT id, seen, device, value, port FROM ${parquetReader([localPath(batchFile(context, batch))])}`;
  const opened = { sql, rows: BigInt(count), rejected: [], close: () => Promise.resolve() };
  return { count, bytes: 40 * count, open: () => Promise.resolve(opened) };
}

/** Positions, and rows that are left, read by DuckDB alone. */
function factsSql(data: readonly string[], deletes: readonly string[]): string {
  const list = (paths: readonly string[]): string => `[${paths.map(quoteLiteral).join(', ')}]`;
  const deleted = `(SELECT parse_filename(file_path) AS f, pos FROM read_parquet(${list(deletes)}, hive_partitioning = false))`;
  const all = `(SELECT *, parse_filename(filename) AS f FROM read_parquet(${list(data)}, hive_partitioning = false, filename = true, file_row_number = true))`;
  return `SELECT count(*), sum(id), sum(epoch_us(seen)), sum(round(value * 7)::BIGINT), sum(hash(device) % 1000), sum(port),
    (SELECT count(*) FROM ${deleted}), (SELECT sum(pos) FROM ${deleted}), (SELECT sum(hash(f) % 1000) FROM ${deleted})
    FROM ${all} AS d ANTI JOIN ${deleted} AS x ON d.f = x.f AND d.file_row_number = x.pos`;
}

const factsOf = (row: readonly unknown[]): Readonly<Record<string, number>> =>
  Object.fromEntries(row.map((value, index) => [`fact${index}`, Number(value)]));

async function tableFacts(project: Project, engine: Engine): Promise<Readonly<Record<string, number>>> {
  const table = await loadTable(await project.catalog(), project.io, TABLE);
  const [snapshot, schema] = [currentSnapshot(table.metadata), currentSchema(table.metadata)];
  const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
  const deletes = new Set(
    files.flatMap(({ deletes: found }) => (found?.positions ?? []).map(({ file }) => file.filePath)),
  );
  const data = files.map(({ file }) => file.filePath);
  const [row = []] = await engine.withConnection((connection) => connection.rows(factsSql(data, [...deletes])));
  return factsOf(row);
}

/** One batch of the floor: its rows, and the positions of the rows that they replace, in files of their own. */
async function upsertRaw(
  connection: DuckDBConnection,
  batch: string,
  data: readonly string[],
  written: { readonly rows: string; readonly deletes: string },
): Promise<void> {
  const format = '(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)';
  const reader = `read_parquet([${data.map(quoteLiteral).join(', ')}], hive_partitioning = false, filename = true, file_row_number = true)`;
  const found = `SELECT s.filename AS file_path, s.file_row_number AS pos FROM ${reader} AS s JOIN batch AS b ON s.id = b.id WHERE NOT s.seen > b.seen ORDER BY ALL`;
  await connection.run(`CREATE TEMP TABLE batch AS FROM read_parquet(${quoteLiteral(batch)})`);
  await connection.run(`COPY batch TO ${quoteLiteral(written.rows)} ${format}`);
  await connection.run(`COPY (${found}) TO ${quoteLiteral(written.deletes)} ${format}`);
  await connection.run('DROP TABLE batch');
  for (const path of [written.rows, written.deletes, dirname(written.rows)]) await syncPath(path);
}

export const sinkUpsert: BenchJob = {
  name: NAME,
  title:
    'Upserts of 1 % of the rows of a table of 500,000 rows a file, keys drawn from all of them, three batches, one commit for each; floor: raw DuckDB joins the same batches with the same files and writes the same positions and rows, files synced.',
  runs: 3,
  prepare,
  variants: {
    async ours(context, measure) {
      const files = await baseFiles(context);
      const project = await openBenchProject(context.scratchFolder, '4GB', [context.dataFolder]);
      const [catalog, engine] = [await project.catalog(), await project.engine()];
      await commitAppend(await createTable(project), { files });
      const manual = { batchSize: Infinity, batchIntervalMs: Infinity };
      const upsert = { key: ['id'], order: 'seen' };
      const deps = { catalog, io: project.io, engine };
      const sink = await IcebergSink.open(deps, { table: TABLE, name: 'bench', ...manual, upsert });
      await measure(async () => {
        for (let batch = 0; batch < BATCHES; batch++) {
          await sink.writer(0).writeBatch(recordsOf(context, batch));
          await sink.flush();
        }
      });
      const found = await tableFacts(project, engine);
      await project.close();
      return found;
    },
    async floor(context, measure) {
      const data = (await baseFiles(context)).map(({ filePath }) => filePath);
      const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
      const connection = await instance.connect();
      await connection.run("SET TimeZone = 'UTC'");
      const deletes: string[] = [];
      await measure(async () => {
        for (let batch = 0; batch < BATCHES; batch++) {
          const [rows, positions] = ['rows', 'deletes'].map((kind) =>
            join(context.scratchFolder, `${kind}-${batch}.parquet`),
          ) as [string, string];
          await upsertRaw(connection, batchFile(context, batch), data, { rows, deletes: positions });
          data.push(rows);
          deletes.push(positions);
        }
      });
      const [row = []] = (await connection.runAndReadAll(factsSql(data, deletes))).getRows();
      instance.closeSync();
      return factsOf(row);
    },
  },
  figures(medians, size) {
    const { ours, floor } = medians;
    if (ours === undefined || floor === undefined) throw new Error('a variant was not measured');
    const [left, right] = [JSON.stringify(ours.extra), JSON.stringify(floor.extra)];
    if (left !== right) throw new Error(`the tables differ: ${left} and ${right}`);
    const [rows, replaced] = [ours.extra['fact0'], ours.extra['fact6']];
    if (rows !== ROWS[size] || replaced !== ROWS[size] * SHARE * BATCHES)
      throw new Error(`the table has ${rows} rows, of which ${replaced} were replaced`);
    const upserted = `CPU, ${BATCHES} batches of ${ROWS[size] * SHARE} rows into ${ROWS[size]}`;
    return [
      figure(NAME, size, upserted, ours.cpuSeconds, 's', { floor: floor.cpuSeconds, atMost: 1.5 }),
      figure(NAME, size, 'wall', ours.wallSeconds, 's', { floor: floor.wallSeconds }),
      figure(NAME, size, 'peak memory', ours.peakMb, 'MB', { floor: floor.peakMb }),
    ];
  },
};
