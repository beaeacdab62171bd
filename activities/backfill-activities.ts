import { Context } from '@temporalio/activity';
import {
  type BackfillPlan,
  planBackfill,
  planSummary,
  readBackfillPlan,
  requireCurrentPlan,
  segmentPage,
  stageSegment,
  storeBackfillPlan,
} from '../backfill/index.js';
import { MoraineError } from '../errors/index.js';
import { commitWindows, materializeDirect } from '../materialization/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import type { BackfillActivities, BackfillRunInput, PlannedBackfill } from './backfill-contract.js';
import { type ParsedBackfill, parseBackfillRequest } from './backfill-request.js';
import { leaseBackfillPlan } from './lease-backfill-plan.js';
import { hasSearchAttributes } from './search-attributes.js';
import { Slots } from './slots.js';
import { backfillOutcome, startBackfillRun } from './start-backfill.js';
import { asActivity } from './step.js';
import { schedulesOfView } from './view-schedules.js';
import { yieldToRuns } from './yield-to-runs.js';

/** The activities of backfills. */
export function createBackfillActivities(project: Project): BackfillActivities {
  // Fewer than runs of schedules and people may have, so that a backfill never has all of a worker.
  const windows = new Slots(Math.max(1, project.config.worker.heavyActivities - 1));
  return {
    requestBackfill: ({ request, replyTo }) =>
      asActivity(async () => {
        const { client, info } = Context.current();
        const parsed = parseBackfillRequest(request);
        const searchAttributes = await hasSearchAttributes(client.connection, info.namespace);
        const input = { ...(await runInput(project, parsed)), searchAttributes };
        return startBackfillRun(client, input, { taskQueue: info.taskQueue, replyTo });
      }),

    backfillOutcome: (run) => asActivity(() => backfillOutcome(Context.current().client, run)),

    planBackfill: ({ view, startUs, endUs, stepUs, newestFirst, planLocation, isRetry }) =>
      asActivity(async () => {
        const deps = await materializationDeps(project);
        if (planLocation !== undefined) {
          const plan = await readBackfillPlan(project.io, planLocation);
          if (isRetry !== true) await requireCurrentPlan(deps, plan);
          return plannedJson(project, plan, planLocation);
        }
        const range = { startUs: BigInt(startUs), endUs: BigInt(endUs), stepUs: BigInt(stepUs) };
        const order = newestFirst ? ('newest-first' as const) : ('oldest-first' as const);
        const schedules = await schedulesOfView(Context.current().client, view);
        const plan = await planBackfill(deps, { view, ...range, order, schedules });
        return plannedJson(project, plan, await storeBackfillPlan(deps, plan));
      }),

    readSegments: ({ planLocation, cursor, limit }) =>
      asActivity(async () => {
        const plan = await readBackfillPlan(project.io, planLocation);
        const page = segmentPage(plan, cursor, limit);
        if (page.next !== null) await leaseBackfillPlan(await materializationDeps(project), plan.view, planLocation);
        return { segments: page.segments.map(({ first, last }) => [first, last] as const), next: page.next };
      }),

    stageWindow: (window) =>
      asActivity(({ signal }) =>
        windows.run(signal, async () => {
          const staged = await stageSegment(await materializationDeps(project), windowFromJson(window), { signal });
          if (staged.kind !== 'staged') return staged;
          const { rows, files, bytes } = staged;
          return { kind: 'staged', ...staged.window, rows: String(rows), files, bytes: String(bytes) };
        }),
      ),

    commitWindows: ({ view, windows: staged }) =>
      asActivity(async ({ signal }) => {
        await yieldToRuns(Context.current().client, view, signal);
        const { snapshotId, outcomes } = await commitWindows(await materializationDeps(project), staged);
        return { snapshotId: snapshotId === null ? null : String(snapshotId), outcomes };
      }),

    runWindowAlone: (window) =>
      asActivity(async ({ signal }) => {
        const request = { ...windowFromJson(window), isBackfill: true };
        const { commit } = await materializeDirect(await materializationDeps(project), request, { signal });
        return { snapshotId: commit === null ? null : String(commit.snapshotId), rows: String(commit?.rows ?? 0n) };
      }),
  };
}

const windowFromJson = ({ view, startUs, endUs }: { view: string; startUs: string; endUs: string }) => ({
  view,
  startUs: BigInt(startUs),
  endUs: BigInt(endUs),
});

/** The input of a run: a stored plan says itself of what it is. */
async function runInput(project: Project, parsed: ParsedBackfill): Promise<Omit<BackfillRunInput, 'searchAttributes'>> {
  const { concurrency, windowsPerCommit } = parsed;
  const settings = { concurrency, ...(windowsPerCommit === undefined ? {} : { windowsPerCommit }) };
  if (parsed.plan !== undefined) {
    const plan = await readBackfillPlan(project.io, parsed.plan);
    return { ...settings, ...rangeJson(plan), newestFirst: plan.order === 'newest-first', planLocation: parsed.plan };
  }
  const { definitions } = await (await project.registry()).read();
  if (!definitions.featureViews.has(parsed.view)) {
    throw new MoraineError('FEATURE_VIEW_NOT_FOUND', `There is no feature view '${parsed.view}'.`);
  }
  return { ...settings, ...rangeJson(parsed), newestFirst: parsed.newestFirst };
}

const rangeJson = ({ view, startUs, endUs, stepUs }: Pick<BackfillPlan, 'view' | 'startUs' | 'endUs' | 'stepUs'>) => ({
  view,
  startUs: String(startUs),
  endUs: String(endUs),
  stepUs: String(stepUs),
});

function plannedJson(project: Project, plan: BackfillPlan, planLocation: string): PlannedBackfill {
  const { windows, windowsWithRows, files, rows, bytes } = planSummary(plan);
  return {
    planLocation,
    sourceTable: plan.source.table,
    onlineTable: `${project.config.online.namespace}.${plan.view}`,
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
