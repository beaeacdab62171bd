/** Which buckets of an online table hold entities whose source rows were deleted or overwritten. */
import type { Connection, Engine } from '../engine/index.js';
import { currentSchema } from '../iceberg/index.js';
import { openChanged, whileReading } from '../scans/index.js';
import type { FileIO } from '../storage/index.js';
import type { PlannedFile, Table } from '../tables/index.js';
import { type BucketKey, bucketOfKeys, sourceRelation } from './extract-sql.js';
import type { Interval } from './interval.js';
import { type OpenRead, openReads, plannedSourceFile } from './open-files.js';
import type { SourceRead } from './plan.js';
import type { ChangeStep } from './read-source-changes.js';
import { existingSnapshot } from './source-state.js';

/** The column and number of the buckets. */
interface ChangedSource {
  readonly table: Table;
  readonly key: BucketKey;
  readonly interval: Interval;
}

/** Buckets from which some step took a row with an event time in the interval, in order. */
export async function touchedBuckets(
  deps: { readonly io: FileIO; readonly engine: Engine },
  source: ChangedSource,
  steps: readonly ChangeStep[],
  signal?: AbortSignal,
): Promise<readonly number[]> {
  return deps.engine.withConnection(
    async (connection) => {
      const touched = new Set<number>();
      for (const step of steps) {
        const overwritten = step.removed.length === 0 ? [] : await overwrittenBuckets(connection, source, step);
        const deleted = step.redeleted.length === 0 ? [] : await redeletedBuckets(connection, source, step);
        for (const bucket of [...overwritten, ...deleted]) touched.add(bucket);
      }
      return [...touched].sort((a, b) => a - b);
    },
    { signal },
  );
}

/**
 * Buckets whose multiset of rows differs between the files that were removed and those that took their place: rows that
 * were only carried over touch nothing. Compared by count and two checksums of row hashes per bucket, in constant memory.
 */
async function overwrittenBuckets(
  connection: Connection,
  { table, key, interval }: ChangedSource,
  step: ChangeStep,
): Promise<readonly number[]> {
  const schema = currentSchema(table.metadata);
  const columns = rowFacts(key);
  const digests = async (reads: readonly OpenRead[]): Promise<string> =>
    [
      `SELECT ${bucketOfKeys(key)} AS bucket, count(*) AS n, sum(hash(${columns})) AS s, bit_xor(hash(${columns})) AS x`,
      `FROM ${await sourceRelation(connection, schema, reads, key)} GROUP BY ALL`,
    ].join(' ');
  const read = (files: readonly PlannedFile[], snapshotId: bigint): SourceRead => ({
    ...interval,
    keep: 'all',
    files: files.map(plannedSourceFile),
    snapshotId: existingSnapshot(snapshotId),
  });
  const before = await openReads(connection, table, [read(step.removed, step.fromSnapshotId)]);
  const after = await openReads(connection, table, [read(step.rewritten, step.toSnapshotId)]);
  const sql = [
    `SELECT r.bucket FROM (${await digests(before)}) AS r LEFT JOIN (${await digests(after)}) AS a ON r.bucket = a.bucket`,
    'WHERE r.bucket IS NOT NULL AND (a.bucket IS NULL OR r.n <> a.n OR r.s <> a.s OR r.x <> a.x)',
  ].join(' ');
  const opened = [...before, ...after].map(({ scan }) => scan);
  return bucketsOf(await whileReading(connection, opened, () => connection.rows(sql)));
}

/** Buckets of the rows that the changed deletes name or equal. Of their files only keys, times and delete columns are read. */
async function redeletedBuckets(
  connection: Connection,
  { table, key, interval }: ChangedSource,
  step: ChangeStep,
): Promise<readonly number[]> {
  const scan = await openChanged(connection, table, step.redeleted);
  const reads = [{ ...interval, keep: 'all', scan } as const];
  const rows = await sourceRelation(connection, currentSchema(table.metadata), reads, key);
  const keys = key.view.joinKeys.map((_, index) => `k${index}`).join(', ');
  const entities = keys === '' ? `SELECT 1 FROM ${rows} LIMIT 1` : `SELECT DISTINCT ${keys} FROM ${rows}`;
  const buckets = `SELECT DISTINCT ${bucketOfKeys(key)} AS bucket FROM (${entities})`;
  const sql = `SELECT bucket FROM (${buckets}) WHERE bucket IS NOT NULL`;
  return bucketsOf(await whileReading(connection, [scan], () => connection.rows(sql)));
}

function bucketsOf(rows: readonly (readonly unknown[])[]): readonly number[] {
  return rows.map(([bucket]) => Number(bucket));
}

/** Everything that decides which row is served. Signs of zeros count: they order -0 below 0. */
function rowFacts({ view }: BucketKey): string {
  const floats = view.features.flatMap(({ type }, index) =>
    type.kind === 'float' || type.kind === 'double' ? [`signbit(f${index})`] : [],
  );
  return [
    ...view.joinKeys.map((_, index) => `k${index}`),
    't',
    ...(view.created === null ? [] : ['c']),
    ...view.features.map((_, index) => `f${index}`),
    ...floats,
  ].join(', ');
}
