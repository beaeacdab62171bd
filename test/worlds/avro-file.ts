/** Avro files of table worlds, encoded by avsc. Source: Apache Iceberg specification, "Appendix A: Avro"; Apache Avro 1.12. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { deflateRawSync } from 'node:zlib';
import avro from 'avsc';
import type { IcebergType, NestedField } from '../../iceberg/index.js';
import { bigLongs } from '../support/avro-longs.js';
import type { Random } from './random.js';
import { isStruct, type Value } from './values.js';

/** Writes rows as one Avro file with field ids, in their order, in a block or two. */
export async function writeAvro(
  random: Random,
  path: string,
  fields: readonly NestedField[],
  rows: readonly (readonly Value[])[],
): Promise<void> {
  const schema = { type: 'record', name: 'row', fields: fields.map(fieldSchema) };
  const type = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'never', typeHook: bigLongs });
  const encoded = rows.map((row) =>
    type.toBuffer(Object.fromEntries(fields.map((f, index) => [nameOf(f), datum(f.type, row[index] ?? null)]))),
  );
  const codec = random.pick(['null', 'deflate'] as const);
  const half = random.int(0, encoded.length);
  const marker = randomBytes(16);
  const blocks = [encoded.slice(0, half), encoded.slice(half)].filter((block) => block.length > 0);
  const meta = [
    ['avro.schema', JSON.stringify(schema)],
    ['avro.codec', codec],
  ] as const;
  const header = [varint(meta.length), ...meta.flatMap(([key, value]) => [text(key), text(value)]), varint(0), marker];
  const body = blocks.flatMap((block) => {
    const bytes = codec === 'null' ? Buffer.concat(block) : deflateRawSync(Buffer.concat(block));
    return [varint(block.length), varint(bytes.length), bytes, marker];
  });
  await writeFile(path, Buffer.concat([Buffer.from('Obj\u0001', 'latin1'), ...header, ...body]));
}

/** A number that is not negative, in Avro's zigzag form. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value * 2;
  for (; left > 127; left >>= 7) bytes.push((left & 127) | 128);
  return Buffer.from([...bytes, left]);
}

const text = (value: string): Buffer => Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);

/** Names do not count where there are ids. */
const nameOf = ({ id }: NestedField): string => `f${id}`;

const fieldSchema = (field: NestedField): object => {
  return { name: nameOf(field), type: ['null', typeSchema(field.type)], default: null, 'field-id': field.id };
};

const SIMPLE: Readonly<Record<string, unknown>> = {
  boolean: 'boolean',
  int: 'int',
  long: 'long',
  float: 'float',
  double: 'double',
  date: { type: 'int', logicalType: 'date' },
  time: { type: 'long', logicalType: 'time-micros' },
  timestamp: { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': false },
  timestamptz: { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true },
  timestamp_ns: { type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': false },
  timestamptz_ns: { type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': true },
  string: 'string',
  binary: 'bytes',
};

let fixedTypes = 0;

function typeSchema(type: IcebergType): unknown {
  switch (type.kind) {
    case 'uuid':
      return { type: 'fixed', name: `uuid${fixedTypes++}`, size: 16, logicalType: 'uuid' };
    case 'decimal': {
      const { precision, scale } = type;
      return { type: 'fixed', name: `d${fixedTypes++}`, size: 16, logicalType: 'decimal', precision, scale };
    }
    case 'struct':
      return { type: 'record', name: `r${fixedTypes++}`, fields: type.fields.map(fieldSchema) };
    case 'list':
      return { type: 'array', items: ['null', typeSchema(type.element)], 'element-id': type.elementId };
    case 'map': {
      const key = { name: 'key', type: typeSchema(type.key), 'field-id': type.keyId };
      const value = { name: 'value', type: ['null', typeSchema(type.value)], 'field-id': type.valueId };
      return {
        type: 'array',
        logicalType: 'map',
        items: { type: 'record', name: `k${type.keyId}_v${type.valueId}_${fixedTypes++}`, fields: [key, value] },
      };
    }
    default:
      return SIMPLE[type.kind];
  }
}

/** A value as avsc takes it. */
function datum(type: IcebergType, value: Value): unknown {
  if (value === null) return null;
  if (type.kind === 'struct' && isStruct(value)) {
    return Object.fromEntries(type.fields.map((f) => [nameOf(f), datum(f.type, value.members.get(f.id) ?? null)]));
  }
  if (type.kind === 'list') return (value as Value[]).map((item) => datum(type.element, item));
  if (type.kind === 'map') {
    return (value as [Value, Value][]).map(([key, item]) => {
      return { key: datum(type.key, key), value: datum(type.value, item) };
    });
  }
  if (type.kind === 'uuid') return Buffer.from((value as string).replaceAll('-', ''), 'hex');
  if (type.kind === 'decimal') return bigEndian(value as bigint);
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

/** Sixteen bytes, two's complement. */
function bigEndian(value: bigint): Buffer {
  return Buffer.from(BigInt.asUintN(128, value).toString(16).padStart(32, '0'), 'hex');
}
