/** Columns that files lack and their partitions tell. Source: Apache Iceberg specification, "Column Projection". */
import type { IdentityValues, NestedField } from '../../iceberg/index.js';
import { sqlLiteral, sqlType } from '../sql/sql-type.js';
import { fieldDefaultSql } from './column-default.js';
import { READER_COLUMNS } from './file-readers.js';

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
