import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Connection,
  quoteLiteral,
  scanSql,
  sqlLiteral,
  transformSql,
  writeParquet,
} from '../../../engine/index.js';
import {
  applyTransform,
  type DataFile,
  deserializeValue,
  type NestedField,
  type PartitionSpec,
  type PrimitiveType,
  type PrimitiveValue,
  parseTransform,
  type Schema,
} from '../../../iceberg/index.js';
import { localPath } from '../../../locations/index.js';
import { field, type Harness, openHarness, schemaOf } from './harness.js';

let harness: Harness;
let attempt = 0;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

const UNPARTITIONED: PartitionSpec = { specId: 0, fields: [] };

function specOf(...fields: [sourceId: number, transform: string][]): PartitionSpec {
  return {
    specId: 7,
    fields: fields.map(([sourceId, transform], index) => ({
      sourceId,
      fieldId: 1000 + index,
      name: `p${index}`,
      transform: parseTransform(transform),
    })),
  };
}

interface Written {
  readonly files: DataFile[];
  readonly folder: string;
  readonly rows: (sql: string) => Promise<unknown[][]>;
}

async function write(
  select: string,
  schema: Schema,
  spec: PartitionSpec,
  options: { sortBy?: readonly number[]; targetFileBytes?: number; collected?: 'first' | 'already' } = {},
): Promise<Written> {
  attempt += 1;
  const folder = localPath(join(harness.folder, `attempt-${attempt}`));
  await mkdir(folder);
  const files = await harness.engine.withConnection((connection) =>
    writeParquet(connection, { select, schema, spec, folder, namePrefix: 'a1', ...options }),
  );
  const rows = (sql: string): Promise<unknown[][]> => harness.engine.withConnection((c: Connection) => c.rows(sql));
  return { files, folder, rows };
}

/** Bounds as values. */
function bounds(schema: Schema, file: DataFile, id: number): [PrimitiveValue | undefined, PrimitiveValue | undefined] {
  const type = schema.fields.find((candidate) => candidate.id === id)?.type as PrimitiveType;
  const [lower, upper] = [file.lowerBounds?.get(id), file.upperBounds?.get(id)];
  return [lower && deserializeValue(type, lower), upper && deserializeValue(type, upper)];
}

describe('transforms in SQL', () => {
  const longs = [0n, 1n, -1n, 34n, 9223372036854775807n, -9223372036854775808n, 4294967296n, -4294967297n];
  const micros = [
    0n,
    -1n,
    1n,
    1510871468000000n,
    -86400000000n,
    -86400000001n,
    -62135596800000000n,
    253402300800000000n,
  ];
  const cases: [PrimitiveType, string[], PrimitiveValue[]][] = [
    [{ kind: 'int' }, ['bucket[16]', 'truncate[10]', 'identity'], [0, 1, -1, 34, -11, 2147483647, -2147483648]],
    [{ kind: 'long' }, ['bucket[16]', 'truncate[10]'], longs],
    [{ kind: 'date' }, ['bucket[16]', 'year', 'month', 'day'], [0, 17486, -1, -365, -366, -719162, 2932897]],
    [{ kind: 'time' }, ['bucket[16]'], [0n, 81068000000n, 86399999999n]],
    [{ kind: 'timestamp' }, ['bucket[16]', 'year', 'month', 'day', 'hour'], micros],
    [{ kind: 'timestamptz' }, ['bucket[16]', 'year', 'month', 'day', 'hour'], micros],
    [
      { kind: 'timestamp_ns' },
      ['bucket[16]', 'year', 'month', 'day', 'hour'],
      [0n, -1n, -1000n, -1001n, 1510871468000001001n],
    ],
    [{ kind: 'string' }, ['bucket[16]', 'truncate[3]'], ['', 'iceberg', 'a😀bcd', 'é'.repeat(50), "it's", 'x\0y']],
    [
      { kind: 'binary' },
      ['bucket[16]', 'truncate[3]'],
      [new Uint8Array(), Uint8Array.of(0, 1, 2, 3), new Uint8Array(40).fill(255)],
    ],
    [{ kind: 'fixed', length: 4 }, ['bucket[16]'], [Uint8Array.of(0, 1, 2, 3)]],
    [
      { kind: 'uuid' },
      ['bucket[16]'],
      ['f79c3e09-677c-4bbd-a479-3f349cb785e7', '00000000-0000-0000-0000-000000000000'],
    ],
    [
      { kind: 'decimal', precision: 9, scale: 2 },
      ['bucket[16]', 'truncate[50]'],
      [1420n, -1n, 0n, 1065n, -1065n, 999999999n],
    ],
    [
      { kind: 'decimal', precision: 38, scale: 0 },
      ['bucket[16]'],
      [99999999999999999999999999999999999999n, -128n, 128n],
    ],
    [{ kind: 'decimal', precision: 4, scale: 4 }, ['bucket[16]', 'truncate[10]'], [5n, -5n, 9999n]],
  ];

  it.each(cases)(
    '%o agree with the specification’s transforms, and give null for null',
    async (type, transforms, values) => {
      for (const text of transforms) {
        const transform = parseTransform(text);
        const sql = (literal: string): string => transformSql(transform, type, `(${literal})`);
        const list = values.map((value) => `hex_or_text(${sql(sqlLiteral(type, value))})`);
        const [row = []] = await harness.engine.withConnection(async (connection) => {
          await connection.run(
            `CREATE TEMP MACRO hex_or_text(x) AS CASE WHEN typeof(x) = 'BLOB' THEN hex(x::BLOB) ELSE x::VARCHAR END`,
          );
          return await connection.rows(`SELECT ${list.join(', ')}, ${sql(`NULL::${sqlTypeOf(type)}`)} IS NULL`);
        });
        const expected = values.map((value) => {
          const result = applyTransform(transform, type, value);
          return result instanceof Uint8Array ? Buffer.from(result).toString('hex').toUpperCase() : String(result);
        });
        expect([text, ...row]).toEqual([text, ...expected, true]);
      }
    },
  );
});

