/** The values of columns that a file lacks. */
import { MoraineError } from '../../errors/index.js';
import { type IdentityValues, type JsonValue, type NestedField, valueFromJson } from '../../iceberg/index.js';
import { isPrimitive, sqlLiteral, sqlType } from '../sql/sql-type.js';
import { READER_COLUMNS } from './file-readers.js';

/** The initial default of a field, typed; null if it has none. Source: specification, "Default values". */
export function fieldDefaultSql(field: NestedField): string {
  const type = field.type;
  if (field.initialDefault === undefined || field.initialDefault === null) return `NULL::${sqlType(type)}`;
  if (!isPrimitive(type)) {
    throw new MoraineError('UNSUPPORTED_FEATURE', `The column ${field.name} has a nested default value.`);
  }
  return sqlLiteral(type, valueFromJson(type, field.initialDefault as JsonValue));
}

/**
 * The value of a top-level column in files that do not have it: what the partition of each file says, else the column's default.
 * @param files those of one reader, in its order
 */
export function missingColumnSql(
  field: NestedField,
  files: readonly { readonly identityValues?: IdentityValues }[],
): string {
  const known = files.map(({ identityValues }) => identityValues?.get(field.id));
  if (known.every((value) => value === undefined)) return fieldDefaultSql(field);
  const values = known.map((identity) => {
    if (identity === undefined) return fieldDefaultSql(field);
    return identity.value === null ? 'NULL' : sqlLiteral(identity.type, identity.value);
  });
  const type = sqlType(field.type);
  const [first = 'NULL'] = values;
  if (values.every((value) => value === first)) return `CAST(${first} AS ${type})`;
  return `CAST(list_extract([${values.join(', ')}], ${READER_COLUMNS.place}::BIGINT + 1) AS ${type})`;
}
