/** Cleaning up after a training set that was cancelled or has failed. */
import { basename } from 'node:path';
import { isMoraineError } from '../errors/index.js';
import { dropUnrecorded, unpinUnrecorded } from '../features/index.js';
import { listFiles } from '../storage/index.js';
import type { TrainingDeps } from './deps.js';
import { readPlan, type TrainingSetPlan } from './plan.js';
import { deleteStagedEntities } from './staged-entities.js';

/**
 * Takes back what was made for a plan: the table, the tags, the files. All of it stays if the dataset is recorded, or its rows are
 * committed so that an equal save would record it; so does what others have made. May be repeated. Not for a commit whose outcome is
 * unknown.
 */
export async function discardTrainingSet(deps: TrainingDeps, planLocation: string): Promise<void> {
  const plan = await planIfThere(deps, planLocation);
  if (plan === null) return;
  const { draft, key } = plan;
  const { name, tag, location } = draft;
  if ((await dropUnrecorded(deps, await deps.resolveTarget(location.table), draft, key)) === 'kept') return;
  if (tag !== null) await unpinUnrecorded(deps, name, draft.sources);
  if ('staged' in plan.entities) await deleteStagedEntities(deps.io, plan.entities.staged).catch(() => undefined);
  // The plan goes last: whoever repeats this still finds it.
  for (const file of await stagedFiles(deps, plan)) if (file !== planLocation) await deps.io.delete(file);
  await deps.io.delete(planLocation);
}

async function planIfThere(deps: TrainingDeps, planLocation: string): Promise<TrainingSetPlan | null> {
  try {
    return await readPlan(deps.io, planLocation);
  } catch (error) {
    if (isMoraineError(error, 'FILE_NOT_FOUND')) return null;
    throw error;
  }
}

/** Every file that was made for the plan: its attempt is in their names, which those of folders say nothing about. */
async function stagedFiles({ io }: TrainingDeps, { location, attempt }: TrainingSetPlan): Promise<readonly string[]> {
  const files: string[] = [];
  for await (const file of listFiles(io, location))
    if (basename(file.location).includes(attempt)) files.push(file.location);
  return files;
}
