/** Which buckets of an online table hold entities whose source rows were deleted or overwritten. */
import type { Engine } from '../engine/index.js';
import type { Schema } from '../iceberg/index.js';
import { type BucketKey, bucketOfKeys, type OpenRead, sourceRelation } from './extract-sql.js';

/**
 * Buckets whose multiset of rows differs between the files that were removed and those that took their place: rows that
 * were only carried over touch nothing. Compared by count and two checksums of row hashes per bucket, in constant memory.
 */
export async function touchedBuckets(
  engine: Engine,
  schema: Schema,
  key: BucketKey,
  removed: OpenRead,
  rewritten: OpenRead,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const digests = (read: OpenRead): string => {
    const columns = rowFacts(key);
    return [
      `SELECT ${bucketOfKeys(key)} AS bucket, count(*) AS n, sum(hash(${columns})) AS s, bit_xor(hash(${columns})) AS x`,
      `FROM ${sourceRelation(schema, [read], key)} GROUP BY ALL`,
    ].join(' ');
  };
  const sql = [
    `SELECT r.bucket FROM (${digests(removed)}) AS r LEFT JOIN (${digests(rewritten)}) AS a ON r.bucket = a.bucket`,
    'WHERE r.bucket IS NOT NULL AND (a.bucket IS NULL OR r.n <> a.n OR r.s <> a.s OR r.x <> a.x) ORDER BY ALL',
  ].join(' ');
  return engine.withConnection(async (connection) => (await connection.rows(sql)).map(([bucket]) => Number(bucket)), {
    signal,
  });
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
