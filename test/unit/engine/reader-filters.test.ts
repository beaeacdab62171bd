/** Filters that reach DuckDB's reader, where it would leave out rows that they keep, or keep others: files of every writer give what their values say. */
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkFiles, readFileLayouts, type Scan, scanSql, writeParquet } from '../../../engine/index.js';
import { changed, listOf, structOf } from '../../../engine/parquet/thrift-fields.js';
import { readThrift, type ThriftStruct, writeThrift } from '../../../engine/parquet/thrift-tree.js';
import { bindExpression, type IcebergType, parseExpression, type Schema } from '../../../iceberg/index.js';
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

/** The column `k` of the rows of a file that a condition keeps. */
async function kept(file: LocalPath, schema: Schema, where: string, withLayouts = true): Promise<unknown[]> {
  const filter = bindExpression(parseExpression(where), schema);
  return await harness.engine.withConnection(async (connection) => {
    const { size } = await stat(file);
    const checked = [{ path: file, fileSizeInBytes: BigInt(size) }];
    const layouts = withLayouts ? { layouts: await checkFiles(connection, checked) } : {};
    const scan = { schema, files: [{ path: file, recordCount: 0n }], filter, ...layouts };
    return (await connection.rows(`SELECT k FROM ${scanSql(scan)} ORDER BY k`)).flat();
  });
}

describe('inside of structs', () => {
  const struct = (type: IcebergType): IcebergType => ({ kind: 'struct', fields: [field(11, 'a', type)] });
  const schemaFor = (type: IcebergType, name = 'x') =>
    schemaOf(field(1, name, struct(type)), field(2, 'k', { kind: 'int' }), field(3, 'f', { kind: 'double' }));

  /** Writes `select` with a struct `x` that has a field `a`; `f` is narrower than in the table, so that columns are renamed in the reader. */
  async function givenStruct(name: string, select: string): Promise<LocalPath> {
    const ids = 'FIELD_IDS {x: {__duckdb_field_id: 1, a: 11}, k: 2, f: 3}, DICTIONARY_SIZE_LIMIT 1000';
    const sql = `COPY (SELECT *, 1::FLOAT AS f FROM (${select})) TO '${path(name)}' (FORMAT parquet, ${ids})`;
    await harness.engine.withConnection((connection) => connection.run(sql));
    return path(name);
  }

  it.each([true, false])('bytes are found by themselves in a Bloom filter (layouts: %s)', async (withLayouts) => {
    const bytes = "CASE WHEN range < 3 THEN '\\xFF\\x27'::BLOB ELSE '\\x00'::BLOB END";
    const file = await givenStruct(
      'struct-bytes.parquet',
      `SELECT {'a': ${bytes}} AS x, range::INTEGER AS k FROM range(20)`,
    );
    expect(await kept(file, schemaFor({ kind: 'binary' }), "x.a = X'ff27'", withLayouts)).toEqual([0, 1, 2]);
    const missing = schemaOf(field(1, 'x', struct({ kind: 'binary' })), field(2, 'k', { kind: 'int' }));
    expect(await kept(file, missing, "x.a = X'ff27'", withLayouts)).toEqual([0, 1, 2]);
  });

  it('values that are wider in the table are compared as the wider ones', async () => {
    const floats = await givenStruct(
      'struct-floats.parquet',
      "SELECT {'a': a::FLOAT} AS x, k FROM (VALUES (0.1, 1), (0.7, 2), (5, 3)) AS t(a, k)",
    );
    const doubles = schemaFor({ kind: 'double' });
    // The nearest floats are 0.100000001490116... and 0.699999988079071...
    expect(await kept(floats, doubles, 'x.a > 0.1')).toEqual([1, 2, 3]);
    expect(await kept(floats, doubles, 'x.a <= 0.1')).toEqual([]);
    expect(await kept(floats, doubles, 'x.a < 0.7')).toEqual([1, 2]);
    const dates = await givenStruct(
      'struct-dates.parquet',
      "SELECT {'a': DATE '2024-01-01'} AS x, 1 AS k UNION ALL SELECT {'a': DATE '2024-01-02'}, 2",
    );
    const times = schemaFor({ kind: 'timestamp' });
    expect(await kept(dates, times, "x.a < '2024-01-01T12:00:00'")).toEqual([1]);
    expect(await kept(dates, times, "x.a = '2024-01-01T12:00:00'")).toEqual([]);
    expect(await kept(dates, times, "x.a = '2024-01-02T00:00:00'")).toEqual([2]);
  });

  it('structs that are null stay null', async () => {
    const file = await givenStruct(
      'struct-null.parquet',
      "SELECT CASE WHEN range > 0 THEN {'a': '\\x01'::BLOB} END AS x, range::INTEGER AS k FROM range(3)",
    );
    expect(await kept(file, schemaFor({ kind: 'binary' }), 'x IS NULL')).toEqual([0]);
    expect(await kept(file, schemaFor({ kind: 'binary' }), 'x.a IS NULL')).toEqual([0]);
  });
});

it('a time in nanoseconds that an imported file has in a column of microseconds is compared as it is read', async () => {
  const file = await given('nanoseconds.parquet', "SELECT '2024-01-01 00:00:00.000001234'::TIMESTAMP_NS AS x, 1 AS k");
  const schema = schemaOf(field(1, 'x', { kind: 'timestamp' }), field(2, 'k', { kind: 'int' }));
  expect(await kept(file, schema, "x = '2024-01-01T00:00:00.000001'")).toEqual([1]);
});

