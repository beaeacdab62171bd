/** Plans on storage, beside the metadata of the table that is filled, where every worker reads them. */
import { createHash } from 'node:crypto';
import { ensureNamespace, metadataFolder } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { pinSnapshots } from '../features/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { type MaterializationDeps, resolveSource } from '../materialization/index.js';
import { ensureOnlineTable } from '../online/index.js';
import type { FileIO } from '../storage/index.js';
import { stagedTable, type TrainingDeps } from '../training/index.js';
import {
  type BackfillPlan,
  parseBackfillPlan,
  planToText,
  type TrainingBackfillPlan,
  type ViewBackfillPlan,
} from './plan.js';
import { findTrainingTable, keepFirstPlan, makeTrainingTable } from './training-table.js';
import { recordIfComplete } from './training-windows.js';

const MAX_PLAN_BYTES = 256 * 2 ** 20;
const NAME = /\/moraine-backfill-[0-9a-f]{16}\.json$/;

/** Stores a plan under a name that its content decides. @returns its location */
export async function storeBackfillPlan(deps: MaterializationDeps, plan: ViewBackfillPlan): Promise<string> {
  const { view, source } = await resolveSource(deps, plan.view);
  const { metadata } = await ensureOnlineTable(deps, view, source);
  return store(deps.io, plan, metadata);
}

/**
 * The same for a training set: tags what it reads if it asks for that, and makes its table. Everything may be repeated.
 * @throws TABLE_ALREADY_EXISTS, SNAPSHOT_EXPIRED, DATASET_ALREADY_EXISTS
 */
export async function storeTrainingBackfillPlan(deps: TrainingDeps, plan: TrainingBackfillPlan): Promise<string> {
  const { draft } = plan.trainingSet;
  if (draft.tag !== null) await pinSnapshots((name) => deps.loadSource(name), draft.sources, draft.tag);
  const { catalog, identifier } = await deps.resolveTarget(draft.location.table);
  const isMadeFirst = catalog.decidesLocations === true;
  const made = (await findTrainingTable(deps, plan)) ?? (isMadeFirst ? await makeTrainingTable(deps, plan) : null);
  if (made !== null) {
    await recordIfComplete(deps, made);
    const planLocation = await store(deps.io, plan, made.metadata);
    if (isMadeFirst) await keepFirstPlan(made, planLocation);
    return planLocation;
  }
  await ensureNamespace(catalog, identifier.namespace);
  const location = await catalog.newTableLocation(identifier);
  const planLocation = await store(deps.io, plan, stagedTable(deps.io, { draft, location }).metadata);
  const { metadata } = await makeTrainingTable(deps, plan, { location, planLocation });
  // Another one may have made it meanwhile, elsewhere.
  return store(deps.io, plan, metadata);
}

async function store(io: FileIO, plan: BackfillPlan, metadata: TableMetadata): Promise<string> {
  const text = planToText(plan);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const location = `${metadataFolder(metadata)}/moraine-backfill-${hash}.json`;
  await io.create(location, Buffer.from(text)).catch((error: unknown) => {
    if (!isMoraineError(error, 'FILE_ALREADY_EXISTS')) throw error;
  });
  return location;
}

/** @throws INVALID_ARGUMENT for a location or a file that is not a plan; FILE_NOT_FOUND */
export async function readBackfillPlan(io: FileIO, location: string): Promise<BackfillPlan> {
  if (!NAME.test(location)) {
    const message = `${JSON.stringify(location)} is not a stored plan of a backfill; \`moraine backfill --apply FILE\` stores one.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const bytes = await io.read(location, { maxBytes: MAX_PLAN_BYTES });
  return parseBackfillPlan(new TextDecoder().decode(bytes), location);
}
