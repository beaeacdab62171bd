/** Compaction of many small files and of fewer larger ones, commit included, beside raw DuckDB and beside Spark. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetReader, quoteLiteral } from '../../engine/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { compactDeps } from '../../project/index.js';
import { loadTable } from '../../tables/index.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { compactBySpark, showToHadoopCatalog } from '../spark.js';
import { filesOf, makeTable, openBenchProject } from '../world.js';

const NAME = 'compact';
const MAX_PEAK_MB = 1000;
const MAX_OVER_RAW = 1.5;

/** Files and rows of each at size M; a tenth of the files at size S. Ours over Spark's time at most. */
const TABLES = {
  small: { files: 1000, rowsPerFile: 1000, overSpark: 0.2 },
  large: { files: 200, rowsPerFile: 100_000, overSpark: 0.5 },
} as const;
type TableName = keyof typeof TABLES;
const TABLE_NAMES = Object.keys(TABLES) as TableName[];
/** The table that Spark compacts first, unmeasured. */
const WARM_UP = { name: 'warm', files: 200, rowsPerFile: 1000 };
const DIVISOR: Readonly<Record<BenchSize, number>> = { S: 10, M: 1 };

const identifierOf = (name: string) => ({ namespace: ['bench'], name });

/** Runs a body that writes into a table's folder, and removes what it has written there, so that the next one finds the same. */
async function leavingNothing<T>(context: BenchContext, names: readonly string[], body: () => Promise<T>): Promise<T> {
  const folders = names.flatMap((name) =>
    ['data', 'metadata'].map((part) => join(context.dataFolder, 'warehouse/bench', name, part)),
  );
  const before = new Set(folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file))));
  try {
    return await body();
  } finally {
    for (const folder of folders) {
      for (const file of readdirSync(folder)) {
        const path = join(folder, file);
        if (!before.has(path)) rmSync(path, { recursive: true });
      }
    }
  }
}

/** Compacts under a catalog of this process alone, to which the table as it was made is registered. */
const compactByUs =
  (name: TableName): BenchJob['variants'][string] =>
  async (context, measure) => {
    const made = await openBenchProject(context.dataFolder);
    const { metadataLocation } = await loadTable(await made.catalog(), made.io, identifierOf(name));
    const project = await openBenchProject(context.scratchFolder, '800MB', [context.dataFolder]);
    const catalog = await project.catalog();
    await catalog.createNamespace(['bench']);
    await catalog.registerTable(identifierOf(name), metadataLocation);
    const deps = await compactDeps(project);
    const request = { table: `bench.${name}`, strategy: 'binpack' as const };
    const result = await leavingNothing(context, [name], () => measure(() => compactDirect(deps, request)));
    await made.close();
    await project.close();
    return { removed: result.filesRemoved, rows: Number(result.rows) };
  };

const compactByDuckDb =
  (name: TableName): BenchJob['variants'][string] =>
  async (context, measure) => {
    const project = await openBenchProject(context.dataFolder);
    const files = await filesOf(project, name);
    await project.close();
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '800MB' });
    const connection = await instance.connect();
    const target = quoteLiteral(join(context.scratchFolder, 'compacted.parquet'));
    await measure(() =>
      connection.run(`COPY (SELECT * FROM ${parquetReader(files)}) TO ${target} (FORMAT parquet, COMPRESSION zstd)`),
    );
    connection.closeSync();
    return { removed: files.length };
  };

const compactWithSpark =
  (name: TableName): BenchJob['variants'][string] =>
  (context, measure) =>
    leavingNothing(context, [WARM_UP.name, name], async () => {
      const project = await openBenchProject(context.dataFolder);
      for (const shown of [WARM_UP.name, name]) {
        await showToHadoopCatalog(await loadTable(await project.catalog(), project.io, identifierOf(shown)));
      }
      await project.close();
      const tables = [WARM_UP.name, name].map((table) => `bench.${table}`);
      const measured = await measure(() => compactBySpark(context, join(context.dataFolder, 'warehouse'), tables));
      return { ...measured };
    });

export const compact: BenchJob = {
  name: NAME,
  title: 'Rewriting files as fewer larger ones; floors: raw DuckDB on the same files, and Spark in a warm JVM.',
  runs: 3,
  async prepare(context) {
    const project = await openBenchProject(context.dataFolder);
    const tables = [WARM_UP, ...TABLE_NAMES.map((name) => ({ name, ...TABLES[name] }))];
    for (const { name, files, rowsPerFile } of tables) {
      const count = files / DIVISOR[context.size];
      const rows = count * rowsPerFile;
      await makeTable(project, name, { rows, entities: rows, files: count });
    }
    await project.close();
  },
  variants: Object.fromEntries(
    TABLE_NAMES.flatMap((name) => [
      [`ours ${name}`, compactByUs(name)],
      [`raw ${name}`, compactByDuckDb(name)],
      [`spark ${name}`, compactWithSpark(name)],
    ]),
  ),
  figures(medians, size) {
    return TABLE_NAMES.flatMap((name) => {
      const [ours, raw, spark] = ['ours', 'raw', 'spark'].map((who) => medians[`${who} ${name}`]);
      if (ours === undefined || raw === undefined || spark === undefined) throw new Error('a variant was not measured');
      const { rowsPerFile, overSpark } = TABLES[name];
      const files = TABLES[name].files / DIVISOR[size];
      if (ours.extra['removed'] !== files || spark.extra['count'] !== files) throw new Error('files were left out');
      const { cpuSeconds = Number.NaN, wallSeconds = Number.NaN, peakMb = Number.NaN } = spark.extra;
      const what = `${files} files of ${rowsPerFile} rows`;
      return [
        figure(NAME, size, `${what}, CPU over raw`, ours.cpuSeconds, 's', {
          floor: raw.cpuSeconds,
          atMost: MAX_OVER_RAW,
        }),
        figure(NAME, size, `${what}, wall over raw`, ours.wallSeconds, 's', { floor: raw.wallSeconds }),
        figure(NAME, size, `${what}, wall over Spark`, ours.wallSeconds, 's', {
          floor: wallSeconds,
          atMost: overSpark,
        }),
        figure(NAME, size, `${what}, CPU over Spark`, ours.cpuSeconds, 's', { floor: cpuSeconds }),
        figure(NAME, size, `${what}, peak memory`, ours.peakMb, 'MB', { atMost: MAX_PEAK_MB }),
        figure(NAME, size, `${what}, peak memory of Spark`, peakMb, 'MB'),
      ];
    });
  },
};
