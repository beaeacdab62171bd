/** The runs of a project on its Temporal server. */
import type { Client, WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import { projectOfId } from '../activities/index.js';

/** The statuses of runs, and how Temporal's queries name them. */
export const RUN_STATUSES = {
  RUNNING: 'Running',
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  CANCELLED: 'Canceled',
  TERMINATED: 'Terminated',
  TIMED_OUT: 'TimedOut',
  CONTINUED_AS_NEW: 'ContinuedAsNew',
} as const;
export type RunStatus = keyof typeof RUN_STATUSES;

/** Which runs to list; every condition must hold. */
export interface RunFilter {
  readonly taskQueue: string;
  /** Runs whose ids carry another project are left out. */
  readonly project: string | null;
  readonly view?: string;
  /** The table that a run writes or works on, by one of its names. */
  readonly table?: string | readonly string[];
  readonly status?: RunStatus;
  readonly limit: number;
}

/** A run in one line. Times are ISO-8601. */
export interface RunSummary {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflow: string;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly elapsedMs: number;
  readonly view: string | null;
  readonly table: string | null;
  /** The step that it is in, or has ended in, where the workflow tells. */
  readonly step: string | null;
}

/** The runs that are in flight or ended last, by their start, newest first. */
export async function listRuns(client: Client, filter: RunFilter): Promise<readonly RunSummary[]> {
  const { taskQueue, status, limit } = filter;
  const conditions = [`TaskQueue = ${quoted(taskQueue)}`];
  if (status !== undefined) conditions.push(`ExecutionStatus = '${RUN_STATUSES[status]}'`);
  const found: RunSummary[] = [];
  for await (const execution of client.workflow.list({ query: conditions.join(' AND ') })) {
    const run = runSummary(execution);
    if (!matches(run, filter)) continue;
    found.push(run);
    if (found.length >= limit) break;
  }
  return found.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}

/** The request is compared here: a namespace need not have our search attributes, and entries of people set none, so that their ids tell. */
function matches({ view, table, workflowId }: RunSummary, filter: RunFilter): boolean {
  if ((projectOfId(workflowId) ?? filter.project) !== filter.project) return false;
  const id = `/${workflowId.replaceAll('@', '/')}/`;
  const isNamed = (known: string | null, name: string): boolean =>
    known === null ? id.includes(`/${name}/`) : known === name;
  const isOf = (known: string | null, asked: string | readonly string[] | undefined): boolean =>
    asked === undefined || [asked].flat().some((name) => isNamed(known, name));
  return isOf(view, filter.view) && isOf(table, filter.table);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Summary of a run from Temporal's list or description. */
export function runSummary(execution: WorkflowExecutionInfo | WorkflowExecutionDescription): RunSummary {
  const { workflowId, runId, type, status, startTime, closeTime, memo, searchAttributes } = execution;
  const progress = memberOf(memo, 'progress');
  return {
    workflowId,
    runId,
    workflow: type,
    status: status.name,
    startedAt: startTime.toISOString(),
    endedAt: closeTime?.toISOString() ?? null,
    elapsedMs: (closeTime ?? new Date()).getTime() - startTime.getTime(),
    view: text(attribute(searchAttributes, 'MoraineView')) ?? text(memberOf(memo, 'view')),
    table: text(attribute(searchAttributes, 'MoraineTable')) ?? text(memberOf(memo, 'table')),
    step: text(memberOf(progress, 'step')),
  };
}

const attribute = (attributes: WorkflowExecutionInfo['searchAttributes'], name: string): unknown =>
  attributes[name]?.[0];

/** A member of a value that came as JSON. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** Text, or null. */
export const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
