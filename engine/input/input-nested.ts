/**
 * Nested columns of text input, read as the types that a table has: JSON objects as structs, arrays as lists, arrays of
 * `[key, value]` as maps. A value fits exactly or not at all, and what does not fit is named by its place inside the value.
 */
import { type IcebergType, type NestedField, typeToString } from '../../iceberg/index.js';
import { writeDefaultSql } from '../scan/column-default.js';
import { listTransformSql } from '../sql/lambda-sql.js';
import { quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { isPrimitive, sqlType } from '../sql/sql-type.js';
import type { InputColumn } from './input-column.js';
import { textValueSql } from './text-value.js';

const SHOWN_CHARACTERS = 60;

/**
 * A column of JSON values of a nested type.
 * @param json SQL of the value as JSON
 * @param before SQL of reasons, or null, that come before what the type says
 */
export function nestedColumn(
  name: string,
  type: IcebergType,
  json: string,
  before: readonly string[] = [],
): InputColumn {
  const reason = `coalesce(${[...before, 'NULL', misfitSql(type, json, 0)].join(', ')})`;
  return { name, type, reason, sql: valueSql(type, json, 0) };
}

/** SQL for the value of a JSON value that fits; null for JSON's null. */
function valueSql(type: IcebergType, json: string, depth: number): string {
  switch (type.kind) {
    case 'struct': {
      const fields = type.fields.map((field) => {
        const member = jsonMember(json, field.name);
        const value = valueSql(field.type, member, depth);
        const absent = writeDefaultSql(field);
        const given = absent === undefined ? value : `CASE WHEN ${member} IS NULL THEN ${absent} ELSE ${value} END`;
        return `${quoteIdentifier(field.name)} := ${given}`;
      });
      return `CASE WHEN ${isPresent(json)} THEN struct_pack(${fields.join(', ')}) END`;
    }
    case 'list': {
      const item = `e${depth}`;
      return listTransformSql(jsonElements(json), [item], valueSql(type.element, item, depth + 1));
    }
    case 'map': {
      const item = `e${depth}`;
      const key = valueSql(type.key, at(item, 0), depth + 1);
      const value = valueSql(type.value, at(item, 1), depth + 1);
      const entries = listTransformSql(jsonElements(json), [item], `struct_pack(k := ${key}, v := ${value})`);
      return `map_from_entries(${entries})`;
    }
    case 'unsupported':
      return 'NULL';
    default:
      return textValueSql(type, jsonText(json)) ?? `NULL::${sqlType(type)}`;
  }
}

/** SQL for the first thing in a JSON value that does not fit: its place in the value, such as `.field[2]`, and a sentence; null if all of it fits. */
function misfitSql(type: IcebergType, json: string, depth: number): string {
  const wrong = (wanted: string): string => `' ' || ${shown(json)} || ${quoteLiteral(` does not fit ${wanted}`)}`;
  const unless = (condition: string, otherwise: string, wanted: string): string =>
    `CASE WHEN NOT ${isPresent(json)} THEN NULL WHEN NOT (${condition}) THEN ${wrong(wanted)} ELSE ${otherwise} END`;
  switch (type.kind) {
    case 'struct':
      return unless(`json_type(${json}) = 'OBJECT'`, structMisfitSql(type.fields, json, depth), 'an object');
    case 'list': {
      const inside = requiredMisfitSql(type.elementRequired, type.element, `e${depth}`, depth + 1);
      return unless(`json_type(${json}) = 'ARRAY'`, firstOf(json, depth, inside), 'an array');
    }
    case 'map':
      return unless(`json_type(${json}) = 'ARRAY'`, mapMisfitSql(type, json, depth), 'an array of [key, value]');
    default:
      return unless(primitiveFits(type, json), 'NULL', `${typeToString(type)} exactly`);
  }
}

function structMisfitSql(fields: readonly NestedField[], json: string, depth: number): string {
  const known = `[${fields.map((field) => quoteLiteral(field.name)).join(', ')}]`;
  const keys = `json_keys(${json})`;
  const unknown = `list_filter(${keys}, lambda k${depth}: NOT list_contains(${known}, k${depth}))`;
  const checks = fields.map((field) => {
    const member = jsonMember(json, field.name);
    const inside = requiredMisfitSql(field.required, field.type, member, depth);
    const given = writeDefaultSql(field) === undefined ? inside : `CASE WHEN ${member} IS NOT NULL THEN ${inside} END`;
    return `${quoteLiteral(`.${field.name}`)} || ${given}`;
  });
  return `CASE WHEN len(${unknown}) > 0 THEN ' has the unknown key ' || to_json((${unknown})[1])
    WHEN len(${keys}) > len(list_distinct(${keys})) THEN ' has a key twice'
    ELSE coalesce(${['NULL', ...checks].join(', ')}) END`;
}

function mapMisfitSql(type: Extract<IcebergType, { kind: 'map' }>, json: string, depth: number): string {
  const entry = `e${depth}`;
  const key = misfitSql(type.key, at(entry, 0), depth + 1);
  const value = requiredMisfitSql(type.valueRequired, type.value, at(entry, 1), depth + 1);
  const isPair = `${isPresent(entry)} AND json_type(${entry}) = 'ARRAY' AND json_array_length(${entry}) = 2`;
  const inside = `CASE WHEN NOT (${isPair}) THEN ' ' || ${shown(entry)} || ' is no [key, value]'
    WHEN NOT ${isPresent(at(entry, 0))} THEN ' has no key' ELSE coalesce('[0]' || ${key}, '[1]' || ${value}) END`;
  const keys = listTransformSql(jsonElements(json), [entry], valueSql(type.key, at(entry, 0), depth + 1));
  const twice = `CASE WHEN len(${keys}) > len(list_distinct(${keys})) THEN ' has a key twice' END`;
  return `coalesce(${firstOf(json, depth, inside)}, ${twice})`;
}

function requiredMisfitSql(required: boolean, type: IcebergType, json: string, depth: number): string {
  const inside = misfitSql(type, json, depth);
  if (!required) return inside;
  return `CASE WHEN NOT ${isPresent(json)} THEN ' is required, but null' ELSE ${inside} END`;
}

/** The first misfit among the elements of an array. */
function firstOf(json: string, depth: number, misfit: string): string {
  const placed = `'[' || (i${depth} - 1) || ']' || ${misfit}`;
  return `list_aggregate(${listTransformSql(jsonElements(json), [`e${depth}`, `i${depth}`], placed)}, 'any_value')`;
}

/** Numbers and truth values are not texts: how they were written is not kept. */
function primitiveFits(type: IcebergType, json: string): string {
  if (type.kind === 'string') return `json_type(${json}) = 'VARCHAR'`;
  if (!isPrimitive(type)) return 'false';
  const value = textValueSql(type, jsonText(json));
  return value === undefined ? 'false' : `(${value}) IS NOT NULL`;
}

const isPresent = (json: string): string => `coalesce(json_type(${json}) <> 'NULL', false)`;
/** SQL for the text of a JSON string or number. */
export const jsonText = (json: string): string => `(${json} ->> '$')`;
const at = (json: string, index: number): string => `json_extract(${json}, '/${index}')`;
/** SQL for the list of an array's values. */
export const jsonElements = (json: string): string => `from_json(${json}, '["JSON"]')`;
const shown = (json: string): string => `left((${json})::VARCHAR, ${SHOWN_CHARACTERS})`;

/** SQL for the value of a key of an object, or of a key of the object that this is, and so on. JSON pointers (RFC 6901) can name every key. */
export function jsonMember(json: string, ...keys: readonly string[]): string {
  return `json_extract(${json}, ${pointerSql(keys)})`;
}

/** SQL that is true if there is such a key, whatever its value is. */
export const hasJsonMember = (json: string, keys: readonly string[]): string =>
  `json_exists(${json}, ${pointerSql(keys)})`;

function pointerSql(keys: readonly string[]): string {
  const pointer = keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  return quoteLiteral(pointer.join(''));
}
