/** Everything that is known of one run. */
import { type Client, type WorkflowExecutionDescription, WorkflowNotFoundError } from '@temporalio/client';
import type { RunOutcome } from '../activities/contract.js';
import { outcomeOf } from '../activities/index.js';
import { MoraineError } from '../errors/index.js';
import { memberOf, type RunSummary, runSummary } from './list-runs.js';
import { commitsOf, type RunSteps, readSteps } from './run-steps.js';

/** How long a worker may take to say how far a run is. */
const QUERY_MS = 3000;

/** A run in all detail. */
export interface Run extends RunSummary, RunSteps {
  /** How far it is: its worker's own word, or without one the last that it left in the memo. */
  readonly progress: Readonly<Record<string, unknown>> | null;
  /** When the first execution of the run started, ISO-8601; null: it was continued, and the server has forgotten how it began. */
  readonly firstStartedAt: string | null;
  /** Average per second since the first execution, by the counts of the progress, which go on from one execution to the next. */
  readonly rates: Readonly<Record<string, number>>;
  /** How it ended; null while it is in flight. */
  readonly outcome: RunOutcome<unknown> | null;
}

/**
 * The latest run of a workflow id, or one that is named.
 *
 * @throws `WORKFLOW_NOT_FOUND`
 */
export async function showRun(client: Client, workflowId: string, runId?: string): Promise<Run> {
  const handle = client.workflow.getHandle(workflowId, runId);
  const description = await handle.describe().catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw new MoraineError(
      'WORKFLOW_NOT_FOUND',
      `there is no run ${JSON.stringify(workflowId)} on the Temporal server`,
      {
        cause: error,
      },
    );
  });
  const summary = runSummary(description);
  const exact = client.workflow.getHandle(workflowId, description.runId);
  const running = description.status.name === 'RUNNING';
  const [history, firstStartedAt, progress, outcome] = await Promise.all([
    exact.fetchHistory(),
    firstStart(client, description),
    running ? queried(client, workflowId, description.runId) : undefined,
    running ? null : endOf(client, workflowId, description.runId),
  ]);
  const steps = await readSteps(client.options.loadedDataConverter, history, description.raw);
  const endMs = summary.endedAt === null ? Date.now() : Date.parse(summary.endedAt);
  const counts = progress ?? record(memberOf(description.memo, 'progress'));
  return {
    ...summary,
    ...steps,
    commits: withResult(steps.commits, outcome),
    step: typeof counts?.['step'] === 'string' ? counts['step'] : summary.step,
    progress: counts,
    firstStartedAt,
    rates: firstStartedAt === null ? {} : ratesOf(counts, endMs - Date.parse(firstStartedAt)),
    outcome,
  };
}

/** When the first of the executions started that one continues. */
async function firstStart(client: Client, execution: WorkflowExecutionDescription): Promise<string | null> {
  const { workflowId, runId, startTime, raw } = execution;
  const first = raw.workflowExecutionInfo?.firstRunId ?? '';
  if (first === '' || first === runId) return startTime.toISOString();
  try {
    return (await client.workflow.getHandle(workflowId, first).describe()).startTime.toISOString();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** The answer of the shared query, if a worker answers and the workflow has it. */
async function queried(client: Client, workflowId: string, runId: string) {
  const handle = client.workflow.getHandle(workflowId, runId);
  try {
    return record(await client.withDeadline(Date.now() + QUERY_MS, () => handle.query<unknown>('progress')));
  } catch {
    return null;
  }
}

/** How one execution ended, without following those that continued it. */
function endOf(client: Client, workflowId: string, runId: string): Promise<RunOutcome<unknown>> {
  const result = client.workflow.result(workflowId, runId, { followRuns: false });
  return outcomeOf<unknown>(result).catch((error: unknown) => ({
    status: 'failed',
    code: 'RUN_FAILED',
    message: error instanceof Error ? error.message : String(error),
  }));
}

function withResult(commits: RunSteps['commits'], outcome: RunOutcome<unknown> | null): RunSteps['commits'] {
  if (outcome?.status !== 'completed') return commits;
  const known = new Set(commits.map(({ snapshotId }) => snapshotId));
  return [...commits, ...commitsOf(outcome.result).filter(({ snapshotId }) => !known.has(snapshotId))];
}

const COUNT = /(Done|Written|Read|Committed|Rewritten|Removed|Expired)$/;

function ratesOf(progress: Run['progress'], elapsedMs: number): Readonly<Record<string, number>> {
  if (progress === null || elapsedMs === 0) return {};
  const counts = Object.entries(progress).filter(([name]) => COUNT.test(name));
  const rates = counts.map(([name, value]) => [name, (Number(value) * 1000) / elapsedMs] as const);
  return Object.fromEntries(rates.filter(([, rate]) => Number.isFinite(rate) && rate > 0));
}

function record(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
}
