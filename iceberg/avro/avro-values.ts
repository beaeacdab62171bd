/** Iceberg's primitive types and values in Avro. Source: Apache Iceberg specification, "Appendix A: Avro". */
import { MoraineError } from '../../errors/index.js';
import type { JsonValue } from '../json.js';
import { typeToString } from '../schema/schema-json.js';
import type { IcebergType, PrimitiveType, PrimitiveValue } from '../schema/types.js';
import { bytesToBigint, bytesToUuid, uuidToBytes } from '../values/single-value.js';
import { type AvroNode, nonNull } from './avro-node.js';
import type { AvroDatum } from './datum.js';

/**
 * The Avro type of an Iceberg primitive type.
 * @param usedNames names of fixed types given so far in the schema; a repeated one is numbered, since Avro allows each name once
 */
export function avroTypeOf(type: IcebergType, usedNames: Set<string>): JsonValue {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return type.kind;
    case 'binary':
      return 'bytes';
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'time':
      return { type: 'long', logicalType: 'time-micros' };
    case 'timestamp':
    case 'timestamptz':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': type.kind === 'timestamptz' };
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': type.kind === 'timestamptz_ns' };
    case 'uuid':
      return { type: 'fixed', name: once('uuid_fixed', usedNames), size: 16, logicalType: 'uuid' };
    case 'fixed':
      return { type: 'fixed', name: once(`fixed_${type.length}`, usedNames), size: type.length };
    case 'decimal':
      return {
        type: 'fixed',
        name: once(`decimal_${type.precision}_${type.scale}`, usedNames),
        size: decimalBytes(type.precision),
        logicalType: 'decimal',
        precision: type.precision,
        scale: type.scale,
      };
    default:
      throw new MoraineError('TYPE_MISMATCH', `A partition value cannot have the type ${typeToString(type)}.`);
  }
}

function once(name: string, usedNames: Set<string>): string {
  let unique = name;
  for (let copy = 2; usedNames.has(unique); copy++) unique = `${name}_${copy}`;
  usedNames.add(unique);
  return unique;
}

/** The fewest bytes that hold every unscaled value of a precision. */
function decimalBytes(precision: number): number {
  let bytes = 1;
  while (2n ** BigInt(8 * bytes - 1) <= 10n ** BigInt(precision) - 1n) bytes++;
  return bytes;
}

/** The Iceberg type of an Avro node; undefined when it holds no primitive value. */
export function primitiveTypeOf(node: AvroNode): PrimitiveType | undefined {
  const inner = nonNull(node);
  if (inner.kind === 'fixed') return fixedType(inner.size, inner.logicalType);
  if (inner.kind !== 'primitive') return undefined;
  const { logicalType } = inner;
  if (logicalType?.name === 'decimal' && inner.name === 'bytes') return decimalType(logicalType);
  switch (inner.name) {
    case 'null':
      return { kind: 'unknown' };
    case 'int':
      return { kind: logicalType?.name === 'date' ? 'date' : 'int' };
    case 'long':
      return { kind: longKind(logicalType?.name, logicalType?.adjustToUtc ?? false) };
    case 'bytes':
      return { kind: 'binary' };
    default:
      return { kind: inner.name };
  }
}

function longKind(
  logicalType: string | undefined,
  adjustToUtc: boolean,
): 'long' | 'time' | 'timestamp' | 'timestamptz' | 'timestamp_ns' | 'timestamptz_ns' {
  switch (logicalType) {
    case 'time-micros':
      return 'time';
    case 'timestamp-micros':
      return adjustToUtc ? 'timestamptz' : 'timestamp';
    case 'timestamp-nanos':
      return adjustToUtc ? 'timestamptz_ns' : 'timestamp_ns';
    default:
      return 'long';
  }
}

function fixedType(
  length: number,
  logicalType: { name: string; precision?: number; scale?: number } | undefined,
): PrimitiveType {
  if (logicalType?.name === 'decimal') return decimalType(logicalType);
  return logicalType?.name === 'uuid' && length === 16 ? { kind: 'uuid' } : { kind: 'fixed', length };
}

function decimalType(logicalType: { precision?: number; scale?: number }): PrimitiveType {
  return { kind: 'decimal', precision: logicalType.precision ?? 38, scale: logicalType.scale ?? 0 };
}

const NUMBER_KINDS: ReadonlySet<string> = new Set(['int', 'date', 'float', 'double']);
const BIGINT_KINDS: ReadonlySet<string> = new Set([
  'long',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

/**
 * An Avro value as a value of an Iceberg type. What was written before the column was promoted (an int for a long) is promoted.
 * @throws MoraineError `MANIFEST_CORRUPT` when it is not a value of the type
 */
export function valueFromAvro(type: IcebergType, datum: AvroDatum): PrimitiveValue | null {
  if (datum === null) return null;
  if (typeof datum === 'boolean' && type.kind === 'boolean') return datum;
  if (typeof datum === 'string' && (type.kind === 'string' || type.kind === 'uuid')) return datum;
  if (typeof datum === 'number' && NUMBER_KINDS.has(type.kind)) return datum;
  if (typeof datum === 'number' && type.kind === 'long' && Number.isInteger(datum)) return BigInt(datum);
  if (typeof datum === 'bigint' && BIGINT_KINDS.has(type.kind)) return datum;
  if (typeof datum === 'bigint' && (type.kind === 'int' || type.kind === 'date')) return Number(datum);
  if (datum instanceof Uint8Array) {
    if (type.kind === 'decimal') return bytesToBigint(datum);
    if (type.kind === 'uuid' && datum.length === 16) return bytesToUuid(datum);
    if (type.kind === 'fixed' || type.kind === 'binary') return Uint8Array.from(datum);
    if (type.kind === 'string') return new TextDecoder().decode(datum);
  }
  throw new MoraineError('MANIFEST_CORRUPT', `a partition value is not of type ${typeToString(type)}`);
}

/** A value in the form that {@link avroTypeOf} describes. */
export function valueToAvro(type: IcebergType, value: PrimitiveValue | null): AvroDatum {
  if (value === null) return null;
  if (type.kind === 'uuid') return Buffer.from(uuidToBytes(value as string));
  if (type.kind === 'decimal') return signExtended(value as bigint, decimalBytes(type.precision), type);
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length) : value;
}

function signExtended(value: bigint, length: number, type: PrimitiveType): Buffer {
  if (BigInt.asIntN(8 * length, value) !== value) {
    throw new MoraineError('TYPE_MISMATCH', `${value} has more digits than ${typeToString(type)}.`);
  }
  const hex = BigInt.asUintN(8 * length, value).toString(16);
  return Buffer.from(hex.padStart(2 * length, '0'), 'hex');
}
