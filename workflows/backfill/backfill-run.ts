import {
  ApplicationFailure,
  allHandlersFinished,
  ContinueAsNew,
  condition,
  continueAsNew,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  BackfillProgress,
  BackfillResult,
  BackfillRunInput,
  BackfillSegment,
  PlannedBackfill,
} from '../../activities/backfill-contract.js';
import { requireHandedOver } from '../own-input.js';
import { failureOutcome, tellAll } from '../run-outcome.js';
import { BackfillBatch } from './backfill-batch.js';
import { BackfillControls } from './backfill-controls.js';
import { backfillPlanning } from './backfill-policies.js';
import { type BackfillReport, backfillReport, backfillResult, controlsChanged, planMade } from './backfill-report.js';
import { windowsIn } from './backfill-segments.js';
import { BackfillTarget } from './backfill-target.js';

/** Segments of one workflow execution: at most some seven events each, and a server wants fewer than ten thousand. */
const SEGMENTS_PER_EXECUTION = 500;

/**
 * A backfill: plans a range of event times in windows, reads them a few at a time and commits them in groups. It goes on in a new
 * execution after every few hundred windows, so that its history stays short. There is one at a time of each view, range and step.
 *
 * Signals `pause`, `resume` and `retry`, the update `changeConcurrency` and the query `progress` are for people. Cancelled, it leaves whole
 * windows. A window that fails does not stop the others: the backfill then ends as failed, naming it.
 */
export async function backfillRun(input: BackfillRunInput): Promise<BackfillResult> {
  requireHandedOver('backfill', input, 'startUs');
  const report = backfillReport(input);
  const controls = new BackfillControls(input, (changed) => report.save(controlsChanged(changed)));
  try {
    const planned = await plannedBackfill(input, report);
    report.save(controlsChanged(controls));
    const { segments, next } = await segmentsOf(input, planned);
    const target = new BackfillTarget(input, planned);
    const { windowsPerCommit } = input;
    const batch = new BackfillBatch(target, controls, report, { segments, windowsPerCommit });
    await batch.run();
    if (next !== null && !batch.hasTooManyFailures) await goOn(input, planned, next, controls, report);
    requireComplete(report.state.progress);
    const result = report.done(backfillResult(input));
    await tellAll(controls.waiting, { status: 'completed', result });
    return result;
  } catch (error) {
    if (!(error instanceof ContinueAsNew)) {
      await tellAll(controls.waiting, failureOutcome(error, 'backfill'));
    }
    throw error;
  }
}

async function plannedBackfill(input: BackfillRunInput, report: BackfillReport): Promise<PlannedBackfill> {
  if (input.carried !== undefined) return input.carried.planned;
  const { view, trainingSet, startUs, endUs, stepUs, newestFirst, planLocation, only, isRetry = false } = input;
  const known = planLocation === undefined ? {} : { planLocation, isRetry: isRetry || only !== undefined };
  const what = { ...(view === undefined ? {} : { view }), ...(trainingSet === undefined ? {} : { trainingSet }) };
  const request = { ...what, startUs, endUs, stepUs, newestFirst, ...known };
  const planned = await backfillPlanning.planBackfill.executeWithOptions({ summary: 'Plan the windows' }, [request]);
  report.setTable(planned.onlineTable);
  report.save(planMade(planned, only === undefined ? planned.windows : windowsIn(only)), planned);
  return planned;
}

async function segmentsOf(
  { only, carried }: BackfillRunInput,
  { planLocation, onlineTable: table }: PlannedBackfill,
): Promise<{ readonly segments: readonly BackfillSegment[]; readonly next: number | null }> {
  if (only !== undefined) return { segments: only, next: null };
  const page = { planLocation, table, cursor: carried?.cursor ?? 0, limit: SEGMENTS_PER_EXECUTION };
  return backfillPlanning.readSegments.executeWithOptions({ summary: 'Read the next windows of the plan' }, [page]);
}

/** Continues as a new execution. What was said to this one goes with it. */
async function goOn(
  input: BackfillRunInput,
  planned: PlannedBackfill,
  cursor: number,
  controls: BackfillControls,
  report: BackfillReport,
): Promise<never> {
  await condition(allHandlersFinished);
  const { isPaused, concurrency, waiting } = controls;
  const carried = { planned, cursor, isPaused, waiting: [...waiting], progress: report.state.progress };
  return continueAsNew<typeof backfillRun>({ ...input, concurrency, carried });
}

function requireComplete({ failed, windowsTotal, windowsDone, windowsFailed }: BackfillProgress): void {
  const [first] = failed;
  if (first === undefined) return;
  const { workflowId } = workflowInfo();
  const others = failed.length === 1 ? '' : `, and ${failed.length - 1} more`;
  const left = windowsTotal - windowsDone - windowsFailed;
  const rest = left === 0 ? '' : `; after so many failures ${left} others were not begun`;
  const message = `windows have failed: ${first.window} (${first.code}: ${first.message})${others}; all others that were begun are committed${rest}. Try them again with: moraine backfill retry ${workflowId}`;
  throw ApplicationFailure.create({ message, type: 'RUN_FAILED', nonRetryable: true });
}
