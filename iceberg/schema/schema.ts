/** Looking things up in a schema. Source: Apache Iceberg specification, "Schemas and Data Types". */
import { columnNotFound } from './column-not-found.js';
import type { IcebergType, NestedField, PrimitiveType, Schema } from './types.js';

/** A field at any depth. A list's element, a map's key and value are fields named `element`, `key` and `value`. */
export interface FieldPath {
  readonly field: NestedField;
  /** Names from the top, joined by dots. */
  readonly path: string;
  /** Ids of the fields around this one, outermost first. */
  readonly parentIds: readonly number[];
}

interface SchemaIndex {
  readonly fields: readonly FieldPath[];
  readonly byId: ReadonlyMap<number, FieldPath>;
  readonly byPath: ReadonlyMap<string, FieldPath>;
}

const indexes = new WeakMap<Schema, SchemaIndex>();

/** Every field of a schema at every depth, parents before their children, in schema order. */
export function allFields(schema: Schema): readonly FieldPath[] {
  return indexOf(schema).fields;
}

/** The field of an id, at any depth. */
export function findField(schema: Schema, id: number): NestedField | undefined {
  return indexOf(schema).byId.get(id)?.field;
}

/** The dotted path of the field of an id. */
export function fieldPath(schema: Schema, id: number): FieldPath | undefined {
  return indexOf(schema).byId.get(id);
}

/** The field of a name: first a top-level column of exactly that name (dots included), then a dotted path. Case counts. */
export function findFieldByName(schema: Schema, name: string): NestedField | undefined {
  return indexOf(schema).byPath.get(name)?.field;
}

/** The largest field id of a schema; 0 without fields. */
export function highestFieldId(schema: Schema): number {
  return indexOf(schema).fields.reduce((highest, { field }) => Math.max(highest, field.id), 0);
}

/** Whether a type is a leaf of the type tree, and one that can be read. */
export function isPrimitive(type: IcebergType): type is PrimitiveType {
  return type.kind !== 'struct' && type.kind !== 'list' && type.kind !== 'map' && type.kind !== 'unsupported';
}

/** The fields directly inside a type. */
export function childFields(type: IcebergType): readonly NestedField[] {
  switch (type.kind) {
    case 'struct':
      return type.fields;
    case 'list':
      return [{ id: type.elementId, name: 'element', required: type.elementRequired, type: type.element }];
    case 'map':
      return [
        { id: type.keyId, name: 'key', required: true, type: type.key },
        { id: type.valueId, name: 'value', required: type.valueRequired, type: type.value },
      ];
    default:
      return [];
  }
}

/** A type with each of its direct child fields replaced; a struct drops the children for which `map` gives undefined. */
export function mapChildFields(type: IcebergType, map: (field: NestedField) => NestedField | undefined): IcebergType {
  const [first, second] = type.kind === 'list' || type.kind === 'map' ? childFields(type).map(map) : [];
  if (type.kind === 'struct') {
    return { ...type, fields: type.fields.map(map).filter((field) => field !== undefined) };
  }
  if (type.kind === 'list' && first !== undefined) {
    return { ...type, elementId: first.id, elementRequired: first.required, element: first.type };
  }
  if (type.kind === 'map' && first !== undefined && second !== undefined) {
    return {
      ...type,
      keyId: first.id,
      key: first.type,
      valueId: second.id,
      valueRequired: second.required,
      value: second.type,
    };
  }
  return type;
}

/**
 * A schema of the given columns, in the given order, each once. A name is taken as {@link findFieldByName} takes it;
 * a nested one keeps its column with nothing but that path in it. Field ids stay.
 * @throws MoraineError `COLUMN_NOT_FOUND` listing the columns there are
 */
export function selectColumns(schema: Schema, names: readonly string[]): Schema {
  const { byPath } = indexOf(schema);
  const selected = new Set<number>();
  const partly = new Set<number>();
  const topLevelIds: number[] = [];
  for (const name of names) {
    const found = byPath.get(name);
    if (found === undefined) {
      throw columnNotFound(schema, name);
    }
    selected.add(found.field.id);
    for (const id of found.parentIds) partly.add(id);
    const topLevelId = found.parentIds[0] ?? found.field.id;
    if (!topLevelIds.includes(topLevelId)) topLevelIds.push(topLevelId);
  }
  const byId = new Map(schema.fields.map((field) => [field.id, field]));
  const fields = topLevelIds.map((id) => prune(byId.get(id) as NestedField, selected, partly));
  const selection = { ...schema, fields: fields.filter((field) => field !== undefined) };
  const kept = schema.identifierFieldIds.filter((id) => findField(selection, id) !== undefined);
  return { ...schema, fields: selection.fields, identifierFieldIds: kept };
}

function prune(
  field: NestedField,
  selected: ReadonlySet<number>,
  partly: ReadonlySet<number>,
): NestedField | undefined {
  if (selected.has(field.id)) return field;
  if (!partly.has(field.id)) return undefined;
  // A map cannot lose its key, nor a list its element: those stay whole unless something inside them was chosen.
  const keep = field.type.kind !== 'struct';
  return {
    ...field,
    type: mapChildFields(field.type, (child) => prune(child, selected, partly) ?? (keep ? child : undefined)),
  };
}

/**
 * The same schema with ids given afresh from `firstId`: all fields of one struct before those inside them, as other writers do.
 * Identifier fields follow; {@link allFields} of both schemas are in the same order.
 */
export function assignFreshIds(schema: Schema, firstId = 1): Schema {
  const newIds = new Map<number, number>();
  let nextId = firstId;
  const assign = (type: IcebergType): IcebergType => {
    for (const field of childFields(type)) newIds.set(field.id, nextId++);
    return mapChildFields(type, (field) => ({
      ...field,
      id: newIds.get(field.id) ?? field.id,
      type: assign(field.type),
    }));
  };
  const fields = childFields(assign({ kind: 'struct', fields: schema.fields }));
  return { ...schema, fields, identifierFieldIds: schema.identifierFieldIds.map((id) => newIds.get(id) ?? id) };
}

function indexOf(schema: Schema): SchemaIndex {
  const known = indexes.get(schema);
  if (known !== undefined) return known;
  const fields: FieldPath[] = [];
  const collect = (children: readonly NestedField[], prefix: string, parentIds: readonly number[]): void => {
    for (const field of children) {
      const path = `${prefix}${field.name}`;
      fields.push({ field, path, parentIds });
      collect(childFields(field.type), `${path}.`, [...parentIds, field.id]);
    }
  };
  collect(schema.fields, '', []);
  const byPath = new Map<string, FieldPath>();
  for (const entry of fields.toSorted((a, b) => a.parentIds.length - b.parentIds.length)) {
    if (!byPath.has(entry.path)) byPath.set(entry.path, entry);
  }
  const index = { fields, byId: new Map(fields.map((entry) => [entry.field.id, entry])), byPath };
  indexes.set(schema, index);
  return index;
}

/**
 * Fields of several tables as one schema with fresh ids, from 1 on. Each gets ids of its own first: those of different tables, inside nested
 * types too, may be equal.
 */
export function schemaOfFields(given: readonly NestedField[]): Schema {
  const fields: NestedField[] = [];
  let firstId = 1;
  for (const field of given) {
    const alone = assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields: [{ ...field, id: 0 }] }, firstId);
    fields.push(...alone.fields);
    firstId = highestFieldId(alone) + 1;
  }
  return assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields });
}
