/**
 * A column of the source in Trino's SQL. Time travel there shows the columns of the snapshot's own schema, so that each is found by its field id
 * and becomes what it is wanted as: under its name of then, promoted, its nested fields in their present places.
 */
import { trinoQuoted } from '../../catalogs/index.js';
import { type IcebergType, type NestedField, type Schema, sameType } from '../../iceberg/index.js';
import type { ReducedColumn } from '../reduction.js';
import { refusedFormatThree } from './format-three.js';
import { trinoType } from './trino-types.js';

/**
 * @param schema of the snapshot that is read
 * @param current schema of the table, for what a column that the snapshot does not have yet is worth
 * @throws MoraineError `UNSUPPORTED_FEATURE` for a type that Trino does not have, and for defaults of format version 3
 */
export function columnSql(
  { sourceFieldId, type }: ReducedColumn,
  schema: Schema,
  current: Schema,
  from: string,
): string {
  const field = schema.fields.find(({ id }) => id === sourceFieldId);
  const name = (field ?? current.fields.find(({ id }) => id === sourceFieldId))?.name ?? `with id ${sourceFieldId}`;
  const what = `Column '${name}'`;
  const wanted = trinoType(type, what);
  if (field === undefined) {
    refuseDefault(
      current.fields.find(({ id }) => id === sourceFieldId),
      what,
    );
    return `CAST(NULL AS ${wanted})`;
  }
  return valueSql(`${from}.${trinoQuoted(field.name)}`, field.type, type, what);
}

/** A value of the type that the snapshot has as the type that is wanted. */
function valueSql(sql: string, from: IcebergType, to: IcebergType, what: string): string {
  const [has, wants] = [trinoType(from, what), trinoType(to, what)];
  if (sameType(from, to)) return sql;
  if (to.kind === 'struct' && from.kind === 'struct') {
    const fields = to.fields.map((field) => {
      const old = from.fields.find(({ id }) => id === field.id);
      if (old !== undefined) return valueSql(`${sql}.${trinoQuoted(old.name)}`, old.type, field.type, what);
      refuseDefault(field, what);
      return `CAST(NULL AS ${trinoType(field.type, what)})`;
    });
    return `IF(${sql} IS NULL, NULL, CAST(ROW(${fields.join(', ')}) AS ${wants}))`;
  }
  const depth = sql.split('->').length;
  if (to.kind === 'list' && from.kind === 'list')
    return `transform(${sql}, e${depth} -> ${valueSql(`e${depth}`, from.element, to.element, what)})`;
  if (to.kind === 'map' && from.kind === 'map') {
    const key = valueSql(`k${depth}`, from.key, to.key, what);
    const value = valueSql(`v${depth}`, from.value, to.value, what);
    const values = `transform_values(${sql}, (k${depth}, v${depth}) -> ${value})`;
    return key === `k${depth}` ? values : `transform_keys(${values}, (k${depth}, v${depth}) -> ${key})`;
  }
  return has === wants ? sql : `CAST(${sql} AS ${wants})`;
}

function refuseDefault(field: NestedField | undefined, what: string): void {
  if (field?.initialDefault === undefined || field.initialDefault === null) return;
  throw refusedFormatThree(`${what} has a default for rows that were written before it, as of`);
}
