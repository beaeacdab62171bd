/**
 * Apache Spark reads what a sink wrote, and computes the same partition values from the same rows: of every transform and every type that it has one of. It has no
 * columns of times of day, of UUIDs and of a fixed length: it reads the last two as texts and bytes, and would hash those, and refuses tables with the first. For
 * `identity`, `bucket`, `truncate` and `void` of such columns see the specification's vectors in test/unit/iceberg.
 */
import { join } from 'node:path';
import {
  Binary,
  Bool,
  DateDay,
  Decimal,
  Float64,
  Int32,
  Int64,
  makeData,
  Table,
  TimestampMicrosecond,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { expect, test } from 'vitest';
import { arrowRecords } from '../../client/index.js';
import { IcebergSink } from '../../sink/index.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { runSparkProgram } from '../support/spark.js';
import { openTableWorld, schemaOf } from '../support/table-world.js';

const LONGS = [0n, 1n, -1n, 7n, -7n, 9223372036854775807n, -9223372036854775808n, null];
const INTS = [0, 1, -1, 9, -11, 2147483647, -2147483648, null];
const DAYS = ['1970-01-01', '1969-12-31', '1968-02-29', '2000-02-29', '1600-03-01', '2262-04-12', '1969-01-01', null];
const TIMES = [
  0n,
  -1n,
  -3_600_000_001n,
  951_782_400_000_000n,
  -62_135_596_800_000_000n,
  1n,
  253_402_300_799_999_999n,
  null,
];
const TEXTS = ['', 'a', '😀😁😂', 'dé-ô', 'a longer text with 😀 in it', '\u0000', '100%/x=y', null];
const BYTES = [[], [0], [255, 254], [1, 2, 3], [240, 159, 152, 128], [0, 0, 0, 0], [127], null];
const UNSCALED = [0n, 1n, -1n, 123_456n, -123_456n, 99_999_999_999n, -99_999_999_999n, null];
const COUNT = LONGS.length;

const FLOATS = [0, 1.5, -1.5, Number.NaN, Infinity, -Infinity, 5e-324, null];
const FLAGS = [true, false, false, true, false, true, true, null];

/** Columns of one type each: a spec may have one unit of time of each. */
const COLUMNS = {
  ...{ id: 'long', l: 'long', i: 'int', s: 'string', b: 'binary', dec: 'decimal(12, 2)', day: 'date', g: 'double' },
  ...{ flag: 'boolean', tz: 'timestamptz', y: 'timestamptz', m: 'timestamptz', d: 'timestamptz', h: 'timestamptz' },
  ...{ ts: 'timestamp', ty: 'timestamp', tm: 'timestamp', td: 'timestamp', th: 'timestamp' },
  ...{ dy: 'date', dm: 'date', dd: 'date' },
};

/** Fields of the spec, and what Spark computes from the rows. */
const FIELDS: Readonly<Record<string, readonly [name: string, sparkSql: string]>> = {
  'identity(l)': ['l', 'l'],
  'bucket[16](l)': ['l_bucket', 'ours.system.bucket(16, l)'],
  'truncate[10](l)': ['l_trunc', 'ours.system.truncate(10, l)'],
  'identity(i)': ['i', 'i'],
  'bucket[7](i)': ['i_bucket', 'ours.system.bucket(7, i)'],
  'truncate[10](i)': ['i_trunc', 'ours.system.truncate(10, i)'],
  'identity(s)': ['s', 's'],
  'bucket[16](s)': ['s_bucket', 'ours.system.bucket(16, s)'],
  'truncate[2](s)': ['s_trunc', 'ours.system.truncate(2, s)'],
  'identity(b)': ['b', 'b'],
  'bucket[16](b)': ['b_bucket', 'ours.system.bucket(16, b)'],
  'truncate[2](b)': ['b_trunc', 'ours.system.truncate(2, b)'],
  'identity(dec)': ['dec', 'dec'],
  'bucket[16](dec)': ['dec_bucket', 'ours.system.bucket(16, dec)'],
  'truncate[50](dec)': ['dec_trunc', 'ours.system.truncate(50, dec)'],
  'identity(g)': ['g', 'g'],
  'identity(flag)': ['flag', 'flag'],
  'identity(day)': ['day', 'day'],
  'bucket[16](day)': ['day_bucket', 'ours.system.bucket(16, day)'],
  'year(dy)': ['dy_year', 'ours.system.years(dy)'],
  'month(dm)': ['dm_month', 'ours.system.months(dm)'],
  'day(dd)': ['dd_day', 'ours.system.days(dd)'],
  'identity(tz)': ['tz', 'tz'],
  'bucket[16](tz)': ['tz_bucket', 'ours.system.bucket(16, tz)'],
  'year(y)': ['y_year', 'ours.system.years(y)'],
  'month(m)': ['m_month', 'ours.system.months(m)'],
  'day(d)': ['d_day', 'ours.system.days(d)'],
  'hour(h)': ['h_hour', 'ours.system.hours(h)'],
  'identity(ts)': ['ts', 'ts'],
  'bucket[16](ts)': ['ts_bucket', 'ours.system.bucket(16, ts)'],
  'year(ty)': ['ty_year', 'ours.system.years(ty)'],
  'month(tm)': ['tm_month', 'ours.system.months(tm)'],
  'day(td)': ['td_day', 'ours.system.days(td)'],
  'hour(th)': ['th_hour', 'ours.system.hours(th)'],
  'void(id)': ['id_null', 'CAST(NULL AS BIGINT)'],
};

function fixedWidth(type: never, values: readonly (bigint | null)[], words: number): Vector {
  const data = new BigInt64Array(values.length * words);
  let valid = 0;
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    valid |= 1 << index;
    data[index * words] = BigInt.asIntN(64, value);
    if (words === 2) data[index * words + 1] = value >> 64n;
  }
  const nullBitmap = Uint8Array.of(valid);
  const bytes = words === 2 ? new Uint32Array(data.buffer) : data;
  return new Vector([makeData({ type, length: values.length, nullCount: 1, nullBitmap, data: bytes } as never)]);
}

