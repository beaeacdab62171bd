/** Values of records that are JSON objects, for what is said and asked of those that are no rows. Pure. */
import { isJsonObject, type JsonValue, parseJson, stringifyJson } from '../../iceberg/index.js';

/** The fields of a record; none if it is no object. */
export function objectOf(raw: Buffer): { readonly [key: string]: JsonValue } {
  try {
    const json = parseJson(raw.toString());
    return isJsonObject(json) ? json : {};
  } catch {
    return {};
  }
}

/** The value at a path of a record; undefined: it has none. */
export const valueAt = (raw: Buffer, path: readonly string[]): JsonValue | undefined => memberAt(objectOf(raw), path);

/** The value at a path of a parsed record. */
export function memberAt(record: JsonValue, path: readonly string[]): JsonValue | undefined {
  // A path may have the names of what every object has.
  const memberOf = (json: JsonValue | undefined, key: string): JsonValue | undefined =>
    isJsonObject(json) && Object.hasOwn(json, key) ? json[key] : undefined;
  return path.reduce<JsonValue | undefined>(memberOf, record);
}

/** A value as JSON; undefined where it has a number that no double holds. */
export function jsonTextOf(value: JsonValue): string | undefined {
  try {
    return stringifyJson(value);
  } catch {
    return undefined;
  }
}

/** Whether the keys of an object, and of all objects in it, can be the names of columns, and it nests at most so many levels of objects and arrays. */
export function canBeColumns(object: JsonValue, levels: number): boolean {
  let values: readonly JsonValue[] = [object];
  for (let level = 0; level <= levels; level += 1) {
    const nested = values.filter((value) => typeof value === 'object' && value !== null);
    if (nested.length === 0) return true;
    if (!nested.every(hasNames)) return false;
    values = nested.flatMap((value) => Object.values<JsonValue>(value));
  }
  return false;
}

/** Names are there, are texts for every engine, and differ by more than letter case. */
function hasNames(value: JsonValue): boolean {
  if (!isJsonObject(value)) return true;
  const names = Object.keys(value);
  if (names.some((name) => name === '' || name.includes('\0'))) return false;
  return new Set(names.map((name) => name.toLowerCase())).size === names.length;
}
