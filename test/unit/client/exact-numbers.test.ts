/** Numbers of input files: every value is held as it is written, or refused. DuckDB by itself reads what was stored. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { currentSchema, typeToString } from '../../../iceberg/index.js';
import { createMoraine, type Moraine, parseSchema } from '../../../index.js';

let folder: string;
let moraine: Moraine;
let duckdb: DuckDBConnection;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-numbers-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
  duckdb = await (await DuckDBInstance.create()).connect();
});
afterAll(async () => {
  duckdb.closeSync();
  await moraine.close();
  rmSync(folder, { recursive: true });
});

let tables = 0;
const newTable = (): string => {
  tables += 1;
  return `a.t${tables}`;
};

/** The type of the column `v`, and its stored values as texts. */
async function stored(table: string): Promise<{ readonly type: string; readonly values: readonly unknown[] }> {
  const { metadata } = await moraine.project.loadTable(table);
  const [field] = currentSchema(metadata).fields;
  const rows = await duckdb.runAndReadAll(`SELECT v::VARCHAR FROM read_parquet('${metadata.location}/data/*.parquet')`);
  return { type: field === undefined ? '' : typeToString(field.type), values: rows.getRows().map(([value]) => value) };
}

async function created(name: string, content: string) {
  const path = join(folder, name);
  writeFileSync(path, content);
  const table = newTable();
  await moraine.appendFile(table, path, { create: true });
  return await stored(table);
}

const INTEGER_39 = '9'.repeat(39);

/** Doubles by IEEE 754: 15 digits are always kept, 2^53 + 1 is not. Values as DuckDB writes the type's exact ones. */
const INFERRED: readonly [name: string, written: readonly string[], type: string, values: readonly string[]][] = [
  [
    'doubles',
    ['1.5', '0.1', '1e3', '9007199254740992', 'NaN', '0.30000000000000004', '1.2345678901234568e+20', '-2.5e-7'],
    'double',
    ['1.5', '0.1', '1000.0', '9007199254740992.0', 'nan', '0.30000000000000004', '1.2345678901234568e+20', '-2.5e-07'],
  ],
  ['a long beside a fraction', ['9007199254740993', '1.5'], 'decimal(17, 1)', ['9007199254740993.0', '1.5']],
  ['many digits', ['0.1234567890123456789'], 'decimal(20, 19)', ['0.1234567890123456789']],
  [
    'an integer of 37 digits beside a fraction',
    ['9'.repeat(37), '0.5'],
    'decimal(38, 1)',
    [`${'9'.repeat(37)}.0`, '0.5'],
  ],
  ['an integer of 38 digits', ['9'.repeat(38), '-1'], 'decimal(38, 0)', ['9'.repeat(38), '-1']],
  ['an integer beyond 64 bits', ['18446744073709551616', '7'], 'decimal(38, 0)', ['18446744073709551616', '7']],
  ['an integer of 39 digits', [INTEGER_39], 'string', [INTEGER_39]],
  [
    'an integer of 24 digits that is not a double',
    ['1' + '0'.repeat(23), '1e3'],
    'string',
    ['1' + '0'.repeat(23), '1e3'],
  ],
  ['more than a double holds', ['1e400', '1'], 'string', ['1e400', '1']],
  ['less than a double holds', ['1e-400', '1'], 'string', ['1e-400', '1']],
  ['a long beside an exponent', ['9007199254740993', '1e3'], 'string', ['9007199254740993', '1e3']],
];