const sqlTypeOf = (type: PrimitiveType): string =>
  type.kind === 'decimal'
    ? `DECIMAL(${type.precision},${type.scale})`
    : {
        int: 'INTEGER',
        long: 'BIGINT',
        date: 'DATE',
        time: 'TIME',
        timestamp: 'TIMESTAMP',
        timestamptz: 'TIMESTAMPTZ',
        timestamp_ns: 'TIMESTAMP_NS',
        string: 'VARCHAR',
        binary: 'BLOB',
        fixed: 'BLOB',
        uuid: 'UUID',
      }[type.kind as 'int'];

describe('a data file entry', () => {
  it('has exact counts and bounds', async () => {
    const schema = schemaOf(
      field(1, 'l', { kind: 'long' }),
      field(2, 'f', { kind: 'double' }),
      field(3, 't', { kind: 'string' }),
      field(4, 'd', { kind: 'decimal', precision: 20, scale: 2 }),
      field(5, 'ts', { kind: 'timestamptz' }),
      field(6, 'day', { kind: 'date' }),
      field(7, 'b', { kind: 'binary' }),
      field(8, 'u', { kind: 'uuid' }),
      field(9, 'tm', { kind: 'time' }),
      field(10, 'z', { kind: 'float' }),
      field(11, 'ok', { kind: 'boolean' }),
      field(12, 'nothing', { kind: 'int' }),
      field(13, 'ns', { kind: 'timestamp_ns' }),
    );
    const { files } = await write(
      `SELECT * FROM (VALUES
        (-5, 1.5, 'zzzzzzzzzzzzzzzzz', -1.25, TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', DATE '0044-03-15 (BC)', '\\xff'::BLOB,
          '00000000-0000-0000-0000-000000000001'::UUID, TIME '00:00:00.000001', '-0.0'::FLOAT, true, NULL, '1969-12-31 23:59:59.999999999'::TIMESTAMP_NS),
        (9223372036854775807, 'nan'::DOUBLE, 'ab', 123456789012345678.90, TIMESTAMPTZ '12000-01-01 00:00:00+00', DATE '2001-01-01', ''::BLOB,
          'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID, TIME '23:59:59.5', 0, false, NULL, '2001-01-01 00:00:00'::TIMESTAMP_NS),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))`,
      schema,
      UNPARTITIONED,
    );
    const [file] = files as [DataFile];
    expect([files.length, file.recordCount, file.partition, file.specId]).toEqual([1, 3n, [], 0]);
    expect([...(file.valueCounts ?? [])].sort(([a], [b]) => a - b)).toEqual(schema.fields.map(({ id }) => [id, 3n]));
    expect(schema.fields.map(({ id }) => file.nullValueCounts?.get(id))).toEqual([
      1n,
      1n,
      1n,
      1n,
      1n,
      1n,
      1n,
      1n,
      1n,
      1n,
      1n,
      3n,
      1n,
    ]);
    // How many NaN there are is not known for column 2, so nothing is said.
    expect([...(file.nanValueCounts ?? [])]).toEqual([[10, 0n]]);
    expect(bounds(schema, file, 1)).toEqual([-5n, 9223372036854775807n]);
    expect(bounds(schema, file, 2)).toEqual([1.5, 1.5]);
    expect(bounds(schema, file, 3)).toEqual(['ab', `${'z'.repeat(15)}{`]);
    expect(bounds(schema, file, 4)).toEqual([-125n, 12345678901234567890n]);
    expect(bounds(schema, file, 5)).toEqual([-1n, BigInt(Date.UTC(12000, 0, 1)) * 1000n]);
    expect(bounds(schema, file, 6)).toEqual([-735160, 11323]);
    expect(bounds(schema, file, 7)).toEqual([new Uint8Array(), Uint8Array.of(255)]);
    expect(bounds(schema, file, 8)).toEqual([
      '00000000-0000-0000-0000-000000000001',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    ]);
    expect(bounds(schema, file, 9)).toEqual([1n, 86399500000n]);
    expect(bounds(schema, file, 10)).toEqual([-0, 0]);
    expect(bounds(schema, file, 11)).toEqual([false, true]);
    expect(bounds(schema, file, 12)).toEqual([undefined, undefined]);
    expect(bounds(schema, file, 13)).toEqual([-1n, 978307200000000000n]);
  });

  it('has no upper bound where no short one exists, and never half a character', async () => {
    const schema = schemaOf(
      field(1, 'b', { kind: 'binary' }),
      field(2, 't', { kind: 'string' }),
      field(3, 's', { kind: 'string' }),
    );
    const { files } = await write(
      `SELECT unhex(repeat('ff', 20)), repeat(chr(1114111), 20), repeat(chr(55295), 17)`,
      schema,
      UNPARTITIONED,
    );
    const [file] = files as [DataFile];
    expect(bounds(schema, file, 1)).toEqual([new Uint8Array(16).fill(255), undefined]);
    expect(bounds(schema, file, 2)).toEqual(['\u{10ffff}'.repeat(16), undefined]);
    expect(bounds(schema, file, 3)).toEqual(['\ud7ff'.repeat(16), `${'\ud7ff'.repeat(15)}\ue000`]);
  });

  it('has the metrics of fields inside structs, and no bounds inside lists and maps', async () => {
    const schema = schemaOf(
      field(1, 'a.b', { kind: 'struct', fields: [field(2, 'x"y', { kind: 'int' })] }),
      field(3, 'l', { kind: 'list', elementId: 4, elementRequired: false, element: { kind: 'int' } }),
    );
    const { files } = await write(`SELECT {'x"y': 7}, [1, NULL, 3]`, schema, UNPARTITIONED);
    const [file] = files as [DataFile];
    expect(file.lowerBounds).toEqual(new Map([[2, Uint8Array.of(7, 0, 0, 0)]]));
    expect([file.valueCounts?.get(4), file.nullValueCounts?.get(4)]).toEqual([3n, 1n]);
  });
});

