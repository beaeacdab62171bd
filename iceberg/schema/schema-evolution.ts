/** Evolution of schemas. Source: Apache Iceberg specification, "Schema Evolution". */

import { MoraineError } from '../../errors/index.js';
import type { JsonValue } from '../json.js';
import { columnNotFound } from './column-not-found.js';
import { allFields, childFields, fieldPath, findField, findFieldByName, mapChildFields } from './schema.js';
import { checkSchema, typeToString } from './schema-json.js';
import { requireVersionTwoTypes } from './type-versions.js';
import type { IcebergType, NestedField, Schema } from './types.js';

/** Where a column goes among its siblings; `column` is a sibling's own name. */
export type ColumnPosition =
  | { readonly place: 'first' }
  | { readonly place: 'before' | 'after'; readonly column: string };

/** One change of a schema. Columns are named as `findFieldByName` takes names: a column's own name, else a dotted path. */
export type SchemaChange =
  | {
      readonly change: 'add';
      readonly name: string;
      readonly type: IcebergType;
      /** The struct (or list or map of structs) that gets the column; the row itself unless given. */
      readonly parent?: string;
      readonly required?: boolean;
      readonly doc?: string;
      /** v3: the value in rows written before, and of writers that give none (JSON single-value form). */
      readonly defaultValue?: JsonValue;
    }
  | { readonly change: 'rename'; readonly column: string; readonly newName: string }
  | { readonly change: 'drop'; readonly column: string }
  | { readonly change: 'promote'; readonly column: string; readonly type: IcebergType }
  | { readonly change: 'make-optional'; readonly column: string }
  | { readonly change: 'set-doc'; readonly column: string; readonly doc: string | null }
  | { readonly change: 'move'; readonly column: string; readonly to: ColumnPosition };

/** Conditions of the rules besides the schema. */
export interface EvolutionContext {
  /** The table's `lastColumnId`: ids of new columns begin above it, so that no id ever has two meanings. */
  readonly lastColumnId: number;
  readonly formatVersion: 1 | 2 | 3;
}

/**
 * The schema after the changes, made one after the other. Its id is that of the old one: adding it to a table gives it its own.
 * @throws MoraineError `COLUMN_NOT_FOUND`, `SCHEMA_INVALID` for a change that the rules forbid
 */
export function evolveSchema(schema: Schema, changes: readonly SchemaChange[], context: EvolutionContext): Schema {
  let nextId = context.lastColumnId;
  let evolved = schema;
  for (const change of changes) {
    evolved = applyChange(evolved, change, context, () => ++nextId);
    checkSchema(evolved);
  }
  return evolved;
}

function applyChange(schema: Schema, change: SchemaChange, context: EvolutionContext, newId: () => number): Schema {
  switch (change.change) {
    case 'add':
      return addColumn(schema, change, context, newId);
    case 'rename':
      if (change.newName === '') invalid(`Column '${change.column}' cannot have an empty name.`);
      return replaceField(schema, changeable(schema, change.column).id, (field) => ({
        ...field,
        name: change.newName,
      }));
    case 'drop':
      return dropColumn(schema, changeable(schema, change.column).id, change.column);
    case 'promote': {
      const { id, type } = columnOf(schema, change.column);
      if (!canPromote(type, change.type, context.formatVersion)) {
        invalid(`Column '${change.column}' cannot change from ${typeToString(type)} to ${typeToString(change.type)}.`);
      }
      return replaceField(schema, id, (field) => ({ ...field, type: change.type }));
    }
    case 'make-optional': {
      const { id } = columnOf(schema, change.column);
      if (schema.identifierFieldIds.includes(id))
        invalid(`Column '${change.column}' identifies rows and stays required.`);
      if (isMapKey(schema, id)) invalid(`'${change.column}' is the key of a map and stays required.`);
      return replaceField(schema, id, (field) => ({ ...field, required: false }));
    }
    case 'set-doc':
      return replaceField(schema, columnOf(schema, change.column).id, (field) => withDoc(field, change.doc));
    case 'move':
      return moveColumn(schema, changeable(schema, change.column).id, change.column, change.to);
  }
}

/** Whether a column may change from one type to the other: the reader then takes old values as the new type. */
export function canPromote(from: IcebergType, to: IcebergType, formatVersion: 1 | 2 | 3 = 2): boolean {
  if (from.kind === 'decimal' && to.kind === 'decimal')
    return from.scale === to.scale && to.precision >= from.precision;
  if (from.kind === 'fixed' && to.kind === 'fixed') return from.length === to.length;
  if (childFields(from).length > 0 || from.kind === 'struct' || from.kind === 'unsupported') return false;
  if (from.kind === to.kind) return true;
  if (from.kind === 'int') return to.kind === 'long';
  if (from.kind === 'float') return to.kind === 'double';
  if (formatVersion < 3) return false;
  if (from.kind === 'date') return to.kind === 'timestamp' || to.kind === 'timestamp_ns';
  return from.kind === 'unknown' && to.kind !== 'unsupported' && childFields(to).length === 0 && to.kind !== 'struct';
}

