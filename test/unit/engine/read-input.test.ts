import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputError, readInput, writeRows } from '../../../engine/index.js';
import { typeToString } from '../../../iceberg/index.js';
import { failureOf } from '../../support/error-code.js';
import { type Harness, MemorySink, openHarness } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

async function read(name: string, content: string | Uint8Array): Promise<{ columns: string[]; rows: string[] }> {
  const path = join(harness.folder, name);
  await writeFile(path, content);
  return await readPath(path);
}

async function readPath(path: string): Promise<{ columns: string[]; rows: string[] }> {
  return await harness.engine.withConnection(async (connection) => {
    const { schema, sql } = await readInput(connection, path);
    const sink = new MemorySink();
    await writeRows(connection, sql, schema, 'jsonl', sink).catch((error: unknown) => {
      throw inputError(path, error);
    });
    const columns = schema.fields.map((field) => `${field.id} ${field.name}: ${typeToString(field.type)}`);
    return { columns, rows: sink.text.split('\n').slice(0, -1) };
  });
}

describe('CSV', () => {
  it('finds types by all values', async () => {
    const csv = [
      'id,code,big,x,day,at,zoned,clock,ok,text,mixed',
      '1,007,18446744073709551615,1.5,2001-02-03,2001-02-03 04:05:06,2001-02-03T04:05:06Z,04:05,true,a,2001-02-03',
      '-2,10,1,2,2001-02-04,2001-02-03T04:05:06.123456,2001-02-03 04:05:06.5+02:00,04:05:06.1,FALSE,1,x',
    ].join('\n');
    expect(await read('types.csv', csv)).toEqual({
      columns: [
        '1 id: long',
        '2 code: string',
        '3 big: decimal(38, 0)',
        '4 x: double',
        '5 day: date',
        '6 at: timestamp',
        '7 zoned: timestamptz',
        '8 clock: time',
        '9 ok: boolean',
        '10 text: string',
        '11 mixed: string',
      ],
      rows: [
        '{"id":1,"code":"007","big":18446744073709551615,"x":1.5,"day":"2001-02-03","at":"2001-02-03T04:05:06.000000","zoned":"2001-02-03T04:05:06.000000Z","clock":"04:05:00.000000","ok":true,"text":"a","mixed":"2001-02-03"}',
        '{"id":-2,"code":"10","big":1,"x":2.0,"day":"2001-02-04","at":"2001-02-03T04:05:06.123456","zoned":"2001-02-03T02:05:06.500000Z","clock":"04:05:06.100000","ok":false,"text":"1","mixed":"x"}',
      ],
    });
  });

  it('tells an empty field, which is null, from an empty text', async () => {
    expect((await read('empty.csv', 'a,b,n\n,x,1\n"",y,\n')).rows).toEqual([
      '{"a":null,"b":"x","n":1}',
      '{"a":"","b":"y","n":null}',
    ]);
  });

  it('cuts no digit of a second and makes no date of 2001-02-30', async () => {
    const { columns } = await read('odd.csv', 'a,b,c\n2001-01-01 00:00:00.123456789,2001-02-30,1e400\n');
    expect(columns).toEqual(['1 a: string', '2 b: string', '3 c: string']);
  });

  it('takes hostile and repeated names from the header', async () => {
    expect(await read('names.csv', '\uFEFFId,ID,"a,""b""\n",__proto__\r\n1,2,3,4\r\n')).toEqual({
      columns: ['1 Id: long', '2 ID: long', '3 a,"b"\n: long', '4 __proto__: long'],
      rows: ['{"Id":1,"ID":2,"a,\\"b\\"\\n":3,"__proto__":4}'],
    });
  });

  it('reads other delimiters, quoted line ends, packed files, and headers alone', async () => {
    expect((await read('semi.csv', 'a;b\n1;"x\ny"\n')).rows).toEqual(['{"a":1,"b":"x\\ny"}']);
    expect((await read('tab.tsv', 'a\tb,c\n1\t2\n')).rows).toEqual(['{"a":1,"b,c":2}']);
    expect((await read('packed.csv.gz', gzipSync('a\n1\n'))).rows).toEqual(['{"a":1}']);
    expect(await read('header.csv', 'a,b\n')).toEqual({ columns: ['1 a: string', '2 b: string'], rows: [] });
  });

  it.each([
    ['too many fields', 'a,b\n1,2\n3,4,5\n', 3],
    ['too few fields', 'a,b\n1,2\n3\n', 3],
    ['a quote that does not end', 'a,b\n1,2\n"x,2\n', 3],
  ])('names the line of %s', async (_name, csv, line) => {
    await expect(read('bad.csv', csv)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE', details: { line } });
  });

  it('refuses a header without a name', async () => {
    await expect(read('nameless.csv', 'a,\n1,2\n')).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  });

  it('refuses what is no UTF-8, empty or missing', async () => {
    await expect(read('latin.csv', Buffer.from('a,b\n\xff\xfe,1\n', 'latin1'))).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
    });
    await expect(read('nothing.csv', '')).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
    await expect(readPath(join(harness.folder, 'absent.csv'))).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  });
});

