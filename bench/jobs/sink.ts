/** A stream of Arrow batches into a table through the sink, one commit for each, beside PyIceberg's appends of the same batches. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Table as ArrowTable, tableFromIPC, tableToIPC } from 'apache-arrow';
import { arrowRecords } from '../../client/index.js';
import { arrowTable, parquetReader } from '../../engine/index.js';
import { currentSchema, currentSnapshot, parsePartitionSpec, parseSchema } from '../../iceberg/index.js';
import type { Project } from '../../project/index.js';
import { localPathsOf } from '../../scans/index.js';
import { IcebergSink } from '../../sink/index.js';
import { loadTable, planFiles } from '../../tables/index.js';
import {
  type BenchContext,
  type BenchJob,
  type BenchSize,
  type BenchVariant,
  figure,
  type Measurement,
} from '../job.js';
import { aboveIdleMb, MIB, memoryFigure } from '../memory-above-idle.js';
import { median } from '../percentile.js';
import { runForeign } from '../python.js';
import { openBenchProject } from '../world.js';

const NAME = 'sink';
const ROWS = 10_000;
const BATCHES: Readonly<Record<BenchSize, number>> = { S: 10, M: 100 };
/** Commits of the table that grows. The first and the last of them are compared. */
const COMMITS: Readonly<Record<BenchSize, number>> = { S: 110, M: 510 };
const COMPARED = 20;
/** Commits into another table, before those that are measured: the code is warm. */
const WARM_UP = 100;
/** The longer stream has so many times the batches. */
const LONGER = 10;

const COLUMNS = {
  id: 'long',
  device: 'string',
  at: 'timestamptz',
  temperature: 'double',
  humidity: 'float',
  port: 'int',
  ok: 'boolean',
  price: 'decimal(12, 2)',
  firmware: 'string',
  payload: 'string',
} as const;
const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: Object.entries(COLUMNS).map(([name, type], index) => ({ id: index + 1, name, required: false, type })),
});
/** On both sides. */
const PROPERTIES = new Map([
  ['write.parquet.compression-codec', 'zstd'],
  ['write.parquet.compression-level', '3'],
]);
const TABLE = { namespace: ['bench'], name: 'stream' } as const;

/** Rows of a stream, ten batches a day. A hundredth of them comes a day late. */
function rowsSql(batch: number): string {
  const [from, to] = [batch * ROWS, (batch + 1) * ROWS];
  return `(SELECT n AS id, 'device-' || hash(n) % 5000 AS device,
    make_timestamptz(1767225600000000 + n * 864000 - CASE WHEN n % 100 = 0 THEN 86400000000 ELSE 0 END) AS at,
    (hash(n, 1) % 40000)::DOUBLE / 1000 AS temperature,
    CASE WHEN n % 20 <> 0 THEN ((hash(n, 2) % 1000)::DOUBLE / 10)::FLOAT END AS humidity,
    (hash(n, 3) % 224)::INTEGER AS port, n % 7 <> 0 AS ok, ((hash(n, 4) % 1000000)::DECIMAL(18, 0) / 100)::DECIMAL(12, 2) AS price,
    'v' || hash(n, 5) % 4 || '.' || hash(n, 6) % 10 AS firmware, md5(n::VARCHAR) AS payload
    FROM range(${from}, ${to}) t(n))`;
}

const fileOf = ({ dataFolder }: BenchContext, batch: number): string =>
  join(dataFolder, 'batches', `${String(batch).padStart(4, '0')}.arrow`);

async function prepare(context: BenchContext): Promise<void> {
  mkdirSync(join(context.dataFolder, 'batches'));
  const project = await openBenchProject(context.dataFolder);
  await (await project.engine()).withConnection(async (connection) => {
    for (let batch = 0; batch < BATCHES[context.size]; batch++)
      writeFileSync(fileOf(context, batch), tableToIPC(await arrowTable(connection, rowsSql(batch), SCHEMA)));
  });
  await project.close();
}

async function createTable(project: Project, name: string = TABLE.name): Promise<IcebergSink> {
  const catalog = await project.catalog();
  if (!(await catalog.namespaceExists([...TABLE.namespace]))) await catalog.createNamespace([...TABLE.namespace]);
  const identifier = { ...TABLE, name };
  const partitionSpec = parsePartitionSpec('day(at)', SCHEMA);
  await catalog.createTable(identifier, { schema: SCHEMA, partitionSpec, properties: PROPERTIES });
  const deps = { catalog, io: project.io, engine: await project.engine() };
  return await IcebergSink.open(deps, {
    table: identifier,
    name: 'bench',
    batchSize: Infinity,
    batchIntervalMs: Infinity,
  });
}

async function commit(sink: IcebergSink, batch: number, table: ArrowTable): Promise<void> {
  const from = BigInt(batch * table.numRows);
  await sink.writer(0).writeBatch(arrowRecords(table), { partition: 'stream', from, to: from + BigInt(table.numRows) });
  await sink.flush();
}

/** What a table holds, read by DuckDB alone from the files that its snapshot lists. */
async function facts(project: Project): Promise<Readonly<Record<string, number>>> {
  const table = await loadTable(await project.catalog(), project.io, TABLE);
  const snapshot = currentSnapshot(table.metadata) ?? null;
  const { files } = await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
  const paths = await localPathsOf(
    project.io,
    files.map(({ file }) => file.filePath),
  );
  const sums = `count(*), sum(id), sum(epoch_us("at")), sum(round(temperature * 1000)::BIGINT), sum(round(humidity * 10)::BIGINT), sum(port), count(*) FILTER (ok),
    sum(price * 100)::HUGEINT, sum(hash(device) % 1000), sum(hash(firmware) % 1000), sum(hash(payload) % 1000)`;
  const [row = []] = await (await project.engine()).withConnection((connection) =>
    connection.rows(`SELECT ${sums} FROM ${parquetReader(paths)}`),
  );
  const named = row.map((value, index) => [`fact${index}`, Number(value)]);
  return { ...(Object.fromEntries(named) as Record<string, number>), files: files.length };
}

