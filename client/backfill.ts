import {
  type BackfillPlan,
  planBackfill,
  planTrainingBackfill,
  requireCurrentPlan,
  requireCurrentTrainingPlan,
  storeBackfillPlan,
  storeTrainingBackfillPlan,
} from '../backfill/index.js';
import { MoraineError } from '../errors/index.js';
import { resolveSource } from '../materialization/index.js';
import { datasetDeps, materializationDeps, type Project } from '../project/index.js';
import type { EngineType } from '../reduction/index.js';
import { trainingSetRequestToJson } from '../training/index.js';
import type { BackfillProgress, BackfillResult, NewBackfill, ParsedRange } from '../workers/index.js';
import {
  type ConnectedServer,
  onRunningServer,
  onTemporal,
  type RunOptions,
  type StartedRun,
  startRunOf,
  workers,
} from './temporal-run.js';
import { type SaveTrainingSetRequest, tableTrainingSet } from './training-sets.js';

/** A range of a view or of a training set, or a plan of one. */
export interface BackfillRequest {
  readonly view?: string;
  /** A training set to make of the rows of an entity table whose event times are in the range; without `shards`. */
  readonly trainingSet?: SaveTrainingSetRequest;
  /** ISO-8601, UTC where it has no zone; the range holds its start and not its end. */
  readonly start?: string;
  readonly end?: string;
  /** Length of a window, such as `1d`; it divides the range. */
  readonly step?: string;
  readonly newestFirst?: boolean;
  /** Instead of the range. It is refused if it no longer holds. */
  readonly plan?: BackfillPlan;
  /** Windows at a time, 1 to 16; 2 unless given. */
  readonly concurrency?: number;
  /** Windows that are committed together at most. */
  readonly windowsPerCommit?: number;
  /** Reads the source of a view; unless given as the view and the project say. A training set has its own. */
  readonly engine?: EngineType;
}

export type BackfillOptions = RunOptions<BackfillProgress>;

/**
 * The plan of a backfill; a plan that is given, as it is. Nothing is started and nothing is written.
 *
 * @throws `INVALID_ARGUMENT`, `FEATURE_VIEW_NOT_FOUND`, `TABLE_NOT_FOUND`
 */
export async function planBackfillOf(project: Project, request: BackfillRequest): Promise<BackfillPlan> {
  if (request.plan !== undefined) return request.plan;
  const { order, ...parsed } = await parsedRange(request);
  if (parsed.view === undefined) return planTrainingBackfill(await datasetDeps(project), { ...parsed, order });
  const schedules = await schedulesOf(project, parsed.view);
  const deps = await materializationDeps(project);
  return planBackfill(deps, { ...parsed, order, ...(schedules === null ? {} : { schedules }) });
}

/** Ids of the schedules of a view; null: no server runs, or it does not answer. */
async function schedulesOf(project: Project, view: string): Promise<readonly string[] | null> {
  try {
    const { schedulesOfView } = await workers();
    return await onRunningServer(project, ({ client, settings }) => schedulesOfView(client, view, settings));
  } catch {
    return null;
  }
}

/**
 * Backfills a view and waits for it. It runs on the configured Temporal server and its workers; with none configured, on an own server and
 * worker that end with it.
 *
 * @throws as {@link planBackfillOf} before anything is started; `PLAN_STALE`; `TASK_QUEUE_UNPOLLED`; `RUN_FAILED` naming windows that have failed
 */
export async function backfill(
  project: Project,
  request: BackfillRequest,
  options: BackfillOptions = {},
): Promise<BackfillResult> {
  const input = await checkedInput(project, request);
  const runs = await workers();
  const wait = async (server: ConnectedServer): Promise<BackfillResult> => {
    const run = await runs.startBackfill(server, server.settings, input);
    return runs.waitForBackfill(server.client, run, { ...options, cancels: server.cancels });
  };
  return onTemporal(project, wait, options);
}

/** Starts or joins it and does not wait. @throws `TEMPORAL_UNAVAILABLE` without a configured server; otherwise as {@link backfill} */
export async function startBackfill(project: Project, request: BackfillRequest): Promise<StartedRun> {
  const runs = await workers();
  return startRunOf(project, 'a backfill', async (server) =>
    runs.startBackfill(server, server.settings, await checkedInput(project, request)),
  );
}

/** Mistakes are found here, before any server is started for them. */
async function checkedInput(project: Project, request: BackfillRequest): Promise<NewBackfill> {
  const { backfillInput, parseBackfillSettings, subjectOfPlan } = await workers();
  const { plan } = request;
  if (plan !== undefined) {
    const settings = parseBackfillSettings(request);
    const planLocation = await storeCurrentPlan(project, plan);
    return { ...backfillInput(subjectOfPlan(plan), plan, settings), planLocation };
  }
  const parsed = await parsedRange(request);
  if (parsed.view === undefined) await planTrainingBackfill(await datasetDeps(project), parsed);
  else await resolveSource(await materializationDeps(project), parsed.view);
  return backfillInput(parsed, parsed, parseBackfillSettings(request));
}

/** @throws PLAN_STALE */
async function storeCurrentPlan(project: Project, plan: BackfillPlan): Promise<string> {
  if (plan.view === undefined) {
    const deps = await datasetDeps(project);
    await requireCurrentTrainingPlan(deps, plan);
    return storeTrainingBackfillPlan(deps, plan);
  }
  const deps = await materializationDeps(project);
  await requireCurrentPlan(deps, plan);
  return storeBackfillPlan(deps, plan);
}

/** @throws INVALID_ARGUMENT */
async function parsedRange({
  trainingSet,
  ...request
}: BackfillRequest): Promise<ParsedRange & Pick<BackfillPlan, 'order'>> {
  const { parseBackfillRequest } = await workers();
  const asked =
    trainingSet === undefined ? {} : { trainingSet: trainingSetRequestToJson(tableTrainingSet(trainingSet)) };
  const parsed = parseBackfillRequest({ ...request, ...asked });
  if (parsed.plan !== undefined) throw new MoraineError('INVALID_ARGUMENT', 'Give the plan itself.');
  return { ...parsed, order: parsed.newestFirst ? 'newest-first' : 'oldest-first' };
}
