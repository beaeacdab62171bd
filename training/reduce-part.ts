/** One part of a training set: some files of the entity rows or of a view's source, read once, their rows staged for the shards. */
import { randomUUID } from 'node:crypto';
import type { Connection } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import {
  openReducedView,
  openViewOnTrino,
  plannedView,
  recordedDeps,
  recordedRequest,
  reducedViewSchema,
} from '../features/index.js';
import type { Schema } from '../iceberg/index.js';
import {
  listReducedRows,
  type ReduceContext,
  reducedLocation,
  reducedTableMetadata,
  type StagedReduction,
  stageReducedRows,
} from '../reduction/index.js';
import { type OpenFiles, whileReading } from '../scans/index.js';
import type { TrainingDeps } from './deps.js';
import { pinEntities } from './entity-reference.js';
import { type PlannedPart, readPlan, type TrainingSetPlan } from './plan.js';
import { reducedEntitiesSql, reducedEntitySchema } from './reduced-entities.js';

/**
 * Reads the files of one part and stages, by shard, the entity rows, or the rows that are in reach of their times; or has Trino find the rows of a
 * view that may win for some entity row, and stages those by shard. May be repeated, killed and run
 * twice at once: every attempt has names of its own, and only the list that the shards are told of counts.
 * @throws INVALID_ARGUMENT for a part that the plan does not have; SNAPSHOT_EXPIRED, TABLE_REPLACED, ENGINE_OUT_OF_MEMORY, CANCELLED, and
 *   as `TrinoEngine.reduce`
 */
export async function reduceTrainingPart(
  deps: TrainingDeps,
  planLocation: string,
  part: number,
  options: ReduceContext = {},
): Promise<StagedReduction> {
  const plan = await readPlan(deps.io, planLocation);
  const planned = plan.reduction?.parts[part];
  if (planned === undefined) {
    const parts = plan.reduction?.parts.length ?? 0;
    throw new MoraineError('INVALID_ARGUMENT', `The plan ${planLocation} has ${parts} parts and no number ${part}.`);
  }
  const input =
    planned.view === null ? await entitiesOfPart(deps, plan, planned) : await viewOfPart(deps, plan, planned);
  const table = { io: deps.io, metadata: reducedTableMetadata(input.schema, plan.location) };
  const attempt = `${part}-${randomUUID()}`;
  const namePrefix = `${reducedFilePrefix(plan)}${attempt}`;
  const files = await deps.engine.withConnection(
    async (connection) => {
      const { opened, select, release } = await input.open(connection, options);
      try {
        return await whileReading(connection, opened, () =>
          stageReducedRows(connection, table, { select, namePrefix }),
        );
      } finally {
        await release?.();
      }
    },
    { signal: options.signal },
  );
  return await listReducedRows(table, reducedLocation(planLocation, attempt), files);
}

/** The rows that a part reads. */
interface PartInput {
  /** Columns that it stages. */
  readonly schema: Schema;
  open(connection: Connection, context: ReduceContext): Promise<OpenedInput>;
}

interface OpenedInput {
  readonly opened: readonly OpenFiles[];
  readonly select: string;
  /** Drops what was staged for it. */
  readonly release?: () => Promise<void>;
}

/** The beginning of the names of a plan's files of reduced rows: discarding the plan finds its attempt in it. */
export const reducedFilePrefix = ({ attempt }: Pick<TrainingSetPlan, 'attempt'>): string => `${attempt}-reduced-`;

async function entitiesOfPart(deps: TrainingDeps, plan: TrainingSetPlan, { files }: PlannedPart): Promise<PartInput> {
  const pinned = await pinEntities(deps, plan.entities, plan.draft.entitySources);
  return {
    schema: reducedEntitySchema(pinned.schema),
    open: async (connection) => {
      const entities = await pinned.open(connection, { files: new Set(files) });
      return { opened: [], select: reducedEntitiesSql(entities, plan.shardColumns, plan.shards) };
    },
  };
}

async function viewOfPart(deps: TrainingDeps, plan: TrainingSetPlan, part: PlannedPart): Promise<PartInput> {
  const { draft, reduction, entities: reference } = plan;
  const pinned = await pinEntities(deps, reference, draft.entitySources);
  const frame = { columns: pinned.schema.fields, timesUs: reduction?.timesUs ?? undefined };
  const planned = { alias: part.view ?? '', engine: part.engine };
  const view = await plannedView(recordedDeps(deps, draft), recordedRequest(draft), frame, planned);
  const wanted = new Set(part.files);
  const files = view?.plan.files.filter(({ file }) => wanted.has(file.filePath)) ?? [];
  if (view === undefined || files.length !== wanted.size) {
    throw new MoraineError('INTERNAL', `Files of view '${part.view}' that were planned are not found.`);
  }
  const split = { shards: plan.shards, columns: plan.shardColumns };
  const schema = reducedViewSchema(view);
  if (part.engine === 'duckdb') {
    const own = { ...view, plan: { ...view.plan, files } };
    return { schema, open: (connection) => openReducedView(connection, own, split) };
  }
  const { engines, engine } = deps;
  return {
    schema,
    open: async (session, context) => {
      const asked = { ...context, session, memoryLimitBytes: engine.memoryLimitBytes, engines };
      return await openViewOnTrino(asked, view, await pinned.open(session), split);
    },
  };
}
