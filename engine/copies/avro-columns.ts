/**
 * The columns of an Avro file as DuckDB's, and its values as theirs.
 * Source: Apache Iceberg specification, "Appendix A: Avro"; Apache Avro specification 1.12, "Logical Types".
 */
import type {
  DuckDBType,
  DuckDBValue,
  DuckDBTimeValue as TimeValue,
  DuckDBUUIDValue as UuidValue,
} from '@duckdb/node-api';
import { MoraineError } from '../../errors/index.js';
import {
  type AvroDatum,
  type AvroField,
  type AvroLogicalType,
  type AvroNode,
  type AvroRecord,
  positionKey,
} from '../../iceberg/index.js';
import { duckdb } from '../duckdb.js';
import type { FileColumn } from '../scan/file-layout.js';

/** A column of an Avro file. */
export interface AvroColumn {
  /** As the copy of the file has it: names are positions, since DuckDB ignores the case of names. */
  readonly column: FileColumn;
  readonly type: DuckDBType;
  /** A decoded value as DuckDB takes it. @throws Error for a value that the type cannot have */
  readonly toValue: (datum: AvroDatum) => DuckDBValue;
}

/**
 * The columns of a record.
 * @param place what precedes the names of its fields in errors
 * @throws UNSUPPORTED_FEATURE naming a column of a type that is not read
 */
export function avroColumns(fields: readonly AvroField[], place = ''): readonly AvroColumn[] {
  return fields.map((field, position) => {
    const { shape, ...rest } = valuesOf(field.node, `${place}${field.name}`);
    const column = { name: positionKey(position), sourceName: field.name, fieldId: field.fieldId, ...shape };
    return { ...rest, column };
  });
}

type Shape = Pick<FileColumn, 'shape' | 'type' | 'isZonedNanoseconds' | 'children'>;

/** A type and its values, not yet a column. */
interface Values extends Omit<AvroColumn, 'column'> {
  readonly shape: Shape;
}

function valuesOf(union: AvroNode, name: string): Values {
  const node = withoutNull(union, name);
  switch (node.kind) {
    case 'primitive':
      return primitive(node, name);
    case 'fixed':
      return leaf(fixed(node.logicalType, node.size, name));
    case 'record':
      return record(node.fields, name);
    case 'array':
      return list(valuesOf(node.items, `${name}.element`));
    case 'pairs':
      return map(valuesOf(node.key, `${name}.key`), valuesOf(node.value, `${name}.value`));
    case 'union':
      throw unsupported(name, 'a union of several types');
  }
}

const isNull = (node: AvroNode): boolean => node.kind === 'primitive' && node.name === 'null';

/** A union of null and one type is that type: every value may be null here. */
function withoutNull(node: AvroNode, name: string): AvroNode {
  if (node.kind !== 'union') return node;
  const [only, ...others] = node.branches.filter((branch) => !isNull(branch));
  if (only === undefined && node.branches.length === 1) return { kind: 'primitive', name: 'null' };
  if (only === undefined || others.length > 0 || node.branches.length !== 2) {
    throw unsupported(name, 'a union other than of null and one type');
  }
  return only;
}

type Typed = Pick<Values, 'type' | 'toValue'>;

/** Makes `toValue` of a function for values that are not null. */
const typed = <T>(type: DuckDBType, make: (datum: T) => DuckDBValue): Typed => ({
  type,
  toValue: (datum) => (datum === null || datum === undefined ? null : make(datum as T)),
});

function leaf({ type, toValue }: Typed): Values {
  const shape = { shape: 'primitive', type: String(type), isZonedNanoseconds: false, children: [] } as const;
  return { shape, type, toValue };
}

type Primitive = Extract<AvroNode, { kind: 'primitive' }>;

function primitive({ name: kind, logicalType, symbols }: Primitive, name: string): Values {
  const { BOOLEAN, DOUBLE, FLOAT, INTEGER, UUID, VARCHAR } = duckdb.api;
  switch (kind) {
    case 'null':
      return leaf(typed(INTEGER, () => null));
    case 'boolean':
      return leaf(typed<boolean>(BOOLEAN, (value) => value));
    case 'int':
      return leaf(symbols === undefined ? int(logicalType) : enumeration(symbols));
    case 'long':
      return leaf(long(logicalType));
    case 'float':
      return leaf(typed<number>(FLOAT, (value) => value));
    case 'double':
      return leaf(typed<number>(DOUBLE, (value) => value));
    case 'bytes':
      return leaf(logicalType?.name === 'decimal' ? decimal(logicalType, name) : bytes());
    case 'string':
      return leaf(
        logicalType?.name === 'uuid'
          ? typed<string>(UUID, (text) => uuid(Buffer.from(text.replaceAll('-', ''), 'hex')))
          : typed<string>(VARCHAR, (value) => value),
      );
  }
}

function int(logicalType: AvroLogicalType | undefined): Typed {
  const { DATE, DuckDBDateValue, INTEGER, TIME } = duckdb.api;
  switch (logicalType?.name) {
    case 'date':
      return typed<number>(DATE, (days) => new DuckDBDateValue(days));
    case 'time-millis':
      return typed<number>(TIME, (millis) => time(BigInt(millis) * 1000n));
    default:
      return typed<number>(INTEGER, (value) => value);
  }
}

function enumeration(symbols: readonly string[]): Typed {
  return typed<number>(duckdb.api.VARCHAR, (index) => {
    const symbol = symbols[index];
    if (symbol === undefined) throw new Error(`an enum has no symbol ${index}`);
    return symbol;
  });
}

