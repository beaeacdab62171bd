/** All of a plan's extraction in this process: parts, if the plan has any, then shards, one after another. */
import type { FileIO } from '../storage/index.js';
import type { MaterializationDeps } from './deps.js';
import { discardReducedRows } from './discard-reduced-rows.js';
import { type ExtractOptions, extractShard, type ShardResult } from './extract-shard.js';
import type { PlanReference } from './plan-request.js';
import { reducePart } from './reduce-part.js';

/** @throws as {@link reducePart} and {@link extractShard} */
export async function extractPlan(
  deps: Pick<MaterializationDeps, 'engine' | 'engines' | 'reach'> & { readonly io: FileIO },
  planLocation: string,
  { shards, reduction }: Pick<PlanReference, 'shards' | 'reduction'>,
  options: ExtractOptions = {},
): Promise<readonly ShardResult[]> {
  const reduced: string[] = [];
  try {
    for (let part = 0; part < (reduction?.parts ?? 0); part++) {
      const { reducedLocation } = await reducePart(deps, planLocation, part, options);
      if (reducedLocation !== null) reduced.push(reducedLocation);
    }
    const results: ShardResult[] = [];
    for (let shard = 0; shard < shards; shard++) {
      const read = reduction === null ? options : { ...options, reduced };
      results.push(await extractShard(deps, planLocation, shard, read));
    }
    return results;
  } finally {
    await discardReducedRows(deps.io, planLocation, reduced).catch(() => undefined);
  }
}
