/** The statement that computes the rows of a run. Columns inside are called by position, so that no name can collide. */
import { bucketSql, type Connection, columnAlias, readableScanSql, sqlType } from '../engine/index.js';
import { type LatestRequest, newestFirst, type ResolvedColumn, type ResolvedView } from '../features/index.js';
import type { IcebergType, PrimitiveType, Schema } from '../iceberg/index.js';
import { entityKeySql, ONLINE_COLUMNS, onlineRowSql } from '../online/index.js';
import { eventTimeColumn, eventTimeFilter } from './event-time-filter.js';
import type { OpenRead } from './open-files.js';

/** How rows are assigned to buckets. */
export interface BucketKey {
  readonly view: ResolvedView;
  readonly keyStrategy: 'column' | 'encoded';
  readonly buckets: number;
}

/** Which buckets a statement is about: a range, and in it only or not some of them. */
export interface BucketSelection {
  readonly firstBucket: number;
  readonly lastBucket: number;
  readonly only?: readonly number[] | undefined;
  readonly except?: readonly number[] | undefined;
}

/**
 * A relation of the source rows of all reads, columns `k0..`, `t`, `c` (if the view has a created time), `f0..` and `seq`.
 * @param buckets filter on the bucket of each row; costs a hash of every row
 */
export async function sourceRelation(
  connection: Connection,
  schema: Schema,
  reads: readonly OpenRead[],
  key: BucketKey,
  buckets?: BucketSelection,
): Promise<string> {
  const { view } = key;
  const columns = viewColumns(view);
  const time = eventTimeColumn(schema, view.timestamp.sourceFieldId);
  const ids = [...new Set(columns.map((column) => column.sourceFieldId))];
  const extras = { sequenceNumber: 'seq' };
  const scans: string[] = [];
  for (const read of reads) {
    const filter = eventTimeFilter(time, view.timestamp.sourceColumn, read);
    const scan = { ...read.scan, schema, columns: ids, naming: 'id', extras, ...(filter && { filter }) } as const;
    const rows = await readableScanSql(connection, scan);
    const outputs = columns.map((column) => `${castColumn(column, schema)} AS ${column.alias}`);
    const { afterSequenceNumber: after } = read;
    scans.push(`SELECT ${outputs.join(', ')}, seq FROM ${rows}${after === undefined ? '' : ` WHERE seq > ${after}`}`);
  }
  if (scans.length === 0) return `(${emptyRelation(columns)})`;
  const union = `(${scans.join(' UNION ALL ')})`;
  if (buckets === undefined) return union;
  return `(SELECT * FROM ${union} WHERE ${bucketCondition(key, buckets)})`;
}

/** Typed: the encoding of a key is chosen by its type. */
function emptyRelation(columns: readonly AliasedColumn[]): string {
  const outputs = columns.map(({ alias, type }) => `NULL::${sqlType(type)} AS ${alias}`);
  return `SELECT ${outputs.join(', ')}, NULL::BIGINT AS seq WHERE false`;
}

/** The request for the newest row per entity of {@link sourceRelation}. */
export function latestRequest(view: ResolvedView, relation: string): LatestRequest {
  const self = (alias: string) => ({ column: alias, as: alias });
  return {
    relation,
    keys: view.joinKeys.map((_, index) => self(`k${index}`)),
    timestamp: self('t'),
    created: view.created === null ? undefined : self('c'),
    sequenceNumber: 'seq',
    features: view.features.map((feature, index) => ({ ...self(`f${index}`), type: feature.type })),
  };
}

/**
 * The winning row of each entity and event time of {@link sourceRelation}, in the same columns. The others are
 * never served, and in one file nothing would show which commit came later.
 */
