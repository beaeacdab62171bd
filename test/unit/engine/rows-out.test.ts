import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ByteSink, quoteLiteral, type RowFormat, writeRows } from '../../../engine/index.js';
import type { IcebergType, Schema } from '../../../iceberg/index.js';
import { field, type Harness, MemorySink, openHarness, schemaOf } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

async function write(sql: string, schema: Schema, format: RowFormat = 'jsonl'): Promise<MemorySink> {
  const sink = new MemorySink();
  await harness.engine.withConnection((connection) => writeRows(connection, sql, schema, format, sink));
  return sink;
}

async function jsonOf(type: IcebergType, sql: string): Promise<string> {
  const sink = await write(`SELECT ${sql}`, schemaOf(field(1, 'v', type)));
  return sink.text.slice('{"v":'.length, -'}\n'.length);
}

describe('JSON Lines', () => {
  const cases: [string, IcebergType, string, string][] = [
    ['null', { kind: 'long' }, 'NULL', 'null'],
    ['a boolean', { kind: 'boolean' }, 'true', 'true'],
    ['the largest long', { kind: 'long' }, '9223372036854775807', '9223372036854775807'],
    ['the smallest long', { kind: 'long' }, '-9223372036854775808', '-9223372036854775808'],
    [
      'a wide decimal',
      { kind: 'decimal', precision: 38, scale: 2 },
      "'123456789012345678901234567890123456.78'",
      '123456789012345678901234567890123456.78',
    ],
    ['a small negative decimal', { kind: 'decimal', precision: 4, scale: 4 }, "'-0.0500'", '-0.0500'],
    [
      'a decimal without fraction',
      { kind: 'decimal', precision: 20, scale: 0 },
      "'18446744073709551615'",
      '18446744073709551615',
    ],
    ['a float', { kind: 'float' }, '0.1::FLOAT', '0.1'],
    ['a double', { kind: 'double' }, '0.1::DOUBLE + 0.2::DOUBLE', '0.30000000000000004'],
    ['NaN', { kind: 'double' }, "'nan'::DOUBLE", '"NaN"'],
    ['infinity', { kind: 'float' }, "'inf'::FLOAT", '"Infinity"'],
    ['minus infinity', { kind: 'double' }, "'-inf'::DOUBLE", '"-Infinity"'],
    ['a date', { kind: 'date' }, "DATE '1969-12-31'", '"1969-12-31"'],
    ['a date before year 1', { kind: 'date' }, "DATE '0044-03-15 (BC)'", '"-0043-03-15"'],
    ['1 BC', { kind: 'date' }, "DATE '0001-03-15 (BC)'", '"0000-03-15"'],
    ['a date beyond 9999', { kind: 'date' }, "DATE '12000-01-02'", '"+12000-01-02"'],
    ['a time', { kind: 'time' }, "TIME '01:02:03'", '"01:02:03.000000"'],
    ['a time with a fraction', { kind: 'time' }, "TIME '23:59:59.1234'", '"23:59:59.123400"'],
    ['a timestamp', { kind: 'timestamp' }, "TIMESTAMP '1969-12-31 23:59:59.999999'", '"1969-12-31T23:59:59.999999"'],
    [
      'a timestamp of a whole second',
      { kind: 'timestamp' },
      "TIMESTAMP '0999-01-01 00:00:00'",
      '"0999-01-01T00:00:00.000000"',
    ],
    [
      'a timestamp beyond 9999',
      { kind: 'timestamp' },
      "TIMESTAMP '10000-01-01 00:00:00'",
      '"+10000-01-01T00:00:00.000000"',
    ],
    [
      'a timestamp before year 1',
      { kind: 'timestamp' },
      "TIMESTAMP '0044-03-15 (BC) 01:02:03.5'",
      '"-0043-03-15T01:02:03.500000"',
    ],
    [
      'a zoned timestamp',
      { kind: 'timestamptz' },
      "TIMESTAMPTZ '2001-02-03 04:05:06+02'",
      '"2001-02-03T02:05:06.000000Z"',
    ],
    [
      'nanoseconds',
      { kind: 'timestamp_ns' },
      "'1969-12-31 23:59:59.999999999'::TIMESTAMP_NS",
      '"1969-12-31T23:59:59.999999999"',
    ],
    [
      'zoned nanoseconds',
      { kind: 'timestamptz_ns' },
      "'2001-02-03 04:05:06.000000007'::TIMESTAMP_NS",
      '"2001-02-03T04:05:06.000000007Z"',
    ],
    ['bytes', { kind: 'binary' }, "'\\x00\\xAB\\xff'::BLOB", '"00abff"'],
    [
      'a uuid',
      { kind: 'uuid' },
      "'F79C3E09-677C-4BBD-A479-3F349CB785E7'::UUID",
      '"f79c3e09-677c-4bbd-a479-3f349cb785e7"',
    ],
    [
      'an empty list',
      { kind: 'list', elementId: 2, elementRequired: false, element: { kind: 'int' } },
      '[]::INTEGER[]',
      '[]',
    ],
    [
      'a list with null',
      { kind: 'list', elementId: 2, elementRequired: false, element: { kind: 'string' } },
      "['a\"', NULL]",
      '["a\\"",null]',
    ],
    [
      'a map',
      { kind: 'map', keyId: 2, key: { kind: 'string' }, valueId: 3, valueRequired: false, value: { kind: 'long' } },
      "MAP {'k': 1, '__proto__': NULL}",
      '[["k",1],["__proto__",null]]',
    ],
    [
      'nested lists',
      {
        kind: 'list',
        elementId: 2,
        elementRequired: false,
        element: { kind: 'list', elementId: 3, elementRequired: false, element: { kind: 'double' } },
      },
      "[[1.5, 'nan'::DOUBLE], NULL, []]",
      '[[1.5,"NaN"],null,[]]',
    ],
    [
      'a struct',
      { kind: 'struct', fields: [field(2, '__proto__', { kind: 'int' }), field(3, 'q"\n', { kind: 'date' })] },
      `{'__proto__': 7, 'q"\n': NULL}`,
      '{"__proto__":7,"q\\"\\n":null}',
    ],
    ['a null struct', { kind: 'struct', fields: [field(2, 'a', { kind: 'int' })] }, 'NULL', 'null'],
  ];
  it.each(cases)('%s', async (_name, type, sql, expected) => {
    expect(await jsonOf(type, sql)).toBe(expected);
  });

  it('keeps any text: what JSON.parse gives back is what was stored', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        expect(JSON.parse(await jsonOf({ kind: 'string' }, quoteLiteral(value)))).toBe(value);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps any double', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), async (value) => {
        const text = Object.is(value, -0) ? '-0.0' : String(value);
        expect(Object.is(JSON.parse(await jsonOf({ kind: 'double' }, `'${text}'::DOUBLE`)), value)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('names columns as the schema does, also hostile ones and ones that differ only by case', async () => {
    const names = ['Id', 'ID', '__proto__', 'quote"d', 'new\nline', 'a.b'];
    const schema = schemaOf(...names.map((name, index) => field(index + 1, name, { kind: 'int' })));
    const sink = await write('SELECT 1, 2, 3, 4, 5, NULL', schema);
    expect(sink.text).toBe('{"Id":1,"ID":2,"__proto__":3,"quote\\"d":4,"new\\nline":5,"a.b":null}\n');
  });

  it('keeps the order of many rows', async () => {
    const sink = await write('SELECT range FROM range(100000)', schemaOf(field(1, 'n', { kind: 'long' })));
    const expected = Array.from({ length: 100_000 }, (_, n) => `{"n":${n}}\n`).join('');
    expect(sink.text === expected).toBe(true);
  });
});

describe('rows that fail late', () => {
  const failAt = (row: number): string =>
    `SELECT CASE WHEN range = ${row} THEN error('Failed to read file "/x.parquet": broken') ELSE range END::BIGINT FROM range(300000)`;
  const schema = schemaOf(field(1, 'n', { kind: 'long' }));

  it('writes nothing when the damage is among the rows held back', async () => {
    const sink = new MemorySink();
    const work = harness.engine.withConnection((c) => writeRows(c, failAt(10_000), schema, 'jsonl', sink));
    await expect(work).rejects.toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path: '/x.parquet' } });
    expect(sink.parts).toEqual([]);
  });

  it('fails after whole rows when it is later', async () => {
    const sink = new MemorySink();
    const work = harness.engine.withConnection((c) => writeRows(c, failAt(290_000), schema, 'jsonl', sink));
    await expect(work).rejects.toMatchObject({ code: 'DATA_FILE_CORRUPT' });
    expect(sink.text.split('\n').length).toBeGreaterThan(65_536);
  });

  it('asks for no more rows while the sink is busy', async () => {
    let busy = false;
    let overlaps = 0;
    const sink: ByteSink = {
      write: async () => {
        if (busy) overlaps += 1;
        busy = true;
        await new Promise((resolve) => setImmediate(resolve));
        busy = false;
      },
    };
    await harness.engine.withConnection((c) => writeRows(c, 'SELECT range FROM range(200000)', schema, 'jsonl', sink));
    expect(overlaps).toBe(0);
  });
});

