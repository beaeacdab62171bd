/** Input files read with the types that a table has. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readInput, writeRows } from '../../../engine/index.js';
import { parseType } from '../../../iceberg/index.js';
import { type Harness, MemorySink, openHarness } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

/** The column `v` of a file as JSON texts, read as a type. */
async function readAs(type: string, name: string, content: string): Promise<string[]> {
  const path = join(harness.folder, name);
  await writeFile(path, content);
  return await harness.engine.withConnection(async (connection) => {
    const { schema, sql } = await readInput(connection, path, { types: new Map([['v', parseType(type)]]) });
    const sink = new MemorySink();
    await writeRows(connection, `SELECT v FROM (${sql})`, { ...schema, fields: [field(schema.fields)] }, 'jsonl', sink);
    return sink.text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.slice('{"v":'.length, -1));
  });
}

function field<T extends { readonly name: string }>(fields: readonly T[]): T {
  const found = fields.find(({ name }) => name === 'v');
  if (found === undefined) throw new Error('no column v');
  return found;
}

/** Texts, and what they are as JSON. */
const FITTING: readonly [type: string, texts: readonly string[], values: readonly string[]][] = [
  ['string', ['007', '1.10', 'true', '2001-01-01'], ['"007"', '"1.10"', '"true"', '"2001-01-01"']],
  ['boolean', ['true', 'FALSE'], ['true', 'false']],
  ['int', ['-2147483648', '007', '5.0', '1e3'], ['-2147483648', '7', '5', '1000']],
  ['long', ['9223372036854775807', '+1'], ['9223372036854775807', '1']],
  [
    'decimal(38,18)',
    ['12345678901234567890.123456789012345678', '0.10', '.5', '5e-1', '1.5000000000000000000000'],
    [
      '12345678901234567890.123456789012345678',
      '0.100000000000000000',
      '0.500000000000000000',
      '0.500000000000000000',
      '1.500000000000000000',
    ],
  ],
  [
    'double',
    ['0.1', '1e15', 'NaN', '-Infinity', '9007199254740992'],
    ['0.1', '1000000000000000.0', '"NaN"', '"-Infinity"', '9007199254740992.0'],
  ],
  ['date', ['2001-02-03', '2001-02-03T00:00:00'], ['"2001-02-03"', '"2001-02-03"']],
  ['time', ['04:05', '04:05:06.100000000'], ['"04:05:00.000000"', '"04:05:06.100000"']],
  [
    'timestamp',
    ['2001-02-03', '2001-02-03 04:05:06.1234560', '2001-02-03T04:05:06+02:00'],
    ['"2001-02-03T00:00:00.000000"', '"2001-02-03T04:05:06.123456"', '"2001-02-03T02:05:06.000000"'],
  ],
  [
    'timestamptz',
    ['2001-02-03', '2001-02-03T04:05:06Z', '2001-02-03 04:05:06.5-0130'],
    ['"2001-02-03T00:00:00.000000Z"', '"2001-02-03T04:05:06.000000Z"', '"2001-02-03T05:35:06.500000Z"'],
  ],
  ['uuid', ['F79C3E09-677C-4BBD-A479-3F349CB785E7'], ['"f79c3e09-677c-4bbd-a479-3f349cb785e7"']],
  ['binary', ['00Ff', '6162'], ['"00ff"', '"6162"']],
  ['fixed[2]', ['00ff'], ['"00ff"']],
];

/** Texts that a type cannot hold, or only changed. */
const MISFITS: readonly [type: string, texts: readonly string[]][] = [
  ['boolean', ['1', 'yes', 't']],
  ['int', ['2147483648', '1.5', '0x10', '1e-1', ' 1', '1_000']],
  ['long', ['9223372036854775808', '1e19', '9007199254740993.5']],
  ['decimal(3,1)', ['100', '1.25', '1.25e0', '99.96']],
  ['double', ['9007199254740993', '1,5', '1e400', 'x']],
  ['float', ['16777217']],
  ['date', ['2001-02-30', '2001-2-3', '2001-02-03T01:00', '03/02/2001']],
  ['time', ['25:00', '04:05:06.1234567']],
  ['timestamp', ['2001-02-03 04:05:06.1234567', '2001-02-03 24:30', 'infinity', 'epoch']],
  ['timestamptz', ['2001-02-03 04:05:06 Europe/Paris', 'now']],
  ['uuid', ['f79c3e09677c4bbda4793f349cb785e7', 'f79c3e09-677c-4bbd-a479-3f349cb785eg']],
  ['binary', ['0', 'xy']],
  ['fixed[2]', ['00', '000000']],
];

