/** A part of a training set's entity rows with their features, staged: Parquet files and a manifest that no snapshot lists yet. */
import { type RowSum, sumRows } from '../engine/index.js';
import {
  type EntitySource,
  getHistoricalFeatures,
  type HistoricalRequest,
  recordedDeps,
  recordedRequest,
} from '../features/index.js';
import type { DataFile } from '../iceberg/index.js';
import type { ReduceContext } from '../reduction/index.js';
import { stageRows as stageTableRows } from '../staging/index.js';
import { stageManifest } from '../tables/index.js';
import type { TrainingDeps } from './deps.js';
import { faultPoint } from './fault-points.js';
import { stagedTable, type TrainingSetPlan } from './plan.js';

/** Summary of a staged shard: a few hundred bytes. */
export interface StagedRows extends RowSum {
  /** Null: there were no rows. */
  readonly manifestLocation: string | null;
  readonly files: number;
  readonly bytes: bigint;
}

/** What rows are staged by. */
type StagingPlan = Pick<TrainingSetPlan, 'draft' | 'location' | 'engine'>;

/** Rows are split into files of about this many bytes. */
const TARGET_FILE_BYTES = 512 * 2 ** 20;

/**
 * Retrieves and writes entity rows at the states that the draft has pinned.
 * @param namePrefix of the files; another one for every attempt
 * @throws as retrieval
 */
export async function stageRows(
  deps: TrainingDeps,
  plan: StagingPlan,
  entities: EntitySource,
  namePrefix: string,
  context: ReduceContext & Pick<HistoricalRequest, 'reduced'> = {},
): Promise<StagedRows> {
  const { files, ...summed } = await writeRows(deps, plan, entities, namePrefix, context);
  const bytes = files.reduce((sum, file) => sum + file.fileSizeInBytes, 0n);
  if (files.length === 0) return { ...summed, manifestLocation: null, files: 0, bytes };
  const manifest = await stageManifest(stagedTable(deps.io, plan), files, namePrefix);
  faultPoint('training-shard-staged');
  return { ...summed, manifestLocation: manifest.manifestPath, files: files.length, bytes };
}

async function writeRows(
  deps: TrainingDeps,
  plan: StagingPlan,
  entities: EntitySource,
  namePrefix: string,
  context: ReduceContext & Pick<HistoricalRequest, 'reduced'>,
): Promise<RowSum & { readonly files: readonly DataFile[] }> {
  const { draft, engine } = plan;
  const request = { ...recordedRequest(draft), entities, engine, ...context };
  return await getHistoricalFeatures(recordedDeps(deps, draft), request, async ({ connection, select, schema }) => ({
    ...(await sumRows(connection, select, schema)),
    files: await stageTableRows(connection, stagedTable(deps.io, plan), {
      select,
      namePrefix,
      targetFileBytes: TARGET_FILE_BYTES,
    }),
  }));
}
