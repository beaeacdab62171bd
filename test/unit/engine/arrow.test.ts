import { join } from 'node:path';
import {
  Decimal,
  Dictionary,
  Field,
  Int32,
  List,
  MapRow,
  makeData,
  Struct,
  StructRow,
  Table,
  Timestamp,
  TimeUnit,
  tableFromArrays,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arrowSchema } from '../../../engine/arrow/arrow-types.js';
import { arrowBatches, arrowTable, registerArrow } from '../../../engine/index.js';
import { field, type Harness, openHarness, schemaOf } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

describe('DuckDB to Arrow', () => {
  it('gives every type exactly', async () => {
    const int = { kind: 'int' } as const;
    const schema = schemaOf(
      field(1, 'b', { kind: 'boolean' }),
      field(2, 'l', { kind: 'long' }),
      field(3, 'd4', { kind: 'decimal', precision: 4, scale: 2 }),
      field(4, 'd38', { kind: 'decimal', precision: 38, scale: 0 }),
      field(5, 'ts', { kind: 'timestamptz' }),
      field(6, 'u', { kind: 'uuid' }),
      field(7, 'x', { kind: 'binary' }),
      field(8, 'f', { kind: 'fixed', length: 2 }),
      field(9, 'li', { kind: 'list', elementId: 10, elementRequired: false, element: { kind: 'string' } }),
      field(11, 's', { kind: 'struct', fields: [field(12, 'q', int), field(13, 'r', { kind: 'string' })] }),
      field(14, 'm', {
        kind: 'map',
        keyId: 15,
        key: { kind: 'string' },
        valueId: 16,
        valueRequired: false,
        value: { kind: 'long' },
      }),
    );
    const select = `SELECT * FROM (VALUES
      (true, 9223372036854775807, -1.25::DECIMAL(4,2), '-99999999999999999999999999999999999999'::DECIMAL(38,0),
        TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', 'f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID, '\\x00\\xff'::BLOB, 'ab'::BLOB,
        ['a', NULL, 'a text longer than twelve bytes'], {'q': 1, 'r': 'x'}, MAP {'k': 5, 'n': NULL}),
      (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
      (false, -5, 0.01, 7, NULL, NULL, ''::BLOB, 'cd'::BLOB, [], {'q': NULL, 'r': NULL}, MAP {}))`;
    const table = await harness.engine.withConnection((connection) => arrowTable(connection, `(${select})`, schema));
    const column = (name: string): unknown[] => [...(table.getChild(name) as Vector)].map((value) => plain(value));
    expect(table.schema.fields.map((f) => `${f.name}:${f.type}`)).toEqual(
      arrowSchema(schema).fields.map((f) => `${f.name}:${f.type}`),
    );
    expect(column('b')).toEqual([true, null, false]);
    expect(column('l')).toEqual([9223372036854775807n, null, -5n]);
    expect(words(table, 'd4')).toEqual([-125n, 0n, 1n]);
    expect(words(table, 'd38')).toEqual([-99999999999999999999999999999999999999n, 0n, 7n]);
    expect([...((table.getChild('ts') as Vector).data[0]?.values as BigInt64Array)].slice(0, 1)).toEqual([-1n]);
    expect(column('u')).toEqual(['f79c3e09677c4bbda4793f349cb785e7', null, null]);
    expect(column('x')).toEqual(['00ff', null, '']);
    expect(column('f')).toEqual(['6162', null, '6364']);
    expect(column('li')).toEqual([['a', null, 'a text longer than twelve bytes'], null, []]);
    expect(column('s').map((row) => row && { ...row })).toEqual([{ q: 1, r: 'x' }, null, { q: null, r: null }]);
    expect(column('m')).toEqual([{ k: 5n, n: null }, null, {}]);
  });

  it('gathers lists whose rows share their elements', async () => {
    const schema = schemaOf(
      field(1, 'l', {
        kind: 'list',
        elementId: 2,
        elementRequired: false,
        element: { kind: 'list', elementId: 3, elementRequired: false, element: { kind: 'int' } },
      }),
    );
    await harness.engine.withConnection(async (connection) => {
      for await (const batch of arrowBatches(
        connection,
        '(SELECT [[1, 2], [3]]::INTEGER[][] AS l FROM range(3))',
        schema,
      )) {
        expect([...(batch.getChildAt(0) as Vector)].map(plain)).toEqual([
          [[1, 2], [3]],
          [[1, 2], [3]],
          [[1, 2], [3]],
        ]);
      }
    });
  });
});