describe('partitions', () => {
  it('makes one flat file for each tuple, whatever the values', async () => {
    const hostile = [
      '../../etc',
      'a/b',
      "it's",
      '',
      '=%2F',
      'x'.repeat(300),
      `${'x'.repeat(300)}y`,
      '\n*?[',
      '__HIVE_DEFAULT_PARTITION__',
      'v',
    ];
    const values = [...hostile.map(quoteLiteral), 'NULL'].map(
      (text, index) => `(${text}, DATE '1969-12-31' + ${index % 2}, ${index}::BIGINT)`,
    );
    const schema = schemaOf(
      field(1, 'name', { kind: 'string' }),
      field(2, 'day', { kind: 'date' }),
      field(3, 'n', { kind: 'long' }),
    );
    const { files, folder } = await write(
      `FROM (VALUES ${values.join(', ')})`,
      schema,
      specOf([1, 'identity'], [2, 'month'], [2, 'identity']),
    );
    const expected = [...hostile, null].map((name, index) => [
      name,
      index % 2 === 0 ? -1 : 0,
      index % 2 === 0 ? -1 : 0,
    ]);
    const sorted = (tuples: unknown[]): string[] => tuples.map((tuple) => JSON.stringify(tuple)).sort();
    expect(sorted(files.map((file) => file.partition as unknown[]))).toEqual(sorted(expected));
    expect((await readdir(folder)).sort()).toEqual(files.map((_, index) => `a1-${index}.parquet`).sort());
  });

  it('keeps every kind of identity value', async () => {
    const schema = schemaOf(
      field(1, 'bo', { kind: 'boolean' }),
      field(2, 'de', { kind: 'decimal', precision: 4, scale: 4 }),
      field(3, 'ts', { kind: 'timestamptz' }),
      field(4, 'bi', { kind: 'binary' }),
      field(5, 'uu', { kind: 'uuid' }),
      field(6, 'do', { kind: 'double' }),
      field(7, 'ti', { kind: 'time' }),
      field(8, 's', { kind: 'struct', fields: [field(9, 'in', { kind: 'long' })] }),
    );
    const { files } = await write(
      `SELECT true, -0.05, TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', unhex(repeat('ab', 100)), 'f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID, 0.1::DOUBLE, TIME '00:00:01', {'in': 5}
       UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL`,
      schema,
      specOf(
        [1, 'identity'],
        [2, 'truncate[10]'],
        [3, 'hour'],
        [3, 'identity'],
        [4, 'identity'],
        [5, 'identity'],
        [6, 'identity'],
        [7, 'identity'],
        [9, 'identity'],
        [1, 'void'],
      ),
    );
    const tuples = files.map((file) => file.partition).sort((a, b) => Number(a[0] === null) - Number(b[0] === null));
    expect(tuples).toEqual([
      [
        true,
        -500n,
        -1,
        -1n,
        new Uint8Array(100).fill(0xab),
        'f79c3e09-677c-4bbd-a479-3f349cb785e7',
        0.1,
        1_000_000n,
        5n,
        null,
      ],
      [null, null, null, null, null, null, null, null, null, null],
    ]);
  });

  it('makes no file of no rows, and leaves nothing of a failed attempt', async () => {
    const schema = schemaOf(field(1, 'a', { kind: 'int' }));
    for (const spec of [UNPARTITIONED, specOf([1, 'bucket[4]'])]) {
      const { files, folder } = await write('SELECT 1 WHERE false', schema, spec);
      expect([files, await readdir(folder)]).toEqual([[], []]);
    }
    await expect(
      write(
        `SELECT CASE WHEN range = 90000 THEN 'x' ELSE '1' END FROM range(100000)`,
        schema,
        specOf([1, 'bucket[4]']),
      ),
    ).rejects.toMatchObject({ code: 'TYPE_MISMATCH' });
    expect(await readdir(join(harness.folder, `attempt-${attempt}`))).toEqual([]);
  });

  it('writes columns that differ only by case, and reads them back by id', async () => {
    const schema = schemaOf(
      field(1, 'Id', { kind: 'int' }),
      field(2, 'ID', { kind: 'int' }),
      field(3, 'p0', { kind: 'int' }),
    );
    const { files, rows } = await write('SELECT 1, 2, 3', schema, specOf([2, 'identity']));
    const scan = scanSql({
      schema,
      naming: 'id',
      files: files.map((file) => ({ path: localPath(file.filePath), recordCount: file.recordCount })),
    });
    expect(await rows(`SELECT c1, c2, c3 FROM ${scan}`)).toEqual([[1, 2, 3]]);
  });

  it('refuses, at any depth, the types that DuckDB cannot write, and says what to do', async () => {
    const struct: NestedField['type'] = { kind: 'struct', fields: [field(3, 'f', { kind: 'fixed', length: 2 })] };
    const list: NestedField['type'] = { kind: 'list', elementId: 4, element: struct, elementRequired: false };
    for (const [type, path] of [
      [{ kind: 'fixed', length: 2 }, 'c'],
      [struct, 'c.f'],
      [list, 'c.element.f'],
      [{ kind: 'unknown' }, 'c'],
    ] as const) {
      await expect(write('SELECT NULL', schemaOf(field(1, 'c', type)), UNPARTITIONED)).rejects.toMatchObject({
        code: 'UNSUPPORTED_FEATURE',
        details: { column: path },
      });
    }
  });

  it('splits unpartitioned rows at the target size', async () => {
    const schema = schemaOf(field(1, 'h', { kind: 'long' }));
    const { files } = await write('SELECT (hash(range) // 2)::BIGINT FROM range(1000000)', schema, UNPARTITIONED, {
      targetFileBytes: 2_000_000,
    });
    expect(files.length).toBeGreaterThan(1);
    expect(files.reduce((sum, file) => sum + file.recordCount, 0n)).toBe(1_000_000n);
  });

  it.each([
    ['as they come', 'bucket[2]', {}],
    ['collected first', 'identity', { collected: 'first' }],
    ['in groups of partitions', 'bucket[100]', { collected: 'first' }],
  ] as const)('splits large partitions at the target size, rows %s', async (_, transform, options) => {
    const struct = { kind: 'struct', fields: [field(9, 'x', { kind: 'double' })] } as const;
    const schema = schemaOf(
      field(1, 'k', { kind: 'long' }),
      // Names that the statements use themselves.
      field(2, 'place', { kind: 'string' }, true),
      field(3, 'part', { kind: 'uuid' }),
      field(4, 'd', { kind: 'decimal', precision: 20, scale: 3 }),
      field(5, 't', { kind: 'time' }),
      field(6, 'at', { kind: 'timestamptz' }),
      field(7, 'ns', { kind: 'timestamp_ns' }),
      field(8, 's', struct),
      field(10, 'n', { kind: 'long' }),
    );
    // Of the key 0 are 40,000 rows, of each other one and of null a few; the text does not compress.
    const source = `SELECT CASE WHEN i % 5 < 4 THEN 0 WHEN i % 10000 = 4 THEN NULL ELSE i % 100 END::BIGINT AS k, sha256(i::VARCHAR) AS place,
      md5(i::VARCHAR)::UUID AS part, (i / 7)::DECIMAL(20, 3) AS d, TIME '01:02:03.456789' AS t, to_timestamp(i) AS "at", make_timestamp_ns(i * 1001) AS ns,
      {'x': CASE WHEN i % 3 = 0 THEN NULL ELSE -0.5 * i END::DOUBLE} AS s, CASE WHEN i % 4 = 0 THEN NULL ELSE i END AS n FROM range(50000) r(i)`;
    const target = 500_000;
    const { files, folder, rows } = await write(source, schema, specOf([1, transform]), {
      targetFileBytes: target,
      ...options,
    });
    expect((await readdir(folder)).sort()).toEqual(files.map(({ filePath }) => basename(filePath)).sort());
    const partitionOf = (file: DataFile): string => String(file.partition[0]);
    const alike = (file: DataFile): DataFile[] => files.filter((other) => partitionOf(other) === partitionOf(file));
    const several = files.filter((file) => alike(file).length > 1);
    expect(Math.max(...several.map((file) => alike(file).length))).toBeGreaterThan(3);
    for (const { fileSizeInBytes } of several) expect(Number(fileSizeInBytes)).toBeLessThan(1.1 * target);
    const path = ({ filePath }: DataFile): string =>
      `read_parquet(${quoteLiteral(filePath)}, hive_partitioning = false)`;
    const sums = (from: string): string =>
      `SELECT count(*), sum(hash(k, place, part, d, t, "at"::VARCHAR, ns, s, n))::VARCHAR FROM ${from}`;
    const all = files.map((file) => `FROM ${path(file)}`).join(' UNION ALL ');
    expect(await rows(sums(`(${all})`))).toEqual(await rows(sums(`(${source})`)));
    for (const file of files) {
      expect(file.fileSizeInBytes).toBe(BigInt((await stat(file.filePath)).size));
      const [found = []] = await rows(
        `SELECT count(*), count(*) FILTER (n IS NULL), min(n), max(n), min(k), max(k) FROM ${path(file)}`,
      );
      const ends = [...bounds(schema, file, 10), ...bounds(schema, file, 1)].map((value) => value ?? null);
      expect([file.recordCount, file.nullValueCounts?.get(10), ...ends]).toEqual(found);
      const keys = await rows(`SELECT DISTINCT k FROM ${path(file)}`);
      const { type } = field(1, 'k', { kind: 'long' });
      const tuples = keys.map(([k]) =>
        k === null ? null : applyTransform(parseTransform(transform), type as PrimitiveType, k as bigint),
      );
      expect(new Set(tuples)).toEqual(new Set(file.partition));
    }
  });

  it('makes one sorted file for each of 256 buckets at 5 M rows', async () => {
    const schema = schemaOf(field(1, 'k', { kind: 'long' }, true), field(2, 'n', { kind: 'long' }));
    const source = 'SELECT (hash(range) // 4)::BIGINT AS k, range AS n FROM range(5000000)';
    const { files, rows } = await write(source, schema, specOf([1, 'bucket[256]']), { sortBy: [1] });
    expect(files.length).toBe(256);
    expect(new Set(files.map((file) => file.partition[0])).size).toBe(256);
    const paths = files.map((file) => quoteLiteral(file.filePath)).join(', ');
    const inverted = `SELECT count(*) FROM (SELECT f = lag(f) OVER () AND k < lag(k) OVER () AS bad FROM (SELECT k, filename AS f FROM read_parquet([${paths}], filename = true))) WHERE bad`;
    expect(await rows(inverted)).toEqual([[0n]]);
    const sums = 'count(*), sum(n)::VARCHAR, bit_xor((k % 1000003) * 31 + n)';
    expect(await rows(`SELECT ${sums} FROM read_parquet([${paths}])`)).toEqual(
      await rows(`SELECT ${sums} FROM (${source})`),
    );
  });

  it('keeps small buckets sorted too, by several keys with nulls', async () => {
    const schema = schemaOf(field(1, 'k', { kind: 'string' }), field(2, 'n', { kind: 'int' }));
    const source = `SELECT CASE WHEN range % 50 = 0 THEN NULL ELSE (hash(range) % 3000)::VARCHAR END, (range % 7)::INTEGER FROM range(20000)`;
    const { files, rows } = await write(source, schema, specOf([1, 'bucket[64]']), { sortBy: [1, 2] });
    for (const file of files) {
      const path = quoteLiteral(file.filePath);
      const [inFile, sorted] = await Promise.all([
        rows(`SELECT list(struct_pack(k, n)) FROM (SELECT k, n FROM read_parquet(${path}))`),
        rows(`SELECT list(struct_pack(k, n) ORDER BY k ASC NULLS LAST, n ASC NULLS LAST) FROM read_parquet(${path})`),
      ]);
      expect(inFile).toEqual(sorted);
    }
    expect(files.reduce((sum, file) => sum + file.recordCount, 0n)).toBe(20_000n);
  });
});

