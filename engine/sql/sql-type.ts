/** Iceberg types and values as DuckDB's SQL spells them. */
import { MoraineError } from '../../errors/index.js';
import type { IcebergType, PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import { quoteIdentifier, quoteLiteral } from './sql-text.js';

export { isPrimitive } from '../../iceberg/index.js';

const SIMPLE_TYPES = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  timestamp_ns: 'TIMESTAMP_NS',
  // DuckDB has no zoned nanoseconds: the UTC wall clock holds the same number.
  timestamptz_ns: 'TIMESTAMP_NS',
  string: 'VARCHAR',
  uuid: 'UUID',
  fixed: 'BLOB',
  binary: 'BLOB',
  unknown: 'INTEGER',
} as const;

/** The DuckDB type that holds every value of an Iceberg type. @throws UNSUPPORTED_FEATURE for types Moraine refuses. */
export function sqlType(type: IcebergType): string {
  switch (type.kind) {
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`;
    case 'struct':
      return `STRUCT(${type.fields.map((field) => `${quoteIdentifier(field.name)} ${sqlType(field.type)}`).join(', ')})`;
    case 'list':
      return `${sqlType(type.element)}[]`;
    case 'map':
      return `MAP(${sqlType(type.key)}, ${sqlType(type.value)})`;
    case 'unsupported':
      throw new MoraineError(
        'UNSUPPORTED_FEATURE',
        `A column has the type ${type.text}, which cannot be read. Select other columns.`,
      );
    default:
      return SIMPLE_TYPES[type.kind];
  }
}

/** Exact decimal text of an unscaled value. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const sign = unscaled < 0n ? '-' : '';
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The largest number and its negative are what DuckDB calls infinite. */
const INFINITE_NANOSECONDS = 2n ** 63n - 1n;

function nanosecondsLiteral(value: bigint): string {
  if (value === INFINITE_NANOSECONDS) return `'infinity'::TIMESTAMP_NS`;
  if (value === -INFINITE_NANOSECONDS) return `'-infinity'::TIMESTAMP_NS`;
  return `make_timestamp_ns('${value}'::BIGINT)`;
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === Infinity) return 'inf';
  if (value === -Infinity) return '-inf';
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** A non-null value as a typed SQL literal; the value is as `PrimitiveValue` describes, so nothing is rounded. */
export function sqlLiteral(type: PrimitiveType, value: PrimitiveValue): string {
  const number = (): string => (value as number | bigint).toString();
  switch (type.kind) {
    case 'boolean':
      return value ? 'true' : 'false';
    case 'int':
    case 'long':
      return `'${number()}'::${sqlType(type)}`;
    case 'float':
    case 'double':
      return `'${floatText(value as number)}'::${sqlType(type)}`;
    case 'decimal':
      return `'${decimalText(value as bigint, type.scale)}'::${sqlType(type)}`;
    case 'date':
      return `(DATE '1970-01-01' + '${number()}'::INTEGER)`;
    case 'time':
      return `(TIME '00:00:00' + to_microseconds('${number()}'::BIGINT))`;
    case 'timestamp':
      return `make_timestamp('${number()}'::BIGINT)`;
    case 'timestamptz':
      return `make_timestamptz('${number()}'::BIGINT)`;
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return nanosecondsLiteral(value as bigint);
    case 'string':
      return quoteLiteral(value as string);
    case 'uuid':
      return `${quoteLiteral(value as string)}::UUID`;
    case 'fixed':
    case 'binary':
      return `from_hex('${Buffer.from(value as Uint8Array).toString('hex')}')`;
    case 'unknown':
      return `NULL::${sqlType(type)}`;
  }
}