describe('CSV', () => {
  it.each(FITTING)('holds the exact values of %s', async (type, texts, values) => {
    const lines = texts.map((text) => `"${text}",x`);
    expect(await readAs(type, 'in.csv', `v,w\n${lines.join('\n')}\n,x\n`)).toEqual([...values, 'null']);
  });

  it.each(MISFITS.flatMap(([type, texts]) => texts.map((text) => [type, text] as const)))(
    'refuses for %s the value %j, naming column, line and value',
    async (type, text) => {
      await expect(readAs(type, 'bad.csv', `v,w\n,x\n"${text}",x\n,x\n`)).rejects.toMatchObject({
        code: 'TYPE_MISMATCH',
        message: expect.stringContaining(`column "v", line 3: ${JSON.stringify(text)} does not fit`) as string,
      });
    },
  );

  it('tells null from an empty text, which is no number', async () => {
    expect(await readAs('string', 'empty.csv', 'v,w\n"",1\n,2\n')).toEqual(['""', 'null']);
    await expect(readAs('long', 'empty.csv', 'v,w\n,1\n"",2\n')).rejects.toMatchObject({
      message: 'column "v", line 3: "" does not fit long exactly',
    });
  });

  it.each([
    ['empty lines', 'w,v\n\n1,2\n\n\n2,x\n', 6],
    ['quoted line ends', '"w\n",v\n"a\nb""c\n",1\nd,x\n', 6],
    ['carriage returns', 'w,v\r\n1,2\r\n2,x\r\n', 3],
    ['bare carriage returns', 'w,v\r1,2\r2,x\r', 3],
    ['one column, whose empty lines are nulls', 'v\n1\n\nx\n', 4],
  ])('counts lines with %s', async (_name, csv, line) => {
    await expect(readAs('long', 'lines.csv', csv)).rejects.toMatchObject({
      message: `column "v", line ${line}: "x" does not fit long exactly`,
    });
  });

  it('counts the other values', async () => {
    await expect(readAs('int', 'many.csv', 'v\n1\nx\n2\ny\nz\n')).rejects.toMatchObject({
      message: 'column "v", line 3: "x" does not fit int exactly (3 such values)',
    });
  });
});

describe('JSON Lines', () => {
  it.each(FITTING)('holds the exact values of %s in quotes', async (type, texts, values) => {
    const lines = texts.map((v) => JSON.stringify({ v }));
    expect(await readAs(type, 'in.jsonl', `${lines.join('\n')}\n{"v":null}\n{"w":1}\n`)).toEqual([
      ...values,
      'null',
      'null',
    ]);
  });

  it.each([
    ['long', '9223372036854775807', '9223372036854775807'],
    ['int', '5.0', '5'],
    ['decimal(38,0)', '12345678901234567890123456789012345678', '12345678901234567890123456789012345678'],
    ['decimal(9,2)', '1.1', '1.10'],
    ['double', '1', '1.0'],
    ['boolean', 'true', 'true'],
  ])('reads for %s the bare value %s', async (type, json, value) => {
    expect(await readAs(type, 'bare.jsonl', `{"v":${json}}\n`)).toEqual([value]);
  });

  it.each([
    ['int', '2147483648', '"2147483648"'],
    ['long', '1.5', '"1.5"'],
    ['string', '7', '"7"'],
    ['string', 'true', '"true"'],
    ['string', '{"a":1}', String.raw`"{\"a\":1}"`],
    ['boolean', '1', '"1"'],
  ])('refuses for %s the bare value %s', async (type, json, shown) => {
    await expect(readAs(type, 'bad.jsonl', `{"v":null}\n{"v":${json}}\n`)).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message: `column "v", row 2: ${shown} does not fit ${type} exactly`,
    });
  });

  it('refuses fractions whose digits the reader would round away', async () => {
    await expect(readAs('decimal(38,20)', 'r.jsonl', '{"v":0.10000000000000000001}\n')).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
    });
    expect(await readAs('decimal(38,20)', 'q.jsonl', '{"v":"0.10000000000000000001"}\n')).toEqual([
      '0.10000000000000000001',
    ]);
  });
});
