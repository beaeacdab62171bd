/** Which buckets of an online table hold entities whose source rows were deleted or overwritten. */
import type { Engine } from '../engine/index.js';
import { currentSchema } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';
import { type BucketKey, bucketOfKeys, sourceRelation } from './extract-sql.js';
import { type OpenRead, openReads, whileReading } from './open-files.js';
import type { SourceRead } from './plan.js';

/**
 * Buckets whose multiset of rows differs between the files that were removed and those that took their place: rows that
 * were only carried over touch nothing. Compared by count and two checksums of row hashes per bucket, in constant memory.
 */
export async function touchedBuckets(
  deps: { readonly io: FileIO; readonly engine: Engine },
  table: Table,
  key: BucketKey,
  removed: SourceRead,
  rewritten: SourceRead,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const schema = currentSchema(table.metadata);
  const columns = rowFacts(key);
  const digests = (reads: readonly OpenRead[]): string =>
    [
      `SELECT ${bucketOfKeys(key)} AS bucket, count(*) AS n, sum(hash(${columns})) AS s, bit_xor(hash(${columns})) AS x`,
      `FROM ${sourceRelation(schema, reads, key)} GROUP BY ALL`,
    ].join(' ');
  return deps.engine.withConnection(
    async (connection) => {
      const context = { io: deps.io, connection, table };
      const before = await openReads(context, [removed]);
      const after = await openReads(context, [rewritten]);
      const sql = [
        `SELECT r.bucket FROM (${digests(before)}) AS r LEFT JOIN (${digests(after)}) AS a ON r.bucket = a.bucket`,
        'WHERE r.bucket IS NOT NULL AND (a.bucket IS NULL OR r.n <> a.n OR r.s <> a.s OR r.x <> a.x) ORDER BY ALL',
      ].join(' ');
      const opened = [...before, ...after].map(({ scan }) => scan);
      const rows = await whileReading(connection, opened, () => connection.rows(sql));
      return rows.map(([bucket]) => Number(bucket));
    },
    { signal },
  );
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