describe('append --create', () => {
  test.each(INFERRED)('from CSV: %s', async (_name, written, type, values) => {
    const lines = [...written, ''].map((number) => `${number},x\n`);
    expect(await created('in.csv', `v,text\n${lines.join('')}`)).toEqual({ type, values: [...values, null] });
  });

  test.each(INFERRED)('from JSON Lines: %s', async (_name, written, type, values) => {
    const lines = [...written, 'null'].map((number) => `{"v": ${number}, "text": "\\"a\\\\\\": 1.50, 2"}\n`);
    expect(await created('in.jsonl', lines.join(''))).toEqual({ type, values: [...values, null] });
  });

  test.each(INFERRED)('from a JSON array, in a list and a struct: %s', async (_name, written, type, values) => {
    const json = `[{"v":[{"x":[${written.join(' , ')}]},null,{"x":null}],"n":1},\n {"v":null}]`;
    // DuckDB writes an empty struct member as NULL, and quotes texts only where it must.
    expect(await created('in.json', json)).toEqual({
      type: `list<struct<x: list<${type}>>>`,
      values: [`[{'x': [${values.join(', ')}]}, NULL, {'x': NULL}]`, null],
    });
  });

  test('columns beside one with such numbers keep their types and values', async () => {
    const path = join(folder, 'beside.jsonl');
    const lines = [
      '{"v":0.12345678901234567890,"i":7,"b":true,"t":"1.50","d":"2001-02-03","s":{"a/b":"1.0","n":2,"x":1.5},"mixed":1.0}',
      '{"v":null,"i":null,"b":false,"t":"é \\u0001 \\"9\\"","d":null,"s":null,"mixed":"1.0"}',
    ];
    writeFileSync(path, `${lines.join('\n')}\n`);
    const table = newTable();
    await moraine.appendFile(table, path, { create: true });
    const { metadata } = await moraine.project.loadTable(table);
    expect(currentSchema(metadata).fields.map(({ name, type }) => `${name}: ${typeToString(type)}`)).toEqual([
      'v: decimal(21, 20)',
      'i: long',
      'b: boolean',
      't: string',
      'd: date',
      's: struct<a/b: string, n: long, x: double>',
      'mixed: string',
    ]);
    const rows = await duckdb.runAndReadAll(
      `SELECT COLUMNS(*)::VARCHAR FROM read_parquet('${metadata.location}/data/*.parquet')`,
    );
    expect(rows.getRows()).toEqual([
      ['0.12345678901234567890', '7', 'true', '1.50', '2001-02-03', "{'a/b': 1.0, 'n': 2, 'x': 1.5}", '1.0'],
      [null, null, 'false', 'é \u0001 "9"', null, null, '1.0'],
    ]);
  });

  test('a key twice is named beside such numbers, too', async () => {
    await expect(created('twice.jsonl', '{"v":1e400}\n{"v":1,"v":2}\n')).rejects.toThrow(
      'cannot be read in line 2: an object has the key "v" twice.',
    );
  });
});

type Case = readonly [type: string, written: string, value: string];

/** Values that a table's column holds exactly, or as the nearest double, as DuckDB writes them. */
const HELD: readonly Case[] = [
  ['double', '0.1', '0.1'],
  ['double', '0.1234567890123456789', '0.12345678901234568'],
  ['double', '9007199254740992', '9007199254740992.0'],
  ['double', `1${'0'.repeat(22)}`, '1e+22'],
  ['float', '16777216', '16777216.0'],
  ['float', '0.1', '0.1'],
  ['decimal(4, 1)', '1.500', '1.5'],
  ['decimal(38, 0)', '9'.repeat(38), '9'.repeat(38)],
  ['timestamp', '"2001-02-03 04:05:06.123456000"', '2001-02-03 04:05:06.123456'],
];

const REFUSED: readonly (readonly [type: string, written: string])[] = [
  ['double', '9007199254740993'],
  ['double', '18446744073709551615'],
  ['double', `1${'0'.repeat(23)}`],
  ['double', INTEGER_39],
  ['double', '1e400'],
  ['double', '-1e400'],
  ['float', '16777217'],
  ['float', INTEGER_39],
  ['float', '1e39'],
  ['decimal(4, 1)', '1.25'],
  ['decimal(4, 1)', '1000'],
  ['decimal(38, 0)', INTEGER_39],
  ['long', '9223372036854775808'],
  ['timestamp', '"2001-02-03 04:05:06.1234567"'],
  ['timestamptz', '"2001-02-03 04:05:06.1234567Z"'],
  ['time', '"04:05:06.1234567"'],
];

