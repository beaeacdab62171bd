/** Iceberg types as Arrow types. */
import {
  Schema as ArrowSchema,
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Field,
  FixedSizeBinary,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Map_,
  Null,
  Struct,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampNanosecond,
  Utf8,
} from 'apache-arrow';
import { MoraineError } from '../../errors/index.js';
import type { IcebergType, Schema } from '../../iceberg/index.js';

/** The Arrow schema of rows of an Iceberg schema; field ids go into the metadata as `PARQUET:field_id`. */
export function arrowSchema(schema: Schema): ArrowSchema {
  return new ArrowSchema(schema.fields.map((field) => arrowField(field.id, field.name, !field.required, field.type)));
}

/** Key of a field's metadata that names its extension type. Source: Apache Arrow, "Canonical Extension Types". */
export const EXTENSION_NAME = 'ARROW:extension:name';
export const ARROW_UUID = 'arrow.uuid';

function arrowField(id: number, name: string, nullable: boolean, type: IcebergType): Field {
  const metadata = new Map([['PARQUET:field_id', String(id)]]);
  if (type.kind === 'uuid') metadata.set(EXTENSION_NAME, ARROW_UUID).set('ARROW:extension:metadata', '');
  return new Field(name, arrowType(type), nullable, metadata);
}

/** The Arrow type that holds every value exactly. @throws UNSUPPORTED_FEATURE */
export function arrowType(type: IcebergType): DataType {
  switch (type.kind) {
    case 'boolean':
      return new Bool();
    case 'int':
      return new Int32();
    case 'long':
      return new Int64();
    case 'float':
      return new Float32();
    case 'double':
      return new Float64();
    case 'decimal':
      return new Decimal(type.scale, type.precision, 128);
    case 'date':
      return new DateDay();
    case 'time':
      return new TimeMicrosecond();
    case 'timestamp':
      return new TimestampMicrosecond();
    case 'timestamptz':
      return new TimestampMicrosecond('UTC');
    case 'timestamp_ns':
      return new TimestampNanosecond();
    case 'timestamptz_ns':
      return new TimestampNanosecond('UTC');
    case 'string':
      return new Utf8();
    case 'uuid':
      return new FixedSizeBinary(16);
    case 'fixed':
      return new FixedSizeBinary(type.length);
    case 'binary':
      return new Binary();
    case 'unknown':
      return new Null();
    case 'struct':
      return new Struct(type.fields.map((field) => arrowField(field.id, field.name, !field.required, field.type)));
    case 'list':
      return new List(arrowField(type.elementId, 'element', !type.elementRequired, type.element));
    case 'map':
      return new Map_(
        new Field(
          'entries',
          new Struct([
            arrowField(type.keyId, 'key', false, type.key),
            arrowField(type.valueId, 'value', !type.valueRequired, type.value),
          ]) as never,
          false,
        ),
      );
    case 'unsupported':
      throw new MoraineError('UNSUPPORTED_FEATURE', `Values of type ${type.text} cannot be given as Arrow.`);
  }
}
