/** Columns inside statements: their collision-free names, and their values where a file lacks them. */
import { MoraineError } from '../../errors/index.js';
import { type JsonValue, type NestedField, valueFromJson } from '../../iceberg/index.js';
import { isPrimitive, sqlLiteral, sqlType } from '../sql/sql-type.js';

/** The internal name of a column: DuckDB's identifiers ignore case, so the schema's own names may collide. */
export const columnAlias = (id: number): string => `c${id}`;

/** The initial default of a field, typed; null if it has none. Source: specification, "Default values". */
export function fieldDefaultSql(field: NestedField): string {
  const type = field.type;
  if (field.initialDefault === undefined || field.initialDefault === null) return `NULL::${sqlType(type)}`;
  if (!isPrimitive(type)) {
    throw new MoraineError('UNSUPPORTED_FEATURE', `The column ${field.name} has a nested default value.`);
  }
  return sqlLiteral(type, valueFromJson(type, field.initialDefault as JsonValue));
}
