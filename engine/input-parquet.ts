/** Parquet input. */
import type { DuckDBType } from '@duckdb/node-api';
import { MoraineError } from '../errors/index.js';
import type { Connection } from './connection.js';
import { DuckDBTypeId } from './duckdb.js';
import { raiseSql } from './duckdb-error.js';
import {
  type InputColumn,
  type InputRelation,
  inputType,
  type TargetTypes,
  textColumn,
  textTarget,
} from './input-column.js';
import { quotePath } from './sql-text.js';
import { sqlType } from './sql-type.js';

/** Columns and types of a Parquet file, exact; nanoseconds are taken as microseconds only where nothing is cut. */
export async function inferParquet(connection: Connection, path: string, targets: TargetTypes): Promise<InputRelation> {
  const reader = `read_parquet(${quotePath(path)})`;
  const { types } = await connection.describe(`FROM ${reader}`);
  const names = await columnNames(connection, path);
  await refuseZonedNanoseconds(connection, path);
  return {
    relation: `(FROM ${reader} AS input(${names.map((_, index) => `t${index}`).join(', ')}))`,
    columns: names.map((name, index) => {
      const found = column(path, name, types[index] as DuckDBType, `t${index}`);
      const target = textTarget(targets, name);
      return found.type.kind === 'string' && target !== undefined ? textColumn(name, target, found.sql) : found;
    }),
  };
}

function column(path: string, name: string, type: DuckDBType, alias: string): InputColumn {
  const iceberg = inputType(path, name, type);
  if (type.typeId !== DuckDBTypeId.TIMESTAMP_NS) return { name, type: iceberg, sql: `${alias}::${sqlType(iceberg)}` };
  const remedy = raiseSql(
    'TYPE_MISMATCH',
    `The column ${name} has nanoseconds, which would be cut. Round it to microseconds first.`,
  );
  return {
    name,
    type: iceberg,
    sql: `CASE WHEN epoch_ns(${alias}) % 1000 = 0 THEN ${alias}::TIMESTAMP WHEN ${alias} IS NOT NULL THEN ${remedy}::TIMESTAMP END`,
  };
}

/** Names as the file has them: DuckDB renames those that differ only by case. */
async function columnNames(connection: Connection, path: string): Promise<string[]> {
  const rows = await connection.rows(`SELECT name, num_children FROM parquet_schema(${quotePath(path)})`);
  const names: string[] = [];
  let next = 1;
  const skip = (): void => {
    const children = Number(rows[next]?.[1] ?? 0);
    next += 1;
    for (let child = 0; child < children; child += 1) skip();
  };
  const count = Number(rows[0]?.[1] ?? 0);
  for (let index = 0; index < count; index += 1) {
    names.push(String(rows[next]?.[0]));
    skip();
  }
  return names;
}

/** DuckDB reads zoned nanoseconds as microseconds without a word. */
async function refuseZonedNanoseconds(connection: Connection, path: string): Promise<void> {
  const [row] = await connection.rows(
    `SELECT name FROM parquet_schema(${quotePath(path)})
      WHERE logical_type LIKE 'TimestampType(isAdjustedToUTC=1%' AND logical_type LIKE '%NANOS=NanoSeconds()%' LIMIT 1`,
  );
  if (row === undefined) return;
  throw new MoraineError(
    'TYPE_MISMATCH',
    `The column ${String(row[0])} of ${path} has zoned nanoseconds, which cannot be read exactly. Write it with microseconds.`,
    { details: { path } },
  );
}
