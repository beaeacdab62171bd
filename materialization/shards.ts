/** Shards: ranges of buckets. Each bucket belongs to exactly one, so that a run writes at most one file per bucket. */

/** Buckets from `firstBucket` to `lastBucket`, both included. */
export interface Shard {
  readonly firstBucket: number;
  readonly lastBucket: number;
}

/** The figures that decide how many shards a run has. */
export interface ShardSizing {
  /** Number of shards asked for; undefined: by size. */
  readonly shards?: number | undefined;
  /** Number of shards that workers could share. */
  readonly spread?: number | undefined;
  readonly buckets: number;
  readonly sourceRows: bigint;
  /** Of the engine of a worker. */
  readonly memoryLimitBytes: number;
}

/**
 * Memory of the engine for each row that one shard reads when nothing else is asked for: half a billion rows with 4 GiB. Within one process
 * a single pass is fastest (the engine spills); beyond this, several workers share the work.
 */
const MEMORY_BYTES_PER_ROW = 8n;

/** Fewer rows are not worth a step of their own. */
const MIN_SPREAD_ROWS = 1_000_000n;

/** Equal ranges of all buckets. */
export function planShards(sizing: ShardSizing): readonly Shard[] {
  const rowsPerShard = BigInt(Math.floor(sizing.memoryLimitBytes)) / MEMORY_BYTES_PER_ROW + 1n;
  const bySize = Number((sizing.sourceRows + rowsPerShard - 1n) / rowsPerShard);
  const spread = Math.min(sizing.spread ?? 1, Number(sizing.sourceRows / MIN_SPREAD_ROWS));
  const count = Math.min(sizing.buckets, Math.max(1, sizing.shards ?? Math.max(bySize, spread)));
  return Array.from({ length: count }, (_, index) => ({
    firstBucket: Math.floor((index * sizing.buckets) / count),
    lastBucket: Math.floor(((index + 1) * sizing.buckets) / count) - 1,
  }));
}
