/** Planning the backfill of a training set: everything that it reads is pinned, and its entity rows are cut into windows. */
import { checkSaveRequest, recordToJson } from '../features/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { loadTable } from '../tables/index.js';
import { type DraftRecord, draftTrainingSet, type TrainingDeps, type TrainingSetRequest } from '../training/index.js';
import { entityColumn, entitySizes, entityTable } from './entity-rows.js';
import { estimateSeconds } from './estimate.js';
import type { BackfillPlan, TrainingBackfillPlan } from './plan.js';
import { coveredWindows } from './plan-backfill.js';
import { readBackfillPlan } from './store-plan.js';
import { trainingProgress } from './training-progress.js';
import { BACKFILL_PLAN, findTrainingTable } from './training-table.js';
import { requireWindowRange, type WindowRange } from './windows.js';

export interface TrainingBackfillRequest extends WindowRange {
  readonly trainingSet: TrainingSetRequest;
  readonly order?: BackfillPlan['order'];
}

/**
 * Plans without writing anything. Work that was begun and not finished is planned as it was pinned then.
 * @throws INVALID_ARGUMENT (the range, entity rows that are in no table, a date as their time), DATASET_ALREADY_EXISTS, TABLE_ALREADY_EXISTS,
 *   and as retrieval
 */
export async function planTrainingBackfill(
  deps: TrainingDeps,
  { trainingSet, order = 'oldest-first', startUs, endUs, stepUs }: TrainingBackfillRequest,
  options: { readonly signal?: AbortSignal } = {},
): Promise<TrainingBackfillPlan> {
  const range = { startUs, endUs, stepUs };
  requireWindowRange(range);
  const table = entityTable(trainingSet);
  const { draft, entities } = await draftTrainingSet(deps, trainingSet, options);
  entityColumn(entities.schema);
  const begun = await begunPlan(deps, trainingSet, draft, range);
  if (begun !== null) return { ...begun.plan, order, ...stateOfTable(begun.metadata, begun.plan) };
  await checkSaveRequest(deps, { name: trainingSet.name, to: { table: trainingSet.to } });
  const source = await deps.loadSource(table);
  const { snapshotId = null, tableUuid = '' } = draft.entitySources.get(table) ?? {};
  const sizes = await entitySizes(source, entities.schema, snapshotId, range);
  const plan = {
    version: 1,
    trainingSet: { request: trainingSet, draft },
    ...range,
    order,
    source: { table, tableUuid, snapshotId },
    definition: draft.definitionHash,
    ...sizes,
    covered: { wholly: 0, partly: 0 },
    schedules: [],
    estimate: estimateSeconds(null, sizes.windows),
  } as const;
  // Only a table of this very work may be there.
  await findTrainingTable(deps, plan);
  return plan;
}

/** The plan that the table was begun with, if it is of the same work, and the table. */
async function begunPlan(
  deps: TrainingDeps,
  request: TrainingSetRequest,
  draft: DraftRecord,
  range: WindowRange,
): Promise<{ readonly plan: TrainingBackfillPlan; readonly metadata: TableMetadata } | null> {
  const { catalog, identifier } = await deps.resolveTarget(request.to);
  if (!(await catalog.namespaceExists(identifier.namespace)) || !(await catalog.tableExists(identifier))) return null;
  const { metadata } = await loadTable(catalog, deps.io, identifier);
  const location = metadata.properties.get(BACKFILL_PLAN);
  if (location === undefined) return null;
  const plan = await readBackfillPlan(deps.io, location);
  if (plan.trainingSet === undefined || !sameWork(plan, request, draft, range)) return null;
  return { plan, metadata };
}

/** Where the request says at which states tables are read, those have to be the same, too. */
function sameWork(
  { trainingSet, startUs, endUs, stepUs }: TrainingBackfillPlan,
  request: TrainingSetRequest,
  draft: DraftRecord,
  range: WindowRange,
): boolean {
  if (startUs !== range.startUs || endUs !== range.endUs || stepUs !== range.stepUs) return false;
  const choosesSources = request.asOf !== undefined;
  const choosesEntities = 'asOf' in request.entities;
  const work = ({ sources, entitySources, ...record }: DraftRecord) => {
    const names = [...sources.keys(), ...entitySources.keys()];
    const states = {
      sources: choosesSources ? sources : new Map(),
      entitySources: choosesEntities ? entitySources : new Map(),
    };
    return JSON.stringify([recordToJson({ ...record, ...states }), names]);
  };
  return work(trainingSet.draft) === work(draft);
}

function stateOfTable(
  metadata: TableMetadata,
  plan: TrainingBackfillPlan,
): Pick<TrainingBackfillPlan, 'covered' | 'estimate'> {
  return {
    covered: coveredWindows(trainingProgress(metadata).coverage, plan),
    estimate: estimateSeconds(metadata, plan.windows),
  };
}
