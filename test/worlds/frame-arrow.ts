/** Entity frames as Arrow: IPC files with one batch or two. */
import { writeFile } from 'node:fs/promises';
import {
  Schema as ArrowSchema,
  Bool,
  type Data,
  type DataType,
  DateDay,
  Decimal,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Struct,
  Table,
  Timestamp,
  TimeUnit,
  tableToIPC,
  Utf8,
} from 'apache-arrow';
import type { IcebergType, NestedField } from '../../iceberg/index.js';
import type { Random } from './random.js';
import type { Value } from './values.js';

type Rows = readonly (readonly Value[])[];

/** Writes an Arrow IPC file or stream. Returns its path. */
export async function writeArrow(
  random: Random,
  path: string,
  fields: readonly NestedField[],
  rows: Rows,
): Promise<string> {
  const zone = random.pick(['UTC', 'Asia/Kathmandu', 'America/St_Johns', '+05:45']);
  const schema = new ArrowSchema(fields.map(({ name, type }) => new Field(name, arrowType(type, zone), true)));
  const half = random.int(0, rows.length);
  const batches = [rows.slice(0, half), rows.slice(half)].map((some) => {
    const children = fields.map(({ type }, index) =>
      column(
        schema.fields[index]?.type as DataType,
        type,
        some.map((row) => row[index] ?? null),
      ),
    );
    return new RecordBatch(
      schema,
      makeData({ type: new Struct(schema.fields), length: some.length, nullCount: 0, children }),
    );
  });
  await writeFile(path, tableToIPC(new Table(schema, batches), random.pick(['file', 'stream'] as const)));
  return path;
}

function arrowType(type: IcebergType, zone: string): DataType {
  switch (type.kind) {
    case 'boolean':
      return new Bool();
    case 'int':
      return new Int32();
    case 'long':
      return new Int64();
    case 'double':
      return new Float64();
    case 'date':
      return new DateDay();
    case 'decimal':
      return new Decimal(type.scale, type.precision, 128);
    case 'timestamp':
      return new Timestamp(TimeUnit.MICROSECOND, null);
    case 'timestamptz':
      return new Timestamp(TimeUnit.MICROSECOND, zone);
    case 'timestamp_ns':
      return new Timestamp(TimeUnit.NANOSECOND, null);
    case 'timestamptz_ns':
      return new Timestamp(TimeUnit.NANOSECOND, zone);
    case 'string':
      return new Utf8();
    default:
      throw new Error(`no frame has a column of type ${type.kind}`);
  }
}

/** The values and the bits that say which of them are null. */
function column(type: DataType, { kind }: IcebergType, values: readonly Value[]): Data {
  const length = values.length;
  const nullCount = values.filter((value) => value === null).length;
  const nullBitmap = bits(values.map((value) => value !== null));
  return makeData({ type: type as Utf8, length, nullCount, nullBitmap, ...(buffers(kind, values) as TextBuffers) });
}

interface TextBuffers {
  readonly data: Uint8Array;
  readonly valueOffsets: Int32Array;
}

function buffers(kind: IcebergType['kind'], values: readonly Value[]): { readonly data: ArrayBufferView } {
  switch (kind) {
    case 'string':
      return texts(values.map((value) => Buffer.from((value ?? '') as string)));
    case 'boolean':
      return { data: bits(values.map((value) => value === true)) };
    case 'decimal':
      return { data: Uint32Array.from(values.flatMap(words)) };
    case 'int':
    case 'date':
      return { data: Int32Array.from(values as number[]) };
    case 'double':
      return { data: Float64Array.from(values as number[]) };
    default:
      return { data: BigInt64Array.from(values, (value) => (value ?? 0n) as bigint) };
  }
}

function texts(values: readonly Buffer[]): TextBuffers {
  const valueOffsets = new Int32Array(values.length + 1);
  for (const [index, { length }] of values.entries())
    valueOffsets[index + 1] = (valueOffsets[index] as number) + length;
  return { data: Buffer.concat(values), valueOffsets };
}

function bits(flags: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8));
  for (const [index, flag] of flags.entries()) {
    if (flag) bytes[index >> 3] = (bytes[index >> 3] as number) | (1 << (index & 7));
  }
  return bytes;
}

/** The four 32-bit words of a decimal, the lowest first. */
function words(value: Value): readonly number[] {
  const unsigned = BigInt.asUintN(128, (value ?? 0n) as bigint);
  return [0n, 32n, 64n, 96n].map((shift) => Number((unsigned >> shift) & 0xffffffffn));
}
