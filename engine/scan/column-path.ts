/** Where a field is inside a row, and how written files name their columns. */
import { MoraineError } from '../../errors/index.js';
import { fieldPath, findField, type IcebergType, type NestedField, type Schema } from '../../iceberg/index.js';
import { quoteIdentifier } from '../sql/sql-text.js';

/**
 * Names of the top-level columns in a written file. DuckDB's identifiers ignore case, so a name that an earlier column
 * has in another case gets its field id appended; readers go by field id.
 */
export function fileColumnNames(schema: Schema): ReadonlyMap<number, string> {
  const taken = new Set<string>();
  const names = new Map<number, string>();
  for (const field of schema.fields) {
    let name = field.name;
    while (taken.has(name.toLowerCase())) name = `${name}_${field.id}`;
    taken.add(name.toLowerCase());
    names.set(field.id, name);
  }
  return names;
}

/** SQL for a field inside structs, given the SQL names of top-level columns. @throws SCHEMA_INVALID inside a list or map */
export function fieldSql(schema: Schema, id: number, columnSql: (topLevel: NestedField) => string): string {
  const path = fieldPath(schema, id);
  if (path === undefined) throw new MoraineError('SCHEMA_INVALID', `The schema has no field with the id ${id}.`);
  const [top, ...inner] = [...path.parentIds, id].map((step) => findField(schema, step) as NestedField);
  let sql = columnSql(top as NestedField);
  let around: IcebergType = (top as NestedField).type;
  for (const field of inner) {
    if (around.kind !== 'struct') {
      throw new MoraineError('SCHEMA_INVALID', `The field ${path.path} is inside a list or map.`);
    }
    sql = `struct_extract(${sql}, ${quoteStructKey(field.name)})`;
    around = field.type;
  }
  return sql;
}

const quoteStructKey = (name: string): string => `'${name.replaceAll("'", "''")}'`;

/** The `FIELD_IDS` option of a COPY to Parquet: every nested field's id. */
export function fieldIdsSql(schema: Schema): string {
  const names = fileColumnNames(schema);
  const entries = schema.fields.map(
    (field) => `${quoteIdentifier(names.get(field.id) as string)}: ${idsSql(field.id, field.type)}`,
  );
  return `{${entries.join(', ')}}`;
}

function idsSql(id: number, type: IcebergType): string {
  const self = `"__duckdb_field_id": ${id}`;
  switch (type.kind) {
    case 'struct':
      return `{${[self, ...type.fields.map((field) => `${quoteIdentifier(field.name)}: ${idsSql(field.id, field.type)}`)].join(', ')}}`;
    case 'list':
      return `{${self}, "element": ${idsSql(type.elementId, type.element)}}`;
    case 'map':
      return `{${self}, "key": ${idsSql(type.keyId, type.key)}, "value": ${idsSql(type.valueId, type.value)}}`;
    default:
      return String(id);
  }
}

/** A leaf column of a written file. */
export interface LeafColumn {
  readonly id: number;
  readonly type: IcebergType;
  /** Whether the leaf is inside a list or map: its values are not rows, so it has no bounds. */
  readonly repeated: boolean;
}

/** Leaf columns by the key that `RETURN_STATS` gives them: quoted names joined by dots. */
export function leafColumns(schema: Schema): ReadonlyMap<string, LeafColumn> {
  const leaves = new Map<string, LeafColumn>();
  const visit = (key: string, id: number, type: IcebergType, repeated: boolean): void => {
    const child = (name: string): string => `${key}.${quoteIdentifier(name)}`;
    if (type.kind === 'struct') {
      for (const field of type.fields) visit(child(field.name), field.id, field.type, repeated);
    } else if (type.kind === 'list') {
      visit(child('element'), type.elementId, type.element, true);
    } else if (type.kind === 'map') {
      visit(child('key'), type.keyId, type.key, true);
      visit(child('value'), type.valueId, type.value, true);
    } else {
      leaves.set(key, { id, type, repeated });
    }
  };
  const names = fileColumnNames(schema);
  for (const field of schema.fields) {
    visit(quoteIdentifier(names.get(field.id) as string), field.id, field.type, false);
  }
  return leaves;
}
