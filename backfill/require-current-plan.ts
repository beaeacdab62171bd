/** Whether a plan is still what would be planned: asked before it is applied. */
import { formatTimeUs } from '../config/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type MaterializationDeps, resolveSource, sourceState } from '../materialization/index.js';
import type { Table } from '../tables/index.js';
import { draftTrainingSet, type TrainingDeps } from '../training/index.js';
import { entitySizes } from './entity-rows.js';
import {
  type BackfillPlan,
  type PlannedWindow,
  planSubject,
  type TrainingBackfillPlan,
  type ViewBackfillPlan,
} from './plan.js';
import { definitionDigest, sourceSizes } from './plan-backfill.js';
import { findTrainingTable } from './training-table.js';
import { windowAt } from './windows.js';

/**
 * Rows that were appended to other times do not matter.
 * @throws PLAN_STALE naming what has changed; FEATURE_VIEW_NOT_FOUND, TABLE_NOT_FOUND
 */
export async function requireCurrentPlan(deps: MaterializationDeps, plan: ViewBackfillPlan): Promise<void> {
  const { view, source } = await resolveSource(deps, plan.view);
  if (definitionDigest(view) !== plan.definition) {
    throw stale(plan, `the definition of '${plan.view}' has changed`);
  }
  requireSameLineage(plan, source);
  const { windows } = await sourceSizes(source, source.metadata.currentSnapshotId, view.timestamp, plan);
  requireSameWindows(plan, windows);
}

/**
 * The same for a training set. Features are read as they were pinned, whatever was appended to their sources since.
 * @throws PLAN_STALE naming what has changed; TABLE_ALREADY_EXISTS, TABLE_NOT_FOUND, and as retrieval
 */
export async function requireCurrentTrainingPlan(deps: TrainingDeps, plan: TrainingBackfillPlan): Promise<void> {
  const { request, draft } = plan.trainingSet;
  const pinned = {
    ...request,
    asOf: { snapshots: draft.sources },
    entities: { table: plan.source.table, asOf: { snapshots: draft.entitySources } },
  };
  const now = await draftTrainingSet(deps, pinned).catch((cause: unknown) => {
    if (!isMoraineError(cause, 'SNAPSHOT_EXPIRED', 'TABLE_REPLACED')) throw cause;
    throw stale(plan, cause.message, cause);
  });
  if (now.draft.definitionHash !== plan.definition) throw stale(plan, 'a definition that it uses has changed');
  const source = await deps.loadSource(plan.source.table);
  requireSameLineage(plan, source);
  const { schema } = now.entities;
  const { windows } = await entitySizes(source, schema, source.metadata.currentSnapshotId, plan);
  requireSameWindows(plan, windows);
  await findTrainingTable(deps, plan);
}

function requireSameLineage(plan: BackfillPlan, { metadata }: Table): void {
  const { table, tableUuid, snapshotId } = plan.source;
  if (metadata.tableUuid !== tableUuid) throw stale(plan, `${table} was dropped and created again`);
  if (snapshotId === null) return;
  const { kind } = sourceState(table, metadata).standing(snapshotId);
  if (kind === 'expired') throw stale(plan, `snapshot ${snapshotId} of ${table} has expired`);
  if (kind === 'not-ancestor') throw stale(plan, `${table} was rolled back behind snapshot ${snapshotId}`);
}

function requireSameWindows(plan: BackfillPlan, now: readonly PlannedWindow[]): void {
  const index = firstDifference(plan.windows, now);
  if (index === null) return;
  const { startUs, endUs } = windowAt(plan, index);
  const window = `${formatTimeUs(startUs)} to ${formatTimeUs(endUs)}`;
  throw stale(plan, `the files of ${plan.source.table} with rows of the window ${window} are others`);
}

/** The first window that reads other files, if any. */
function firstDifference(before: readonly PlannedWindow[], now: readonly PlannedWindow[]): number | null {
  const digests = new Map(now.map(({ index, digest }) => [index, digest]));
  const changed = before.find(({ index, digest }) => digests.get(index) !== digest)?.index;
  const planned = new Set(before.map(({ index }) => index));
  const added = now.find(({ index }) => !planned.has(index))?.index;
  const first = Math.min(changed ?? Number.POSITIVE_INFINITY, added ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(first) ? first : null;
}

function stale(plan: BackfillPlan, reason: string, cause?: unknown): MoraineError {
  const message = `The plan of the backfill of '${planSubject(plan)}' no longer holds: ${reason}.`;
  return new MoraineError('PLAN_STALE', message, { cause });
}
