/** Entity rows given as JavaScript objects, as a relation. */
import { pointInTimeSql, quoteLiteral } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { IcebergType, PrimitiveType, Schema } from '../../iceberg/index.js';

/** A value of an entity row. Numbers that are whole become `long`, others `double`; a Date is a point in time. */
export type EntityValue = string | number | bigint | boolean | Date | null | undefined;

/** An entity row: column name to value. */
export type EntityRow = Readonly<Record<string, EntityValue>> | ReadonlyMap<string, EntityValue>;

/** ISO-8601 with a date and a time; groups: digits of the fraction, zone. */
const ISO_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.(\d{1,9}))?)?( ?Z|[+-]\d{2}(?::?\d{2})?)?$/;
const INT64_MAX = 2n ** 63n - 1n;

/**
 * A relation for rows, with columns in the order of its schema. They are those of all rows, in the order in which they first appear; what a row lacks is null.
 * Text that is an ISO-8601 time in every row is a timestamp: without a zone it is UTC. A column without a value has the type `unknown`.
 * @throws TYPE_MISMATCH for a column whose values have no type in common
 */
export function relationOfRows(rows: readonly EntityRow[]): { readonly relation: string; readonly schema: Schema } {
  const maps = rows.map(asMap);
  const names = [...new Set(maps.flatMap((row) => [...row.keys()]))];
  const types = names.map((name) => {
    return commonType(
      name,
      maps.map((row) => row.get(name) ?? null),
    );
  });
  const fields = names.map((name, index) => ({
    id: index + 1,
    name,
    required: false,
    type: types[index] ?? { kind: 'unknown' as const },
  }));
  const json = JSON.stringify(maps.map((row) => names.map((name) => jsonValue(row.get(name) ?? null))));
  const columns = fields.map(({ type }, index) => `${readSql(type, index)} AS c${index}`);
  const list = `SELECT unnest(from_json(${quoteLiteral(json)}, '[["VARCHAR"]]')) AS v`;
  const relation = columns.length === 0 ? '(SELECT 1 WHERE false)' : `(SELECT ${columns.join(', ')} FROM (${list}))`;
  return { relation, schema: { schemaId: 0, identifierFieldIds: [], fields } };
}

function asMap(row: EntityRow): ReadonlyMap<string, EntityValue> {
  return row instanceof Map ? (row as ReadonlyMap<string, EntityValue>) : new Map(Object.entries(row));
}

function jsonValue(value: EntityValue): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Date ? value.toISOString() : String(value);
}

function readSql(type: IcebergType, index: number): string {
  const text = `v[${index + 1}]`;
  if (type.kind === 'timestamptz_ns') return pointInTimeSql(text, 'TIMESTAMP_NS', 'CAST');
  if (type.kind === 'timestamptz') return pointInTimeSql(text, 'TIMESTAMPTZ', 'CAST');
  if (type.kind === 'long') return `${text}::BIGINT`;
  if (type.kind === 'double') return `${text}::DOUBLE`;
  if (type.kind === 'boolean') return `${text}::BOOLEAN`;
  return text;
}

function commonType(name: string, values: readonly EntityValue[]): PrimitiveType {
  const kinds = new Set(values.filter((value) => value !== null).map((value) => kindOf(name, value)));
  if (kinds.size === 2 && kinds.has('long') && kinds.has('double')) {
    const rounded = values.find((value) => typeof value === 'bigint' && BigInt(Number(value)) !== value);
    if (rounded === undefined) return { kind: 'double' };
    const message = `Column '${name}' of the entity rows has fractions and ${String(rounded)}, which no double holds exactly.`;
    throw new MoraineError('TYPE_MISMATCH', message);
  }
  if (kinds.size === 2 && kinds.has('time') && kinds.has('time_ns')) return { kind: 'timestamptz_ns' };
  const [kind = 'unknown', another] = kinds;
  if (
    another !== undefined &&
    !(kinds.has('string') && [...kinds].every((k) => ['string', 'time', 'time_ns'].includes(k)))
  ) {
    throw new MoraineError(
      'TYPE_MISMATCH',
      `Column '${name}' of the entity rows has values of several types: ${[...kinds].join(', ')}.`,
    );
  }
  if (another !== undefined) return { kind: 'string' };
  if (kind === 'time') return { kind: 'timestamptz' };
  return kind === 'time_ns' ? { kind: 'timestamptz_ns' } : { kind };
}

type ValueKind = 'string' | 'long' | 'double' | 'boolean' | 'time' | 'time_ns';

function kindOf(name: string, value: EntityValue): ValueKind {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'long' : 'double';
  if (value instanceof Date) return 'time';
  if (typeof value === 'bigint') {
    if (value <= INT64_MAX && value >= -INT64_MAX - 1n) return 'long';
    throw new MoraineError('TYPE_MISMATCH', `Column '${name}' of the entity rows has a number outside 64 bits.`);
  }
  if (typeof value === 'string') {
    const match = ISO_TIME.exec(value);
    return match === null ? 'string' : (match[1] ?? '').length > 6 ? 'time_ns' : 'time';
  }
  throw new MoraineError('TYPE_MISMATCH', `Column '${name}' of the entity rows has a value of type ${typeof value}.`);
}
