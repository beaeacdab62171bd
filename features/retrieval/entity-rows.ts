/** Entity rows given as JavaScript objects, as a relation. */
import { pointInTimeSql, quoteLiteral, sqlType } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { formatDecimal, type IcebergType, type PrimitiveType, parseDecimal, type Schema } from '../../iceberg/index.js';
import { EVENT_TIMESTAMP } from './entity-frame.js';
import type { KeyTypes } from './entity-types.js';

/** A number with all of its digits, as JSON writes it: one that is not whole, or that no JavaScript number holds. */
export interface NumberText {
  readonly number: string;
}

/**
 * A value of an entity row. Numbers that are whole become `long`, others `double`; a Date is a point in time. Join keys that are decimals are read exactly,
 * from numbers and from texts.
 */
export type EntityValue = string | number | bigint | boolean | Date | NumberText | null | undefined;

/** An entity row: column name to value. */
export type EntityRow = Readonly<Record<string, EntityValue>> | ReadonlyMap<string, EntityValue>;

/** ISO-8601 with a date and a time; groups: digits of the fraction, zone. */
const ISO_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.(\d{1,9}))?)?( ?Z|[+-]\d{2}(?::?\d{2})?)?$/;
const INT64_MAX = 2n ** 63n - 1n;

/**
 * A relation for rows, with columns in the order of its schema. They are those of all rows, in the order in which they first appear; what a row lacks is null.
 * Text that is an ISO-8601 time in every row is a timestamp: without a zone it is UTC. A column without a value has the type `unknown`.
 * @throws TYPE_MISMATCH for a column whose values have no type in common, or are not decimals as its join key is; for an `event_timestamp` that
 *   is no time
 */
export function relationOfRows(
  rows: readonly EntityRow[],
  keyTypes: KeyTypes,
): { readonly relation: string; readonly schema: Schema } {
  const given = rows.map(asMap);
  const names = [...new Set(given.flatMap((row) => [...row.keys()]))];
  const columns = names.map((name) => {
    const values = given.map((row) => row.get(name) ?? null);
    const column = columnOf(name, values, keyTypes.get(name));
    if (name === EVENT_TIMESTAMP && column.type.kind === 'string') refuseOtherText(values);
    return column;
  });
  const fields = names.map((name, index) => ({
    id: index + 1,
    name,
    required: false,
    type: columns[index]?.type ?? { kind: 'unknown' as const },
  }));
  const json = JSON.stringify(rows.map((_, row) => columns.map(({ texts }) => texts[row] ?? null)));
  const selected = fields.map(({ type }, index) => `${readSql(type, index)} AS c${index}`);
  const list = `SELECT unnest(from_json(${quoteLiteral(json)}, '[["VARCHAR"]]')) AS v`;
  const relation = selected.length === 0 ? '(SELECT 1 WHERE false)' : `(SELECT ${selected.join(', ')} FROM (${list}))`;
  return { relation, schema: { schemaId: 0, identifierFieldIds: [], fields } };
}

function asMap(row: EntityRow): ReadonlyMap<string, EntityValue> {
  return row instanceof Map ? (row as ReadonlyMap<string, EntityValue>) : new Map(Object.entries(row));
}

/** Of many times, a single text that is none makes all of them texts. */
function refuseOtherText(values: readonly EntityValue[]): void {
  const text = values.find((value) => typeof value === 'string' && kindOfAnyText(value) === 'string');
  if (typeof text !== 'string') return;
  const message = `Column '${EVENT_TIMESTAMP}' of the entity rows is of type string, not a timestamp: ${JSON.stringify(text.slice(0, 100))} is no time.`;
  throw new MoraineError('TYPE_MISMATCH', message);
}

/** Values as texts, and the type to read them as. */
interface ColumnOfTexts {
  readonly type: PrimitiveType;
  readonly texts: readonly (string | null)[];
}

function columnOf(name: string, values: readonly EntityValue[], keyType: IcebergType | undefined): ColumnOfTexts {
  // Whole numbers are compared with decimals exactly as they are.
  const isWhole = (value: EntityValue): boolean =>
    value === null || Number.isSafeInteger(value) || (typeof value === 'bigint' && BigInt.asIntN(64, value) === value);
  if (keyType?.kind !== 'decimal' || values.every(isWhole))
    return { type: commonType(name, values, keyType), texts: values.map(textOf) };
  return { type: keyType, texts: values.map((value) => decimalText(name, value, keyType)) };
}

function textOf(value: EntityValue): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object') return value instanceof Date ? value.toISOString() : value.number;
  return String(value);
}

