/** One part of a training set: some files of a view's source, read once, their rows staged for the shards. */
import { randomUUID } from 'node:crypto';
import { MoraineError } from '../errors/index.js';
import {
  openReducedView,
  type ReducibleView,
  recordedDeps,
  recordedRequest,
  reducedViewSchema,
  reducibleViews,
} from '../features/index.js';
import {
  listReducedRows,
  reducedLocation,
  reducedTableMetadata,
  type StagedReduction,
  stageReducedRows,
} from '../reduction/index.js';
import { whileReading } from '../scans/index.js';
import type { TrainingDeps } from './deps.js';
import { pinEntities } from './entity-reference.js';
import { type PlannedPart, readPlan, type TrainingSetPlan } from './plan.js';

/**
 * Reads the files of one part and stages, by shard, the rows that are in reach of the entity rows' times. May be repeated, killed and run
 * twice at once: every attempt has names of its own, and only the list that the shards are told of counts.
 * @throws INVALID_ARGUMENT for a part that the plan does not have; SNAPSHOT_EXPIRED, TABLE_REPLACED, ENGINE_OUT_OF_MEMORY, CANCELLED
 */
export async function reduceTrainingPart(
  deps: TrainingDeps,
  planLocation: string,
  part: number,
  options: { readonly signal?: AbortSignal } = {},
): Promise<StagedReduction> {
  const plan = await readPlan(deps.io, planLocation);
  const planned = plan.reduction?.parts[part];
  if (planned === undefined) {
    const parts = plan.reduction?.parts.length ?? 0;
    throw new MoraineError('INVALID_ARGUMENT', `The plan ${planLocation} has ${parts} parts and no number ${part}.`);
  }
  const view = await viewOfPart(deps, plan, planned);
  const table = { io: deps.io, metadata: reducedTableMetadata(reducedViewSchema(view), plan.location) };
  const attempt = `${part}-${randomUUID()}`;
  const namePrefix = `${reducedFilePrefix(plan)}${attempt}`;
  const files = await deps.engine.withConnection(
    async (connection) => {
      const split = { shards: plan.shards, columns: plan.shardColumns };
      const { opened, select } = await openReducedView(connection, view, split);
      return await whileReading(connection, [opened], () =>
        stageReducedRows(connection, table, { select, namePrefix }),
      );
    },
    { signal: options.signal },
  );
  return await listReducedRows(table, reducedLocation(planLocation, attempt), files);
}

/** The beginning of the names of a plan's files of reduced rows: discarding the plan finds its attempt in it. */
export const reducedFilePrefix = ({ attempt }: Pick<TrainingSetPlan, 'attempt'>): string => `${attempt}-reduced-`;

/** The view of a part, with the files of that alone. */
async function viewOfPart(deps: TrainingDeps, plan: TrainingSetPlan, part: PlannedPart): Promise<ReducibleView> {
  const { draft, reduction, engine, entities: reference } = plan;
  const { schema } = await pinEntities(deps, reference, draft.entitySources);
  const frame = { columns: schema.fields, timesUs: reduction?.timesUs ?? undefined };
  const { views } = await reducibleViews(recordedDeps(deps, draft), { ...recordedRequest(draft), engine }, frame);
  const view = views.find(({ alias }) => alias === part.view);
  const wanted = new Set(part.files);
  const files = view?.plan.files.filter(({ file }) => wanted.has(file.filePath)) ?? [];
  if (view === undefined || files.length !== wanted.size) {
    throw new MoraineError('INTERNAL', `Files of view '${part.view}' that were planned are not found.`);
  }
  return { ...view, plan: { ...view.plan, files } };
}
