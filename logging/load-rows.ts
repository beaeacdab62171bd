/** Rows from memory as a temporary table, value by value, nothing rounded. */
import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { type Connection, sqlType } from '../engine/index.js';
import type { IcebergType } from '../iceberg/index.js';
import type { FeatureValue } from '../online/index.js';
import type { LogColumn } from './log-columns.js';

/** Makes the table `name` with columns `c0..` and appends the rows. */
export async function loadRows(
  connection: Connection,
  name: string,
  columns: readonly LogColumn[],
  rows: Iterable<readonly FeatureValue[]>,
): Promise<void> {
  const definitions = columns.map(({ type }, index) => `c${index} ${sqlType(type)}`);
  await connection.run(`CREATE TEMPORARY TABLE ${name} (${definitions.join(', ')})`);
  const appender = await connection.duckdb.createAppender(name);
  const types = columns.map((_, index) => appender.columnType(index));
  try {
    for (const row of rows) {
      for (const [index, { type }] of columns.entries()) {
        const value = duckDbValue(type, row[index] ?? null);
        if (value === null) appender.appendNull();
        else appender.appendValue(value, types[index]);
      }
      appender.endRow();
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}

/** A value of an online read as the engine takes it; see `featureValue` for the other way. */
function duckDbValue(type: IcebergType, value: FeatureValue): DuckDBValue {
  if (value === null) return null;
  switch (type.kind) {
    case 'list':
      return new DuckDBListValue((value as readonly FeatureValue[]).map((item) => duckDbValue(type.element, item)));
    case 'map':
      return new DuckDBMapValue(
        (value as readonly (readonly [FeatureValue, FeatureValue])[]).map(([key, item]) => ({
          key: duckDbValue(type.key, key),
          value: duckDbValue(type.value, item),
        })),
      );
    case 'struct': {
      const fields = value as ReadonlyMap<string, FeatureValue>;
      return new DuckDBStructValue(
        Object.fromEntries(type.fields.map(({ name, type: of }) => [name, duckDbValue(of, fields.get(name) ?? null)])),
      );
    }
    case 'date':
      return new DuckDBDateValue(value as number);
    case 'time':
      return new DuckDBTimeValue(value as bigint);
    case 'timestamp':
      return new DuckDBTimestampValue(value as bigint);
    case 'timestamptz':
      return new DuckDBTimestampTZValue(value as bigint);
    case 'decimal':
      return new DuckDBDecimalValue(value as bigint, type.precision, type.scale);
    case 'uuid':
      return DuckDBUUIDValue.fromUint128(BigInt(`0x${(value as string).replaceAll('-', '')}`));
    case 'binary':
    case 'fixed':
      return new DuckDBBlobValue(value as Uint8Array);
    default:
      return value as boolean | number | bigint | string;
  }
}
