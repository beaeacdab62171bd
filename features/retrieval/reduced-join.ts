/** A join whose feature rows another engine has reduced to those that may win: it reads the staged rows in place of the source. */
import type { Connection } from '../../engine/index.js';
import { currentSchema, currentSnapshot, type IcebergType, type NestedField } from '../../iceberg/index.js';
import { namedColumns, type ReduceContext, type ReducedColumns, type TrinoEngine } from '../../reduction/index.js';
import type { PinnedSource } from '../../scans/index.js';
import type { ScanPlan, Table } from '../../tables/index.js';
import type { ResolvedColumn, ResolvedView } from '../views/resolve-view.js';
import type { ProbeBounds } from './join-bounds.js';
import { keyColumns } from './point-in-time-sql.js';

/** A join of which the view and the source can be other ones. */
interface SourceJoin {
  readonly view: ResolvedView;
  readonly source: PinnedSource;
  readonly knownAsOf: boolean;
  readonly sequenceFieldId?: number | undefined;
}

/** What a reduction is asked with. */
export interface ProbedJoin<Join extends SourceJoin> {
  readonly join: Join;
  /** Files of the source that can match. */
  readonly plan: ScanPlan;
  readonly bounds: ProbeBounds;
  /** The table of the frame's rows: `k0..`, `hi`, and perhaps `lo` and `known`, counts of microseconds. */
  readonly probe: string;
}

/** The join on staged rows; they are dropped by `release`. */
export interface ReducedJoin<Join extends SourceJoin> {
  readonly join: Join;
  release(): Promise<void>;
}

/** @throws as `TrinoEngine.reduce` */
export async function reduceJoin<Join extends SourceJoin>(
  trino: TrinoEngine,
  connection: Connection,
  { join, plan, bounds, probe }: ProbedJoin<Join>,
  context: ReduceContext = {},
): Promise<ReducedJoin<Join>> {
  const { view, source } = join;
  const knownAsOf = join.knownAsOf && view.created !== null;
  const read = {
    snapshotId: source.snapshot?.snapshotId ?? 0n,
    files: plan.files.map(({ file, sequenceNumber }) => ({ path: file.filePath, sequenceNumber })),
    startUs: bounds.lowest !== null && isUsual(bounds.lowest) ? bounds.lowest : null,
    endUs: isUsual(bounds.highest) ? bounds.highest + 1n : null,
  };
  const reduced = await trino.reduce(
    connection,
    {
      kind: 'point-in-time',
      source: { name: view.sourceTable, table: source.table },
      columns: view,
      read,
      hasTtl: view.ttlUs !== null,
      knownAsOf,
    },
    { ...context, probe: probeSql(view, probe, knownAsOf) },
  );
  return { join: onStagedRows(join, reduced.table), release: () => reduced.release() };
}

/** The join as it reads staged rows in place of the source. */
export function onStagedRows<Join extends SourceJoin>(join: Join, table: Table): Join {
  const { view } = join;
  const schema = currentSchema(table.metadata);
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  return {
    ...join,
    view: { ...view, ...stagedColumns(view, fields) },
    source: { table, snapshot: currentSnapshot(table.metadata) ?? null, schema },
    sequenceFieldId: fields.get('seq')?.id,
  };
}

/** The view's columns as the staged table has them: fields inside nested types have other ids there. */
function stagedColumns(
  view: ResolvedView,
  fields: ReadonlyMap<string, NestedField>,
): ReducedColumns & Partial<ResolvedView> {
  const staged = new Map(
    namedColumns(view).map(([name, column]) => {
      const { id: sourceFieldId = 0, type = column.type } = fields.get(name) ?? {};
      return [name, { ...(column as ResolvedColumn), sourceColumn: name, sourceFieldId, type }];
    }),
  );
  const column = (name: string): ResolvedColumn => staged.get(name) as ResolvedColumn;
  return {
    joinKeys: view.joinKeys.map((_, index) => column(`k${index}`)),
    timestamp: column('t'),
    created: view.created === null ? null : column('c'),
    features: view.features.map((_, index) => column(`f${index}`)),
  };
}

/** The frame's rows that can match, each once, with times as timestamps. */
function probeSql({ joinKeys, timestamp, created, ttlUs }: ResolvedView, probe: string, knownAsOf: boolean): string {
  const keys = keyColumns(joinKeys.length);
  const columns = [
    ...keys,
    `${momentSql(timestamp.type, 'hi')} AS hi`,
    ...(ttlUs === null ? [] : [`${momentSql(timestamp.type, 'lo')} AS lo`]),
    ...(knownAsOf && created !== null ? [`${momentSql(created.type, 'known')} AS known`] : []),
  ];
  const usable = ['hi', ...keys].map((column) => `${column} IS NOT NULL`).join(' AND ');
  const distinct = `SELECT DISTINCT ${columns.join(', ')} FROM ${probe} WHERE ${usable}`;
  return `SELECT row_number() OVER () AS r, * FROM (${distinct})`;
}

/** Whether a time is of the years 1 to 9999. Others are no bounds of what is read, which only saves work. */
const isUsual = (us: bigint): boolean => us >= -62135596800000000n && us < 253402300799999999n;

/**
 * The first and the last moment that both engines have, in microseconds: without a zone those that DuckDB has, with one those that Trino has,
 * which fails on rows of others. So a probe's time beyond finds the same rows as the moment at that end.
 */
const MOMENTS_US = {
  timestamp: [-9223372022400000000n, 2n ** 63n - 2n],
  timestamptz: [-(2n ** 51n) * 1000n, 2n ** 51n * 1000n - 1n],
} as const;

function momentSql({ kind }: IcebergType, count: string): string {
  const zoned = kind === 'timestamptz' ? kind : 'timestamp';
  const [first, last] = MOMENTS_US[zoned];
  return `make_${zoned}(greatest(least(${count}, ${last}), ${first}))`;
}
