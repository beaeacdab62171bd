/** Whether a plan is still what would be planned: asked before it is applied. */
import { formatTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { type MaterializationDeps, resolveSource, sourceState } from '../materialization/index.js';
import type { Table } from '../tables/index.js';
import type { BackfillPlan, PlannedWindow } from './plan.js';
import { definitionDigest, sourceSizes } from './plan-backfill.js';
import { windowAt } from './windows.js';

/**
 * Rows that were appended to other times do not matter.
 * @throws PLAN_STALE naming what has changed; FEATURE_VIEW_NOT_FOUND, TABLE_NOT_FOUND
 */
export async function requireCurrentPlan(deps: MaterializationDeps, plan: BackfillPlan): Promise<void> {
  const { view, source } = await resolveSource(deps, plan.view);
  if (definitionDigest(view) !== plan.definition) {
    throw stale(plan, `the definition of '${plan.view}' has changed`);
  }
  requireSameLineage(plan, source);
  const { windows } = await sourceSizes(view, source, plan);
  const index = firstDifference(plan.windows, windows);
  if (index === null) return;
  const { startUs, endUs } = windowAt(plan, index);
  const window = `${formatTimeUs(startUs)} to ${formatTimeUs(endUs)}`;
  throw stale(plan, `the files of ${plan.source.table} with rows of the window ${window} are others`);
}

function requireSameLineage(plan: BackfillPlan, { metadata }: Table): void {
  const { table, tableUuid, snapshotId } = plan.source;
  if (metadata.tableUuid !== tableUuid) throw stale(plan, `${table} was dropped and created again`);
  if (snapshotId === null) return;
  const { kind } = sourceState(table, metadata).standing(snapshotId);
  if (kind === 'expired') throw stale(plan, `snapshot ${snapshotId} of ${table} has expired`);
  if (kind === 'not-ancestor') throw stale(plan, `${table} was rolled back behind snapshot ${snapshotId}`);
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

function stale(plan: BackfillPlan, reason: string): MoraineError {
  return new MoraineError('PLAN_STALE', `The plan of the backfill of '${plan.view}' no longer holds: ${reason}.`);
}
