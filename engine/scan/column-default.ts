/** Default values: of columns that a file lacks, and of those that a writer leaves out. Source: specification, "Default values". */
import { MoraineError } from '../../errors/index.js';
import {
  type IcebergType,
  type IdentityValues,
  isJsonArray,
  isJsonObject,
  type JsonValue,
  type NestedField,
  stringifyJson,
  typeToString,
  valueFromJson,
} from '../../iceberg/index.js';
import { quoteLiteral } from '../sql/sql-text.js';
import { isPrimitive, sqlLiteral, sqlType } from '../sql/sql-type.js';
import { READER_COLUMNS } from './file-readers.js';

/** A default as metadata has it. */
type DefaultOf = (field: NestedField) => JsonValue | undefined;

const initialDefault: DefaultOf = (field) => field.initialDefault as JsonValue | undefined;
const writeDefault: DefaultOf = (field) => field.writeDefault as JsonValue | undefined;

/** The initial default of a field, typed; null if it has none. */
export const fieldDefaultSql = (field: NestedField): string =>
  valueSql(field.type, initialDefault(field), initialDefault);

/** The value that writers give a field that they have none for, typed; undefined if it has none, which is null. */
export function writeDefaultSql(field: NestedField): string | undefined {
  const value = writeDefault(field);
  return value === undefined || value === null ? undefined : valueSql(field.type, value, writeDefault);
}

function valueSql(type: IcebergType, json: JsonValue | undefined, defaultOf: DefaultOf): string {
  if (json === undefined || json === null) return `NULL::${sqlType(type)}`;
  if (isPrimitive(type)) return sqlLiteral(type, valueFromJson(type, json));
  return `${nestedSql(type, json, defaultOf)}::${sqlType(type)}`;
}

/** A struct's default is an empty object: what its fields have is said by them. */
function nestedSql(type: IcebergType, json: JsonValue, defaultOf: DefaultOf): string {
  const itemsSql = (of: IcebergType, items: JsonValue | undefined): string => {
    if (items === undefined || !isJsonArray(items)) throw noDefault(type, json);
    return `[${items.map((item) => valueSql(of, item, defaultOf)).join(', ')}]`;
  };
  if (type.kind === 'list') return itemsSql(type.element, json);
  if (!isJsonObject(json)) throw noDefault(type, json);
  if (type.kind === 'map') return `map(${itemsSql(type.key, json['keys'])}, ${itemsSql(type.value, json['values'])})`;
  if (type.kind !== 'struct' || type.fields.length === 0) throw noDefault(type, json);
  const members = type.fields.map((field) => {
    const own = json[String(field.id)];
    return `${quoteLiteral(field.name)}: ${valueSql(field.type, own === undefined ? defaultOf(field) : own, defaultOf)}`;
  });
  return `{${members.join(', ')}}`;
}

function noDefault(type: IcebergType, json: JsonValue): MoraineError {
  return new MoraineError('SCHEMA_INVALID', `${stringifyJson(json)} is not a default value of ${typeToString(type)}.`);
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
