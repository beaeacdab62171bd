/** The pieces of a run: shards, and the parts before them. Pure. */
import type { RunKind } from './decide.js';
import { type MaterializationPlan, planSize } from './plan.js';
import { countFiles } from './reduction-parts.js';
import { planShards, type ShardSizing } from './shards.js';

/** Parts of a reduction: every shard is told of all of them. */
const MAX_PARTS = 128;

/**
 * As many parts as shards, where there are several of both: with a single file there is nothing to share but the file itself. Trino reads all
 * files in one part.
 */
export function planPieces(
  kind: RunKind,
  reads: Pick<MaterializationPlan, 'appendReads' | 'rebuild'>,
  { isForTrino, ...sizing }: Omit<ShardSizing, 'sourceRows'> & { readonly isForTrino: boolean },
): Pick<MaterializationPlan, 'shards' | 'reduction'> {
  if (kind === 'nothing') return { shards: [], reduction: null };
  const shards = planShards({ ...sizing, sourceRows: planSize(reads).rows });
  if (isForTrino) return { shards, reduction: { engine: 'trino', parts: 1 } };
  const parts = Math.min(shards.length, countFiles(reads), MAX_PARTS);
  return { shards, reduction: parts < 2 ? null : { engine: 'duckdb', parts } };
}
