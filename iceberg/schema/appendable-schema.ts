/** Whether files written by one schema of a table may be added while another is current. Source: Apache Iceberg specification, "Schema Evolution". */
import { childFields } from './schema.js';
import { canPromote } from './schema-evolution.js';
import { typeToString } from './schema-json.js';
import type { IcebergType, NestedField, Schema } from './types.js';

type Fields = readonly NestedField[];

/**
 * Fields, found by id, that keep rows of one schema from being rows of the current one. Such a field is required now and has no value there, or may be null there; or its type
 * is not read as the current type. Readers leave out columns that the current schema lacks.
 * @returns a sentence part for each such field; empty: the files may be added
 */
export function unreadableFields(written: Schema, current: Schema, formatVersion: 1 | 2 | 3): readonly string[] {
  return unreadable(written.fields, current.fields, formatVersion, '');
}

function unreadable(written: Fields, current: Fields, version: 1 | 2 | 3, path: string): readonly string[] {
  const byId = new Map(written.map((field) => [field.id, field]));
  return current.flatMap((field) => {
    const name = path + field.name;
    const before = byId.get(field.id);
    const isAbsent = before === undefined && field.initialDefault === undefined;
    if (field.required && (isAbsent || before?.required === false)) return [`${name} is required now`];
    return before === undefined ? [] : unreadableType(before.type, field.type, version, name);
  });
}

function unreadableType(before: IcebergType, now: IcebergType, version: 1 | 2 | 3, name: string): readonly string[] {
  const [inside, inNow] = [childrenOf(before), childrenOf(now)];
  if (inside !== null && inNow !== null && before.kind === now.kind)
    return unreadable(inside, inNow, version, `${name}.`);
  if (inside === null && inNow === null && canPromote(before, now, version)) return [];
  return [`${name} is ${typeToString(now)} now, not ${typeToString(before)}`];
}

function childrenOf(type: IcebergType): Fields | null {
  const fields = childFields(type);
  return fields.length > 0 || type.kind === 'struct' ? fields : null;
}
