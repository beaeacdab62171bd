/** What a table's schema would have to become for JSON records that are no rows. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connection, type RecordColumn, readInput, writeTemporaryFile } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import { canPromote, type IcebergType, type JsonValue, type SchemaChange } from '../../iceberg/index.js';
import { canBeColumns, jsonTextOf, memberAt, objectOf } from './json-value.js';

/** A record that is no row. */
export interface MisfitRecord {
  readonly problem: string;
  readonly column: string | null;
  readonly raw: Buffer;
}

const MAX_PRECISION = 38;
/** Levels of objects and arrays, that of the record among them: types of very many cannot be worked with. */
const MAX_LEVELS = 20;
/** How often it is tried to make columns of a part of the records. */
const MAX_PARTS = 100;

/**
 * Columns for fields that no column takes, of the types that a file of such values would have; wider types for numbers beyond those of their columns; no values for
 * columns that were required. Records that are bad in any other way ask for nothing, and neither do fields that are null in all of them: nothing says of which type they are.
 */
export async function changesForMisfits(
  connection: Connection,
  columns: readonly RecordColumn[],
  misfits: readonly MisfitRecord[],
): Promise<readonly SchemaChange[]> {
  return [
    ...missing(columns, misfits).map((column): SchemaChange => ({ change: 'make-optional', column })),
    ...wider(columns, misfits),
    ...(await added(connection, columns, misfits)),
  ];
}

/** Required columns that a record has no value for. It says the first; the others are asked for at once, so that it need not be judged once for each. */
function missing(columns: readonly RecordColumn[], misfits: readonly MisfitRecord[]): readonly string[] {
  const found = new Set<string>();
  let left = columns.filter(({ required, path }) => required && path !== null);
  for (const { problem, column, raw } of misfits) {
    if (problem !== 'MISSING_REQUIRED' || column === null || found.has(column)) continue;
    found.add(column);
    const record = objectOf(raw);
    for (const { name, path } of left) if ((memberAt(record, path ?? []) ?? null) === null) found.add(name);
    left = left.filter(({ name }) => !found.has(name));
  }
  return [...found];
}

/** Types that numbers beyond them make wider. */
const WIDENED: ReadonlySet<IcebergType['kind']> = new Set(['int', 'float', 'decimal']);

/** A record says the first value that does not fit; numbers of other columns are looked at, too, so that it need not be judged once for each. */
function wider(columns: readonly RecordColumn[], misfits: readonly MisfitRecord[]): readonly SchemaChange[] {
  const numeric = columns.filter(({ type, path }) => path !== null && WIDENED.has(type.kind));
  const types = new Map(numeric.map(({ name, type }) => [name, type]));
  for (const { problem, column, raw } of misfits) {
    if (problem !== 'VALUE_MISFIT') continue;
    const record = objectOf(raw);
    for (const { name, type: before, path } of numeric) {
      const number = numberOf(memberAt(record, path ?? []));
      const type = types.get(name) ?? before;
      if (number !== undefined && (name === column || isBeyond(type, number))) types.set(name, widenedBy(type, number));
    }
  }
  return numeric.flatMap(({ name, type: before }): readonly SchemaChange[] => {
    const type = types.get(name) ?? before;
    return type === before ? [] : [{ change: 'promote', column: name, type }];
  });
}

/** Whether a type certainly does not have a number. */
function isBeyond(type: IcebergType, number: string): boolean {
  if (type.kind === 'int') return /^-?\d+$/.test(number) && BigInt.asIntN(INT_BITS, BigInt(number)) !== BigInt(number);
  const wanted = type.kind === 'decimal' ? widerType(type, number) : null;
  return wanted?.kind === 'decimal' && type.kind === 'decimal' && wanted.precision > type.precision;
}

/** A type that has a number exactly, if the one given may become it; else the one given. */
function widenedBy(type: IcebergType, number: string): IcebergType {
  const wanted = widerType(type, number);
  return wanted !== null && canPromote(type, wanted) ? wanted : type;
}

const LONGEST = 2n ** 63n;
const INT_BITS = 32;

