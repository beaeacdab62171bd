/** Shards: ranges of buckets. Each bucket belongs to exactly one, so that a run writes at most one file per bucket. */
import { countShards, type ShardCount } from '../reduction/index.js';

/** Buckets from `firstBucket` to `lastBucket`, both included. */
export interface Shard {
  readonly firstBucket: number;
  readonly lastBucket: number;
}

/** The figures that decide how many shards a run has. */
export interface ShardSizing extends Pick<ShardCount, 'shards' | 'spread' | 'memoryLimitBytes'> {
  readonly buckets: number;
  readonly sourceRows: bigint;
}

/** Memory of the engine for each row that one shard reads when nothing else is asked for: half a billion rows with 4 GiB. */
const MEMORY_BYTES_PER_ROW = 8n;

/** Equal ranges of all buckets. */
export function planShards({ buckets, sourceRows, ...sizing }: ShardSizing): readonly Shard[] {
  const count = countShards({ ...sizing, rows: sourceRows, bytesPerRow: MEMORY_BYTES_PER_ROW, most: buckets });
  return Array.from({ length: count }, (_, index) => ({
    firstBucket: Math.floor((index * buckets) / count),
    lastBucket: Math.floor(((index + 1) * buckets) / count) - 1,
  }));
}