/** Batches are read one by one and committed. The idle sink is open and has committed a few rows. */
function memoryOf(times: number): BenchVariant {
  return async (context, measure) => {
    const project = await openBenchProject(context.scratchFolder);
    const read = (batch: number) => tableFromIPC(readFileSync(fileOf(context, batch % BATCHES[context.size])));
    await commit(await createTable(project, 'warm'), 0, read(0).slice(0, 100));
    const opened = await createTable(project);
    const idle = process.memoryUsage().rss;
    const batches = times * BATCHES[context.size];
    await measure(async () => {
      for (let batch = 0; batch < batches; batch++) await commit(opened, batch, read(batch));
    });
    const aboveMb = aboveIdleMb(idle);
    const rows = Number(opened.metrics().committedRows);
    await project.close();
    return { rows, aboveMb, batchMb: statSync(fileOf(context, 0)).size / MIB };
  };
}

export const sink: BenchJob = {
  name: NAME,
  title:
    'Arrow batches of 10,000 rows with ten columns into a fresh table with day partitions, one commit for each, zstd level 3, files synced; floor: PyIceberg appends the same batches, zstd level 3, files synced. Memory above that of an idle sink, beside four times the bytes of a batch and 256 MB.',
  runs: 3,
  prepare,
  variants: {
    async ours(context, measure) {
      const project = await openBenchProject(context.scratchFolder);
      const tables = Array.from({ length: BATCHES[context.size] }, (_, batch) =>
        tableFromIPC(readFileSync(fileOf(context, batch))),
      );
      const opened = await createTable(project);
      await measure(async () => {
        for (const [batch, table] of tables.entries()) await commit(opened, batch, table);
      });
      const found = await facts(project);
      await project.close();
      return found;
    },
    async pyiceberg(context, measure) {
      const program = { name: 'append_batches.py', requirements: 'requirements.txt' };
      const properties = JSON.stringify(Object.fromEntries(PROPERTIES));
      const theirs = await runForeign(context, measure, program, context.scratchFolder, properties);
      const project = await openBenchProject(context.scratchFolder);
      const found = await facts(project);
      await project.close();
      return { ...theirs, ...found };
    },
    async growth(context, measure) {
      const project = await openBenchProject(context.scratchFolder);
      const table = tableFromIPC(readFileSync(fileOf(context, 0))).slice(0, 100);
      const warm = await createTable(project, 'warm');
      for (let batch = 0; batch < WARM_UP; batch++) await commit(warm, batch, table);
      const opened = await createTable(project);
      const cpuMs: number[] = [];
      await measure(async () => {
        for (let batch = 0; batch < COMMITS[context.size]; batch++) {
          const began = process.cpuUsage();
          await commit(opened, batch, table);
          const { user, system } = process.cpuUsage(began);
          cpuMs.push((user + system) / 1000);
        }
      });
      await project.close();
      return { first: median(cpuMs.slice(0, COMPARED)), last: median(cpuMs.slice(-COMPARED)) };
    },
    memory: memoryOf(1),
    longer: memoryOf(LONGER),
  },
  figures(medians, size) {
    const [ours, theirs] = [factsOf(medians['ours']), factsOf(medians['pyiceberg'])];
    if (JSON.stringify(ours) !== JSON.stringify(theirs))
      throw new Error(`the tables differ: ${JSON.stringify([ours, theirs])}`);
    const rows = BATCHES[size] * ROWS;
    if (ours[0]?.[1] !== rows) throw new Error(`the tables have not ${rows} rows`);
    const cpu = medians['ours']?.cpuSeconds ?? Number.NaN;
    const peer = medians['pyiceberg']?.extra ?? {};
    const { first = Number.NaN, last = Number.NaN } = medians['growth']?.extra ?? {};
    const { cpuSeconds = Number.NaN, wallSeconds = Number.NaN, peakMb = Number.NaN } = peer;
    const to = COMMITS[size];
    const compared = `CPU of a commit of 100 rows, median of commits ${to - COMPARED + 1} to ${to} over 1 to ${COMPARED}`;
    const above = (measured: Measurement | undefined, count: number) => {
      const { rows: found, aboveMb = Number.NaN, batchMb = Number.NaN } = measured?.extra ?? {};
      if (found !== count) throw new Error(`${found} rows were committed, not ${count}`);
      return memoryFigure(NAME, size, `${count} rows`, { aboveMb, batchMb });
    };
    return [
      figure(NAME, size, `CPU, ${rows} rows`, cpu, 's', { floor: cpuSeconds, atMost: 0.25 }),
      figure(NAME, size, 'rows per CPU second', rows / cpu, 'rows/s', { floor: rows / cpuSeconds }),
      figure(NAME, size, 'wall', medians['ours']?.wallSeconds ?? Number.NaN, 's', { floor: wallSeconds }),
      figure(NAME, size, 'peak memory', medians['ours']?.peakMb ?? Number.NaN, 'MB', { floor: peakMb }),
      figure(NAME, size, compared, last, 'ms', { floor: first, atMost: 1.5 }),
      above(medians['memory'], rows),
      above(medians['longer'], LONGER * rows),
    ];
  },
};

const factsOf = (measured: Measurement | undefined) =>
  Object.entries(measured?.extra ?? {})
    .filter(([name]) => /^(fact|files)/.test(name))
    .sort();
