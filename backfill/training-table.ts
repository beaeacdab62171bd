/** The table that the backfill of a training set fills: made with the plan, and found again by its key. */
import { createHash } from 'node:crypto';
import { formatTableName } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import { ensureDatasetTable, findDatasetTable, saveKey } from '../features/index.js';
import { commitUpdates, type Table } from '../tables/index.js';
import type { TrainingDeps } from '../training/index.js';
import type { TrainingBackfillPlan } from './plan.js';

/** Property of the table: location of the plan that it was begun with. Who goes on with it reads what that has pinned. */
export const BACKFILL_PLAN = 'moraine.backfill-plan';

/** Equal for the same windows of the same save, and for no save that is not a backfill. */
export function trainingKey({ trainingSet, startUs, endUs, stepUs }: TrainingBackfillPlan): string {
  const work = [saveKey(trainingSet.draft), ...[startUs, endUs, stepUs].map(String)];
  return createHash('sha256').update(JSON.stringify(work)).digest('hex');
}

/** Null: it was not made yet. @throws TABLE_ALREADY_EXISTS for a table of other work */
export async function findTrainingTable(deps: TrainingDeps, plan: TrainingBackfillPlan): Promise<Table | null> {
  const target = await deps.resolveTarget(plan.trainingSet.draft.location.table);
  return findDatasetTable(deps.io, target, trainingKey(plan));
}

/** @throws TABLE_NOT_FOUND if it was dropped; TABLE_ALREADY_EXISTS for a table of other work */
export async function loadTrainingTable(deps: TrainingDeps, plan: TrainingBackfillPlan): Promise<Table> {
  const table = await findTrainingTable(deps, plan);
  if (table !== null) return table;
  const { identifier } = await deps.resolveTarget(plan.trainingSet.draft.location.table);
  const message = `The table ${formatTableName(identifier)} of the training set was dropped. Begin the backfill anew.`;
  throw new MoraineError('TABLE_NOT_FOUND', message);
}

/** @param begin where the table goes, and the plan that it is begun with, unless the catalog decides where it goes */
export async function makeTrainingTable(
  deps: TrainingDeps,
  plan: TrainingBackfillPlan,
  begin?: { readonly location: string; readonly planLocation: string },
): Promise<Table> {
  const { draft } = plan.trainingSet;
  const target = await deps.resolveTarget(draft.location.table);
  const place =
    begin === undefined ? {} : { location: begin.location, properties: new Map([[BACKFILL_PLAN, begin.planLocation]]) };
  return ensureDatasetTable(deps.io, target, trainingKey(plan), { schema: draft.schema, ...place });
}

/** Keeps which plan a table was begun with that was made before it. */
export async function keepFirstPlan(table: Table, planLocation: string): Promise<void> {
  await commitUpdates(table, ({ properties }) =>
    properties.has(BACKFILL_PLAN)
      ? null
      : [{ action: 'set-properties', updates: new Map([[BACKFILL_PLAN, planLocation]]) }],
  );
}
