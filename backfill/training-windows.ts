/** Windows of a training set: their entity rows retrieved at the pinned states, and committed in groups, each window once. */
import { createHash, randomUUID } from 'node:crypto';
import { DATASET_PROPERTY, recordFromJson, recordToJson } from '../features/index.js';
import {
  cover,
  coverageWithin,
  eventTimeColumn,
  eventTimeFilter,
  groupKey,
  groupSummary,
  onNewestProgress,
  progressMovedError,
  uncovered,
  type WindowOutcome,
  type WindowsCommit,
} from '../materialization/index.js';
import type { ReduceContext } from '../reduction/index.js';
import { commitAppend, findRun, readStagedManifest, type Table } from '../tables/index.js';
import { pinEntities, type StagedRows, stageRows, type TrainingDeps } from '../training/index.js';
import { entityColumn } from './entity-rows.js';
import type { TrainingBackfillPlan } from './plan.js';
import {
  completeRecord,
  type EffectiveTrainingProgress,
  ENTITY_ROWS,
  TRAINING_PROGRESS,
  type TrainingProgress,
  trainingProgress,
  trainingProgressText,
} from './training-progress.js';
import { loadTrainingTable, trainingKey } from './training-table.js';

/** Event times in microseconds, `[startUs, endUs)`. */
export interface TrainingWindow {
  readonly startUs: bigint;
  readonly endUs: bigint;
}

/** A window that is retrieved. */
export interface StagedTrainingWindow extends TrainingWindow, StagedRows {
  /** How long that took; for estimates. */
  readonly workMs: number;
}

/** The part that the commit needs. */
export type TrainingWindowToCommit = Omit<StagedTrainingWindow, 'files' | 'bytes'>;

/**
 * Retrieves the entity rows of a window. May be repeated: every attempt writes files of its own names.
 * @returns null: the window is in the table already; then the training set is a dataset if it was the last of them
 * @throws SNAPSHOT_EXPIRED, TABLE_REPLACED, TABLE_NOT_FOUND, DATASET_ALREADY_EXISTS, ENGINE_OUT_OF_MEMORY, CANCELLED
 */
export async function stageTrainingWindow(
  deps: TrainingDeps,
  plan: TrainingBackfillPlan,
  window: TrainingWindow,
  context: ReduceContext = {},
): Promise<StagedTrainingWindow | null> {
  const startedMs = performance.now();
  const { draft, request } = plan.trainingSet;
  const table = await loadTrainingTable(deps, plan);
  const { metadata } = table;
  if (uncovered(trainingProgress(metadata).coverage, window).length === 0) {
    // Whoever committed the last window may have stopped before this, and nobody else comes back to it.
    await recordIfComplete(deps, table);
    return null;
  }
  const entities = await pinEntities(deps, { table: plan.source.table }, draft.entitySources);
  const { sourceFieldId, sourceColumn } = entityColumn(entities.schema);
  const filter = eventTimeFilter(eventTimeColumn(entities.schema, sourceFieldId), sourceColumn, window);
  const rows = { open: (connection: Parameters<typeof entities.open>[0]) => entities.open(connection, { filter }) };
  const staged = await stageRows(
    deps,
    { draft, location: metadata.location, engine: request.engine },
    rows,
    randomUUID(),
    context,
  );
  return { ...staged, startUs: window.startUs, endUs: window.endUs, workMs: performance.now() - startedMs };
}

/**
 * Commits windows in one snapshot. What is committed already is left out, so that it may be repeated after any failure, with the same
 * windows or others beside them. With the last window of the plan the training set becomes a dataset.
 * @throws TABLE_NOT_FOUND, COMMIT_CONFLICT, COMMIT_STATE_UNKNOWN; DATASET_ALREADY_EXISTS if another has got its name meanwhile
 */
export async function commitTrainingWindows(
  deps: TrainingDeps,
  plan: TrainingBackfillPlan,
  windows: readonly TrainingWindowToCommit[],
): Promise<WindowsCommit> {
  const { catalog } = await deps.resolveTarget(plan.trainingSet.draft.location.table);
  const committed = await onNewestProgress(catalog, () => commitOnce(deps, plan, windows));
  await recordIfComplete(deps, await loadTrainingTable(deps, plan));
  return committed;
}

/** Adds the training set to the datasets if every window of it is committed. May be repeated. @throws DATASET_ALREADY_EXISTS */
export async function recordIfComplete({ datasets }: TrainingDeps, { metadata }: Table): Promise<void> {
  const text = metadata.properties.get(DATASET_PROPERTY);
  if (text !== undefined) await datasets.add(recordFromJson(text));
}

async function commitOnce(
  deps: TrainingDeps,
  plan: TrainingBackfillPlan,
  windows: readonly TrainingWindowToCommit[],
): Promise<WindowsCommit> {
  const table = await loadTrainingTable(deps, plan);
  const before = trainingProgress(table.metadata);
  const { progress, outcomes } = addWindows(plan, table, before, windows);
  const chosen = windows.filter((_, index) => outcomes[index] === 'committed');
  if (chosen.length === 0) return { snapshotId: null, outcomes };
  const locations = chosen.flatMap(({ manifestLocation }) => manifestLocation ?? []);
  const manifests = await Promise.all(locations.map((location) => readStagedManifest(table, location)));
  const keys = chosen.map((window) => windowKey(plan, window));
  const { snapshotId } = await commitAppend(table, {
    manifests,
    run: { key: groupKey(keys, before), windowKeys: keys },
    summary: groupSummary(chosen, keys, [TRAINING_PROGRESS, trainingProgressText(progress)]),
    properties: (base, id) => {
      const anchor = { snapshotId: id, sequenceNumber: base.lastSequenceNumber + 1n };
      const record = completeRecord(plan, progress, id);
      return new Map([
        [TRAINING_PROGRESS, trainingProgressText(progress, anchor)],
        ...(record === null ? [] : [[DATASET_PROPERTY, recordToJson(record)] as const]),
      ]);
    },
    validate: (base) => {
      if (trainingProgress(base).token !== before.token) throw progressMovedError('commit of the training set');
    },
  });
  return { snapshotId, outcomes };
}

/** The progress with the windows that may be committed, one after the other. */
function addWindows(
  plan: TrainingBackfillPlan,
  { metadata }: Table,
  before: EffectiveTrainingProgress,
  windows: readonly TrainingWindowToCommit[],
): { readonly progress: TrainingProgress; readonly outcomes: readonly WindowOutcome[] } {
  let progress: TrainingProgress = before;
  const outcomes = windows.map((window): WindowOutcome => {
    if (uncovered(progress.coverage, window).length === 0) {
      return findRun(metadata, { key: windowKey(plan, window) }) === null ? 'covered' : 'already-committed';
    }
    if (coverageWithin(progress.coverage, window).length > 0) return 'stale';
    progress = {
      coverage: cover(progress.coverage, window, ENTITY_ROWS),
      rows: progress.rows + window.rows,
      sum: BigInt.asUintN(256, progress.sum + window.sum),
    };
    return 'committed';
  });
  return { progress, outcomes };
}

function windowKey(plan: TrainingBackfillPlan, { startUs, endUs }: TrainingWindow): string {
  const work = [trainingKey(plan), String(startUs), String(endUs)];
  return createHash('sha256').update(JSON.stringify(work)).digest('hex');
}