describe('texts of the engine', () => {
  // Texts of every kind of place: in the vector, side by side, far apart, shared by a dictionary, in order and out of it.
  const text = (place: number): string | null => {
    if (place % 13 === 0) return null;
    if (place % 11 === 0) return '';
    if (place % 7 === 0) return 'ä'.repeat(6 + (place % 2));
    if (place % 501 === 0) return `long ${place} `.repeat(900);
    return `the text of row ${place % 5 === 0 ? place % 50 : place}`;
  };
  const texts = Array.from({ length: 6_000 }, (_, place) => text(place));
  const schema = schemaOf(field(1, 'n', { kind: 'long' }), field(2, 't', { kind: 'string' }));

  it.each(['ORDER BY n', 'ORDER BY n DESC', 'ORDER BY hash(n)', 'ORDER BY t, n', 'WHERE n % 3 = 0', ''])(
    'arrive whole and in their rows (%s)',
    async (rest) => {
      await harness.engine.withConnection(async (connection) => {
        const given = new Table({
          n: vectorFromArray(BigInt64Array.from(texts, (_, place) => BigInt(place))),
          t: vectorFromArray(texts, new Utf8()),
        });
        await registerArrow(connection, 'texts', given);
        const file = join(harness.folder, 'texts.parquet');
        await connection.run(`COPY texts TO '${file}' (FORMAT parquet)`);
        const seen: bigint[] = [];
        for await (const batch of arrowBatches(connection, `(SELECT n, t FROM '${file}' ${rest})`, schema)) {
          for (const { n, t } of batch) {
            expect(t).toBe(texts[Number(n)]);
            seen.push(n as bigint);
          }
        }
        const rows = rest.startsWith('WHERE') ? texts.length / 3 : texts.length;
        expect(new Set(seen).size).toBe(rows);
      });
    },
  );
});

