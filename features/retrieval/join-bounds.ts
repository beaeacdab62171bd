/** Bounds of the entity frame, as a filter on a feature table: times and keys with literals. */
import type { BoundExpression, BoundReference, IcebergType, PrimitiveValue } from '../../iceberg/index.js';
import type { SqlSession } from '../sql-session.js';
import type { ResolvedColumn, ResolvedView } from '../views/resolve-view.js';
import { type JoinTables, keyColumns, type TimeUnit } from './point-in-time-sql.js';

/** Facts about a probe table. Times are counts of the feature table's unit. */
export interface ProbeBounds {
  /** Rows that can match at all: a time and no null key. */
  readonly rows: number;
  /** Distinct entities among them. */
  readonly entities: number;
  /** Rows of the entity that most of them are of. */
  readonly mostRows: number;
  /** Null: no lower bound. */
  readonly lowest: bigint | null;
  readonly highest: bigint;
  readonly filter: BoundExpression;
}

/** Up to so many distinct values of a key are listed; more become a range. */
const MAX_LISTED_KEYS = 200;

/** Looks over a probe table (`k0..`, `hi`, `lo` if there is a ttl), and makes the table of its keys. Null if no row can match. */
export async function probeBounds(
  session: SqlSession,
  { probe, keys }: Pick<JoinTables, 'probe' | 'keys'>,
  view: ResolvedView,
): Promise<ProbeBounds | null> {
  const columns = keyColumns(view.joinKeys.length);
  const usable = ['hi', ...columns].map((column) => `${column} IS NOT NULL`).join(' AND ');
  const lowest = view.ttlUs === null ? 'NULL' : 'min(lo)';
  const counted = [...columns, 'count(*) AS n', `${lowest} AS lo`, 'max(hi) AS hi'].join(', ');
  await session.run(`CREATE TEMPORARY TABLE ${keys} AS SELECT ${counted} FROM ${probe} WHERE ${usable} GROUP BY ALL`);
  const [row = []] = await session.rows(`SELECT sum(n)::BIGINT, count(*), max(n), min(lo), max(hi) FROM ${keys}`);
  const [count, distinct, most, low, high] = row;
  if (typeof high !== 'bigint') return null;
  const bounds = { lowest: typeof low === 'bigint' ? low : null, highest: high };
  const conditions: BoundExpression[] = [...timeConditions(view.timestamp, bounds)];
  for (const [index, key] of view.joinKeys.entries()) {
    conditions.push(...(await keyConditions(session, `(SELECT k${index} AS k FROM ${keys})`, key)));
  }
  return {
    rows: Number(count),
    entities: Math.max(1, Number(distinct)),
    mostRows: Number(most),
    ...bounds,
    filter: { op: 'and', children: conditions },
  };
}

function reference(column: ResolvedColumn): BoundReference {
  return {
    fieldId: column.sourceFieldId,
    path: column.sourceColumn,
    type: column.type,
    required: false,
    nested: false,
  };
}

/** Conditions that rows in reach of the bounds meet. */
export function timeConditions(
  column: ResolvedColumn,
  bounds: Pick<ProbeBounds, 'lowest' | 'highest'>,
): readonly BoundExpression[] {
  const ref = reference(column);
  const upper: BoundExpression = { op: 'lt-eq', ref, literal: bounds.highest };
  return bounds.lowest === null ? [upper] : [{ op: 'gt-eq', ref, literal: bounds.lowest }, upper];
}

/** The values of a key as a list if they are few, so that bucket and identity partitions prune; else their range. */
async function keyConditions(
  session: SqlSession,
  relation: string,
  key: ResolvedColumn,
): Promise<readonly BoundExpression[]> {
  const codec = KEY_CODECS.get(key.type.kind);
  if (codec === undefined) return [];
  const ref = reference(key);
  const decode = (value: unknown): PrimitiveValue => codec.decode(value, key.type);
  const listed = await session.rows(`SELECT DISTINCT ${codec.sql} FROM ${relation} LIMIT ${MAX_LISTED_KEYS + 1}`);
  if (listed.length <= MAX_LISTED_KEYS) return [{ op: 'in', ref, literals: listed.map(([value]) => decode(value)) }];
  const extreme = async (aggregate: string): Promise<PrimitiveValue> => {
    const [[value] = []] = await session.rows(
      `SELECT ${codec.sql} FROM (SELECT ${aggregate}(k) AS k FROM ${relation})`,
    );
    return decode(value);
  };
  return [
    { op: 'gt-eq', ref, literal: await extreme('min') },
    { op: 'lt-eq', ref, literal: await extreme('max') },
  ];
}

interface KeyCodec {
  /** SQL over `k` that gives a value the decoder reads. */
  readonly sql: string;
  decode(value: unknown, type: IcebergType): PrimitiveValue;
}

const asIs: KeyCodec['decode'] = (value) => value as PrimitiveValue;

/** Keys of other types are joined just as well; they only do not prune. */
const KEY_CODECS: ReadonlyMap<string, KeyCodec> = new Map<string, KeyCodec>([
  ['boolean', { sql: 'k', decode: asIs }],
  ['int', { sql: 'k', decode: asIs }],
  ['long', { sql: 'k', decode: asIs }],
  ['string', { sql: 'k', decode: asIs }],
  ['uuid', { sql: 'k::VARCHAR', decode: asIs }],
  ['date', { sql: `(k - DATE '1970-01-01')::INTEGER`, decode: asIs }],
  ['timestamp', { sql: 'epoch_us(k)', decode: asIs }],
  ['timestamptz', { sql: 'epoch_us(k)', decode: asIs }],
  ['timestamp_ns', { sql: 'epoch_ns(k)', decode: asIs }],
  ['timestamptz_ns', { sql: 'epoch_ns(k)', decode: asIs }],
  ['decimal', { sql: 'k::VARCHAR', decode: (value) => BigInt((value as string).replace('.', '')) }],
]);

/** Microseconds that a count of a unit spans. */
export function spanUs(bounds: ProbeBounds, unit: TimeUnit): bigint | null {
  if (bounds.lowest === null) return null;
  const span = bounds.highest - bounds.lowest;
  return unit === 'us' ? span : span / 1000n;
}