describe('collected rows', () => {
  const schema = schemaOf(
    field(1, 'k', { kind: 'string' }),
    field(2, 'n', { kind: 'int' }),
    field(3, 'x', { kind: 'double' }),
  );
  /** Rows of as many partitions, one of them null, which take turns; every third row has a negative zero. */
  const rowsOf = (partitions: number, each: number): string =>
    `SELECT CASE WHEN range % ${partitions} > 0 THEN 'k' || (range % ${partitions}) END AS k, (hash(range) % 1000)::INTEGER AS n,
      CASE WHEN range % 3 = 0 THEN '-0'::DOUBLE ELSE range END AS x FROM range(${partitions * each})`;

  it.each([
    ['first', 3, {}],
    ['already', 64, {}],
    ['already', 65, {}],
    ['first', 65, { sortBy: [2] }],
    ['already', 300, { sortBy: [2] }],
  ] as const)(
    '%s, of %d partitions become one file for each, sorted if asked',
    async (collected, partitions, order) => {
      const source = rowsOf(partitions, 200);
      const { files, rows } = await write(source, schema, specOf([1, 'identity']), { collected, ...order });
      const expected = Array.from({ length: partitions }, (_, index) => `${index === 0 ? null : `k${index}`} 200`);
      expect(files.map((file) => `${file.partition[0] as string | null} ${file.recordCount}`).sort()).toEqual(
        expected.sort(),
      );
      const paths = files.map((file) => quoteLiteral(file.filePath)).join(', ');
      const read = `read_parquet([${paths}], filename = true, hive_partitioning = false)`;
      const sums = 'count(*), sum(hash(k, n, x, signbit(x)))::VARCHAR';
      expect(await rows(`SELECT ${sums} FROM ${read}`)).toEqual(await rows(`SELECT ${sums} FROM (${source})`));
      expect(await rows(`SELECT count(*) FROM (SELECT DISTINCT filename, k FROM ${read})`)).toEqual([
        [BigInt(partitions)],
      ]);
      const inverted = `SELECT count(*) FROM (SELECT f = lag(f) OVER () AND n < lag(n) OVER () AS bad FROM (SELECT n, filename AS f FROM ${read})) WHERE bad`;
      const [[count] = []] = await rows(inverted);
      expect(count === 0n).toBe('sortBy' in order);
    },
  );
});

