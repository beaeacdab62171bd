/** Partition transforms as SQL. Source: Apache Iceberg specification, "Partition Transforms". */
import { MoraineError } from '../../errors/index.js';
import type { PrimitiveType, Transform } from '../../iceberg/index.js';
import { bucketSql, floorDivideSql } from './bucket-function.js';

const isDate = (type: PrimitiveType): boolean => type.kind === 'date';

/** Microseconds since the epoch, whole numbers also before it. */
function microsSql(type: PrimitiveType, sql: string): string {
  return type.kind.endsWith('_ns') ? floorDivideSql(`epoch_ns(${sql})`, 1000) : `epoch_us(${sql})`;
}

/** Days since 1970-01-01, exact before it: a cast to DATE takes the floor. */
function daysSql(type: PrimitiveType, sql: string): string {
  return isDate(type)
    ? `((${sql}) - DATE '1970-01-01')`
    : `(${floorDivideSql(microsSql(type, sql), 86_400_000_000)})::INTEGER`;
}

/** The value cut to a DATE in UTC. */
function dateSql(type: PrimitiveType, sql: string): string {
  return isDate(type) ? sql : `(DATE '1970-01-01' + ${daysSql(type, sql)})`;
}

function truncateSql(type: PrimitiveType, sql: string, width: number): string {
  switch (type.kind) {
    case 'int':
    case 'long': {
      const [target, bits] = type.kind === 'int' ? ['INTEGER', 32] : ['BIGINT', 64];
      const wide = `(${sql})::HUGEINT`;
      const floor = `(${wide} - ((${wide} % ${width}) + ${width}) % ${width})`;
      // Below the type's lowest value the floor wraps around, as it does in Java.
      const wrapped = `CASE WHEN ${floor} < ${-(2n ** BigInt(bits - 1))} THEN ${floor} + ${2n ** BigInt(bits)} ELSE ${floor} END`;
      return `(${wrapped})::${target}`;
    }
    case 'decimal': {
      const unscaled = `replace((${sql})::VARCHAR, '.', '')::HUGEINT`;
      const floor = `(${unscaled} - ((${unscaled} % ${width}) + ${width}) % ${width})`;
      return floor;
    }
    case 'string':
      return `substr(${sql}, 1, ${width})`;
    case 'binary':
      return `unhex(substr(hex(${sql}), 1, ${2 * width}))`;
    default:
      throw new MoraineError('SCHEMA_INVALID', `The truncate transform does not apply to the type ${type.kind}.`);
  }
}

/**
 * The partition value of a row as SQL (null for null). Decimals give the unscaled HUGEINT; year, month, day and hour
 * give their ordinal from 1970.
 * @throws SCHEMA_INVALID when the transform does not apply to the type
 */
export function transformSql(transform: Transform, type: PrimitiveType, sql: string): string {
  switch (transform.kind) {
    case 'identity':
      return sql;
    case 'void':
      return 'NULL::INTEGER';
    case 'bucket':
      return bucketSql(type, sql, transform.numBuckets);
    case 'truncate':
      return truncateSql(type, sql, transform.width);
    case 'year':
      return `(date_part('year', ${dateSql(type, sql)}) - 1970)::INTEGER`;
    case 'month':
      return `((date_part('year', ${dateSql(type, sql)}) - 1970) * 12 + date_part('month', ${dateSql(type, sql)}) - 1)::INTEGER`;
    case 'day':
      return daysSql(type, sql);
    case 'hour':
      return `(${floorDivideSql(microsSql(type, sql), 3_600_000_000)})::INTEGER`;
    case 'unknown':
      throw new MoraineError(
        'UNSUPPORTED_FEATURE',
        `The partition transform ${transform.text} is not known, so rows cannot be partitioned by it.`,
      );
  }
}