function long(logicalType: AvroLogicalType | undefined): Typed {
  const { BIGINT, DuckDBTimestampNanosecondsValue, TIME, TIMESTAMP_NS } = duckdb.api;
  // Without the property, a timestamp has no zone. A column that has one is cast in UTC, to the same number.
  const isZoned = logicalType?.adjustToUtc === true && !logicalType.name.startsWith('local-');
  switch (logicalType?.name.replace(/^local-/, '')) {
    case 'time-micros':
      return typed<bigint>(TIME, time);
    case 'timestamp-millis':
      return micros(isZoned, 1000n);
    case 'timestamp-micros':
      return micros(isZoned, 1n);
    case 'timestamp-nanos':
      // DuckDB has no zoned nanoseconds: the UTC wall clock holds the same number.
      return typed<bigint>(TIMESTAMP_NS, (value) => new DuckDBTimestampNanosecondsValue(value));
    default:
      return typed<bigint>(BIGINT, (value) => value);
  }
}

function micros(isZoned: boolean, factor: bigint): Typed {
  const { DuckDBTimestampTZValue, DuckDBTimestampValue, TIMESTAMP, TIMESTAMPTZ } = duckdb.api;
  return isZoned
    ? typed<bigint>(TIMESTAMPTZ, (value) => new DuckDBTimestampTZValue(value * factor))
    : typed<bigint>(TIMESTAMP, (value) => new DuckDBTimestampValue(value * factor));
}

const DAY_MICROS = 86_400_000_000n;

function time(value: bigint): TimeValue {
  if (value < 0n || value >= DAY_MICROS) throw new Error(`${value} microseconds are no time of day`);
  return new duckdb.api.DuckDBTimeValue(value);
}

function bytes(): Typed {
  const { BLOB, DuckDBBlobValue } = duckdb.api;
  return typed<Uint8Array>(BLOB, (value) => new DuckDBBlobValue(value));
}

function fixed(logicalType: AvroLogicalType | undefined, size: number, name: string): Typed {
  if (logicalType?.name === 'decimal') return decimal(logicalType, name);
  return logicalType?.name === 'uuid' && size === 16 ? typed<Uint8Array>(duckdb.api.UUID, uuid) : bytes();
}

function uuid(value: Uint8Array): UuidValue {
  if (value.length !== 16) throw new Error('a uuid has not sixteen bytes');
  return duckdb.api.DuckDBUUIDValue.fromUint128(BigInt(`0x${Buffer.from(value).toString('hex')}`));
}

const MAX_DIGITS = 38;

function decimal({ precision, scale = 0 }: AvroLogicalType, name: string): Typed {
  const { DECIMAL, DuckDBDecimalValue } = duckdb.api;
  if (precision === undefined || precision < 1 || precision > MAX_DIGITS || scale < 0 || scale > precision) {
    throw unsupported(name, `a decimal of ${precision} digits`);
  }
  const bound = 10n ** BigInt(precision);
  return typed<Uint8Array>(DECIMAL(precision, scale), (value) => {
    const unscaled = signed(value);
    if (unscaled >= bound || unscaled <= -bound) throw new Error(`a decimal has more than ${precision} digits`);
    return new DuckDBDecimalValue(unscaled, precision, scale);
  });
}

/** Two's complement, big-endian. */
function signed(value: Uint8Array): bigint {
  if (value.length === 0) throw new Error('a decimal has no bytes');
  return BigInt.asIntN(8 * value.length, BigInt(`0x${Buffer.from(value).toString('hex')}`));
}

function record(fields: readonly AvroField[], name: string): Values {
  const { INTEGER, STRUCT, structValue } = duckdb.api;
  const columns = avroColumns(fields, `${name}.`);
  // DuckDB has no struct without members: it gets one that is always null.
  const names = columns.length === 0 ? [positionKey(0)] : columns.map(({ column }) => column.name);
  const types = columns.length === 0 ? [INTEGER] : columns.map(({ type }) => type);
  const shape = { shape: 'struct', type: '', isZonedNanoseconds: false } as const;
  const nothing = { name: positionKey(0), fieldId: undefined, ...leaf(typed(INTEGER, () => null)).shape };
  const members = Object.fromEntries(names.map((key, index) => [key, types[index] as DuckDBType]));
  return {
    shape: { ...shape, children: columns.length === 0 ? [nothing] : columns.map(({ column }) => column) },
    ...typed<AvroRecord>(STRUCT(members), (datum) => {
      const entries = columns.map(({ toValue }, index): [string, DuckDBValue] => {
        const key = names[index] as string;
        return [key, toValue(datum[positionKey(index)])];
      });
      return structValue(Object.fromEntries(entries.length === 0 ? [[positionKey(0), null]] : entries));
    }),
  };
}

/** The one child of a list, or those of a map. */
const child = (name: string, { shape }: Values): FileColumn => ({ name, fieldId: undefined, ...shape });

function list(element: Values): Values {
  const { LIST, listValue } = duckdb.api;
  return {
    shape: { shape: 'list', type: '', isZonedNanoseconds: false, children: [child('element', element)] },
    ...typed<readonly AvroDatum[]>(LIST(element.type), (items) => listValue(items.map(element.toValue))),
  };
}

function map(key: Values, value: Values): Values {
  const { MAP, mapValue } = duckdb.api;
  const children = [child('key', key), child('value', value)];
  return {
    shape: { shape: 'map', type: '', isZonedNanoseconds: false, children },
    ...typed<Iterable<[AvroDatum, AvroDatum]>>(MAP(key.type, value.type), (pairs) => {
      const entries = [...pairs].map(([k, v]) => ({ key: key.toValue(k), value: value.toValue(v) }));
      return mapValue(entries);
    }),
  };
}

function unsupported(name: string, what: string): MoraineError {
  const message = `The column ${name} of an Avro file is ${what}, which is not read. Rewrite the file with the engine that wrote it.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message, { details: { column: name } });
}