const listOf = (element: string) => ({ type: 'list', 'element-id': 2, 'element-required': false, element });

async function appended(type: string | ReturnType<typeof listOf>, name: string, content: string | null) {
  const path = join(folder, name);
  if (content !== null) writeFileSync(path, content);
  const table = newTable();
  const fields = [{ id: 1, name: 'v', required: false, type }];
  await moraine.createTable(table, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
  await moraine.appendFile(table, path);
  return (await stored(table)).values;
}

describe('append to a table', () => {
  test.each(HELD)('%s holds %s', async (type, written, value) => {
    expect(await appended(type, 'held.csv', `v\n${written}\n`)).toEqual([value]);
    expect(await appended(type, 'held.jsonl', `{"v":${written}}\n`)).toEqual([value]);
    const list = await duckdb.runAndReadAll(`SELECT ['${value}']::VARCHAR`);
    expect(await appended(listOf(type), 'held.json', `[{"v":[${written}]}]`)).toEqual(list.getRows()[0]);
  });

  test.each(REFUSED)('%s refuses %s', async (type, written) => {
    const shown = written.replaceAll('"', '');
    const refusal = (place: string, value: string) => ({
      code: 'TYPE_MISMATCH',
      message: expect.stringContaining(`column "v", ${place}: ${value} does not fit ${type} exactly`) as string,
    });
    const csv = appended(type, 'refused.csv', `v\n${written}\n`);
    await expect(csv).rejects.toMatchObject(refusal('line 2', JSON.stringify(shown)));
    const lines = appended(type, 'refused.jsonl', `{"v":${written}}\n`);
    await expect(lines).rejects.toMatchObject(refusal('row 1', JSON.stringify(shown)));
    const nested = appended(listOf(type), 'refused.json', `[{"v":[${written}]}]`);
    await expect(nested).rejects.toMatchObject(refusal('row 1', `[0] ${written}`));
  });

  test.each([
    ['double', '9007199254740993::BIGINT'],
    ['double', '9007199254740993::DECIMAL(16, 0)'],
    ['double', '0.1234567890123456789::DECIMAL(20, 19)'],
    ['float', '16777217::INTEGER'],
    ['float', '1e39::DOUBLE'],
    ['decimal(4, 1)', '1.25::DECIMAL(4, 2)'],
    ['decimal(4, 1)', '1.25::DOUBLE'],
    ['long', '1.5::DOUBLE'],
    ['timestamp', "'2001-02-03 04:05:06.123456789'::TIMESTAMP_NS"],
    ['time', "'24:00:00'::TIME"],
    [listOf('time'), "['23:59:59'::TIME, NULL, '24:00:00'::TIME]"],
    [listOf('timestamp'), "['2001-02-03 04:05:06.123456789'::TIMESTAMP_NS]"],
  ])('from Parquet %j refuses %s', async (type, value) => {
    const path = join(folder, 'refused.parquet');
    await duckdb.run(`COPY (SELECT ${value} AS v) TO '${path}'`);
    await expect(appended(type, 'refused.parquet', null)).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message: expect.stringContaining('column "v"') as string,
    });
  });

  test.each([
    ['double', '9007199254740992::BIGINT', '9007199254740992.0'],
    ['double', '0.1::DECIMAL(2, 1)', '0.1'],
    ['decimal(4, 1)', '1.50::DECIMAL(4, 2)', '1.5'],
    ['timestamp', "'2001-02-03 04:05:06.123456'::TIMESTAMP_NS", '2001-02-03 04:05:06.123456'],
    ['time', "'23:59:59.999999'::TIME", '23:59:59.999999'],
    [listOf('time'), "['23:59:59'::TIME, NULL]", "['23:59:59', NULL]"],
  ] as const)('from Parquet %j holds %s', async (type, value, text) => {
    await duckdb.run(`COPY (SELECT ${value} AS v) TO '${join(folder, 'held.parquet')}'`);
    expect(await appended(type, 'held.parquet', null)).toEqual([text]);
  });
});