it('a time of day in nanoseconds that an imported file has is compared as it is read', async () => {
  const file = await given('time-ns.parquet', "SELECT '01:00:00.000000001'::TIME_NS AS x, 1 AS k");
  const schema = schemaOf(field(1, 'x', { kind: 'time' }), field(2, 'k', { kind: 'int' }));
  expect(await kept(file, schema, "x = '01:00:00'")).toEqual([1]);
  expect(await kept(file, schema, "x > '01:00:00'")).toEqual([]);
});

it('zeros of both signs are equal, whichever a Bloom filter has', async () => {
  const file = await given(
    'zeros.parquet',
    "SELECT CASE WHEN range < 2 THEN '-0.0'::DOUBLE ELSE 1 END AS x, range::INTEGER AS k FROM range(20)",
    ', DICTIONARY_SIZE_LIMIT 1000',
  );
  const schema = schemaOf(field(1, 'x', { kind: 'double' }), field(2, 'k', { kind: 'int' }));
  expect(await kept(file, schema, 'x = 0')).toEqual([0, 1]);
  expect(await kept(file, schema, 'x = -0.0')).toEqual([0, 1]);
  expect(await kept(file, schema, 'x IN (0, 7)')).toEqual([0, 1]);
});

describe('bounds in the order of signed bytes, as parquet-mr wrote them before 1.10', () => {
  const META = { groups: 4, columns: 1, meta: 3, statistics: 12 } as const;
  const bytes = (value: Buffer) => ({ kind: 'bytes', type: 8, bytes: value }) as const;

  /** Gives the first column chunk of a file the deprecated bounds alone: parquet.thrift, Statistics, `max` (1) and `min` (2). */
  async function withOldBounds(file: LocalPath, min: Buffer, max: Buffer): Promise<LocalPath> {
    const content = await readFile(file);
    const start = content.length - 8 - content.readUInt32LE(content.length - 8);
    const footer = readThrift(content.subarray(start)).struct;
    const groups = listOf(footer, META.groups);
    const [group] = groups.items as [ThriftStruct];
    const columns = listOf(group, META.columns);
    const [chunk, ...others] = columns.items as [ThriftStruct, ...ThriftStruct[]];
    const meta = structOf(chunk, META.meta) as ThriftStruct;
    const statistics = changed(structOf(meta, META.statistics) as ThriftStruct, [
      ...[1, 2, 5, 6, 7, 8].map((id) => [id, undefined] as const),
      [1, bytes(max)],
      [2, bytes(min)],
    ]);
    const edited = changed(chunk, [[META.meta, changed(meta, [[META.statistics, statistics]])]]);
    const items = [changed(group, [[META.columns, { ...columns, items: [edited, ...others] }]])];
    const tail = writeThrift(changed(footer, [[META.groups, { ...groups, items }]]));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(tail.length);
    await writeFile(file, Buffer.concat([content.subarray(0, start), tail, length, Buffer.from('PAR1')]));
    return file;
  }

  const text = (value: string): Buffer => Buffer.from(value);

  it('of text', async () => {
    const select = "SELECT x, k FROM (VALUES ('Ärger', 1), ('b', 2)) AS t(x, k)";
    const file = await withOldBounds(await given('signed-text.parquet', select), text('Ärger'), text('b'));
    const schema = schemaOf(field(1, 'x', { kind: 'string' }), field(2, 'k', { kind: 'int' }));
    expect(await kept(file, schema, "x = 'Ärger'")).toEqual([1]);
    expect(await kept(file, schema, "x LIKE 'Ä%'")).toEqual([1]);
    expect(await kept(file, schema, "x IN ('b', 'Ärger') AND x <> 'b'")).toEqual([1]);
    expect(await kept(file, schema, "x >= 'a'")).toEqual([1, 2]);
  });

  it('of decimals', async () => {
    const select = 'SELECT x::DECIMAL(20, 2) AS x, k FROM (VALUES (1.00, 1), (2.00, 2), (2.56, 3)) AS t(x, k)';
    // The last bytes are 0x0064, 0x00c8 and 0x0100: signed, the one of 2.00 is the least.
    const unscaled = (...last: number[]): Buffer => Buffer.concat([Buffer.alloc(14), Buffer.of(...last)]);
    const file = await withOldBounds(await given('signed-decimal.parquet', select), unscaled(0, 200), unscaled(1, 0));
    const schema = schemaOf(
      field(1, 'x', { kind: 'decimal', precision: 20, scale: 2 }),
      field(2, 'k', { kind: 'int' }),
    );
    expect(await kept(file, schema, 'x = 2.00')).toEqual([2]);
    expect(await kept(file, schema, 'x > 1.50')).toEqual([2, 3]);
    expect(await kept(file, schema, 'x <= 1.00')).toEqual([1]);
  });

  it('of text inside of a struct', async () => {
    const ids = 'FIELD_IDS {x: {__duckdb_field_id: 1, a: 11}, k: 2}';
    const select = "SELECT {'a': a} AS x, k FROM (VALUES ('Ärger', 1), ('b', 2)) AS t(a, k)";
    const name = path('signed-struct.parquet');
    await harness.engine.withConnection((connection) =>
      connection.run(`COPY (${select}) TO '${name}' (FORMAT parquet, ${ids})`),
    );
    const file = await withOldBounds(name, text('Ärger'), text('b'));
    const struct: IcebergType = { kind: 'struct', fields: [field(11, 'a', { kind: 'string' })] };
    const schema = schemaOf(field(1, 'x', struct), field(2, 'k', { kind: 'int' }));
    expect(await kept(file, schema, "x.a = 'Ärger'")).toEqual([1]);
  });
});
