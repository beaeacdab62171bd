/** Reading a table with thousands of position-delete files, beside the anti join that everybody writes by hand; each size is twice the one before. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetReader, readableScanSql } from '../../engine/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { loadTable } from '../../tables/index.js';
import { makeManyPositionDeletes } from '../deletes.js';
import { type BenchJob, type BenchSize, type BenchVariant, type Figure, figure, type Measurement } from '../job.js';
import { FEATURES, type FeatureTableShape, filesOf, makeTable, openBenchProject } from '../world.js';

const NAME = 'position-deletes';
const DATA_FILES = 100;
const SHAPES: Readonly<Record<BenchSize, FeatureTableShape>> = {
  S: { rows: 500_000, entities: 10_000, files: DATA_FILES },
  M: { rows: 5_000_000, entities: 100_000, files: DATA_FILES },
};
/** How many delete files there are; each has a row for every data file. */
const COUNTS = [1000, 2000, 4000] as const;
type Count = (typeof COUNTS)[number];

const TABLE = 'without_deletes';
const nameOf = (count: Count): string => `deletes_${count}`;
const listPath = (folder: string, name: string): string => join(folder, `${name}.json`);
const readList = (folder: string, name: string): string[] =>
  JSON.parse(readFileSync(listPath(folder, name), 'utf8')) as string[];

/** Reads every value of the live rows, and counts them. */
const readAllSql = (relation: string): string =>
  `SELECT count(*), ${['entity_id', 'event_ts', ...FEATURES].map((name) => `max(${name})`).join(', ')} FROM ${relation}`;

function ours(count: Count): BenchVariant {
  return async ({ dataFolder }, measure) => {
    const project = await openBenchProject(dataFolder);
    const catalog = await project.catalog();
    const engine = await project.engine();
    const read = async (): Promise<number> => {
      const table = await loadTable(catalog, project.io, { namespace: ['bench'], name: nameOf(count) });
      const schema = currentSchema(table.metadata);
      const source = { table, snapshot: currentSnapshot(table.metadata) ?? null, schema };
      const plan = await planSource(source);
      return await engine.withConnection(async (connection) => {
        const { scan } = await openScan(connection, source, plan);
        const [row] = await connection.rows(readAllSql(await readableScanSql(connection, { ...scan, schema })));
        return Number(row?.[0]);
      });
    };
    const rows = await measure(read);
    await project.close();
    return { rows };
  };
}

function raw(count: Count): BenchVariant {
  return async ({ dataFolder }, measure) => {
    const [data, deletes] = [readList(dataFolder, TABLE), readList(dataFolder, nameOf(count))];
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
    const connection = await instance.connect();
    const live = `(SELECT * FROM ${parquetReader(data)} AS r
      ANTI JOIN ${parquetReader(deletes)} AS d ON r.filename = d.file_path AND r.file_row_number = d.pos)`;
    const [row] = await measure(async () => (await connection.runAndReadAll(readAllSql(live))).getRows());
    instance.closeSync();
    return { rows: Number(row?.[0]) };
  };
}

const variantName = (way: 'ours' | 'raw', count: Count): string => `${way}, ${count} delete files`;

export const positionDeletes: BenchJob = {
  name: NAME,
  title:
    'Every value of a table with position-delete files, each of them with rows for 100 data files; floor: one raw anti join with the delete files.',
  runs: 3,
  prepare: async ({ dataFolder, size }) => {
    const project = await openBenchProject(dataFolder);
    await makeTable(project, TABLE, SHAPES[size]);
    writeFileSync(listPath(dataFolder, TABLE), JSON.stringify(await filesOf(project, TABLE)));
    for (const count of COUNTS) {
      const paths = await makeManyPositionDeletes(project, { name: nameOf(count), of: TABLE }, count);
      writeFileSync(listPath(dataFolder, nameOf(count)), JSON.stringify(paths));
    }
    await project.close();
  },
  variants: Object.fromEntries(
    COUNTS.flatMap((count) => [
      [variantName('ours', count), ours(count)],
      [variantName('raw', count), raw(count)],
    ]),
  ),
  figures(medians, size) {
    const of = (way: 'ours' | 'raw', count: Count): Measurement => {
      const median = medians[variantName(way, count)];
      if (median === undefined) throw new Error('a variant was not measured');
      return median;
    };
    const beside = (count: Count): readonly Figure[] => {
      const [measured, floor] = [of('ours', count), of('raw', count)];
      if (measured.extra['rows'] !== floor.extra['rows']) throw new Error(`${count} delete files: other rows than raw`);
      const what = `${count} delete files of ${DATA_FILES} data files`;
      return [
        figure(NAME, size, `${what}, CPU`, measured.cpuSeconds, 's', { floor: floor.cpuSeconds, atMost: 4 }),
        figure(NAME, size, `${what}, wall`, measured.wallSeconds, 's', { floor: floor.wallSeconds }),
        figure(NAME, size, `${what}, peak memory`, measured.peakMb, 'MB', { floor: floor.peakMb, atMost: 2 }),
      ];
    };
    const [fewest, , most] = COUNTS;
    const exponent = Math.log(of('ours', most).cpuSeconds / of('ours', fewest).cpuSeconds) / Math.log(most / fewest);
    return [
      ...COUNTS.flatMap(beside),
      figure(NAME, size, 'growth of CPU with delete files', exponent, 'exponent', { atMost: 1.2 }),
    ];
  },
};
