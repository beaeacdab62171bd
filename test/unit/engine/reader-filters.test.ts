/** Filters that reach DuckDB's reader, where it would leave out rows that they keep, or keep others: files of every writer give what their values say. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readFileLayouts, type Scan, scanSql, writeParquet } from '../../../engine/index.js';
import { bindExpression, type IcebergType, parseExpression } from '../../../iceberg/index.js';
import { type LocalPath, localPath } from '../../../locations/index.js';
import { field, type Harness, openHarness, schemaOf } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

const path = (name: string): LocalPath => localPath(join(harness.folder, name));

/** Writes a file with plain DuckDB. */
async function given(name: string, select: string, options = ''): Promise<LocalPath> {
  const sql = `COPY (${select}) TO '${path(name)}' (FORMAT parquet, FIELD_IDS {x: 1, k: 2}${options})`;
  await harness.engine.withConnection((connection) => connection.run(sql));
  return path(name);
}

/** Rows of a scan of a column `x`, and of `k` if there is one. */
async function rows(
  file: LocalPath,
  type: IcebergType,
  scan: Partial<Scan> & { readonly where?: string },
  withLayouts = true,
): Promise<unknown[][]> {
  const schema = schemaOf(field(1, 'x', type), field(2, 'k', { kind: 'int' }));
  const { where, ...rest } = scan;
  const filter = where === undefined ? {} : { filter: bindExpression(parseExpression(where), schema) };
  return await harness.engine.withConnection(async (connection) => {
    const files = [{ path: file, recordCount: 0n }];
    const layouts = withLayouts ? { layouts: await readFileLayouts(connection, [file]) } : {};
    return await connection.rows(
      `SELECT k FROM ${scanSql({ schema, files, ...rest, ...filter, ...layouts })} ORDER BY k`,
    );
  });
}

it.each([true, false])(
  'bytes that are in a Bloom filter by themselves, not as text (layouts: %s)',
  async (withLayouts) => {
    const values = "CASE WHEN range < 3 THEN '\\xFF\\x27'::BLOB ELSE '\\x00'::BLOB END";
    const file = await given(
      'bytes.parquet',
      `SELECT ${values} AS x, range::INTEGER AS k FROM range(20)`,
      ', DICTIONARY_SIZE_LIMIT 1000',
    );
    const found = (scan: Parameters<typeof rows>[2]) => rows(file, { kind: 'binary' }, scan, withLayouts);
    expect(await found({ where: "x = X'ff27'" })).toEqual([[0], [1], [2]]);
    expect(await found({ where: "x <> X'ff27' AND k < 5" })).toEqual([[3], [4]]);
    const matching = { relation: "(SELECT '\\xFF\\x27'::BLOB AS wanted)", on: [{ id: 1, column: 'wanted' }] };
    expect(await found({ matching })).toEqual([[0], [1], [2]]);
  },
);

it('NaN that the statistics of another writer leave out', async () => {
  const fixture = new URL('../../fixtures/pyarrow/nan-beside-statistics.parquet', import.meta.url);
  await copyFile(fixture, path('nan.parquet'));
  const schema = schemaOf(field(1, 'x', { kind: 'double' }));
  const found = (where: string) =>
    harness.engine.withConnection(async (connection) => {
      const files = [{ path: path('nan.parquet'), recordCount: 3n }];
      const layouts = await readFileLayouts(connection, [path('nan.parquet')]);
      const filter = bindExpression(parseExpression(where), schema);
      return await connection.rows(`SELECT x FROM ${scanSql({ schema, files, layouts, filter })} ORDER BY x`);
    });
  expect(await found('x < 10')).toEqual([[1], [5]]);
  expect(await found('x <= 5')).toEqual([[1], [5]]);
  expect(await found('isnan(x)')).toEqual([[Number.NaN]]);
});

it('values of a type that the table has widened are compared as the wider one', async () => {
  const floats = await given(
    'floats.parquet',
    'SELECT x::FLOAT AS x, k FROM (VALUES (0.1, 1), (0.7, 2), (5, 3)) AS t(x, k)',
  );
  const widened = (where: string) => rows(floats, { kind: 'double' }, { where });
  // The nearest floats are 0.100000001490116... and 0.699999988079071...
  expect(await widened('x > 0.1')).toEqual([[1], [2], [3]]);
  expect(await widened('x <= 0.1')).toEqual([]);
  expect(await widened('x = 0.1')).toEqual([]);
  expect(await widened('x < 0.7')).toEqual([[1], [2]]);
  expect(await widened('x >= 0.7')).toEqual([[3]]);
  expect(await widened('x = 5')).toEqual([[3]]);
  const dates = await given(
    'dates.parquet',
    "SELECT DATE '2024-01-01' AS x, 1 AS k UNION ALL SELECT DATE '2024-01-02', 2",
  );
  const later = (where: string) => rows(dates, { kind: 'timestamp' }, { where });
  expect(await later("x < '2024-01-01T12:00:00'")).toEqual([[1]]);
  expect(await later("x = '2024-01-01T12:00:00'")).toEqual([]);
  expect(await later("x = '2024-01-02T00:00:00'")).toEqual([[2]]);
});

it('text that its writer marked as nothing but bytes', async () => {
  const file = await given(
    'text.parquet',
    "SELECT encode(x) AS x, k FROM (VALUES ('Zürich', 1), ('it''s', 2), (NULL, 3)) AS t(x, k)",
  );
  expect(await rows(file, { kind: 'string' }, { where: "x = 'Zürich'" })).toEqual([[1]]);
  expect(await rows(file, { kind: 'string' }, { where: "x = 'it''s'" })).toEqual([[2]]);
});

it('says of a file of several row groups nothing about NaN, which may be in another one than the last', async () => {
  const schema = schemaOf(field(1, 'x', { kind: 'double' }));
  const countsOf = async (rowCount: number) => {
    const [file] = await harness.engine.withConnection((connection) =>
      writeParquet(connection, {
        select: `SELECT CASE WHEN range = 0 THEN 'nan'::DOUBLE ELSE range::DOUBLE END FROM range(${rowCount}, -1, -1) ORDER BY 1 DESC`,
        schema,
        spec: { specId: 0, fields: [] },
        folder: localPath(harness.folder),
        namePrefix: `nan-${rowCount}`,
        rowGroupRows: 2048,
      }),
    );
    return [...(file?.nanValueCounts ?? [])];
  };
  expect(await countsOf(10_000)).toEqual([]);
});
