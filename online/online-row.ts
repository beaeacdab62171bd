/** Rows of an online table in SQL. */
import { quoteIdentifier, sqlType } from '../engine/index.js';
import type { Schema } from '../iceberg/index.js';

/**
 * The columns of an online table's rows, for a SELECT.
 * @param values SQL of the values by column; a column without one is null
 */
export function onlineRowSql(schema: Schema, values: ReadonlyMap<string, string>): string {
  return schema.fields
    .map(
      (field) =>
        `CAST(${values.get(field.name) ?? 'NULL'} AS ${sqlType(field.type)}) AS ${quoteIdentifier(field.name)}`,
    )
    .join(', ');
}
