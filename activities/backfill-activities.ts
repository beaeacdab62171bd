import { Context } from '@temporalio/activity';
import {
  type BackfillPlan,
  planBackfill,
  planSummary,
  planTrainingBackfill,
  readBackfillPlan,
  requireCurrentPlan,
  requireCurrentTrainingPlan,
  segmentPage,
  stageSegment,
  storeBackfillPlan,
  storeTrainingBackfillPlan,
} from '../backfill/index.js';
import { findFeatureView } from '../features/index.js';
import { commitWindows, materializeDirect } from '../materialization/index.js';
import { datasetDeps, materializationDeps, type Project } from '../project/index.js';
import { parseTrainingSetRequest } from '../training/index.js';
import type {
  BackfillActivities,
  BackfillRunInput,
  PlanBackfillInput,
  PlannedBackfill,
  StageWindowInput,
} from './backfill-contract.js';
import { type ParsedBackfill, parseBackfillRequest } from './backfill-request.js';
import { leaseBackfillPlan } from './lease-backfill-plan.js';
import { hasSearchAttributes } from './search-attributes.js';
import {
  backfillInput,
  backfillOutcome,
  changeBackfillConcurrency,
  startBackfillRun,
  subjectOfPlan,
} from './start-backfill.js';
import { asActivity } from './step.js';
import { createTrainingWindowActivities } from './training-window-activities.js';
import { schedulesOfView } from './view-schedules.js';
import { yieldToRuns } from './yield-to-runs.js';

/** The activities of backfills. */
export function createBackfillActivities(project: Project): BackfillActivities {
  return {
    requestBackfill: ({ request, replyTo }) =>
      asActivity(async () => {
        const { client, info } = Context.current();
        const parsed = parseBackfillRequest(request);
        const searchAttributes = await hasSearchAttributes(client.connection, info.namespace);
        const input = { ...(await runInput(project, parsed)), searchAttributes };
        const { taskQueue } = info;
        return startBackfillRun(client, input, { taskQueue, project: await project.identity(), replyTo });
      }),

    backfillOutcome: (run) => asActivity(() => backfillOutcome(Context.current().client, run)),

    changeBackfillConcurrency: ({ run, windows }) =>
      asActivity(() => changeBackfillConcurrency(Context.current().client, run, windows)),

    planBackfill: (input) =>
      asActivity(async () => {
        const { planLocation } = input;
        if (planLocation === undefined) return planAnew(project, input);
        await project.reach(filledTable(project, input.view, input.trainingSet), planLocation);
        const plan = await readBackfillPlan(project.io, planLocation);
        if (input.isRetry !== true) await requireCurrent(project, plan);
        return plannedJson(project, plan, planLocation);
      }),

    readSegments: ({ planLocation, cursor, limit }) =>
      asActivity(async () => {
        const plan = await readBackfillPlan(project.io, planLocation);
        const page = segmentPage(plan, cursor, limit);
        if (page.next !== null) await leaseBackfillPlan(project, plan, planLocation);
        return { segments: page.segments.map(({ first, last }) => [first, last] as const), next: page.next };
      }),

    ...createTrainingWindowActivities(project),

    stageWindow: (window) =>
      asActivity(async (step) => {
        const staged = await stageSegment(await materializationDeps(project), windowFromJson(window), step);
        if (staged.kind !== 'staged') return staged;
        const { rows, files, bytes } = staged;
        return { kind: 'staged', ...staged.window, rows: String(rows), files, bytes: String(bytes) };
      }),

    commitWindows: ({ view, windows: staged }) =>
      asActivity(async ({ signal }) => {
        await yieldToRuns(Context.current().client, { view, project: await project.identity() }, signal);
        const { snapshotId, outcomes } = await commitWindows(await materializationDeps(project), staged);
        return { snapshotId: snapshotId === null ? null : String(snapshotId), outcomes };
      }),

    runWindowAlone: (window) =>
      asActivity(async (step) => {
        const request = { ...windowFromJson(window), isBackfill: true };
        const { commit } = await materializeDirect(await materializationDeps(project), request, step);
        return { snapshotId: commit === null ? null : String(commit.snapshotId), rows: String(commit?.rows ?? 0n) };
      }),
  };
}

const windowFromJson = ({ startUs, endUs, ...rest }: StageWindowInput) => ({
  ...rest,
  startUs: BigInt(startUs),
  endUs: BigInt(endUs),
});

/** The input of a run: a stored plan says itself of what it is. */
async function runInput(project: Project, parsed: ParsedBackfill): Promise<Omit<BackfillRunInput, 'searchAttributes'>> {
  if (parsed.plan !== undefined) {
    const plan = await readBackfillPlan(project.io, parsed.plan);
    return { ...backfillInput(subjectOfPlan(plan), plan, parsed), planLocation: parsed.plan };
  }
  const order = parsed.newestFirst ? 'newest-first' : 'oldest-first';
  const input = backfillInput(parsed, { ...parsed, order }, parsed);
  if (parsed.view === undefined) return input;
  const { definitions } = await (await project.registry()).read();
  findFeatureView(definitions, parsed.view);
  return input;
}

async function planAnew(project: Project, input: PlanBackfillInput): Promise<PlannedBackfill> {
  const { view, trainingSet, startUs, endUs, stepUs, newestFirst } = input;
  const range = { startUs: BigInt(startUs), endUs: BigInt(endUs), stepUs: BigInt(stepUs) };
  const order = newestFirst ? ('newest-first' as const) : ('oldest-first' as const);
  if (view === undefined) {
    const deps = await datasetDeps(project);
    const request = { trainingSet: parseTrainingSetRequest(trainingSet), ...range, order };
    const plan = await planTrainingBackfill(deps, request);
    return plannedJson(project, plan, await storeTrainingBackfillPlan(deps, plan));
  }
  const deps = await materializationDeps(project);
  const { client, info } = Context.current();
  const schedules = await schedulesOfView(client, view, {
    project: await project.identity(),
    taskQueue: info.taskQueue,
  });
  const plan = await planBackfill(deps, { view, ...range, order, schedules });
  return plannedJson(project, plan, await storeBackfillPlan(deps, plan));
}

async function requireCurrent(project: Project, plan: BackfillPlan): Promise<void> {
  if (plan.view === undefined) await requireCurrentTrainingPlan(await datasetDeps(project), plan);
  else await requireCurrentPlan(await materializationDeps(project), plan);
}

/** The table that a backfill fills: the view's online table, or the table of the training set. */
function filledTable(project: Project, view: string | undefined, trainingSet: unknown): string {
  if (view !== undefined) return `${project.config.online.namespace}.${view}`;
  return parseTrainingSetRequest(trainingSet).to;
}

function plannedJson(project: Project, plan: BackfillPlan, planLocation: string): PlannedBackfill {
  const { windows, windowsWithRows, files, rows, bytes } = planSummary(plan);
  return {
    planLocation,
    sourceTable: plan.source.table,
    onlineTable: filledTable(project, plan.view, plan.trainingSet?.request),
    windows,
    windowsWithRows,
    sourceFiles: files,
    sourceRows: String(rows),
    sourceBytes: String(bytes),
    windowsCovered: plan.covered.wholly + plan.covered.partly,
    schedules: plan.schedules ?? [],
    estimatedSeconds: plan.estimate.seconds,
    estimateBasis: plan.estimate.basis,
  };
}