export function winnersByTimeSql(view: ResolvedView, relation: string): string {
  const place = [...view.joinKeys.map((_, index) => `k${index}`), 't'];
  const order = newestFirst(
    {
      timestamp: 't',
      created: view.created === null ? undefined : 'c',
      sequenceNumber: 'seq',
      features: view.features.map(({ type }, index) => ({ sql: `f${index}`, type })),
    },
    { sameTime: true },
  );
  return [
    `SELECT * FROM ${relation} WHERE ${place.map((column) => `${column} IS NOT NULL`).join(' AND ')}`,
    `QUALIFY row_number() OVER (PARTITION BY ${place.join(', ')} ORDER BY ${order.join(', ')}) = 1`,
  ].join(' ');
}

/** Rows of {@link latestRequest} as rows of the online table. */
export function onlineRowsSql(schema: Schema, key: BucketKey, latest: string, buckets?: BucketSelection): string {
  const { view } = key;
  const byName = new Map<string, string>([
    [ONLINE_COLUMNS.entityKey, entityKeyOf(view)],
    [ONLINE_COLUMNS.eventTimestamp, 't'],
    [ONLINE_COLUMNS.createdTimestamp, view.created === null ? 'NULL' : 'c'],
    [ONLINE_COLUMNS.pushed, 'false'],
    ...view.joinKeys.map((column, index) => [column.name, `k${index}`] as const),
    ...view.features.map((column, index) => [column.name, `f${index}`] as const),
  ]);
  const where = buckets === undefined ? '' : ` WHERE ${bucketCondition(key, buckets)}`;
  return `SELECT ${onlineRowSql(schema, byName)} FROM (${latest})${where}`;
}

/** The bucket of a row that has the columns `k0..`. */
export function bucketOfKeys(key: BucketKey): string {
  const [first] = key.view.joinKeys;
  const isColumn = key.keyStrategy === 'column' && first !== undefined;
  const type: IcebergType = isColumn ? first.type : { kind: 'string' };
  return bucketSql(type as PrimitiveType, isColumn ? 'k0' : entityKeyOf(key.view), key.buckets);
}

/** SQL that is true for rows whose bucket is selected. */
export function bucketCondition(key: BucketKey, selection: BucketSelection): string {
  return bucketRangeCondition(bucketOfKeys(key), key.buckets, selection);
}

/** The same on any expression that is a bucket. */
export function bucketRangeCondition(bucket: string, buckets: number, selection: BucketSelection): string {
  const conditions: string[] = [];
  const { firstBucket, lastBucket, only, except } = selection;
  if (firstBucket > 0 || lastBucket < buckets - 1)
    conditions.push(`${bucket} BETWEEN ${firstBucket} AND ${lastBucket}`);
  if (only !== undefined) conditions.push(only.length === 0 ? 'false' : `${bucket} IN (${only.join(', ')})`);
  if (except !== undefined && except.length > 0) conditions.push(`${bucket} NOT IN (${except.join(', ')})`);
  return conditions.length === 0 ? 'true' : conditions.join(' AND ');
}

/** Names of the columns of {@link sourceRelation} besides `seq`. */
export const relationColumns = (view: ResolvedView): readonly string[] => viewColumns(view).map(({ alias }) => alias);

interface AliasedColumn extends ResolvedColumn {
  readonly alias: string;
}

function viewColumns(view: ResolvedView): readonly AliasedColumn[] {
  return [
    ...view.joinKeys.map((column, index) => ({ ...column, alias: `k${index}` })),
    { ...view.timestamp, alias: 't' },
    ...(view.created === null ? [] : [{ ...view.created, alias: 'c' }]),
    ...view.features.map((column, index) => ({ ...column, alias: `f${index}` })),
  ];
}

/** The column as the view's type, which may be wider than the source's. */
function castColumn(column: AliasedColumn, schema: Schema): string {
  const name = columnAlias(column.sourceFieldId);
  const source = schema.fields.find((field) => field.id === column.sourceFieldId);
  const wanted = sqlType(column.type);
  return source !== undefined && sqlType(source.type) === wanted ? name : `CAST(${name} AS ${wanted})`;
}

function entityKeyOf(view: ResolvedView): string {
  return entityKeySql(
    view.joinKeys,
    view.joinKeys.map((_, index) => `k${index}`),
  );
}
