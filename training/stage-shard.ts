/** One shard of a training set: its entity rows with their features, as Parquet that no snapshot lists yet. */
import { randomUUID } from 'node:crypto';
import { MoraineError } from '../errors/index.js';
import type { ReduceContext } from '../reduction/index.js';
import type { TrainingDeps } from './deps.js';
import { pinEntities } from './entity-reference.js';
import { rowsOfShard } from './entity-shards.js';
import { readPlan } from './plan.js';
import { type StagedRows, stageRows } from './stage-rows.js';

/**
 * Retrieves and writes one shard. May be repeated, killed and run twice at once: every attempt writes files of its own names, and only
 * the commit makes any of them visible. The digest of all rows is the sum of the shards', however they are split.
 * @throws INVALID_ARGUMENT for a shard that the plan does not have; SNAPSHOT_EXPIRED, TABLE_REPLACED, ENGINE_OUT_OF_MEMORY, CANCELLED
 */
export async function stageTrainingShard(
  deps: TrainingDeps,
  planLocation: string,
  index: number,
  context: ReduceContext = {},
): Promise<StagedRows> {
  const plan = await readPlan(deps.io, planLocation);
  if (index < 0 || index >= plan.shards) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The plan ${planLocation} has ${plan.shards} shards and no number ${index}.`,
    );
  }
  const entities = await pinEntities(deps, plan.entities, plan.draft.entitySources);
  const shard = { index, count: plan.shards };
  const rows = {
    open: async (connection: Parameters<typeof entities.open>[0]) =>
      rowsOfShard(await entities.open(connection), plan.shardColumns, shard),
  };
  return stageRows(deps, plan, rows, `${plan.attempt}-${index}-${randomUUID()}`, context);
}