function addColumn(
  schema: Schema,
  change: Extract<SchemaChange, { change: 'add' }>,
  context: EvolutionContext,
  newId: () => number,
): Schema {
  const { name, required = false, defaultValue } = change;
  if (name === '') invalid('A column needs a name.');
  if (defaultValue !== undefined && context.formatVersion < 3) {
    invalid(`Column '${name}': default values need a table of format version 3.`);
  }
  if (required && defaultValue === undefined) {
    invalid(
      `Column '${name}' cannot be required: rows that are in the table have no value for it. Add it as optional.`,
    );
  }
  const column: NestedField = {
    id: newId(),
    name,
    required,
    type: withNewIds(change.type, newId),
    ...(change.doc !== undefined && { doc: change.doc }),
    ...(defaultValue !== undefined && { initialDefault: defaultValue, writeDefault: defaultValue }),
  };
  if (context.formatVersion < 3) requireVersionTwoTypes({ ...schema, fields: [column] });
  if (change.parent === undefined) return { ...schema, fields: [...schema.fields, column] };
  const parent = structInside(columnOf(schema, change.parent), change.parent);
  return replaceField(schema, parent.id, (field) => ({
    ...field,
    type: { kind: 'struct', fields: [...childFields(field.type), column] },
  }));
}

/** The field whose type is the struct that new columns go to: the field itself, a list's element or a map's value. */
function structInside(field: NestedField, name: string): NestedField {
  if (field.type.kind === 'struct') return field;
  const inner = childFields(field.type).at(-1);
  return inner?.type.kind === 'struct' ? inner : invalid(`'${name}' holds no struct that a column could be added to.`);
}

function withNewIds(type: IcebergType, newId: () => number): IcebergType {
  const ids = childFields(type).map(newId);
  let position = 0;
  return mapChildFields(type, (field) => ({
    ...field,
    id: ids[position++] ?? field.id,
    type: withNewIds(field.type, newId),
  }));
}

function withDoc(field: NestedField, doc: string | null): NestedField {
  const changed: { -readonly [K in keyof NestedField]: NestedField[K] } = { ...field };
  if (doc === null) delete changed.doc;
  else changed.doc = doc;
  return changed;
}

function dropColumn(schema: Schema, id: number, name: string): Schema {
  const inside = allFields(schema).filter(({ field, parentIds }) => field.id === id || parentIds.includes(id));
  if (inside.some(({ field }) => schema.identifierFieldIds.includes(field.id))) {
    invalid(`Column '${name}' identifies rows and cannot be dropped.`);
  }
  return replaceField(schema, id, () => undefined);
}

function moveColumn(schema: Schema, id: number, name: string, to: ColumnPosition): Schema {
  const reorder = (siblings: readonly NestedField[]): readonly NestedField[] => {
    const column = siblings.find((field) => field.id === id);
    if (column === undefined) return siblings;
    const others = siblings.filter((field) => field !== column);
    if (to.place === 'first') return [column, ...others];
    const target = others.findIndex((field) => field.name === to.column);
    if (target < 0) {
      throw new MoraineError('COLUMN_NOT_FOUND', `Column '${name}' has no sibling '${to.column}' to be moved to.`);
    }
    return others.toSpliced(to.place === 'before' ? target : target + 1, 0, column);
  };
  const parentId = fieldPath(schema, id)?.parentIds.at(-1);
  if (parentId === undefined) return { ...schema, fields: reorder(schema.fields) };
  return replaceField(schema, parentId, (field) => ({
    ...field,
    type: { kind: 'struct', fields: reorder(childFields(field.type)) },
  }));
}

function columnOf(schema: Schema, name: string): NestedField {
  const field = findFieldByName(schema, name);
  if (field !== undefined) return field;
  throw columnNotFound(schema, name);
}

/** A column that may be renamed, moved or dropped: a list's element and a map's key and value may not. */
function changeable(schema: Schema, name: string): NestedField {
  const field = columnOf(schema, name);
  const parentId = fieldPath(schema, field.id)?.parentIds.at(-1);
  const parent = parentId === undefined ? undefined : findField(schema, parentId);
  if (parent !== undefined && parent.type.kind !== 'struct')
    invalid(`'${name}' is part of a ${parent.type.kind} and stays as it is.`);
  return field;
}

function isMapKey(schema: Schema, id: number): boolean {
  return allFields(schema).some(({ field }) => field.type.kind === 'map' && field.type.keyId === id);
}

function replaceField(schema: Schema, id: number, replace: (field: NestedField) => NestedField | undefined): Schema {
  const visit = (field: NestedField): NestedField | undefined =>
    field.id === id ? replace(field) : { ...field, type: mapChildFields(field.type, visit) };
  return { ...schema, fields: schema.fields.map(visit).filter((field) => field !== undefined) };
}

function invalid(message: string): never {
  throw new MoraineError('SCHEMA_INVALID', message);
}
