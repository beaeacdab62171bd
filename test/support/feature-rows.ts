/** Random feature rows, small domains so that ties and edges are common, and the same rows as DuckDB tables. */
import fc from 'fast-check';
import type { IcebergType } from '../../iceberg/index.js';
import type { OracleRow } from '../worlds/oracle.js';
import type { PlainValue } from '../worlds/values.js';

export type Unit = 'us' | 'ns';

/** The features that random rows have. */
export const FEATURE_TYPES: readonly IcebergType[] = [
  { kind: 'double' },
  { kind: 'string' },
  { kind: 'list', elementId: 0, elementRequired: false, element: { kind: 'int' } },
];
const FEATURE_SQL = ['DOUBLE', 'VARCHAR', 'INTEGER[]'];

const double = fc.constantFrom(null, 0, -0, 1.5, NaN, Infinity, -Infinity);
// The last two differ in order between UTF-16 units and code points.
const text = fc.constantFrom(null, '', 'a', 'b\'"', '\uffee', '\u{1f600}');
const list = fc.constantFrom<PlainValue[]>(null, [], [1], [1, null], [1, 2], [null]);
const features = fc.tuple(double, text, list);

/** Times around zero; with nanoseconds when the unit has them. */
function timeOf(unit: Unit): fc.Arbitrary<bigint> {
  if (unit === 'us') return fc.integer({ min: -6, max: 6 }).map((us) => BigInt(us) * 1000n);
  return fc.oneof(
    fc.integer({ min: -6, max: 6 }).map((us) => BigInt(us) * 1000n),
    fc.integer({ min: -6000, max: 6000 }).map(BigInt),
    fc.constantFrom(-1001n, -999n, -1n, 1n, 999n, 1001n),
  );
}

/** A key of so many parts; about one part in ten is null. */
function keyOf(parts: number): fc.Arbitrary<(number | string | null)[]> {
  const number = fc.option(fc.integer({ min: 0, max: 2 }), { freq: 9 });
  const word = fc.option(fc.constantFrom('1', '2', '23'), { freq: 9 });
  return fc.tuple(...[number, word].slice(0, parts));
}

/** One feature row. */
export function rowOf(parts: number, timeUnit: Unit, createdUnit: Unit): fc.Arbitrary<OracleRow> {
  return fc.record({
    key: keyOf(parts),
    timeNs: fc.option(timeOf(timeUnit), { freq: 19 }),
    createdNs: fc.option(timeOf(createdUnit), { freq: 4 }),
    sequence: fc.integer({ min: 1, max: 2 }),
    features,
  });
}

/** A 64-bit count of a unit, or NULL. */
function countSql(ns: bigint | null, unit: Unit): string {
  if (ns === null) return 'NULL::BIGINT';
  if (unit === 'us' && ns % 1000n !== 0n) throw new Error('not whole microseconds');
  return `(${unit === 'us' ? ns / 1000n : ns})::BIGINT`;
}

/** A point in time as a DuckDB timestamp of the unit, or NULL. */
export function timestampSql(ns: bigint | null, unit: Unit): string {
  return unit === 'us' ? `make_timestamp(${countSql(ns, 'us')})` : `make_timestamp_ns(${countSql(ns, 'ns')})`;
}

export function keySql(part: PlainValue, index: number): string {
  if (part === null) return index === 0 ? 'NULL::BIGINT' : 'NULL::VARCHAR';
  return typeof part === 'number' ? `${part}::BIGINT` : `'${String(part)}'`;
}

export function featureSql(value: PlainValue, index: number): string {
  const type = FEATURE_SQL[index] ?? '';
  if (value === null) return `NULL::${type}`;
  if (typeof value === 'number') return `'${Object.is(value, -0) ? '-0.0' : String(value)}'::${type}`;
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  return `[${(value as PlainValue[]).map((item) => String(item ?? 'NULL')).join(', ')}]::${type}`;
}

/** `SELECT .. UNION ALL ..` of rows, or an empty relation of the same shape. */
export function valuesSql(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  empty: readonly string[],
): string {
  if (rows.length === 0)
    return `SELECT ${empty.map((sql, index) => `${sql} AS ${columns[index]}`).join(', ')} WHERE false`;
  return `SELECT * FROM (VALUES ${rows.map((row) => `(${row.join(', ')})`).join(', ')}) AS v(${columns.join(', ')})`;
}

/** A value of a result as the oracle has it. */
export function fromDuckDb(value: unknown): PlainValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && 'items' in value) return value.items as (number | null)[];
  return value as PlainValue;
}
