/** Types and values of Iceberg in Trino's SQL. Source: Trino documentation, "Iceberg connector", type mapping; "Data types". */
import { trinoQuoted } from '../../catalogs/index.js';
import { type IcebergType, typeToString } from '../../iceberg/index.js';
import { refusedFormatThree } from './format-three.js';

/**
 * Trino's type of an Iceberg type.
 * @param what the column, for messages
 * @throws MoraineError `UNSUPPORTED_FEATURE` for types that format version 2 does not have
 */
export function trinoType(type: IcebergType, what: string): string {
  switch (type.kind) {
    case 'boolean':
    case 'double':
    case 'date':
    case 'uuid':
      return type.kind;
    case 'int':
      return 'integer';
    case 'long':
      return 'bigint';
    case 'float':
      return 'real';
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`;
    case 'time':
      return 'time(6)';
    case 'timestamp':
      return 'timestamp(6)';
    case 'timestamptz':
      return 'timestamp(6) with time zone';
    case 'string':
      return 'varchar';
    case 'binary':
    case 'fixed':
      return 'varbinary';
    case 'list':
      return `array(${trinoType(type.element, what)})`;
    case 'map':
      return `map(${trinoType(type.key, what)}, ${trinoType(type.value, what)})`;
    case 'struct':
      return `row(${type.fields.map(({ name, type: inner }) => `${trinoQuoted(name)} ${trinoType(inner, what)}`).join(', ')})`;
    default:
      throw refusedFormatThree(`${what} is of type ${typeToString(type)}, of`);
  }
}

/**
 * A moment as a constant of a timestamp column's type, exact for every microsecond of 64 bits, and the same in every time zone of the session,
 * which a setting of the server may decide.
 */
export function momentSql(type: IcebergType, us: bigint): string {
  const moment = `from_unixtime_nanos(DECIMAL '${us}000')`;
  if (type.kind === 'timestamptz') return `CAST(${moment} AS timestamp(6) with time zone)`;
  return `CAST(${moment} AT TIME ZONE 'UTC' AS timestamp(6))`;
}