const days = (): Vector =>
  vectorFromArray(
    DAYS.map((text) => (text === null ? null : new Date(text))),
    new DateDay(),
  );
const zoned = (): Vector => fixedWidth(new TimestampMicrosecond('UTC') as never, TIMES, 1);
const unzoned = (): Vector => fixedWidth(new TimestampMicrosecond() as never, TIMES, 1);

function rows(): Table {
  return new Table({
    id: vectorFromArray(
      LONGS.map((_, index) => BigInt(index)),
      new Int64(),
    ),
    l: vectorFromArray(LONGS, new Int64()),
    i: vectorFromArray(INTS, new Int32()),
    s: vectorFromArray(TEXTS, new Utf8()),
    b: vectorFromArray(
      BYTES.map((bytes) => (bytes === null ? null : Uint8Array.from(bytes))),
      new Binary(),
    ),
    dec: fixedWidth(new Decimal(2, 12, 128) as never, UNSCALED, 2),
    day: days(),
    g: vectorFromArray(FLOATS, new Float64()),
    flag: vectorFromArray(FLAGS, new Bool()),
    ...{ tz: zoned(), y: zoned(), m: zoned(), d: zoned(), h: zoned() },
    ...{ ts: unzoned(), ty: unzoned(), tm: unzoned(), td: unzoned(), th: unzoned() },
    ...{ dy: days(), dm: days(), dd: days() },
  });
}

describeInterop('Apache Spark and a sink', () => {
  test('agree about the partition value of every transform, before 1970, below zero, of nulls and of emoji', async () => {
    const world = await openTableWorld();
    const table = { namespace: ['demo'], name: 't' };
    await world.create('t', schemaOf(COLUMNS), Object.keys(FIELDS).join(', '));
    const sink = await IcebergSink.open(world, { table, name: 's', numPartitions: 2, batchSize: Infinity });
    const all = rows();
    await sink.writer(0).writeBatch(arrowRecords(all.slice(0, 3)), { partition: 'a', from: 0n, to: 3n });
    await sink.writer(1).writeBatch(arrowRecords(all.slice(3)), { partition: 'b', from: 0n, to: 5n });
    await sink.close();
    const { metadataLocation } = await world.load('t');
    const program = join(projectRoot, 'test/interop/programs/spark_partition_values.py');
    const asked = Object.fromEntries(Object.values(FIELDS));
    const args = [join(world.folder, 'spark'), metadataLocation, JSON.stringify(asked)];
    const stdout = await runSparkProgram(projectRoot, program, args, world.folder);
    const answer = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      rows: (string | null)[][];
      values: Record<string, [ours: string | null, spark: string | null][]>;
    };
    for (const [name] of Object.values(FIELDS)) {
      const pairs = answer.values[name] ?? [];
      expect(pairs, name).toHaveLength(COUNT);
      expect
        .soft(
          pairs.map(([ours]) => ours),
          name,
        )
        .toEqual(pairs.map(([, spark]) => spark));
      const nulls = pairs.filter(([ours]) => ours === null).length;
      expect.soft(nulls, name).toBe(name === 'id_null' ? COUNT : 1);
    }
    const column = (index: number) => answer.rows.map((row) => row[index]);
    const texts = (values: readonly (number | bigint | null)[]) =>
      values.map((value) => (value === null ? null : String(value)));
    expect(column(1)).toEqual(texts(LONGS));
    expect(column(2)).toEqual(texts(INTS));
    expect(column(3)).toEqual(TEXTS);
    expect(column(4)).toEqual(BYTES.map((bytes) => (bytes === null ? null : Buffer.from(bytes).toString('hex'))));
    expect(column(6)).toEqual(DAYS);
    expect(column(5).at(3)).toBe('1234.56');
  });
});