describe('JSON Lines', () => {
  it('finds types, nested ones too, and reads back what JSON Lines output writes', async () => {
    const lines = [
      '{"id":9223372036854775807,"x":0.5,"day":"2001-02-03","at":"2001-02-03T04:05:06.000001","zoned":"2001-02-03T04:05:06.000000Z","code":"17","s":{"a":1,"t":"2001-02-03"},"l":[1,null],"n":null}',
      '{"id":-1,"x":2.0,"day":null,"at":null,"zoned":null,"code":"x","s":null,"l":[],"n":null}',
    ];
    expect(await read('in.jsonl', `${lines.join('\n')}\n`)).toEqual({
      columns: [
        '1 id: long',
        '2 x: double',
        '3 day: date',
        '4 at: timestamp',
        '5 zoned: timestamptz',
        '6 code: string',
        '7 s: struct<a: long, t: string>',
        '8 l: list<long>',
        '9 n: string',
      ],
      rows: lines,
    });
  });

  it.each([
    ['a number', '{"a":1}\n7\n'],
    ['a list', '[1,2]\n'],
    ['keys that differ by letter case only', '{"Case":1,"case":2}\n'],
    ['an empty key', '{"":1}\n'],
  ])('refuses %s, losing nothing silently', async (_name, json) => {
    await expect(read('odd.jsonl', json)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  });

  it('takes a key that ends like a numbered one for what it is', async () => {
    expect((await read('numbered.jsonl', '{"a":1,"a_1":2,"__proto__":3}\n')).rows).toEqual([
      '{"a":1,"a_1":2,"__proto__":3}',
    ]);
  });

  it('names the line of broken JSON', async () => {
    await expect(read('broken.jsonl', '{"a":1}\n{"a":\n')).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  });
});

describe('Parquet', () => {
  const parquet = async (select: string): Promise<string> => {
    const path = join(harness.folder, 'in.parquet');
    await harness.engine.withConnection((c) => c.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`));
    return path;
  };

  it('keeps types exact', async () => {
    const path = await parquet(`SELECT 18446744073709551615::UBIGINT AS u, 1::TINYINT AS t, 4294967295::UINTEGER AS ui,
      1.25::DECIMAL(9,2) AS d, '2001-01-01 00:00:00.000001'::TIMESTAMP_NS AS ns, {'x': [1::BIGINT]} AS s, 'ab'::BLOB AS b`);
    expect(await readPath(path)).toEqual({
      columns: [
        '1 u: decimal(20, 0)',
        '2 t: int',
        '3 ui: long',
        '4 d: decimal(9, 2)',
        '5 ns: timestamp',
        '6 s: struct<x: list<long>>',
        '7 b: binary',
      ],
      rows: [
        '{"u":18446744073709551615,"t":1,"ui":4294967295,"d":1.25,"ns":"2001-01-01T00:00:00.000001","s":{"x":[1]},"b":"6162"}',
      ],
    });
  });

  it('cuts no nanoseconds', async () => {
    const path = await parquet(`SELECT '2001-01-01 00:00:00.000000001'::TIMESTAMP_NS AS ns`);
    await expect(readPath(path)).rejects.toMatchObject({ code: 'TYPE_MISMATCH' });
  });

  it('says that a file is not Parquet', async () => {
    await expect(read('fake.parquet', 'a,b\n1,2\n')).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  });
});

describe('keys of JSON Lines', () => {
  it('have to have names', async () => {
    for (const record of ['{"":1,"__proto__":2,"ID":3,"id_1":4}', '{"":"x","a":1}', '{"a":1,"":{}}'])
      expect((await failureOf(read('unnamed.jsonl', `${record}\n`))).message).toContain(
        'has a key without a name; rename it.',
      );
  });

  it.each(['größe', 'ẞ', '日本', '😀', 'a b', 'a.b(c)[d]{e}|f*g+h?i^j$k', 'back\\slash', 'quo"te', 'tab\t'])(
    '%j are found where integers with very many digits are looked for',
    async (key) => {
      const records = [1, 2].map((id) => `${JSON.stringify({ id, note: '1234567890123456', [key]: id })}\n`);
      const { columns } = await read('keys.jsonl', records.join(''));
      expect(columns).toEqual(['1 id: long', '2 note: string', `3 ${key}: long`]);
      // A fraction of an integer would be rounded away.
      const rounded = `{"id":3,"note":"x",${JSON.stringify(key)}:1234567890123456.5}\n`;
      const columnsOf = async (name: string) =>
        (await read('rounded.jsonl', [...records, rounded].join('').replaceAll(JSON.stringify(key), name))).columns[2];
      expect((await columnsOf(JSON.stringify(key)))?.replace(key, 'plain')).toBe(await columnsOf('"plain"'));
    },
  );
});
