/** Starting backfills, waiting for them and speaking to them, from a command or a library call. */
import type { Client } from '@temporalio/client';
import type {
  BackfillProgress,
  BackfillResult,
  BackfillRunInput,
  BackfillSegment,
  MaxFailed,
} from '../../activities/backfill-contract.js';
import type { RequestedRun, RunEngine } from '../../activities/contract.js';
import {
  type BackfillRunWorkflow,
  changeBackfillConcurrency as changeConcurrency,
  hasSearchAttributes,
  MAX_CONCURRENCY,
  startBackfillRun,
} from '../../activities/index.js';
import { MoraineError } from '../../errors/index.js';
import type { ProjectSettings } from '../temporal-settings.js';
import { requireSmallInput, startOnPolledQueue } from '../worker/task-queue.js';
import type { TemporalClient } from './connection.js';
import { type FollowOptions, followRun } from './follow-run.js';
import { workerAnswer } from './worker-answer.js';

export type NewBackfill = Omit<BackfillRunInput, 'searchAttributes' | 'carried'>;

/**
 * Starts a backfill on the server, or joins the one of the same view, range and step in flight.
 *
 * @throws `LIMIT_EXCEEDED`; `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it
 */
export async function startBackfill(
  { client, connection, signal }: TemporalClient,
  { namespace, taskQueue, project }: ProjectSettings,
  backfill: NewBackfill,
): Promise<RequestedRun> {
  requireSmallInput('backfill', backfill);
  return startOnPolledQueue({ client, signal }, { taskQueue, project }, async () => {
    const searchAttributes = await hasSearchAttributes(connection, namespace);
    return startBackfillRun(client, { ...backfill, searchAttributes }, { taskQueue, project });
  });
}

/**
 * Waits until a backfill has ended, over all of its workflow executions.
 *
 * @throws its own error code if it failed; `CANCELLED` if it was cancelled or the waiting was stopped
 */
export function waitForBackfill(
  client: Client,
  { workflowId }: RequestedRun,
  options: FollowOptions<BackfillProgress> = {},
): Promise<BackfillResult> {
  return followRun(handleOf(client, workflowId), options);
}

const handleOf = (client: Client, id: string) => client.workflow.getHandle<BackfillRunWorkflow>(id);

/** Control of a backfill; `retry` is for one in flight. */
export type BackfillControl = 'pause' | 'resume' | 'retry' | 'cancel';

/** @throws `WORKFLOW_NOT_FOUND` if there is no backfill of that id in flight */
export async function controlBackfill(client: Client, id: string, control: BackfillControl): Promise<void> {
  const handle = handleOf(client, id);
  await known<unknown>(id, control === 'cancel' ? handle.cancel() : handle.signal(control));
}

/** @throws `WORKFLOW_NOT_FOUND`; `INVALID_ARGUMENT` for a number that it does not take; `TASK_QUEUE_UNPOLLED` if no worker answers */
export async function changeBackfillConcurrency(client: Client, id: string, concurrency: number): Promise<void> {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    throw new MoraineError('INVALID_ARGUMENT', `The concurrency is a number from 1 to ${MAX_CONCURRENCY}.`);
  }
  await workerAnswer(client, id, () => changeConcurrency(client, { workflowId: id }, concurrency));
}

const MAX_FAILED: MaxFailed = 100;

/** The windows that have failed, and how the backfill was run. */
export interface FailedSegments {
  readonly planLocation: string;
  readonly segments: readonly BackfillSegment[];
  /** Whether so many have failed that others were not begun. */
  readonly isCut: boolean;
  readonly settings: Pick<BackfillRunInput, 'engine'>;
}

/** The failed windows of a backfill that has ended; null while it is in flight. @throws `WORKFLOW_NOT_FOUND` */
export async function failedSegments(client: Client, id: string): Promise<FailedSegments | null> {
  const { status, memo } = await known(id, handleOf(client, id).describe());
  if (status.name === 'RUNNING') return null;
  const { plan, progress, engine } = (memo ?? {}) as {
    readonly plan?: { readonly planLocation?: string };
    readonly progress?: BackfillProgress;
    readonly engine?: RunEngine;
  };
  if (plan?.planLocation === undefined) {
    throw new MoraineError('INVALID_ARGUMENT', `The backfill ${id} ended before it had a plan: start it again.`);
  }
  const segments = (progress?.failed ?? []).map(({ segment }) => segment);
  const { windowsTotal = 0, windowsDone = 0, windowsFailed = 0 } = progress ?? {};
  const isCut = segments.length >= MAX_FAILED && windowsDone + windowsFailed < windowsTotal;
  return { planLocation: plan.planLocation, segments, isCut, settings: engine === undefined ? {} : { engine } };
}

async function known<T>(id: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowNotFoundError') throw error;
    throw new MoraineError('WORKFLOW_NOT_FOUND', `There is no backfill ${id} in flight.`, { cause: error });
  }
}
