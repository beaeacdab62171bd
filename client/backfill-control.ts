/** Control of backfills: one in flight, or the failed windows of one that has ended. */
import { readBackfillPlan } from '../backfill/index.js';
import { MoraineError } from '../errors/index.js';
import type { Project } from '../project/index.js';
import type { BackfillControl } from '../workers/index.js';
import { onProjectRun } from './project-runs.js';
import { type ConnectedServer, type ServerOptions, workers } from './temporal-run.js';

/** @throws `WORKFLOW_NOT_FOUND` if this project has no such backfill in flight; `PROJECT_MISMATCH` */
export async function controlProjectBackfill(
  project: Project,
  id: string,
  control: Exclude<BackfillControl, 'retry'>,
  options: ServerOptions = {},
): Promise<void> {
  const { controlBackfill } = await workers();
  const leavesWork = control === 'resume';
  await onProjectRun(project, id, ({ client }, own) => controlBackfill(client, own, control), {
    ...options,
    leavesWork,
  });
}

/** @throws `INVALID_ARGUMENT` for a number that it does not take; otherwise as {@link controlProjectBackfill} */
export async function changeProjectBackfillConcurrency(
  project: Project,
  id: string,
  concurrency: number,
  options: ServerOptions = {},
): Promise<void> {
  const { changeBackfillConcurrency } = await workers();
  await onProjectRun(project, id, ({ client }, own) => changeBackfillConcurrency(client, own, concurrency), options);
}

/** The outcome of a request to retry. */
export interface RetriedBackfill {
  /** Whether a new backfill was started, because the earlier one had ended; one in flight retries by itself. */
  readonly started: boolean;
}

/**
 * Tries the windows again that have failed: of a backfill in flight by a signal, of one that has ended by a new one of these windows alone,
 * or of all that are not filled if it has failed so often that others were not begun.
 *
 * @throws `WORKFLOW_NOT_FOUND`, `PROJECT_MISMATCH`; `INVALID_ARGUMENT` if none has failed
 */
export function retryProjectBackfill(
  project: Project,
  id: string,
  options: ServerOptions = {},
): Promise<RetriedBackfill> {
  return onProjectRun(project, id, (server, own) => retryOn(project, server, own), options);
}

async function retryOn(project: Project, server: ConnectedServer, id: string): Promise<RetriedBackfill> {
  const { backfillInput, controlBackfill, failedSegments, parseBackfillSettings, ...runs } = await workers();
  const failed = await failedSegments(server.client, id);
  if (failed === null) {
    await controlBackfill(server.client, id, 'retry');
    return { started: false };
  }
  const { planLocation, segments, isCut, settings } = failed;
  if (segments.length === 0) throw new MoraineError('INVALID_ARGUMENT', `No window of the backfill ${id} has failed.`);
  const plan = await readBackfillPlan(project.io, planLocation);
  const input = {
    ...backfillInput(runs.subjectOfPlan(plan), plan, parseBackfillSettings(settings)),
    planLocation,
    isRetry: true,
    // Of all windows of the plan, those that are filled already take a look each.
    ...(isCut ? {} : { only: segments }),
  };
  await runs.startBackfill(server, { ...server.settings, project: await project.identity() }, input);
  return { started: true };
}
