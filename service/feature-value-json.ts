/** Feature values as JSON brings them: written as the service itself writes them, and as Feast's client does. */
import { inspect } from 'node:util';
import { LosslessNumber } from 'lossless-json';
import type { IcebergType, PrimitiveValue } from '../iceberg/index.js';
import type { FeatureValue } from '../online/index.js';
import { parseExactJson } from './exact-json.js';
import { keyValueOfJson } from './key-value-json.js';

/** Feast's client writes a null time as this number of seconds, or as pandas prints it. */
const FEAST_NULL_TIMES: ReadonlySet<unknown> = new Set([-(2n ** 63n), 'NaT']);
const LONE_SURROGATE = /\p{Surrogate}/u;
const NOT_FINITE: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** A value of `parseExactJson` as a feature's; undefined if it is not of the type. Structs and maps may be texts of JSON. */
export function featureValueOfJson(type: IcebergType, json: unknown): FeatureValue | undefined {
  if (json === null) return null;
  switch (type.kind) {
    case 'float':
    case 'double':
      return floatOf(type.kind, json);
    case 'decimal':
      return decimalOf(type, json);
    case 'string':
      // A lone surrogate has no UTF-8.
      return typeof json === 'string' && !LONE_SURROGATE.test(json) ? json : undefined;
    case 'list':
      return Array.isArray(json) ? all(json, (item) => featureValueOfJson(type.element, item)) : undefined;
    case 'struct':
      return structOf(type, parsed(json));
    case 'map':
      return mapOf(type, parsed(json));
    case 'date':
      return dateOf(type, json);
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return FEAST_NULL_TIMES.has(json) ? null : keyValueOfJson(type, json);
    default:
      return keyValueOfJson(type, json);
  }
}

function floatOf(kind: 'float' | 'double', json: unknown): number | undefined {
  if (NOT_FINITE.has(json)) return NOT_FINITE.get(json);
  const isNumber = typeof json === 'number' || typeof json === 'bigint' || json instanceof LosslessNumber;
  if (!isNumber) return undefined;
  // The text of -0 has no sign.
  const number = typeof json === 'number' ? json : Number(String(json));
  const value = kind === 'float' ? Math.fround(number) : number;
  return Number.isFinite(value) ? value : undefined;
}

function decimalOf(type: Extract<IcebergType, { kind: 'decimal' }>, json: unknown): PrimitiveValue | undefined {
  const value = keyValueOfJson(type, json) as bigint | undefined;
  const limit = 10n ** BigInt(type.precision);
  return value !== undefined && value < limit && value > -limit ? value : undefined;
}

/** Midnight of a day is the day. */
function dateOf(type: IcebergType, json: unknown): FeatureValue | undefined {
  if (FEAST_NULL_TIMES.has(json)) return null;
  return keyValueOfJson(type, typeof json === 'string' ? json.replace(/[T ]00:00:00(?:\.0+)?$/, '') : json);
}

function structOf(
  { fields }: Extract<IcebergType, { kind: 'struct' }>,
  json: unknown,
): ReadonlyMap<string, FeatureValue> | undefined {
  if (!isObject(json)) return undefined;
  const known = new Set(fields.map(({ name }) => name));
  if (Object.keys(json).some((name) => !known.has(name))) return undefined;
  const values = all(fields, ({ name, type }) => {
    const value = featureValueOfJson(type, Object.hasOwn(json, name) ? json[name] : null);
    return value === undefined ? undefined : ([name, value] as const);
  });
  return values === undefined ? undefined : new Map(values);
}

/** Keys of an object are texts: of another type they are written as JSON would have them. No key is there twice. */
function mapOf(type: Extract<IcebergType, { kind: 'map' }>, json: unknown): FeatureValue | undefined {
  const entries = isObject(json) ? Object.entries(json) : json;
  if (!Array.isArray(entries)) return undefined;
  const keys = new Set<unknown>();
  return all(entries as readonly unknown[], (entry) => {
    if (!Array.isArray(entry) || entry.length !== 2) return undefined;
    const [name, item] = entry as readonly unknown[];
    const key = featureValueOfJson(type.key, name) ?? keyOfText(type.key, name);
    const value = featureValueOfJson(type.value, item);
    if (key === undefined || key === null || value === undefined) return undefined;
    const told = toldApart(key);
    if (keys.has(told)) return undefined;
    keys.add(told);
    return [key, value];
  });
}

/** A key as a Set tells it from others: bytes, lists and the like by what they hold. */
function toldApart(key: FeatureValue): unknown {
  if (typeof key !== 'object') return key;
  return inspect(key, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity });
}

function keyOfText(type: IcebergType, text: unknown): FeatureValue | undefined {
  return typeof text === 'string' ? featureValueOfJson(type, parsed(text)) : undefined;
}

/** Feast's client sends maps and structs as texts. */
function parsed(json: unknown): unknown {
  if (typeof json !== 'string') return json;
  // As bytes a lone surrogate would be another character.
  if (LONE_SURROGATE.test(json)) return undefined;
  try {
    return parseExactJson(Buffer.from(json));
  } catch {
    return undefined;
  }
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof LosslessNumber);
}

/** What `read` makes of each item; undefined if it is undefined for one. */
function all<Item, Read>(items: readonly Item[], read: (item: Item) => Read | undefined): Read[] | undefined {
  const values: Read[] = [];
  for (const item of items) {
    const value = read(item);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}
