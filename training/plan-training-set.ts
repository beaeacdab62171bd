/** Planning a training set: pins the definitions and the state of every table that is read, and stores all of it as one file. */
import { randomUUID } from 'node:crypto';
import { ensureNamespace } from '../catalogs/index.js';
import {
  checkSaveRequest,
  committedRecord,
  datasetTag,
  ensureDatasetTable,
  findDatasetTable,
  getHistoricalFeatures,
  pinSnapshots,
  recipeHash,
  saveKey,
} from '../features/index.js';
import { requireVersionTwoTypes } from '../iceberg/index.js';
import type { TrainingDeps } from './deps.js';
import { noRowsOf, type PinnedEntities, pinEntities } from './entity-reference.js';
import { shardColumns, shardsOfEntityRows } from './entity-shards.js';
import { faultPoint } from './fault-points.js';
import { type DraftRecord, readPlan, writePlan } from './plan.js';
import { planReduction } from './plan-reduction.js';
import type { TrainingSetRequest } from './training-set-request.js';

/** A plan, by reference. */
export interface PlannedTrainingSet {
  readonly planLocation: string;
  readonly shards: number;
  /** Parts that read the sources before the shards; 0: the shards read them themselves. */
  readonly parts: number;
  /** Numbers of those that end far sooner than the largest one; null: nothing says how long any takes. */
  readonly smallParts: readonly number[] | null;
  /** As the source of the entity rows counts them. */
  readonly entityRows: bigint;
  /** Source tables, by name. */
  readonly sources: readonly string[];
  /** Whether the source snapshots are to be tagged. */
  readonly pin: boolean;
}

/** A training set that can be planned, and what it will be. */
export interface CheckedTrainingSet {
  readonly draft: DraftRecord;
  readonly key: string;
  readonly entities: PinnedEntities;
}

/**
 * Finds everything that is wrong with a request before anything is computed or written: the retrieval is run on the columns of the
 * entity rows, without rows.
 * @throws DATASET_ALREADY_EXISTS, TABLE_ALREADY_EXISTS, SCHEMA_INVALID, and as retrieval
 */
export async function checkTrainingSet(
  deps: TrainingDeps,
  request: TrainingSetRequest,
  options: { readonly signal?: AbortSignal } = {},
): Promise<CheckedTrainingSet> {
  const { name, to, pin } = request;
  await checkSaveRequest(deps, { name, to: { table: to }, pin });
  const { draft, entities } = await draftTrainingSet(deps, request, options);
  const key = saveKey(draft);
  await findDatasetTable(deps.io, await deps.resolveTarget(to), key);
  return { draft, key, entities };
}

/**
 * The plan of a training set, with the state of every table that it reads as it is now; whether it may be saved is not checked.
 * @throws SCHEMA_INVALID, and as retrieval
 */
export async function draftTrainingSet(
  deps: TrainingDeps,
  request: TrainingSetRequest,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Pick<CheckedTrainingSet, 'draft' | 'entities'>> {
  const { name, to, pin, features, service, fullFeatureNames, knownAsOf, asOf } = request;
  const entities = await pinEntities(deps, request.entities);
  const retrieval = {
    ...(features === undefined ? {} : { features }),
    ...(service === undefined ? {} : { service }),
    ...(asOf === undefined ? {} : { asOf }),
    fullFeatureNames,
    knownAsOf,
    entities: { open: () => Promise.resolve(noRowsOf(entities.schema)) },
    ...options,
  };
  const draft = await getHistoricalFeatures(deps, retrieval, ({ schema, recipe, sources }) =>
    Promise.resolve({
      name,
      recipe,
      definitionHash: recipeHash(recipe),
      sources,
      entitySources: entities.sources,
      schema,
      rows: 0n,
      digest: '',
      location: { table: to, snapshotId: 0n },
      tag: pin ? datasetTag(name) : null,
    }),
  );
  requireVersionTwoTypes(draft.schema);
  return { draft, entities };
}

/**
 * Plans a training set. Every attempt makes a plan of its own.
 * @param options `spread`: the number of shards that workers could share
 * @throws as {@link checkTrainingSet}
 */
export async function planTrainingSet(
  deps: TrainingDeps,
  request: TrainingSetRequest,
  options: { readonly signal?: AbortSignal; readonly spread?: number | undefined } = {},
): Promise<PlannedTrainingSet> {
  const { draft, key, entities } = await checkTrainingSet(deps, request, options);
  const target = await deps.resolveTarget(request.to);
  await ensureNamespace(target.catalog, target.identifier.namespace);
  const found = await findDatasetTable(deps.io, target, key);
  // Where files are written must be known, so that the table is made before its rows.
  const isMadeFirst = found === null && target.catalog.decidesLocations === true;
  const made = isMadeFirst ? await ensureDatasetTable(deps.io, target, key, { schema: draft.schema }) : found;
  const isCommitted = made !== null && committedRecord(made, key) !== null;
  const sizing = { shards: request.shards, spread: options.spread, memoryLimitBytes: deps.engine.memoryLimitBytes };
  const shards = isCommitted ? 0 : shardsOfEntityRows(entities.rows, sizing);
  const split = await planReduction(deps, draft, entities, { shards, engine: request.engine });
  const planLocation = await writePlan(deps.io, {
    draft,
    key,
    attempt: randomUUID(),
    location: made?.metadata.location ?? (await target.catalog.newTableLocation(target.identifier)),
    entities: request.entities,
    shardColumns: split?.shardColumns ?? shardColumns(draft),
    shards,
    engine: request.engine,
    reduction: split?.reduction ?? null,
  });
  faultPoint('training-planned');
  return {
    planLocation,
    shards,
    parts: split?.reduction.parts.length ?? 0,
    smallParts: split?.smallParts ?? null,
    entityRows: entities.rows,
    sources: [...draft.sources.keys()],
    pin: request.pin,
  };
}

/** Tags the source snapshots of a plan, if it asks for that. @throws SNAPSHOT_EXPIRED, UNSUPPORTED_FEATURE, COMMIT_CONFLICT */
export async function pinTrainingSet(deps: TrainingDeps, planLocation: string): Promise<void> {
  const { draft } = await readPlan(deps.io, planLocation);
  if (draft.tag !== null) await pinSnapshots((name) => deps.loadSource(name), draft.sources, draft.tag);
}
