/** One shard of a training set: its entity rows with their features, as Parquet that no snapshot lists yet. */
import { randomUUID } from 'node:crypto';
import type { Connection } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import type { Location } from '../locations/index.js';
import { type ReduceContext, type ReducedRows, readReducedLists } from '../reduction/index.js';
import type { FileIO } from '../storage/index.js';
import type { TrainingDeps } from './deps.js';
import { pinEntities } from './entity-reference.js';
import { rowsOfShard } from './entity-shards.js';
import { readPlan, type TrainingSetPlan } from './plan.js';
import { openReducedEntities } from './reduced-entities.js';
import { type StagedRows, stageRows } from './stage-rows.js';

/**
 * Retrieves and writes one shard. May be repeated, killed and run twice at once: every attempt writes files of its own names, and only
 * the commit makes any of them visible. The digest of all rows is the sum of the shards', however they are split.
 * @param options `reduced`: the lists that the parts have left, in their order (null: no rows); without them the shard reads the sources
 * @throws INVALID_ARGUMENT for a shard that the plan does not have; SNAPSHOT_EXPIRED, TABLE_REPLACED, ENGINE_OUT_OF_MEMORY, CANCELLED
 */
export async function stageTrainingShard(
  deps: TrainingDeps,
  planLocation: string,
  index: number,
  options: ReduceContext & { readonly reduced?: readonly (Location | null)[] | undefined } = {},
): Promise<StagedRows> {
  const plan = await readPlan(deps.io, planLocation);
  if (index < 0 || index >= plan.shards) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The plan ${planLocation} has ${plan.shards} shards and no number ${index}.`,
    );
  }
  const entities = await pinEntities(deps, plan.entities, plan.draft.entitySources);
  const { reduced: lists, ...context } = options;
  const reduced = lists === undefined ? undefined : await reducedOfShard(deps.io, plan, index, lists);
  const rows = {
    open: async (connection: Connection) =>
      reduced?.entities === undefined
        ? rowsOfShard(await entities.open(connection), plan.shardColumns, { index, count: plan.shards })
        : await openReducedEntities(deps.io, connection, reduced.entities, entities.schema),
  };
  const namePrefix = `${plan.attempt}-${index}-${randomUUID()}`;
  return stageRows(deps, plan, rows, namePrefix, { ...context, reduced: reduced?.views });
}

interface ReducedShard {
  /** Undefined: no part reads the entity rows. */
  readonly entities: readonly ReducedRows[] | undefined;
  readonly views: ReadonlyMap<string, readonly ReducedRows[]>;
}

/** The reduced rows of one shard. @throws INVALID_ARGUMENT unless there is an entry for each part */
async function reducedOfShard(
  io: FileIO,
  { reduction }: TrainingSetPlan,
  shard: number,
  lists: readonly (Location | null)[],
): Promise<ReducedShard> {
  const parts = reduction?.parts ?? [];
  if (lists.length !== parts.length) {
    throw new MoraineError('INVALID_ARGUMENT', `The training set has ${parts.length} parts, not ${lists.length}.`);
  }
  const rowsOf = async (input: string | null): Promise<readonly ReducedRows[]> => {
    const locations = parts.flatMap(({ view }, part) => (view === input ? (lists[part] ?? []) : []));
    return await readReducedLists(io, locations, shard);
  };
  const views = new Map<string, readonly ReducedRows[]>();
  for (const view of new Set(parts.flatMap(({ view }) => view ?? []))) views.set(view, await rowsOf(view));
  const hasEntities = parts.some(({ view }) => view === null);
  return { entities: hasEntities ? await rowsOf(null) : undefined, views };
}
