/** One shard of a training set: its entity rows with their features, as Parquet that no snapshot lists yet. */
import { randomUUID } from 'node:crypto';
import { type RowSum, sumRows, writeParquet } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { getHistoricalFeatures, recordedDeps, recordedRequest } from '../features/index.js';
import { currentSchema, type DataFile, UNPARTITIONED } from '../iceberg/index.js';
import { stageManifest } from '../tables/index.js';
import type { TrainingDeps } from './deps.js';
import { pinEntities } from './entity-reference.js';
import { rowsOfShard } from './entity-shards.js';
import { faultPoint } from './fault-points.js';
import { readPlan, stagedTable, type TrainingSetPlan } from './plan.js';

/** What a shard staged: a few hundred bytes. */
export interface StagedShard extends RowSum {
  /** Null: no entity row falls into the shard. */
  readonly manifestLocation: string | null;
  readonly files: number;
  readonly bytes: bigint;
}

/** A shard's rows are split into files of about this many bytes. */
const TARGET_FILE_BYTES = 512 * 2 ** 20;

/**
 * Retrieves and writes one shard. May be repeated, killed and run twice at once: every attempt writes files of its own names, and only
 * the commit makes any of them visible. The digest of all rows is the sum of the shards', however they are split.
 * @throws INVALID_ARGUMENT for a shard that the plan does not have; SNAPSHOT_EXPIRED, TABLE_REPLACED, ENGINE_OUT_OF_MEMORY, CANCELLED
 */
export async function stageTrainingShard(
  deps: TrainingDeps,
  planLocation: string,
  index: number,
  options: { readonly signal?: AbortSignal } = {},
): Promise<StagedShard> {
  const plan = await readPlan(deps.io, planLocation);
  if (index < 0 || index >= plan.shards) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The plan ${planLocation} has ${plan.shards} shards and no number ${index}.`,
    );
  }
  const namePrefix = `${plan.attempt}-${index}-${randomUUID()}`;
  const { files, ...summed } = await writeShard(deps, plan, index, namePrefix, options);
  const bytes = files.reduce((sum, file) => sum + file.fileSizeInBytes, 0n);
  if (files.length === 0) return { ...summed, manifestLocation: null, files: 0, bytes };
  const manifest = await stageManifest(stagedTable(deps.io, plan), files, namePrefix);
  faultPoint('training-shard-staged');
  return { ...summed, manifestLocation: manifest.manifestPath, files: files.length, bytes };
}

async function writeShard(
  deps: TrainingDeps,
  plan: TrainingSetPlan,
  index: number,
  namePrefix: string,
  options: { readonly signal?: AbortSignal },
): Promise<RowSum & { readonly files: readonly DataFile[] }> {
  const { draft, shardColumns, location } = plan;
  const folder = await deps.io.prepareFolder(`${location}/data`);
  const entities = await pinEntities(deps, plan.entities, draft.entitySources);
  const shard = { index, count: plan.shards };
  const request = {
    ...recordedRequest(draft),
    entities: {
      open: async (connection: Parameters<typeof entities.open>[0]) =>
        rowsOfShard(await entities.open(connection), shardColumns, shard),
    },
    ...options,
  };
  return await getHistoricalFeatures(recordedDeps(deps, draft), request, async ({ connection, select, schema }) => ({
    ...(await sumRows(connection, select, schema)),
    files: await writeParquet(connection, {
      select,
      schema: currentSchema(stagedTable(deps.io, plan).metadata),
      spec: UNPARTITIONED,
      folder,
      namePrefix,
      targetFileBytes: TARGET_FILE_BYTES,
    }),
  }));
}
