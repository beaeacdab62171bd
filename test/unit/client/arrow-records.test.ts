/** Arrow tables through a sink: every type of a table exactly, as DuckDB reads it from the files, and what is refused. */
import {
  Binary,
  Bool,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  Float32,
  Int8,
  Int32,
  Int64,
  List,
  makeData,
  Null,
  Struct,
  Table,
  TimeMicrosecond,
  Timestamp,
  TimeUnit,
  Uint64,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { arrowRecords } from '../../../client/index.js';
import { parquetReader, quoteIdentifier } from '../../../engine/index.js';
import { currentSnapshot, type Schema } from '../../../iceberg/index.js';
import { IcebergSink } from '../../../sink/index.js';
import { planFiles } from '../../../tables/index.js';
import { failureOf } from '../../support/error-code.js';
import { openTableWorld, schemaOf } from '../../support/table-world.js';

/** A table `demo.t` and a sink on it. */
async function world(schema: Schema) {
  const opened = await openTableWorld();
  await opened.create('t', schema, undefined, 3);
  const table = { namespace: ['demo'], name: 't' };
  const sink = await IcebergSink.open(opened, { table, name: 's', batchSize: Infinity, batchIntervalMs: Infinity });
  /** Rows as texts, past our own scan. */
  const rows = async () => {
    const { metadata, ...rest } = await opened.load('t');
    const { files } = await planFiles({ metadata, ...rest }, { snapshot: currentSnapshot(metadata) ?? null, schema });
    const columns = schema.fields.map(({ name }) => `${quoteIdentifier(name)}::VARCHAR`).join(', ');
    const paths = files.map(({ file }) => file.filePath);
    return await opened.engine.withConnection((connection) =>
      connection.rows(`SELECT ${columns} FROM ${parquetReader(paths as never)}`),
    );
  };
  const write = async (data: Parameters<typeof arrowRecords>[0]) => {
    await sink.writer(0).writeBatch(arrowRecords(data));
    return await sink.flush();
  };
  return { sink, rows, write };
}

const times = (unit: TimeUnit, zone: string | null, ...values: bigint[]): Vector => {
  const nulls = Uint8Array.of(0b011);
  const data = BigInt64Array.of(...values, 0n);
  return new Vector([makeData({ type: new Timestamp(unit, zone), length: 3, nullCount: 1, nullBitmap: nulls, data })]);
};
const raw = (type: FixedSizeBinary | Decimal, bytes: Uint8Array): Vector => {
  const data = type instanceof Decimal ? new Uint32Array(bytes.buffer) : bytes;
  return new Vector([makeData({ type, length: 3, nullCount: 1, nullBitmap: Uint8Array.of(0b011), data } as never)]);
};

test('every type is written exactly, with nulls, NaN, infinities, negative zero and times before 1970', async () => {
  const decimals = new Uint8Array(48);
  new DataView(decimals.buffer).setBigInt64(0, -1n, true);
  new DataView(decimals.buffer).setBigInt64(8, -1n, true);
  new DataView(decimals.buffer).setBigInt64(16, 12345n, true);
  const uuids = new Uint8Array(48);
  uuids.set([0xf7, 0x9c, 0x3e, 0x09, 0x67, 0x7c, 0x4b, 0xbd, 0xa4, 0x79, 0x3f, 0x34, 0x9c, 0xb7, 0x85, 0xe7]);
  const long = 'fünfzehn Zeichen 😀 und mehr';
  const columns: Record<string, [type: string, vector: Vector, expected: readonly (string | null)[]]> = {
    b: ['boolean', vectorFromArray([true, false, null]), ['true', 'false', null]],
    i: ['int', vectorFromArray([-2147483648, 2147483647, null], new Int32()), ['-2147483648', '2147483647', null]],
    i8: ['int', vectorFromArray([-128, 127, null], new Int8()), ['-128', '127', null]],
    l: [
      'long',
      vectorFromArray([-9223372036854775808n, 9223372036854775807n, null], new Int64()),
      ['-9223372036854775808', '9223372036854775807', null],
    ],
    u64: ['long', vectorFromArray([0n, 9223372036854775807n, null], new Uint64()), ['0', '9223372036854775807', null]],
    f: ['float', vectorFromArray([0.1, Number.NaN, null], new Float32()), ['0.1', 'nan', null]],
    d: ['double', vectorFromArray([-0, Number.NEGATIVE_INFINITY, null]), ['-0.0', '-inf', null]],
    n: ['double', vectorFromArray([0.1, Number.NaN, null]), ['0.1', 'nan', null]],
    dec: ['decimal(38, 2)', raw(new Decimal(2, 38, 128), decimals), ['-0.01', '123.45', null]],
    us: [
      'timestamp',
      times(TimeUnit.MICROSECOND, null, -1n, 1n),
      ['1969-12-31 23:59:59.999999', '1970-01-01 00:00:00.000001', null],
    ],
    usz: [
      'timestamptz',
      times(TimeUnit.MICROSECOND, 'UTC', -1n, 1n),
      ['1969-12-31 23:59:59.999999+00', '1970-01-01 00:00:00.000001+00', null],
    ],
    zone: [
      'timestamptz',
      times(TimeUnit.MILLISECOND, 'Asia/Kathmandu', -1n, 1n),
      ['1969-12-31 23:59:59.999+00', '1970-01-01 00:00:00.001+00', null],
    ],
    ms: [
      'timestamp',
      times(TimeUnit.MILLISECOND, null, -1n, 1n),
      ['1969-12-31 23:59:59.999', '1970-01-01 00:00:00.001', null],
    ],
    sec: ['timestamp', times(TimeUnit.SECOND, null, -1n, 1n), ['1969-12-31 23:59:59', '1970-01-01 00:00:01', null]],
    ns: [
      'timestamp_ns',
      times(TimeUnit.NANOSECOND, null, -1n, 1n),
      ['1969-12-31 23:59:59.999999999', '1970-01-01 00:00:00.000000001', null],
    ],
    nsus: [
      'timestamp',
      times(TimeUnit.NANOSECOND, null, -1000n, 1000n),
      ['1969-12-31 23:59:59.999999', '1970-01-01 00:00:00.000001', null],
    ],
    day: [
      'date',
      vectorFromArray([new Date('1969-12-31'), new Date('2262-04-12'), null]),
      ['1969-12-31', '2262-04-12', null],
    ],
    time: [
      'time',
      vectorFromArray([0n, 86399999999n, null], new TimeMicrosecond()),
      ['00:00:00', '23:59:59.999999', null],
    ],
    s: ['string', vectorFromArray(['', 'zwölf Byte!', null], new Utf8()), ['', 'zwölf Byte!', null]],
    t: ['string', vectorFromArray(['thirteen byte', long, null], new Utf8()), ['thirteen byte', long, null]],
    dict: [
      'string',
      vectorFromArray(['😀', 'a\u0000b', null], new Dictionary(new Utf8(), new Int32())),
      ['😀', 'a\u0000b', null],
    ],
    bin: [
      'binary',
      vectorFromArray([Uint8Array.of(0, 255), new Uint8Array(0), null], new Binary()),
      ['\\x00\\xFF', '', null],
    ],
    u: [
      'uuid',
      raw(new FixedSizeBinary(16), uuids),
      ['f79c3e09-677c-4bbd-a479-3f349cb785e7', '00000000-0000-0000-0000-000000000000', null],
    ],
    none: ['long', vectorFromArray([null, null, null], new Null()), [null, null, null]],
  };
  const names = Object.keys(columns);
  const types = Object.fromEntries(Object.entries(columns).map(([name, [type]]) => [name, type]));
  const { write, rows } = await world(schemaOf({ ...types, lacking: 'int' }));
  const made = new Table(Object.fromEntries(Object.entries(columns).map(([name, [, vector]]) => [name, vector])));
  made.schema.fields.find(({ name }) => name === 'u')?.metadata.set('ARROW:extension:name', 'arrow.uuid');
  expect((await write(made)).rows).toBe(3n);
  const read = await rows();
  for (const [index, name] of names.entries())
    expect
      .soft(
        read.map((row) => row[index]),
        name,
      )
      .toEqual(columns[name]?.[2]);
  expect(read.map((row) => row[names.length])).toEqual([null, null, null]);
});

const numbers = (from: number, to: number): Table =>
  new Table({
    id: vectorFromArray(
      Array.from({ length: to - from }, (_, index) => BigInt(from + index)),
      new Int64(),
    ),
    text: vectorFromArray(
      Array.from({ length: to - from }, (_, index) => (index % 3 === 0 ? null : 'x'.repeat((from + index) % 20))),
      new Utf8(),
    ),
  });
const COLUMNS = schemaOf({ id: 'long', text: 'string' });

test('many vectors of rows, slices and single record batches are one batch of the sink', async () => {
  const { sink, rows } = await world(COLUMNS);
  const all = numbers(0, 10_000);
  const [batch] = numbers(10_000, 10_010).batches;
  if (batch === undefined) return expect.unreachable();
  for (const piece of [all.slice(0, 5000), all.slice(5000), batch, numbers(0, 0)])
    await sink.writer(0).writeBatch(arrowRecords(piece));
  const { rows: count, snapshotId } = await sink.flush();
  expect(count).toBe(10_010n);
  expect(snapshotId).not.toBeNull();
  const read = (await rows()).map(([id, text]) => [Number(id), text]).toSorted(([a], [b]) => Number(a) - Number(b));
  expect(read).toEqual(
    Array.from({ length: 10_010 }, (_, id) => [
      id,
      (id < 10_000 ? id : id - 10_000) % 3 === 0 ? null : 'x'.repeat(id % 20),
    ]),
  );
});

test('a column that is shorter than the others is null beyond its end', async () => {
  const short = {
    id: vectorFromArray([1n, 2n], new Int64()),
    text: vectorFromArray(['a', 'grüße, lang genug'], new Utf8()),
    ok: vectorFromArray([true, false]),
    day: vectorFromArray([new Date('2026-01-01'), null]),
    bin: vectorFromArray([Uint8Array.of(0, 255), new Uint8Array(20)], new Binary()),
    dict: vectorFromArray(['a', 'b'], new Dictionary(new Utf8(), new Int32())),
  };
  const n = vectorFromArray(Array.from({ length: 5000 }, (_, index) => index));
  const types = { n: 'double', id: 'long', text: 'string', ok: 'boolean', day: 'date', bin: 'binary', dict: 'string' };
  const { write, rows } = await world(schemaOf(types));
  expect((await write(new Table({ n, ...short }))).rows).toBe(5000n);
  const read = await rows();
  expect(read.slice(0, 2)).toEqual([
    ['0.0', '1', 'a', 'true', '2026-01-01', '\\x00\\xFF', 'a'],
    ['1.0', '2', 'grüße, lang genug', 'false', null, '\\x00'.repeat(20), 'b'],
  ]);
  expect(new Set(read.slice(2).map(([, ...others]) => JSON.stringify(others)))).toEqual(
    new Set([JSON.stringify(Array.from({ length: 6 }, () => null))]),
  );
});

test('the bytes of records are those of their buffers', () => {
  const ids = new Table({ id: vectorFromArray(BigInt64Array.from({ length: 1000 }, () => 1n)) });
  expect(arrowRecords(ids)).toMatchObject({ count: 1000, bytes: 8000 });
});

test('numbers that fit are written into a narrower column', async () => {
  const { write, rows } = await world(schemaOf({ id: 'int' }));
  await write(numbers(7, 9).select(['id']));
  expect(await rows()).toEqual([['7'], ['8']]);
});

describe('a batch is refused', () => {
  const nanoseconds = new Table({ at: times(TimeUnit.NANOSECOND, null, 1500n, 0n) });
  test.each([
    [
      'for a column that the table lacks',
      COLUMNS,
      new Table({ other: vectorFromArray([1n]) }),
      'COLUMN_NOT_FOUND',
      /"other"/,
    ],
    [
      'for a number out of range',
      schemaOf({ id: 'int' }),
      new Table({ id: vectorFromArray([2147483648n]) }),
      'TYPE_MISMATCH',
      /^arrow, row 0: column "id": 2147483648 does not fit int exactly\.$/,
    ],
    [
      'for nanoseconds in a column of microseconds',
      schemaOf({ at: 'timestamp' }),
      nanoseconds,
      'TYPE_MISMATCH',
      /does not fit timestamp exactly/,
    ],
    [
      'for text in a column of numbers',
      schemaOf({ text: 'long' }),
      new Table({ text: vectorFromArray(['1'], new Utf8()) }),
      'TYPE_MISMATCH',
      /string in the Arrow data/,
    ],
  ] as const)('%s', async (_, schema, data, code, message) => {
    const { write } = await world(schema);
    const error = await failureOf(write(data));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  });

  test('for nulls in a required column', async () => {
    const schema = schemaOf({ text: 'string' });
    const { write } = await world({ ...schema, fields: schema.fields.map((field) => ({ ...field, required: true })) });
    const error = await failureOf(write(numbers(0, 4).select(['text'])));
    expect([error.code, error.message]).toEqual([
      'TYPE_MISMATCH',
      expect.stringMatching(/^arrow, row 0: column "text" is required, and has no value \(2 rows do not fit\)\.$/),
    ]);
  });
});

test('a slice counts the bytes of its own rows, not those of the table that it was cut from', () => {
  const texts = makeData({
    ...{ type: new Utf8(), length: 4, valueOffsets: Int32Array.of(0, 1, 3, 6, 10), data: Buffer.from('abbcccdddd') },
  });
  const numbers = makeData({ type: new Int32(), length: 6, data: Int32Array.of(1, 2, 3, 4, 5, 6) });
  const lists = makeData({
    ...{ type: new List(new Field('item', new Int32())), length: 4, valueOffsets: Int32Array.of(0, 1, 1, 4, 6) },
    child: numbers,
  });
  const bits = makeData({ type: new Bool(), length: 4, data: Uint8Array.of(0b0101, 0, 0, 0, 0, 0, 0, 0) });
  const table = new Table({ t: new Vector([texts]), l: new Vector([lists]), b: new Vector([bits]) });
  // Texts and numbers, with an offset more than there are rows, and a bit for each row.
  expect(arrowRecords(table).bytes).toBe(10 + 5 * 4 + (6 * 4 + 5 * 4) + 1);
  expect(arrowRecords(table.slice(1, 3)).bytes).toBe(5 + 3 * 4 + (3 * 4 + 3 * 4) + 1);
  const struct = new Table({
    s: new Vector([makeData({ type: new Struct([new Field('t', new Utf8())]), length: 4, children: [texts] })]),
  });
  expect(arrowRecords(struct.slice(3)).bytes).toBe(4 + 2 * 4);
});