describe('zeros of both signs', () => {
  const rows = 6000;
  /** Every third row is 0, every third -0, the rest 1.5: few values, so that the writer makes dictionaries of them. */
  const zeros = (type: string): string =>
    `SELECT range::INTEGER AS id, CASE range % 3 WHEN 0 THEN 0 WHEN 1 THEN '-0'::${type} ELSE 1.5 END::${type} AS v FROM range(${rows})`;
  const signs = `count(*) FILTER (v = 0 AND NOT signbit(v)), count(*) FILTER (v = 0 AND signbit(v)), count(*) FILTER (v = 1.5),
    count(*) FILTER (signbit(v) <> (id % 3 = 1))`;
  const third = BigInt(rows / 3);

  it.each([
    ['double', 'one file', UNPARTITIONED, {}],
    ['float', 'one file', UNPARTITIONED, {}],
    ['double', 'sorted rows', UNPARTITIONED, { sortBy: [2] }],
    ['double', 'sorted partitions', specOf([1, 'bucket[4]']), { sortBy: [1] }],
    ['double', 'rows collected first', specOf([1, 'bucket[4]']), { sortBy: [1], collected: 'first' }],
    ['double', 'files of a size', UNPARTITIONED, { targetFileBytes: 1_000_000 }],
  ] as const)('are kept as %s in %s', async (kind, _name, spec, options) => {
    const schema = schemaOf(field(1, 'id', { kind: 'int' }), field(2, 'v', { kind }));
    const { files, folder, rows: read } = await write(zeros(kind.toUpperCase()), schema, spec, options);
    expect(await read(`SELECT ${signs} FROM read_parquet('${folder}/*.parquet')`)).toEqual([[third, third, third, 0n]]);
    expect(files.reduce((sum, file) => sum + file.recordCount, 0n)).toBe(BigInt(rows));
    expect((await readdir(folder)).sort()).toEqual(files.map(({ filePath }) => basename(filePath)).sort());
  });

  it('are kept inside lists, maps and structs', async () => {
    const double = { kind: 'double' } as const;
    const schema = schemaOf(
      field(1, 'id', { kind: 'int' }),
      field(2, 'l', { kind: 'list', elementId: 3, elementRequired: false, element: double }),
      field(4, 's', { kind: 'struct', fields: [field(5, 'x', double)] }),
      field(6, 'm', {
        kind: 'map',
        keyId: 7,
        key: { kind: 'string' },
        valueId: 8,
        valueRequired: false,
        value: double,
      }),
    );
    const select = `SELECT id, [v, v], {'x': v}, MAP {'k': v} FROM (${zeros('DOUBLE')})`;
    const { folder, rows: read } = await write(select, schema, UNPARTITIONED);
    for (const value of ['l[2]', 's.x', `m['k']`]) {
      const found = `SELECT id, ${value} AS v FROM read_parquet('${folder}/*.parquet')`;
      expect(await read(`SELECT ${signs} FROM (${found})`), value).toEqual([[third, third, third, 0n]]);
    }
  });

  it('leave dictionaries where all zeros are positive', async () => {
    const schema = schemaOf(field(1, 'id', { kind: 'int' }), field(2, 'v', { kind: 'double' }));
    const { folder, rows: read } = await write(`SELECT id, abs(v) FROM (${zeros('DOUBLE')})`, schema, UNPARTITIONED);
    const encodings = `SELECT encodings FROM parquet_metadata('${folder}/*.parquet') WHERE path_in_schema = 'v'`;
    expect(String(await read(encodings))).toContain('DICTIONARY');
  });

  it('do not hide what else is wrong with a value', async () => {
    const schema = schemaOf(field(1, 'id', { kind: 'int' }), field(2, 'v', { kind: 'double' }));
    const wrong = `SELECT id, CASE WHEN id = 5000 THEN 'no number' ELSE v::VARCHAR END FROM (${zeros('DOUBLE')})`;
    await expect(write(wrong, schema, UNPARTITIONED)).rejects.toMatchObject({ code: 'TYPE_MISMATCH' });
    expect(await readdir(join(harness.folder, `attempt-${attempt}`))).toEqual([]);
  });
});