describe('Arrow to DuckDB', () => {
  const query = async (table: Table, sql: string): Promise<unknown[][]> =>
    await harness.engine.withConnection(async (connection) => {
      await registerArrow(connection, 'entities', table);
      return await connection.rows(sql);
    });

  it('takes whole columns in, nulls and slices included', async () => {
    const size = 5000;
    const ids = BigInt64Array.from({ length: size }, (_, i) => BigInt(i) * 1_000_000_007n);
    const names = Array.from({ length: size }, (_, i) => (i % 3 === 0 ? null : `name of the entity number ${i}`));
    const table = new Table({ id: vectorFromArray(ids), name: vectorFromArray(names, new Utf8()) });
    const sums = `SELECT count(*), sum(id)::VARCHAR, count(name), max(name), count(*) FILTER (name = 'name of the entity number ' || (id // 1000000007)) FROM entities`;
    const total = (from: number, to: number): string =>
      String((BigInt(from + to - 1) * BigInt(to - from) * 1_000_000_007n) / 2n);
    expect(await query(table, sums)).toEqual([[5000n, total(0, 5000), 3333n, 'name of the entity number 998', 3333n]]);
    expect((await query(table.slice(100, 4000), sums))[0]?.slice(0, 3)).toEqual([3900n, total(100, 4000), 2600n]);
  });

  it('keeps times and decimals exact', async () => {
    const nanos = makeData({
      type: new Timestamp(TimeUnit.NANOSECOND),
      length: 1,
      data: BigInt64Array.of(1_500_000_000_000_000_001n),
    });
    const micros = makeData({
      type: new Timestamp(TimeUnit.MICROSECOND, 'Europe/Berlin'),
      length: 1,
      data: BigInt64Array.of(-1n),
    });
    const decimal = makeData({
      type: new Decimal(2, 9, 128),
      length: 1,
      data: Uint32Array.of(0xffffff83, 0xffffffff, 0xffffffff, 0xffffffff),
    });
    const table = new Table({ n: new Vector([nanos]), t: new Vector([micros]), d: new Vector([decimal]) });
    expect(await query(table, 'SELECT n::VARCHAR, t::VARCHAR, d::VARCHAR, typeof(d) FROM entities')).toEqual([
      ['2017-07-14 02:40:00.000000001', '1969-12-31 23:59:59.999999+00', '-1.25', 'DECIMAL(9,2)'],
    ]);
  });

  it('takes dictionaries and booleans', async () => {
    const table = new Table({
      c: vectorFromArray(['a', 'b', null, 'a'], new Dictionary(new Utf8(), new Int32())),
      b: vectorFromArray([true, false, null, true]),
    });
    expect(await query(table, 'SELECT c, b FROM entities')).toEqual([
      ['a', true],
      ['b', false],
      [null, null],
      ['a', true],
    ]);
  });

  it('keeps zoned nanoseconds exact, whatever their zone, and tells their types', async () => {
    const values = BigInt64Array.of(1_001n, -1n, 1_500_000_000_000_000_001n, 0n);
    const column = (zone: string | null): Vector =>
      new Vector([makeData({ type: new Timestamp(TimeUnit.NANOSECOND, zone), length: values.length, data: values })]);
    const table = new Table({ utc: column('UTC'), far: column('Asia/Kathmandu'), plain: column(null) });
    await harness.engine.withConnection(async (connection) => {
      const types = await registerArrow(connection, 'entities', table);
      expect([...types].map(([name, { kind }]) => `${name} ${kind}`)).toEqual([
        'utc timestamptz_ns',
        'far timestamptz_ns',
        'plain timestamp_ns',
      ]);
      const rows = await connection.rows('SELECT epoch_ns(utc), epoch_ns(far), epoch_ns(plain) FROM entities');
      expect(rows).toEqual([...values].map((value) => [value, value, value]));
    });
  });

  it('takes nested columns of several chunks, nulls and slices included', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) =>
      i % 7 === 0
        ? null
        : Array.from({ length: i % 5 }, (__, j) => (j === 3 ? null : { a: i * 10 + j, b: `text ${i}` })),
    );
    const element = new Struct([new Field('a', new Int32()), new Field('b', new Utf8())]);
    const table = new Table({ l: vectorFromArray(rows, new List(new Field('item', element))) });
    const sums = `SELECT count(*), count(l), sum(len(l))::BIGINT, sum(list_sum(list_transform(l, lambda e: e.a)))::BIGINT,
      sum(len(list_filter(l, lambda e: e IS NULL)))::BIGINT FROM entities`;
    const expected = (some: typeof rows): unknown[] => {
      const lists = some.filter((row) => row !== null);
      const elements = lists.flat();
      const total = elements.reduce((sum, value) => sum + (value?.a ?? 0), 0);
      const nulls = elements.filter((value) => value === null).length;
      return [some.length, lists.length, elements.length, total, nulls].map(BigInt);
    };
    expect(await query(table, sums)).toEqual([expected(rows)]);
    expect(await query(table.slice(101, 4100), sums)).toEqual([expected(rows.slice(101, 4100))]);
  });

  it.each([
    ['of one byte', ['a'], Uint8Array.of(0xff)],
    ['long', ['a'], new Uint8Array(20).fill(0xff)],
    ['that ends within a character', ['é', 'b'], Uint8Array.of(0xc3)],
    ['that begins within a character', ['\u00a9'], Uint8Array.of(0xa9)],
  ])('refuses a text %s that is no UTF-8, and takes the bytes behind a null', async (_, texts, wrong) => {
    const parts = [...texts.map((text) => Buffer.from(text)), Buffer.from(wrong), Buffer.from([0xa9]), Buffer.from('')];
    let end = 0;
    const valueOffsets = Int32Array.of(0, ...parts.map((part) => (end += part.length)));
    const table = (isNull: boolean): Table => {
      const bits = 2 ** parts.length - 1 - (isNull ? 3 << texts.length : 0);
      const data = makeData({
        type: new Utf8(),
        length: parts.length,
        data: Buffer.concat(parts),
        valueOffsets,
        nullBitmap: Uint8Array.of(bits),
      });
      return new Table({ v: new Vector([data]) });
    };
    await expect(query(table(false), 'FROM entities')).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message: 'The column "v" has a text that is not UTF-8.',
    });
    expect(await query(table(true), 'FROM entities')).toEqual([...texts, null, null, ''].map((v) => [v]));
  });

  it('refuses names that differ only by case', async () => {
    const twice = tableFromArrays({ Id: [1], ID: [2] });
    await expect(query(twice, 'FROM entities')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

/** Unscaled 128-bit values of a decimal column. */
function words(table: Table, name: string): bigint[] {
  const values = (table.getChild(name) as Vector).data[0]?.values as Uint32Array;
  return Array.from({ length: values.length / 4 }, (_, row) => {
    const word = (index: number): bigint => BigInt(values[row * 4 + index] as number) << BigInt(32 * index);
    return BigInt.asIntN(128, word(0) | word(1) | word(2) | word(3));
  });
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Vector) return [...value].map(plain);
  if (value instanceof StructRow || value instanceof MapRow) return value.toJSON();
  return value;
}