/** @throws TYPE_MISMATCH for what is not a decimal of the type */
function decimalText(
  name: string,
  value: EntityValue,
  type: IcebergType & { readonly kind: 'decimal' },
): string | null {
  if (value === null) return null;
  const { precision, scale } = type;
  const isNumber = ['string', 'number', 'bigint'].includes(typeof value) || isNumberText(value);
  const text = isNumber ? (textOf(value) ?? '') : `of type ${typeof value}`;
  const unscaled = isNumber ? parseDecimal(text, scale) : undefined;
  const limit = 10n ** BigInt(precision);
  if (unscaled !== undefined && unscaled < limit && -unscaled < limit) return formatDecimal(unscaled, scale);
  throw new MoraineError(
    'TYPE_MISMATCH',
    `The value ${JSON.stringify(text.slice(0, 100))} of the join key '${name}' is not of type decimal(${precision}, ${scale}).`,
  );
}

function readSql(type: IcebergType, index: number): string {
  const text = `v[${index + 1}]`;
  if (type.kind === 'timestamptz_ns') return pointInTimeSql(text, 'TIMESTAMP_NS', 'CAST');
  if (type.kind === 'timestamptz') return pointInTimeSql(text, 'TIMESTAMPTZ', 'CAST');
  if (type.kind === 'long') return `${text}::BIGINT`;
  if (type.kind === 'double') return `${text}::DOUBLE`;
  if (type.kind === 'boolean') return `${text}::BOOLEAN`;
  if (type.kind === 'decimal') return `${text}::${sqlType(type)}`;
  return text;
}

function commonType(name: string, values: readonly EntityValue[], keyType: IcebergType | undefined): PrimitiveType {
  // A key that is a text stays one, whatever it looks like.
  const kindOfText = keyType?.kind === 'string' ? (): ValueKind => 'string' : kindOfAnyText;
  const kinds = new Set(values.filter((value) => value !== null).map((value) => kindOf(name, value, kindOfText)));
  if (kinds.size === 2 && kinds.has('long') && kinds.has('double')) {
    const isRounded = (value: EntityValue): value is bigint =>
      typeof value === 'bigint' && BigInt(Number(value)) !== value;
    const rounded = values.find(isRounded);
    if (rounded === undefined) return { kind: 'double' };
    const message = `Column '${name}' of the entity rows has fractions and ${rounded}, which no double holds exactly.`;
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

/** What looks like a time and is none, such as `2026-02-30 00:00:00`, is a text. */
function kindOfAnyText(text: string): ValueKind {
  const match = ISO_TIME.exec(text);
  if (match === null) return 'string';
  const isNanoseconds = (match[1] ?? '').length > 6;
  return isMoment(text, isNanoseconds) ? (isNanoseconds ? 'time_ns' : 'time') : 'string';
}

/** Whether the calendar has the day, and the day the time. @param text as {@link ISO_TIME} has it */
function isMoment(text: string, isNanoseconds: boolean): boolean {
  const digits = (at: number): number => Number(text.slice(at, at + 2));
  const [year, month, day] = [Number(text.slice(0, 4)), digits(5), digits(8)];
  const second = text[16] === ':' ? digits(17) : 0;
  // A day ends at 24:00, which is where the next one begins.
  const isEnd = /[T ]24:00(?::00(?:\.0+)?)?(?:[^\d:.]|$)/.test(text);
  if ((digits(11) > 23 && !isEnd) || digits(14) > 59 || second > 59) return false;
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month)) return false;
  // 64 bits of nanoseconds reach from 1677 to 2262.
  return !isNanoseconds || (year > 1677 && year < 2262);
}

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function kindOf(name: string, value: EntityValue, kindOfText: (text: string) => ValueKind): ValueKind {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'long' : 'double';
  if (value instanceof Date) return 'time';
  if (typeof value === 'bigint') {
    if (value <= INT64_MAX && value >= -INT64_MAX - 1n) return 'long';
    throw new MoraineError('TYPE_MISMATCH', `Column '${name}' of the entity rows has a number outside 64 bits.`);
  }
  if (typeof value === 'string') return kindOfText(value);
  if (isNumberText(value)) return 'double';
  throw new MoraineError('TYPE_MISMATCH', `Column '${name}' of the entity rows has a value of type ${typeof value}.`);
}

function isNumberText(value: unknown): value is NumberText {
  return typeof value === 'object' && value !== null && typeof (value as Partial<NumberText>).number === 'string';
}
