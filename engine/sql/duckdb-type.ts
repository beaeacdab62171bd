/** DuckDB's types as Iceberg types: for input whose schema is not known. */
import type { DuckDBMapType, DuckDBStructType, DuckDBType } from '@duckdb/node-api';
import type { IcebergType, SimplePrimitiveKind } from '../../iceberg/index.js';
import { duckdb } from '../duckdb.js';

/** By the names of DuckDB's types. */
const SIMPLE: Partial<Record<string, SimplePrimitiveKind>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'int',
  SMALLINT: 'int',
  INTEGER: 'int',
  UTINYINT: 'int',
  USMALLINT: 'int',
  UINTEGER: 'long',
  BIGINT: 'long',
  FLOAT: 'float',
  DOUBLE: 'double',
  DATE: 'date',
  TIME: 'time',
  TIMESTAMP: 'timestamp',
  TIMESTAMP_S: 'timestamp',
  TIMESTAMP_MS: 'timestamp',
  TIMESTAMP_NS: 'timestamp',
  TIMESTAMP_TZ: 'timestamptz',
  VARCHAR: 'string',
  ENUM: 'string',
  UUID: 'uuid',
  BLOB: 'binary',
};

const UBIGINT_DIGITS = 20;
const MAX_DIGITS = 38;

/**
 * The Iceberg type that holds every value of a DuckDB type, or undefined if none does. Nested ids count up from `nextId`.
 * Unsigned 64-bit integers become decimal(20,0), 128-bit ones decimal(38,0); nanoseconds become microseconds (checked
 * when read).
 */
export function icebergType(type: DuckDBType, nextId: () => number): IcebergType | undefined {
  const { DuckDBTypeId } = duckdb.api;
  switch (type.typeId) {
    case DuckDBTypeId.UBIGINT:
      return { kind: 'decimal', precision: UBIGINT_DIGITS, scale: 0 };
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      return { kind: 'decimal', precision: MAX_DIGITS, scale: 0 };
    case DuckDBTypeId.DECIMAL: {
      const { width, scale } = type;
      return { kind: 'decimal', precision: width, scale };
    }
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY: {
      const elementId = nextId();
      const element = icebergType(type.valueType, nextId);
      return element && { kind: 'list', elementId, elementRequired: false, element };
    }
    case DuckDBTypeId.MAP:
      return mapType(type, nextId);
    case DuckDBTypeId.STRUCT:
      return structType(type, nextId);
    default: {
      const kind = SIMPLE[DuckDBTypeId[type.typeId]];
      return kind && { kind };
    }
  }
}

function mapType(type: DuckDBMapType, nextId: () => number): IcebergType | undefined {
  const keyId = nextId();
  const valueId = nextId();
  const key = icebergType(type.keyType, nextId);
  const value = icebergType(type.valueType, nextId);
  return key && value && { kind: 'map', keyId, key, valueId, valueRequired: false, value };
}

function structType(type: DuckDBStructType, nextId: () => number): IcebergType | undefined {
  const fields = [];
  for (const [index, name] of type.entryNames.entries()) {
    const id = nextId();
    const member = icebergType(type.entryTypes[index] as DuckDBType, nextId);
    if (member === undefined) return undefined;
    fields.push({ id, name, required: false, type: member });
  }
  return { kind: 'struct', fields };
}