describe('other formats', () => {
  const schema = schemaOf(field(1, 'id', { kind: 'long' }), field(2, 'name', { kind: 'string' }));
  const sql = `SELECT * FROM (VALUES (1, 'a,b'), (2, ''), (3, NULL), (4, 'say "x"'), (5, E'two\\nlines'), (6, ' pad')) AS t`;

  it('writes JSON as one array', async () => {
    expect(JSON.parse((await write(sql, schema, 'json')).text)).toEqual([
      { id: 1, name: 'a,b' },
      { id: 2, name: '' },
      { id: 3, name: null },
      { id: 4, name: 'say "x"' },
      { id: 5, name: 'two\nlines' },
      { id: 6, name: ' pad' },
    ]);
    expect((await write(`${sql} WHERE false`, schema, 'json')).text).toBe('[]\n');
  });

  it('writes CSV that tells an empty text from null', async () => {
    expect((await write(sql, schema, 'csv')).text).toBe(
      'id,name\n1,"a,b"\n2,""\n3,\n4,"say ""x"""\n5,"two\nlines"\n6," pad"\n',
    );
    expect((await write(`${sql} WHERE false`, schema, 'csv')).text).toBe('id,name\n');
  });

  it('writes an Arrow stream with exact integers', async () => {
    const table = tableFromIPC(
      (await write(`SELECT 9007199254740993, 'é' UNION ALL SELECT NULL, NULL`, schema, 'arrow')).bytes,
    );
    expect(table.schema.fields.map((f) => `${f.name}: ${f.type}`)).toEqual(['id: Int64', 'name: Utf8']);
    expect(table.toArray().map((row) => (row as { toJSON(): unknown }).toJSON())).toEqual([
      { id: 9007199254740993n, name: 'é' },
      { id: null, name: null },
    ]);
    expect(tableFromIPC((await write(`${sql} WHERE false`, schema, 'arrow')).bytes).numRows).toBe(0);
  });

  it('writes a Parquet file, also without rows', async () => {
    const bytes = Buffer.from((await write(sql, schema, 'parquet')).bytes);
    expect([bytes.subarray(0, 4).toString(), bytes.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
    expect((await write(`${sql} WHERE false`, schema, 'parquet')).text.slice(0, 4)).toBe('PAR1');
  });
});
