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
  readonly buckets: number;
  readonly sourceRows: bigint;
}

/**
 * Rows that one shard reads at most when nothing else is asked for. Within one process a single pass is fastest (the engine
 * spills); beyond this, several workers share the work at the price of each reading the key columns of all files.
 */
export const ROWS_PER_SHARD = 500_000_000n;

/** Equal ranges of all buckets. */
export function planShards(sizing: ShardSizing): readonly Shard[] {
  const bySize = Number((sizing.sourceRows + ROWS_PER_SHARD - 1n) / ROWS_PER_SHARD);
  const count = Math.min(sizing.buckets, Math.max(1, sizing.shards ?? bySize));
  return Array.from({ length: count }, (_, index) => ({
    firstBucket: Math.floor((index * sizing.buckets) / count),
    lastBucket: Math.floor(((index + 1) * sizing.buckets) / count) - 1,
  }));
}
