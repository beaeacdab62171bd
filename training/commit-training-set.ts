/** The commit of a training set: its table and that one snapshot, then the record that makes it a dataset. */
import { digestOfParts, type RowSum } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import {
  commitDatasetRows,
  committedRecord,
  type DatasetRecord,
  ensureDatasetTable,
  pinSnapshots,
} from '../features/index.js';
import type { Location } from '../locations/index.js';
import { discardReducedRows } from '../reduction/index.js';
import { readStagedManifest, type Table } from '../tables/index.js';
import type { TrainingDeps } from './deps.js';
import { readPlan, type TrainingSetPlan } from './plan.js';
import { reducedFilePrefix } from './reduce-part.js';
import { deleteStagedEntities } from './staged-entities.js';

/** Facts about a staged shard that the commit needs. */
export interface ShardToCommit extends RowSum {
  readonly manifestLocation: string | null;
}

/**
 * Commits a training set. Each step looks for what an attempt before has done, so that it may be repeated after any failure and never
 * writes twice.
 * @param shards all of them, in any order
 * @param reduced lists of the parts, which nobody reads again
 * @throws TABLE_ALREADY_EXISTS, DATASET_ALREADY_EXISTS if another save was faster; SNAPSHOT_EXPIRED, COMMIT_STATE_UNKNOWN
 */
export async function commitTrainingSet(
  deps: TrainingDeps,
  planLocation: string,
  shards: readonly ShardToCommit[],
  reduced: readonly Location[] = [],
): Promise<DatasetRecord> {
  const plan = await readPlan(deps.io, planLocation);
  const { draft, key } = plan;
  const target = await deps.resolveTarget(draft.location.table);
  const table = await ensureDatasetTable(deps.io, target, key, { schema: draft.schema, location: plan.location });
  const record = committedRecord(table, key) ?? (await commitShards(deps, plan, table, shards));
  await deps.datasets.add(record);
  if ('staged' in plan.entities) await deleteStagedEntities(deps.io, plan.entities.staged).catch(() => undefined);
  // What this leaves, the sweep of orphans finds.
  await discardReducedRows(deps.io, reducedFilePrefix(plan), reduced).catch(() => undefined);
  return record;
}

async function commitShards(
  deps: TrainingDeps,
  { draft, key, shards: planned }: TrainingSetPlan,
  table: Table,
  shards: readonly ShardToCommit[],
): Promise<DatasetRecord> {
  if (shards.length !== planned) {
    throw new MoraineError('INVALID_ARGUMENT', `The training set has ${planned} shards, not ${shards.length}.`);
  }
  // A late attempt of another plan may have moved the tags since they were set.
  if (draft.tag !== null) await pinSnapshots((name) => deps.loadSource(name), draft.sources, draft.tag);
  const locations = shards.flatMap(({ manifestLocation }) => manifestLocation ?? []);
  const manifests = await Promise.all(locations.map((location) => readStagedManifest(table, location)));
  const { rows, digest } = digestOfParts(draft.schema, shards);
  return await commitDatasetRows(table, key, { manifests }, (snapshotId) => ({
    ...draft,
    rows,
    digest,
    location: { ...draft.location, snapshotId },
  }));
}
