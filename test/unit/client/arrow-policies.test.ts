/** Arrow rows of which some do not fit: dropped and counted, to the dead letters, or an error of the batch. */
import { tracingChannel } from 'node:diagnostics_channel';
import {
  Binary,
  type DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Map_,
  makeData,
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
import { expect, test } from 'vitest';
import { type ArrowRecordsOptions, arrowRecords } from '../../../client/index.js';
import { parquetReader, quoteIdentifier, STATEMENT_CHANNEL } from '../../../engine/index.js';
import {
  currentSchema,
  currentSnapshot,
  evolveSchema,
  type JsonValue,
  LAST_ADDED,
  parseSchema,
} from '../../../iceberg/index.js';
import { IcebergSink, jsonRecords, recordLines, replayDeadLetters, type SinkOptions } from '../../../sink/index.js';
import { commitUpdates, planFiles } from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { openTableWorld } from '../../support/table-world.js';

const TABLE = { namespace: ['demo'], name: 't' };
const DEAD = { namespace: ['demo'], name: 'dead' };

/** A table `demo.t`, `!` behind the names of required columns, and a sink on it. */
async function world(columns: Readonly<Record<string, JsonValue>>, options: Partial<SinkOptions> = {}) {
  const opened = await openTableWorld();
  const fields = Object.entries(columns).map(([name, type], index): JsonValue => {
    return { id: index + 1, name: name.replace('!', ''), required: name.endsWith('!'), type };
  });
  await opened.create('t', parseSchema({ type: 'struct', 'schema-id': 0, fields }), undefined, 3);
  const manual = { batchSize: Infinity, batchIntervalMs: Infinity };
  const sink = await IcebergSink.open(opened, { table: TABLE, name: 's', ...manual, ...options });
  /** Rows as texts, past our own scan. */
  const rows = async (name = 't', select?: string) => {
    const table = await opened.load(name);
    const schema = currentSchema(table.metadata);
    const { files } = await planFiles(table, { snapshot: currentSnapshot(table.metadata), schema });
    if (files.length === 0) return [];
    const texts = schema.fields.map((field) => `${quoteIdentifier(field.name)}::VARCHAR`).join(', ');
    const reader = parquetReader(files.map(({ file }) => file.filePath));
    return await opened.engine.withConnection((connection) =>
      connection.rows(`SELECT ${select ?? texts} FROM ${reader}`),
    );
  };
  const write = async (data: Table, more: ArrowRecordsOptions = { badRecords: 'drop' }) => {
    await sink.writer(0).writeBatch(arrowRecords(data, more));
    return await sink.flush();
  };
  return { ...opened, sink, rows, write };
}

const made = (type: DataType, data: ArrayLike<unknown>, length: number): Vector =>
  new Vector([makeData({ type, length, nullCount: 0, data } as never)]);
const longs = (type: DataType, ...values: bigint[]): Vector => made(type, BigInt64Array.of(...values), values.length);
const decimals = (scale: number, precision: number, ...values: number[]): Vector => {
  const words = new Uint32Array(values.length * 4);
  const view = new DataView(words.buffer);
  for (const [index, value] of values.entries()) {
    view.setBigInt64(index * 16, BigInt(value), true);
    view.setBigInt64(index * 16 + 8, value < 0 ? -1n : 0n, true);
  }
  return made(new Decimal(scale, precision, 128), words, values.length);
};
const stamps = (unit: TimeUnit, zone: string | null, ...values: bigint[]) =>
  longs(new Timestamp(unit, zone), ...values);
const dictionaryOf = (entries: readonly (string | null)[], ...keys: number[]): Vector => {
  const type = new Dictionary(new Utf8(), new Int32());
  const [dictionary, data] = [vectorFromArray(entries, new Utf8()), Int32Array.from(keys)];
  return new Vector([makeData({ type, length: keys.length, nullCount: 0, data, dictionary })]);
};
const { SECOND, MILLISECOND, MICROSECOND, NANOSECOND } = TimeUnit;

const CASES: Readonly<
  Record<
    string,
    readonly [type: JsonValue, values: Vector, kept: readonly (string | null)[], reason: string, json: string]
  >
> = {
  'a null in a required column': [
    'string',
    vectorFromArray(['a', null, 'c'], new Utf8()),
    ['a', 'c'],
    'MISSING_REQUIRED',
    'null',
  ],
  'a key of a null in a dictionary': [
    'string',
    dictionaryOf(['a', null, 'c, of more than twelve bytes'], 0, 1, 2),
    ['a', 'c, of more than twelve bytes'],
    'MISSING_REQUIRED',
    'null',
  ],
  'a number beyond a narrower type': [
    'int',
    vectorFromArray([1n, 2147483648n, -2147483648n], new Int64()),
    ['1', '-2147483648'],
    'OUT_OF_RANGE',
    '2147483648',
  ],
  'a number beyond a signed type': [
    'long',
    vectorFromArray([1n, 9223372036854775808n, 9223372036854775807n], new Uint64()),
    ['1', '9223372036854775807'],
    'OUT_OF_RANGE',
    '9223372036854775808',
  ],
  'a fraction in a column of whole numbers': [
    'long',
    vectorFromArray([1, 2.5, 4503599627370497], new Float64()),
    ['1', '4503599627370497'],
    'OUT_OF_RANGE',
    '2.5',
  ],
  'a double beyond floats': [
    'float',
    vectorFromArray([0.1, 1e300, Number.NaN], new Float64()),
    ['0.1', 'nan'],
    'OUT_OF_RANGE',
    '1e+300',
  ],
  'a decimal of more digits': [
    'decimal(5, 2)',
    decimals(2, 12, -99999, 123456, 99999),
    ['-999.99', '999.99'],
    'OUT_OF_RANGE',
    '1234.56',
  ],
  'a decimal of a longer fraction': [
    'decimal(5, 1)',
    decimals(2, 5, 120, 125, -130),
    ['1.2', '-1.3'],
    'OUT_OF_RANGE',
    '1.25',
  ],
  'a decimal of more digits than its own type': [
    'decimal(5, 2)',
    decimals(2, 5, 99999, -1234567, -99999),
    ['999.99', '-999.99'],
    'OUT_OF_RANGE',
    '-12345.67',
  ],
  'nanoseconds in a column of microseconds': [
    'timestamp',
    stamps(NANOSECOND, null, -1000n, 1500n, 2000n),
    ['1969-12-31 23:59:59.999999', '1970-01-01 00:00:00.000002'],
    'INVALID_TIME',
    '"1970-01-01T00:00:00.000001500"',
  ],
  'a time of day in a column of days': [
    'date',
    stamps(MICROSECOND, null, 0n, 1n, 86_400_000_000n),
    ['1970-01-01', '1970-01-02'],
    'INVALID_TIME',
    '"1970-01-01T00:00:00.000001"',
  ],
  'seconds that no microseconds hold': [
    'timestamp',
    stamps(SECOND, null, -1n, 2n ** 62n, 1n),
    ['1969-12-31 23:59:59', '1970-01-01 00:00:01'],
    'INVALID_TIME',
    '4611686018427387904',
  ],
  'milliseconds that no microseconds hold': [
    'timestamptz',
    stamps(MILLISECOND, 'Asia/Kathmandu', -1n, -(2n ** 62n), 1n),
    ['1969-12-31 23:59:59.999+00', '1970-01-01 00:00:00.001+00'],
    'INVALID_TIME',
    '-4611686018427387904',
  ],
  'microseconds that the engine takes for infinity': [
    'timestamptz',
    stamps(MICROSECOND, 'UTC', -1n, 2n ** 63n - 1n, 1n),
    ['1969-12-31 23:59:59.999999+00', '1970-01-01 00:00:00.000001+00'],
    'INVALID_TIME',
    '9223372036854775807',
  ],
  'a day that the engine takes for infinity': [
    'date',
    made(new DateDay(), Int32Array.of(-1, 2147483647, 1), 3),
    ['1969-12-31', '1970-01-02'],
    'INVALID_TIME',
    '2147483647',
  ],
  'a day in milliseconds beyond all days': [
    'date',
    longs(new DateMillisecond(), -86_400_000n, 2n ** 62n, 0n),
    ['1969-12-31', '1970-01-01'],
    'INVALID_TIME',
    '4611686018427387904',
  ],
  'a day in milliseconds with a time of day': [
    'date',
    longs(new DateMillisecond(), -86_400_000n, 43_200_000n, 86_400_000n),
    ['1969-12-31', '1970-01-02'],
    'INVALID_TIME',
    '43200000',
  ],
  'a day in milliseconds with a time of day, before 1970': [
    'date',
    // What `date -u -d 0001-01-01 +%s` and `date -u -d 9999-12-31 +%s` give.
    longs(new DateMillisecond(), -62_135_596_800_000n, -62_135_596_800_001n, 253_402_214_400_000n),
    ['0001-01-01', '9999-12-31'],
    'INVALID_TIME',
    '-62135596800001',
  ],
  'a negative time of day': [
    'time',
    longs(new TimeMicrosecond(), 0n, -1n, 86_399_999_999n),
    ['00:00:00', '23:59:59.999999'],
    'INVALID_TIME',
    '-1',
  ],
  '24:00:00': [
    'time',
    longs(new TimeMicrosecond(), 1n, 86_400_000_000n, 2n),
    ['00:00:00.000001', '00:00:00.000002'],
    'INVALID_TIME',
    '86400000000',
  ],
  '24:00:00 in a list': [
    { type: 'list', 'element-id': 9, 'element-required': false, element: 'time' },
    vectorFromArray([[1n], [2n, 86_400_000_000n], null], new List(new Field('element', new TimeMicrosecond()))),
    ["['00:00:00.000001']", null],
    'WRONG_TYPE',
    '["00:00:00.000002","24:00:00.000000"]',
  ],
  'a null in a required field of a struct': [
    { type: 'struct', fields: [{ id: 9, name: 'x', required: true, type: 'int' }] },
    vectorFromArray([{ x: 1 }, { x: null }, null], new Struct([new Field('x', new Int32(), true)])),
    ["{'x': 1}", null],
    'MISSING_REQUIRED',
    '{"x":null}',
  ],
  'a null among required elements': [
    { type: 'list', 'element-id': 9, 'element-required': true, element: 'int' },
    vectorFromArray([[1], [2, null], []], new List(new Field('element', new Int32(), true))),
    ['[1]', '[]'],
    'MISSING_REQUIRED',
    '[2,null]',
  ],
  'a null deep inside': [
    {
      ...{ type: 'map', 'key-id': 8, key: 'string', 'value-id': 9, 'value-required': false },
      value: { type: 'struct', fields: [{ id: 10, name: 'x', required: true, type: 'int' }] },
    },
    vectorFromArray(
      [{ a: { x: 1 } }, { b: { x: null }, c: { x: 1 } }, null],
      new Map_(
        new Field(
          'entries',
          new Struct([
            new Field('key', new Utf8(), false),
            new Field('value', new Struct([new Field('x', new Int32(), true)]), true),
          ] as never),
          false,
        ),
      ),
    ),
    ["{a={'x': 1}}", null],
    'MISSING_REQUIRED',
    '[["b",{"x":null}],["c",{"x":1}]]',
  ],
};

test.each(Object.entries(CASES))(
  '%s is left out, and the rows beside it stay',
  async (name, [type, values, kept, reason, json]) => {
    const isRequired = json === 'null';
    const { write, rows } = await world({ id: 'long', [isRequired ? 'v!' : 'v']: type });
    const data = new Table({ id: vectorFromArray([1n, 2n, 3n], new Int64()), v: values });
    const { rows: count, rejected } = await write(data);
    expect([name, count]).toEqual([name, 2n]);
    expect(await rows()).toEqual([
      ['1', kept[0]],
      ['3', kept[1]],
    ]);
    expect(rejected.map((row) => [row.reason, row.position, Buffer.from(row.raw).toString()])).toEqual([
      [reason, null, `{"id":2,"v":${json}}`],
    ]);
    expect(rejected[0]?.message).toMatch(
      isRequired
        ? /^arrow, row 1: column "v" is required, and has no value$/
        : /^arrow, row 1: column "v": .* (does not fit .* exactly|has a null where a value is required)$/,
    );
    // The default.
    const error = await failureOf(write(data, {}));
    expect([error.code, error.message]).toEqual(['TYPE_MISMATCH', expect.stringContaining('arrow, row 1: column "v"')]);
  },
);

test('a null in a dictionary is one wherever its key stands, and what no key stands for is nothing', async () => {
  const lab = await world(
    {
      'v!': 'string',
      list: { type: 'list', 'element-id': 9, 'element-required': false, element: 'string' },
    },
    { evolveSchema: true },
  );
  const isRequired = async (name: string) =>
    currentSchema((await lab.load('t')).metadata).fields.find((field) => field.name === name)?.required;
  const listOf = (elements: Vector): Vector => {
    const type = new List(new Field('element', elements.type, true));
    return new Vector([
      makeData({ type, length: 1, nullCount: 0, valueOffsets: Int32Array.of(0, 3), child: elements.data[0] } as never),
    ]);
  };
  const list = listOf(dictionaryOf(['x', null], 1, 0, 1));
  await lab.write(new Table({ v: dictionaryOf(['a', null], 0), list }));
  expect([await isRequired('v'), await lab.rows()]).toEqual([true, [['a', '[NULL, x, NULL]']]]);
  await lab.write(new Table({ v: dictionaryOf(['a', null], 1), list }));
  expect(await isRequired('v')).toBe(false);
  expect((await lab.rows()).map(([v]) => v).toSorted()).toEqual(['a', null]);
});

test('a day in milliseconds inside of a value has no time of day, either', async () => {
  const type = { type: 'list', 'element-id': 9, 'element-required': false, element: 'date' };
  const { write, rows } = await world({ v: type });
  const data = (value: bigint) =>
    new Table({ v: vectorFromArray([[0n, value], null], new List(new Field('element', new DateMillisecond()))) });
  await write(data(86_400_000n));
  const error = await failureOf(write(data(86_400_001n)));
  expect([error.code, error.message]).toEqual([
    'TYPE_MISMATCH',
    'The column "v.element" of days (date64) has one with a time of day. Make it a column of timestamps.',
  ]);
  expect(await rows()).toEqual([['[1970-01-01, 1970-01-02]'], [null]]);
});

test('a text of a dictionary that is not UTF-8 is refused', async () => {
  const values = Uint8Array.of(0x61, 0xff, 0x62);
  const texts = { type: new Utf8(), length: 2, nullCount: 0, valueOffsets: Int32Array.of(0, 1, 3), data: values };
  const type = new Dictionary(new Utf8(), new Int32());
  const keyed = (...keys: number[]): Table => {
    const [dictionary, data] = [new Vector([makeData(texts)]), Int32Array.from(keys)];
    return new Table({ v: new Vector([makeData({ type, length: keys.length, nullCount: 0, data, dictionary })]) });
  };
  const { write, rows } = await world({ v: 'string' });
  const error = await failureOf(write(keyed(0, 1)));
  expect([error.code, error.message]).toEqual(['TYPE_MISMATCH', 'The column "v" has a text that is not UTF-8.']);
  const other = await world({ v: 'string' });
  await other.write(keyed(0, 0));
  expect([await rows(), await other.rows()]).toEqual([[], [['a'], ['a']]]);
});

test('of many rows those that fit stay in their order, and the positions of the others are known', async () => {
  const { rows, write } = await world({ 'id!': 'int', 'text!': 'string' });
  const [count, isBad] = [10_000, (row: number) => row % 100 === 7];
  const id = vectorFromArray(
    Array.from({ length: count }, (_, row) => (isBad(row) && row % 200 === 7 ? 2n ** 40n : BigInt(row))),
    new Int64(),
  );
  const text = vectorFromArray(
    Array.from({ length: count }, (_, row) => (isBad(row) && row % 200 !== 7 ? null : 'x'.repeat(row % 20))),
    new Utf8(),
  );
  const all = new Table({ id, text });
  const table = new Table([...all.slice(0, 2500).batches, ...all.slice(2500).batches]);
  const { rows: written, rejected } = await write(table, { badRecords: 'drop', partition: 'p', from: 1000n });
  expect([written, rejected.length]).toEqual([9900n, 100]);
  expect(rejected.slice(0, 2)).toEqual([
    {
      reason: 'OUT_OF_RANGE',
      message: 'p, offset 1007: column "id": 1099511627776 does not fit int exactly',
      raw: Buffer.from('{"id":1099511627776,"text":"xxxxxxx"}'),
      position: { partition: 'p', offset: 1007n },
    },
    {
      reason: 'MISSING_REQUIRED',
      message: 'p, offset 1107: column "text" is required, and has no value',
      raw: Buffer.from('{"id":107,"text":null}'),
      position: { partition: 'p', offset: 1107n },
    },
  ]);
  const failed = await world({ 'id!': 'int', 'text!': 'string' });
  const error = await failureOf(failed.write(table, { partition: 'p', from: 1000n }));
  expect([error.message, error.details]).toEqual([
    'p, offset 1007: column "id": 1099511627776 does not fit int exactly (100 rows do not fit).',
    { reason: 'OUT_OF_RANGE', offset: '1007' },
  ]);
  const good = Array.from({ length: count }, (_, row) => row).filter((row) => !isBad(row));
  expect(await rows()).toEqual(good.map((row) => [String(row), 'x'.repeat(row % 20)]));
});

test('a row of every type becomes a dead letter, and the same row once its table fits', async () => {
  const columns = {
    ...{
      n: 'int',
      b: 'boolean',
      l: 'long',
      f: 'float',
      d: 'double',
      dec: 'decimal(38, 10)',
      day: 'date',
      time: 'time',
    },
    ...{
      us: 'timestamp',
      usz: 'timestamptz',
      ns: 'timestamp_ns',
      nsz: 'timestamptz_ns',
      s: 'string',
      bin: 'binary',
      u: 'uuid',
    },
    list: { type: 'list', 'element-id': 30, 'element-required': false, element: 'double' },
  };
  const lab = await world(columns, { deadLetters: DEAD });
  const u = made(
    new FixedSizeBinary(16),
    Uint8Array.from({ length: 32 }, (_, index) => index * 7),
    2,
  );
  const data = new Table({
    n: vectorFromArray([2n ** 31n, 2n ** 53n + 1n], new Int64()),
    b: vectorFromArray([true, false]),
    l: vectorFromArray([-(2n ** 63n), 2n ** 63n - 1n], new Int64()),
    f: vectorFromArray([0.1, Number.NEGATIVE_INFINITY], new Float32()),
    d: vectorFromArray([-0, Number.NaN], new Float64()),
    dec: made(
      new Decimal(10, 38, 128),
      new Uint32Array([1, 2, 3, 4, 5, 6, 7, 0x80000000 + 9]).map((word, index) => (index === 7 ? 0xfffffff0 : word)),
      2,
    ),
    day: made(new DateDay(), Int32Array.of(-719162, 2932896), 2),
    time: longs(new TimeMicrosecond(), 0n, 86_399_999_999n),
    us: stamps(MICROSECOND, null, -1n, 253402300799999999n),
    usz: stamps(MICROSECOND, 'UTC', -62135596800000000n, 1n),
    ns: stamps(NANOSECOND, null, -1n, 1n),
    nsz: stamps(NANOSECOND, 'UTC', 1_700_000_000_123_456_789n, -1n),
    s: vectorFromArray(['"\\\n\u0001 grüße 😀', ''], new Utf8()),
    bin: vectorFromArray([Uint8Array.of(0, 255, 34), new Uint8Array(0)], new Binary()),
    u,
    list: vectorFromArray([[1, null, 0.1], []], new List(new Field('element', new Float64()))),
  });
  data.schema.fields.find(({ name }) => name === 'u')?.metadata.set('ARROW:extension:name', 'arrow.uuid');
  const range = { partition: 'p', from: 0n, to: 2n };
  await lab.sink.writer(0).writeBatch(arrowRecords(data, { badRecords: 'drop', ...range }), range);
  expect((await lab.sink.flush()).rows).toBe(0n);
  expect(await lab.rows('dead', 'reason, source, position')).toEqual([
    ['OUT_OF_RANGE', 'p', 0n],
    ['OUT_OF_RANGE', 'p', 1n],
  ]);
  // What an engine writes of the same rows where they fit.
  const wide = { ...columns, n: 'long' };
  const expected = await world(wide);
  await expected.write(data, {});
  const change = { change: 'promote', column: 'n', type: { kind: 'long' } } as const;
  await commitUpdates(await lab.load('t'), (metadata) => {
    if (metadata.schemas.length > 1) return null;
    const schema = { ...evolveSchema(currentSchema(metadata), [change], metadata), schemaId: 1 };
    return [
      { action: 'add-schema', schema },
      { action: 'set-current-schema', schemaId: LAST_ADDED },
    ];
  });
  await replayDeadLetters(lab, {
    deadLetters: DEAD,
    table: TABLE,
    records: (letters) => {
      const values = letters.map((value, index) => ({ offset: BigInt(index), value }));
      return jsonRecords(recordLines(values, 'd', 'd'), { badRecords: 'drop' });
    },
  });
  const found = await lab.rows();
  expect(found).toEqual(await expected.rows());
  expect(found.map(([n]) => n)).toEqual(['2147483648', '9007199254740993']);
});

test('columns that do not fit stop the batch, whatever becomes of rows', async () => {
  const { write } = await world({ id: 'long', 'v!': 'int' });
  const id = vectorFromArray([1n, null], new Int64());
  const v = vectorFromArray([1, null], new Int32());
  expect(await rejectionCode(write(new Table({ id, v, other: v })))).toBe('COLUMN_NOT_FOUND');
  const other = await world({ id: 'long', 'v!': 'int' });
  expect(await rejectionCode(other.write(new Table({ id })))).toBe('TYPE_MISMATCH');
  const third = await world({ id: 'long', 'v!': 'int' });
  const error = await failureOf(third.write(new Table({ id: vectorFromArray(['1', '2'], new Utf8()), v })));
  expect([error.code, error.message]).toEqual([
    'TYPE_MISMATCH',
    expect.stringContaining('is string in the Arrow data'),
  ]);
});

test('nothing looks at the rows of a batch that fits', async () => {
  const statements = async (columns: Readonly<Record<string, JsonValue>>) => {
    const { write } = await world(columns);
    const kinds: string[] = [];
    const start = ({ kind }: { kind: string }): void => void kinds.push(kind);
    tracingChannel(STATEMENT_CHANNEL).subscribe({ start } as never);
    try {
      const day = made(new DateDay(), Int32Array.of(-1, 1), 2);
      const at = stamps(MICROSECOND, 'UTC', -1n, 253402300799999999n);
      const sec = stamps(SECOND, null, -62135596800n, 253402300799n);
      const time = longs(new TimeMicrosecond(), 0n, 86_000_000_000n);
      const { rows } = await write(
        new Table({ day, at, sec, time, dec: decimals(2, 12, -999999999999, 999999999999) }),
      );
      expect(rows).toBe(2n);
    } finally {
      tracingChannel(STATEMENT_CHANNEL).unsubscribe({ start } as never);
    }
    return kinds;
  };
  const types = { day: 'date', at: 'timestamptz', sec: 'timestamp', time: 'time', dec: 'decimal(12, 2)' };
  const required = Object.fromEntries(Object.entries(types).map(([name, type]) => [`${name}!`, type]));
  const kinds = await statements(required);
  expect(kinds).toEqual(await statements(types));
  // The rows are copied, written, and nothing else.
  expect(kinds.filter((kind) => kind !== 'SET')).toEqual(['CREATE', 'COPY']);
});