function widerType(type: IcebergType, number: string): IcebergType | null {
  if (type.kind === 'int' && /^-?\d+$/.test(number)) {
    const value = BigInt(number);
    return value >= -LONGEST && value < LONGEST ? { kind: 'long' } : null;
  }
  if (type.kind === 'float') return { kind: 'double' };
  const digits = type.kind === 'decimal' ? /^-?0*(\d*)(?:\.(\d*?)0*)?$/.exec(withoutExponent(number)) : null;
  if (type.kind !== 'decimal' || digits === null) return null;
  const [, whole = '', fraction = ''] = digits;
  const precision = whole.length + type.scale;
  // A fraction behind so many digits that a double lacks it: a longer type has the number no more than this one.
  if (precision <= type.precision) return type;
  return fraction.length <= type.scale && precision <= MAX_PRECISION ? { ...type, precision } : null;
}

/** The digits of a number of 1e21 and more with a fraction, which is known as a double: these are whole numbers, and their texts have exponents. */
const withoutExponent = (number: string): string =>
  /e\+/.test(number) && Number.isFinite(Number(number)) ? BigInt(Number(number)).toString() : number;

/** The text of a number. */
function numberOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string' || value === undefined || value === null) return undefined;
  const text = jsonTextOf(value);
  return text !== undefined && /^-?\d/.test(text) ? text : undefined;
}

const lowerCase = (name: string): string => name.toLowerCase();

async function added(
  connection: Connection,
  columns: readonly RecordColumn[],
  misfits: readonly MisfitRecord[],
): Promise<readonly SchemaChange[]> {
  const heads = new Set(columns.flatMap(({ path }) => path?.slice(0, 1) ?? []));
  const extra = misfits
    .filter(({ problem }) => problem === 'EXTRA_FIELD')
    .map(({ raw }) => Object.entries(objectOf(raw)).filter(([name]) => !heads.has(name)))
    .map((fields) => Object.fromEntries(fields.filter(([, value]) => value !== null)))
    // One that has fields beside a path only asks for none: no column is named for these.
    .filter((fields) => Object.keys(fields).length > 0)
    .flatMap((fields) => (canBeColumns(fields, MAX_LEVELS) ? (jsonTextOf(fields) ?? []) : []));
  return await fittingColumns(connection, columns, extra, { left: MAX_PARTS });
}

/**
 * Columns for the fields of records, each the text of an object. Where the fields of all of them make none, those of a part do: one record with a field that has no
 * name, say, is no row, and the others are.
 */
async function fittingColumns(
  connection: Connection,
  columns: readonly RecordColumn[],
  objects: readonly string[],
  tries: { left: number },
): Promise<readonly SchemaChange[]> {
  if (objects.length === 0 || tries.left === 0) return [];
  tries.left -= 1;
  const found = await columnsOf(connection, columns, objects);
  if (found !== null || objects.length === 1) return found ?? [];
  const middle = objects.length >> 1;
  const first = await fittingColumns(connection, columns, objects.slice(0, middle), tries);
  // The others are asked again once the table has these.
  return first.length > 0 ? first : await fittingColumns(connection, columns, objects.slice(middle), tries);
}

/** Null: no columns can be made of them. */
async function columnsOf(
  connection: Connection,
  columns: readonly RecordColumn[],
  objects: readonly string[],
): Promise<readonly SchemaChange[] | null> {
  const path = join(connection.tempDirectory, `sink-${randomUUID()}.jsonl`);
  try {
    await writeTemporaryFile(path, objects.map((object) => `${object}\n`).join(''));
    const { schema } = await readInput(connection, path, { format: 'jsonl' });
    // Of names that differ by letter case only one is a column.
    const taken = new Set(columns.flatMap(({ name, path }) => [name, ...(path?.slice(0, 1) ?? [])]).map(lowerCase));
    return schema.fields.flatMap(({ name, type }): readonly SchemaChange[] => {
      if (taken.has(lowerCase(name))) return [];
      taken.add(lowerCase(name));
      return [{ change: 'add', name, type }];
    });
  } catch (error) {
    if (isMoraineError(error, 'INPUT_UNREADABLE', 'TYPE_MISMATCH', 'SCHEMA_INVALID', 'UNSUPPORTED_FEATURE'))
      return null;
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}
