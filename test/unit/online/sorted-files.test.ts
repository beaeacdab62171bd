/** Files of online tables are sorted by key, in row groups of at most 16,384 rows, whatever wrote them: docs/online-store.md, "Row groups". */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quoteLiteral } from '../../../engine/index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { writeOnlineBatch } from '../../../online/index.js';
import { openablePath } from '../../../scans/index.js';
import { compactDeps, filesOf } from '../../support/compaction-lab.js';
import { Lab, VIEW } from '../../support/materialization-lab.js';

const NOW_US = 1_000_000n * 1_000_000n;
const ONLINE = 'moraine_online.readings';
/** Two buckets of such a table have more rows than a row group each. */
const MANY = 40_000;
/** A write of several buckets with so few rows is one file. */
const FEW = 16_000;

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  lab.view = { ...VIEW, onlineBuckets: 2 };
  await lab.createSource();
});
afterEach(() => lab.close());

/** Keys from the largest down. */
const rowsSql = (from: number, count: number, at: number): string =>
  `SELECT ${from + count - 1} - range AS k, ${at} + range::DOUBLE AS v, make_timestamptz(${at} * 1000000) AS event_ts FROM range(${count})`;

async function run(from: number, count: number, at: number): Promise<void> {
  await lab.appendSelect(`SELECT k, event_ts, NULL::TIMESTAMPTZ, v FROM (${rowsSql(from, count, at)})`);
  await materializeDirect(lab.deps, { view: 'readings', nowUs: NOW_US });
}

async function push(from: number, count: number, at: number): Promise<void> {
  const open = () => Promise.resolve(`SELECT k, v, event_ts, NULL::TIMESTAMPTZ FROM (${rowsSql(from, count, at)})`);
  await writeOnlineBatch(lab.deps, { view: 'readings', open });
}

const compact = (strategy: 'latest' | 'binpack') =>
  compactDirect(compactDeps(lab, lab.definitions), { table: ONLINE, strategy }, { nowUs: NOW_US });

/** Checks every file. @returns how many rows files without a partition have, and those of buckets, the smallest first */
async function sortedFiles(): Promise<{ readonly shared: readonly number[]; readonly buckets: readonly number[] }> {
  const table = await lab.online();
  const files = await filesOf(table);
  await lab.engine.withConnection(async (connection) => {
    for (const { file } of files) {
      const path = quoteLiteral(await openablePath(connection, lab.io, file.filePath));
      const lag = 'lag(k) OVER (ORDER BY file_row_number)';
      const falls = `SELECT coalesce(k < ${lag}, false) AS falls FROM read_parquet(${path}, file_row_number = true)`;
      const [[rows, falling] = []] = await connection.rows(`SELECT count(*), count_if(falls) FROM (${falls})`);
      expect([Number(rows), Number(falling)]).toEqual([Number(file.recordCount), 0]);
      const [[largest] = []] = await connection.rows(`SELECT max(row_group_num_rows) FROM parquet_metadata(${path})`);
      expect(Number(largest)).toBeLessThanOrEqual(16_384);
    }
  });
  const rowsOf = (isShared: boolean): readonly number[] =>
    files
      .filter(({ spec }) => (spec.fields.length === 0) === isShared)
      .map(({ file }) => Number(file.recordCount))
      .sort((a, b) => a - b);
  return { shared: rowsOf(true), buckets: rowsOf(false) };
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

it('runs write keys that ascend', async () => {
  await run(0, MANY, 10);
  await run(0, 40, 20);
  const { shared, buckets } = await sortedFiles();
  expect(shared).toEqual([40]);
  expect([buckets.length, sum(buckets)]).toEqual([2, MANY]);
  expect(buckets[0]).toBeGreaterThan(16_384);
});

it('writes of clients have keys that ascend', async () => {
  await push(0, MANY, 10);
  await push(0, 40, 20);
  const { shared, buckets } = await sortedFiles();
  expect(shared).toEqual([40]);
  expect([buckets.length, sum(buckets)]).toEqual([2, MANY]);
  expect(buckets[0]).toBeGreaterThan(16_384);
});

it.each([
  ['latest', 2],
  ['binpack', 5],
] as const)('buckets that %s rewrites have keys that ascend', async (strategy, filesOfBucket) => {
  // What the first has alone are the last keys.
  for (let file = 0; file < filesOfBucket; file += 1) await push((filesOfBucket - file) * 100, MANY, 10 + file);
  const most = MANY + (filesOfBucket - 1) * 100;
  expect(await compact(strategy)).toMatchObject({ groups: 2, filesRemoved: 2 * filesOfBucket, filesAdded: 2 });
  const { shared, buckets } = await sortedFiles();
  // `binpack` leaves every row.
  expect([shared, sum(buckets)]).toEqual([[], strategy === 'latest' ? most : filesOfBucket * MANY]);
  expect(buckets[0]).toBeGreaterThan(16_384);
});

it.each([
  ['latest', 3],
  ['binpack', 4],
] as const)('files without a partition that %s folds have keys that ascend', async (strategy, small) => {
  await run(0, 40, 10);
  // The last are of the first keys.
  for (let file = 0; file <= small; file += 1) await push(((small - file) * FEW) / 2, FEW, 20 + file);
  await compact(strategy);
  const folded = await sortedFiles();
  expect(folded.shared).toEqual([]);
  for (const rows of folded.buckets.slice(-2)) expect(rows).toBeGreaterThan(16_384);
  for (let file = 0; file <= small; file += 1) await push(file * 30, 40, 100 + file);
  expect(await compact(strategy)).toMatchObject({ groups: 1, filesRemoved: small + 1, filesAdded: 1 });
  expect((await sortedFiles()).shared).toHaveLength(1);
});
