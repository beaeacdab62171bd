/** How many shards a run has. Pure. */

/** The figures that decide it. */
export interface ShardCount {
  /** Number of shards asked for; undefined: by size. */
  readonly shards?: number | undefined;
  /** Number of shards that workers could share. */
  readonly spread?: number | undefined;
  readonly rows: bigint;
  /** Of the engine of a worker. */
  readonly memoryLimitBytes: number;
  /** Memory for each row. Within one process a single pass is fastest (the engine spills); beyond this, several workers share the work. */
  readonly bytesPerRow: bigint;
  /** Shards at most. */
  readonly most: number;
}

/** Fewer rows are not worth a step of their own. */
const MIN_SPREAD_ROWS = 1_000_000n;

/** As many shards as rows ask for with this memory, or as workers could share; one at least. */
export function countShards({ shards, spread = 1, rows, memoryLimitBytes, bytesPerRow, most }: ShardCount): number {
  const rowsPerShard = BigInt(Math.floor(memoryLimitBytes)) / bytesPerRow + 1n;
  const bySize = Number((rows + rowsPerShard - 1n) / rowsPerShard);
  const shared = Math.min(spread, Number(rows / MIN_SPREAD_ROWS));
  return Math.min(most, Math.max(1, shards ?? Math.max(bySize, shared)));
}
